// Kernels made for a GPU, as code of this machine: for tests without a GPU.
#ifndef SHOAL_CODEGEN_GPU_EMULATE_H
#define SHOAL_CODEGEN_GPU_EMULATE_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <vector>

namespace llvm {
class Module;
}

namespace shoal::gpu {

struct EmulateOptions {
  /// Bounds, alignment and races of every access are checked (slower).
  bool checkAccesses = true;
  /// Of LLVM's pipeline for this machine: 0 or 1.
  unsigned optLevel = 1;
  /// A launch is one call of the kernel, not one for each thread.
  bool singleThread = false;
  /// Objects that are linked with the module's.
  llvm::ArrayRef<llvm::ArrayRef<char>> objects = {};
};

/// Turns a module made for NVPTX, as it is just before the backend (functions
/// `shoal_ptx_*` of PtxInstructions still without bodies), into an ELF shared
/// object for this machine, an Image of kind `host`. The module is changed.
///
/// Every `llvm.nvvm.*` intrinsic and every `shoal_ptx_*` call becomes a call of
/// the emulator (test/Emulator), by its name; unknown names are reported when
/// they are executed. Each kernel becomes
///     extern "C" void SYMBOL(void **kernelParams, const ShoalEmuLaunch *)
/// with a description of its parameters beside it (test/Emulator/Core/Abi.h).
/// Sizes given by `dereferenceable(N)` on a kernel's pointer parameters, and
/// `readonly`, are held against every access.
///
/// Errors: a shared-memory global other than @shoal_smem, inline assembly, no
/// linker.
llvm::Expected<std::vector<char>>
emulateKernels(llvm::Module &module, const EmulateOptions &options = {});

/// Instead of code for a GPU, the CPU's kernels dressed as such: gives the
/// module one `gpu.binary` of kind `host`, and each `plan.kernel` its launch of
/// one block of one thread (`plan.gpu`). For tests of the runtime with models
/// that are too large to be emulated. Fails with a diagnostic at the kernel.
mlir::LogicalResult emulateByCpuKernels(mlir::ModuleOp module,
                                        llvm::StringRef chip);

} // namespace shoal::gpu

#endif // SHOAL_CODEGEN_GPU_EMULATE_H
