#include "cuda/Driver.h"

#include <cstdlib>
#include <dlfcn.h>
#include <mutex>

namespace shoal::cuda {

using rt::Result;
using rt::Status;

static std::string versionText(int version) {
  return std::to_string(version / 1000) + "." +
         std::to_string(version % 1000 / 10);
}

static Result<const Driver *> load() {
  const char *given = std::getenv("SHOAL_CUDA_LIBRARY");
  std::string path = given && *given ? given : "libcuda.so.1";
  void *library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = ::dlerror();
    return Status::badInput(
        "--target=cuda: there is no CUDA driver (" +
        std::string(why ? why : path.c_str()) +
        "); install NVIDIA's driver, set SHOAL_CUDA_LIBRARY to its "
        "libcuda.so.1, or run with --target=cpu");
  }
  static Driver driver;
  driver.path = path;
  driver.library = library;
  auto get = [&](const char *symbol) { return ::dlsym(library, symbol); };
  // The version first: what is missing then has a reason.
  if (void *f = get("cuDriverGetVersion"))
    reinterpret_cast<CUresult (*)(int *)>(f)(&driver.version);
  std::string missing;
#define SHOAL_LOAD(symbol, name, parameters)                                   \
  driver.name = reinterpret_cast<decltype(driver.name)>(get(#symbol));         \
  if (!driver.name && missing.empty())                                         \
    missing = #symbol;
  SHOAL_CUDA_FUNCTIONS(SHOAL_LOAD)
#undef SHOAL_LOAD
  if (driver.version < kOldestDriver || !missing.empty())
    return Status::badInput("--target=cuda: the CUDA driver '" + path +
                            "' is too old: it is of " + "CUDA " +
                            versionText(driver.version) +
                            (missing.empty() ? "" : " and lacks " + missing) +
                            "; Shoal needs one of CUDA " +
                            versionText(kOldestDriver) + " or later");
  CUresult result = driver.init(0);
  if (result == CUDA_ERROR_NO_DEVICE)
    return Status::badInput("--target=cuda: there is no GPU in this machine, "
                            "or CUDA_VISIBLE_DEVICES hides it");
  if (result != CUDA_SUCCESS) {
    std::string hint;
    if (result == CUDA_ERROR_STUB_LIBRARY)
      hint = "; '" + path + "' is a stub for linking, not the driver";
    else if (result == CUDA_ERROR_SYSTEM_DRIVER_MISMATCH)
      hint = "; libcuda.so.1 and the kernel's driver differ in version: "
             "reload the driver or restart the machine";
    return Status::badInput("--target=cuda: the CUDA driver does not start: " +
                            driver.describe(result) + hint);
  }
  return &driver;
}

void *Driver::find(const char *symbol) const {
  return ::dlsym(library, symbol);
}

Result<const Driver *> Driver::open() {
  static std::once_flag once;
  static std::optional<Result<const Driver *>> loaded;
  std::call_once(once, [] { loaded.emplace(load()); });
  return *loaded;
}

std::string Driver::describe(CUresult error) const {
  const char *name = nullptr, *text = nullptr;
  getErrorName(error, &name);
  getErrorString(error, &text);
  if (!name)
    return "CUDA error " + std::to_string(error);
  return (text ? std::string(text) + " (" : std::string("(")) + name + ")";
}

} // namespace shoal::cuda
