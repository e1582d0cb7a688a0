#include "nccl/Nccl.h"

#include "cuda/LibraryPaths.h"

#include <cstdlib>
#include <dlfcn.h>
#include <mutex>
#include <vector>

namespace shoal::nccl {

using rt::Result;
using rt::Status;

static std::string versionText(int version) {
  return std::to_string(version / 10000) + "." +
         std::to_string(version % 10000 / 100) + "." +
         std::to_string(version % 100);
}

static Result<const Nccl *> load() {
  std::vector<std::string> paths;
  if (const char *given = std::getenv("SHOAL_NCCL_LIBRARY"); given && *given) {
    paths.push_back(given);
  } else {
    paths = cuda::packagedLibraries({"nccl/lib/libnccl.so.2"});
    paths.insert(paths.begin(), "libnccl.so.2");
  }
  void *library = nullptr;
  std::string why;
  static Nccl nccl;
  for (const std::string &path : paths) {
    library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    nccl.path = path;
    if (library)
      break;
    if (const char *text = ::dlerror(); text && why.empty())
      why = text;
  }
  if (!library)
    return Status::badInput(
        "--target=cuda: the mesh has several devices, and NCCL is missing (" +
        why +
        "); install it (pip install nvidia-nccl-cu13), set SHOAL_NCCL_LIBRARY "
        "to its libnccl.so.2, or put all ranks on one GPU with "
        "--ranks-per-device=N");
  auto get = [&](const char *symbol) { return ::dlsym(library, symbol); };
  std::string missing;
#define SHOAL_LOAD(symbol, name, parameters)                                   \
  nccl.name = reinterpret_cast<decltype(nccl.name)>(get(#symbol));             \
  if (!nccl.name && missing.empty())                                           \
    missing = #symbol;
  SHOAL_NCCL_FUNCTIONS(SHOAL_LOAD)
#undef SHOAL_LOAD
  nccl.getLastError =
      reinterpret_cast<decltype(nccl.getLastError)>(get("ncclGetLastError"));
  nccl.getErrorString = reinterpret_cast<decltype(nccl.getErrorString)>(
      get("ncclGetErrorString"));
  if (nccl.getVersion)
    nccl.getVersion(&nccl.version);
  if (nccl.version < kOldestNccl || !missing.empty())
    return Status::badInput("--target=cuda: NCCL '" + nccl.path +
                            "' is too old: it is " + versionText(nccl.version) +
                            (missing.empty() ? "" : " and lacks " + missing) +
                            "; Shoal needs " + versionText(kOldestNccl) +
                            " or later");
  return &nccl;
}

Result<const Nccl *> Nccl::open() {
  static std::once_flag once;
  static std::optional<Result<const Nccl *>> loaded;
  std::call_once(once, [] { loaded.emplace(load()); });
  return *loaded;
}

std::string Nccl::describe(ncclResult_t error, ncclComm_t comm) const {
  std::string text = getErrorString ? getErrorString(error) : "";
  if (text.empty())
    text = "NCCL error " + std::to_string(error);
  if (const char *last = getLastError ? getLastError(comm) : nullptr;
      last && *last)
    text += std::string(": ") + last;
  return text;
}

} // namespace shoal::nccl
