// From kernel regions to machine code for the host's CPU.
#ifndef SHOAL_CODEGEN_CPU_KERNELCOMPILER_H
#define SHOAL_CODEGEN_CPU_KERNELCOMPILER_H

#include "shoal/runtime/KernelABI.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Region.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/SmallVector.h"

#include <string>
#include <vector>

namespace shoal {

/// A kernel to compile: one block of StableHLO ops on tensors of static shape.
/// Block arguments are the inputs, the terminator's operands the outputs.
struct KernelSource {
  /// Name of the function in the object file (a C symbol).
  std::string symbol;
  mlir::Region *body = nullptr;
  /// For each block argument whether it is a host scalar (rank 0, integer):
  /// passed by value in ShoalKernelArgs::scalars. Empty: none is.
  llvm::SmallVector<bool> scalarInputs;
  /// Pairs (output, block argument): the output may be given that argument's
  /// memory. The caller must know that this is right (lib/Fuse does); the code
  /// then does not assume the two apart.
  llvm::SmallVector<std::pair<unsigned, unsigned>> mayOverwrite;
};

/// What launcher and scheduler must know about a kernel.
struct KernelInfo {
  std::string symbol;
  ShoalKernelInfo info = {1, 0, 0, 0};
};

struct KernelCompileOptions {
  /// "native", or a CPU name of LLVM with optional features ("+avx512f,…").
  std::string cpu = "native";
  std::string features;
  /// LLVM optimisation level, 0 to 3.
  unsigned optLevel = 2;
  /// Threads that compile modules; 0: as many as cores.
  unsigned threads = 0;
  /// Where to print LLVM IR before and after optimisation, if anywhere.
  llvm::raw_ostream *dumpIR = nullptr;
  /// Where to print, for each module, its kernels, the milliseconds of processor
  /// time that their emission, LLVM's passes and its code generator took, and
  /// the number of instructions, if anywhere.
  llvm::raw_ostream *times = nullptr;
  /// Kernels that become one LLVM module at most; 0: what compiles fastest.
  unsigned kernelsPerModule = 0;
};

struct CompiledKernels {
  /// ELF relocatable objects, position independent; link all of them.
  std::vector<llvm::SmallVector<char, 0>> objects;
  /// In the order of the sources.
  std::vector<KernelInfo> kernels;
};

/// Compiles kernels. An op, type or shape without code is an error at its
/// location; nothing is returned then. The output depends on the sources and
/// options only, not on the number of threads.
mlir::FailureOr<CompiledKernels>
compileKernels(llvm::ArrayRef<KernelSource> sources,
               const KernelCompileOptions &options = {});

/// Compiles every `plan.kernel` of the module that is launched, and sets its
/// attributes `symbol`, `chunks`, `scratch_bytes` and `flops`.
mlir::FailureOr<CompiledKernels>
compileKernels(mlir::ModuleOp module, const KernelCompileOptions &options = {});

} // namespace shoal

#endif // SHOAL_CODEGEN_CPU_KERNELCOMPILER_H
