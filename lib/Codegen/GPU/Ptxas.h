// NVIDIA's assembler: PTX to cubin.
#ifndef SHOAL_LIB_CODEGEN_GPU_PTXAS_H
#define SHOAL_LIB_CODEGEN_GPU_PTXAS_H

#include "shoal/Codegen/GPU/Chip.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <string>

namespace shoal::gpu {

struct Ptxas {
  std::string path;
  unsigned major = 0, minor = 0; ///< "13.5"

  /// Releases before 13.3 allocate registers wrongly around mma.sync and wgmma
  /// at their default level.
  bool needsWorkaround() const {
    return major < 13 || (major == 13 && minor < 3);
  }
};

/// The one that the environment variable or the build setting SHOAL_PTXAS names,
/// else that of the Python package nvidia-cuda-nvcc in the .venv beside the build
/// folder, else on the PATH, else /usr/local/cuda/bin/ptxas. The error says what
/// to install. Found once per process.
llvm::Expected<Ptxas> findPtxas();

/// What a kernel needs, by ptxas's account.
struct KernelResources {
  unsigned registers = 0;
  unsigned spillBytes = 0; ///< stores and loads of registers in local memory
  unsigned stackBytes = 0;
};

struct Cubin {
  llvm::SmallVector<char, 0> bytes;
  llvm::StringMap<KernelResources> kernels; ///< by symbol
};

/// Assembles PTX text. The error holds ptxas's messages; its warnings about
/// serialized wgmma (C7508, C7510 to C7515) are errors.
llvm::Expected<Cubin> assemble(const Ptxas &ptxas, llvm::StringRef ptx,
                               const Chip &chip);

} // namespace shoal::gpu

#endif // SHOAL_LIB_CODEGEN_GPU_PTXAS_H
