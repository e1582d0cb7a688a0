// How a kernel becomes GPU code: strategies, asked one after the other.
#ifndef SHOAL_CODEGEN_GPU_STRATEGY_H
#define SHOAL_CODEGEN_GPU_STRATEGY_H

#include "shoal/Codegen/CPU/KernelCompiler.h"
#include "shoal/Codegen/GPU/Chip.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/Module.h"

#include <array>
#include <string>

namespace shoal::gpu {

/// One launch of a kernel. Its function has CallingConv::PTX_Kernel, the name
/// `symbol`, and the parameters
///   ptr addrspace(1) for each input, then for each output; i64 for each host
///   scalar; ptr addrspace(1) to the scratch memory if KernelCode::scratchBytes
///   is not 0.
/// A pointer carries `dereferenceable(bytes)`, and `readonly noalias` where no
/// launch writes through it or through another parameter that may be the same
/// memory (KernelSource::mayOverwrite): tests hold accesses against them. Shared
/// memory is @shoal_smem alone (getSharedMemory).
struct Launch {
  std::string symbol;
  std::array<int64_t, 3> grid = {1, 1, 1};
  int64_t block = 128;
  std::array<int64_t, 3> cluster = {1, 1, 1};
  int64_t sharedBytes = 0;
  /// All blocks must run at once (grid-wide barriers).
  bool cooperative = false;
};

/// What a strategy says about the code it made.
struct KernelCode {
  /// Run one after the other, with the same parameters. The first one's symbol
  /// is KernelSource::symbol, the others' begin with it.
  llvm::SmallVector<Launch, 1> launches;
  int64_t scratchBytes = 0;   ///< one piece of memory for all launches
  bool scratchZeroed = false; ///< it must be zero when the first one starts
  /// Spilled registers are worth an error under --fatal=spills.
  bool isPerformanceKernel = false;
  int64_t flops = 0;
  /// Name of the strategy and its configuration, for remarks and tests.
  std::string strategy;
};

/// What is asked of a strategy.
struct KernelRequest {
  const KernelSource &source;
  const Chip &chip;
  /// Bytes that the addresses of block arguments and of outputs are multiples
  /// of, at every launch in the program; at most 256.
  llvm::ArrayRef<int64_t> inputAlign, outputAlign;
  /// Products of f32 with precision DEFAULT may run in tf32.
  bool allowTf32 = false;
};

class Strategy {
public:
  virtual ~Strategy() = default;
  virtual llvm::StringRef getName() const = 0;
  /// Adds the kernel's functions to `module`, whose triple and data layout are
  /// set, and fills `code`. False, with nothing added and no diagnostic, for
  /// kernels that it does not take; a failure has been reported. Called from
  /// several threads at once, with modules of different contexts.
  virtual mlir::FailureOr<bool> emit(const KernelRequest &request,
                                     llvm::Module &module,
                                     KernelCode &code) const = 0;
};

/// All strategies in the order in which they are asked; the last one takes every
/// kernel. Source: lib/Codegen/GPU/Strategies.cpp, where new ones are added.
llvm::ArrayRef<const Strategy *> getStrategies();

/// The one array in shared memory: external, addrspace(3), of no given size,
/// aligned to 1024 bytes.
llvm::GlobalVariable *getSharedMemory(llvm::Module &module);

/// Declares the function of one launch as described above.
llvm::Function *declareLaunch(llvm::Module &module, const KernelSource &source,
                              llvm::StringRef symbol, int64_t blockThreads,
                              int64_t scratchBytes);

} // namespace shoal::gpu

#endif // SHOAL_CODEGEN_GPU_STRATEGY_H
