#include "cuda/math/MathLibraries.h"

#include "cuda/LibraryPaths.h"

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>

namespace shoal::cuda {

void *MathLibrary::find(const std::string &symbol) const {
  return handle ? ::dlsym(handle, symbol.c_str()) : nullptr;
}

static MathLibrary open(const char *name, const char *variable,
                        std::initializer_list<const char *> files,
                        std::initializer_list<const char *> packaged) {
  MathLibrary library{name, nullptr, "", ""};
  std::vector<std::string> paths;
  if (const char *given = std::getenv(variable); given && *given) {
    if (std::strcmp(given, "none") == 0) {
      library.why = std::string(variable) + "=none";
      return library;
    }
    paths.push_back(given);
  } else {
    paths.assign(files.begin(), files.end());
    for (std::string &path : packagedLibraries(packaged))
      paths.push_back(std::move(path));
  }
  for (const std::string &path : paths) {
    library.handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library.handle) {
      library.path = path;
      return library;
    }
    if (const char *text = ::dlerror(); text && library.why.empty())
      library.why = text;
  }
  return library;
}

// The newest first: CUDA 13's, then CUDA 12's.
const MathLibrary &MathLibrary::cufft() {
  static const MathLibrary library =
      open("cuFFT", "SHOAL_CUFFT_LIBRARY", {"libcufft.so.12", "libcufft.so.11"},
           {"cu13/lib/libcufft.so.12", "cufft/lib/libcufft.so.1[12]"});
  return library;
}
const MathLibrary &MathLibrary::cublas() {
  static const MathLibrary library = open(
      "cuBLAS", "SHOAL_CUBLAS_LIBRARY", {"libcublas.so.13", "libcublas.so.12"},
      {"cu13/lib/libcublas.so.13", "cublas/lib/libcublas.so.1[23]"});
  return library;
}
const MathLibrary &MathLibrary::cusolver() {
  static const MathLibrary library =
      open("cuSOLVER", "SHOAL_CUSOLVER_LIBRARY",
           {"libcusolver.so.12", "libcusolver.so.11"},
           {"cu13/lib/libcusolver.so.12", "cusolver/lib/libcusolver.so.1[12]"});
  return library;
}

std::string mathError(const MathLibrary &library, int status) {
  return std::string(library.name) + " error " + std::to_string(status);
}

} // namespace shoal::cuda
