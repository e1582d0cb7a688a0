// From the kernels of a module to device code for one chip.
#ifndef SHOAL_CODEGEN_GPU_KERNELCOMPILER_H
#define SHOAL_CODEGEN_GPU_KERNELCOMPILER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include <string>

namespace shoal::gpu {

struct CompileOptions {
  std::string chip; ///< empty: kDefaultChip
  /// Errors instead of warnings: registers that a performance kernel spills.
  bool fatalSpills = false;
  /// Products and convolutions of f32 with precision DEFAULT may run in tf32.
  bool allowTf32 = false;
  /// Tests: no PTX, but an image of kind `host` made by the emulator.
  bool emulate = false;
  /// PTX beside each cubin, for newer chips.
  bool withPtx = true;
  /// Use only the strategy of this name and the last one; empty: all.
  std::string strategy;
  /// "llvm" or "ptx": the code of each module goes to standard output, and no
  /// further; "" makes cubins.
  std::string print;
  unsigned threads = 0; ///< 0: as many as cores
  /// Folder for the LLVM IR and PTX of each module; empty: none.
  std::string dumpFolder;
  /// Where to print processor times per module and kernel, if anywhere.
  llvm::raw_ostream *times = nullptr;
};

/// Compiles every `plan.kernel` of the module that is launched or executed:
/// gives the module `gpu.binary` ops, and the kernels their attributes `symbol`,
/// `scratch_bytes`, `flops` and `plan.gpu`. Compiled modules are kept in the
/// cache (DESIGN.md, section 4) by their content. The result depends on the
/// module, the options and the version of ptxas only.
///
/// Fails with a diagnostic at the kernel's op: an op without code; ptxas missing
/// (with what to do) or refusing its input.
mlir::LogicalResult compileKernels(mlir::ModuleOp module,
                                   const CompileOptions &options);

} // namespace shoal::gpu

#endif // SHOAL_CODEGEN_GPU_KERNELCOMPILER_H
