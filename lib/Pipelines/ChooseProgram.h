// Choices that no pass makes for itself: whole programs are compiled each way,
// simulated, and the best one's options taken.
#ifndef SHOAL_LIB_PIPELINES_CHOOSEPROGRAM_H
#define SHOAL_LIB_PIPELINES_CHOOSEPROGRAM_H

#include "shoal/Analysis/Hardware.h"
#include "shoal/Pipelines/Phases.h"

#include "mlir/IR/BuiltinOps.h"

namespace shoal {

/// Of what a checkpointed layer computes again, sets what is kept instead: of
/// what saves work (collectives, as a rule, most), so much, the best first, as
/// makes the shortest step and fits the memory. Where it is better with all
/// all_reduces in halves, sets that as well.
/// The module is to go into `sharded`; there is a memory limit.
mlir::LogicalResult chooseKept(mlir::ModuleOp module, const Hardware &hardware,
                               PipelineOptions &options);

/// Sets whether forms are chosen without regard to the memory limit: if that
/// makes a program that is shorter and made to fit. The module is to go into
/// `sharded`; there is a memory limit.
mlir::LogicalResult chooseFreeForms(mlir::ModuleOp module,
                                    const Hardware &hardware,
                                    PipelineOptions &options);

/// Sets whether forms are chosen by the hardware's times along each axis of the
/// mesh instead of bytes: if that makes the shorter step. The module is to go
/// into `sharded`; there is a memory limit.
mlir::LogicalResult chooseAxisTimes(mlir::ModuleOp module,
                                    const Hardware &hardware,
                                    PipelineOptions &options);

/// Sets how far communication is overlapped, and over which axes products are
/// chunked, to what the simulator finds fastest for the module, which is to go
/// into `phase`. There is a memory limit. `choosesHalves`: also whose all_reduces
/// go in halves, else those of the options.
mlir::LogicalResult chooseProgram(mlir::ModuleOp module, Phase phase,
                                  const Hardware &hardware,
                                  PipelineOptions &options,
                                  bool choosesHalves);

/// Where the program that the module, of phase `fused`, is scheduled to takes
/// more than the memory limit, sets how values are computed again so that it
/// fits: in the way that the simulator finds fastest. Where nothing makes it
/// fit, leaves it as it is and says by how much it does not.
mlir::LogicalResult fitProgram(mlir::ModuleOp module, const Hardware &hardware,
                               PipelineOptions &options);

/// A program that was made to be judged.
struct Trial {
  double seconds = 0;
  int64_t peak = 0;   ///< bytes of a device
  double work = 0;    ///< seconds of all kernels, and of all collectives
  double exposed = 0; ///< seconds that the device waits for links
};

/// Schedules a copy of a module of phase `fused`, with collectives in buckets
/// and without, and simulates it. (Buckets are made from a simpler model than
/// the simulator's.) Sets which of both is better. With `mayFit`, what does not
/// fit into the memory is judged by what it is when it is made to (in one or two
/// tries, where fitProgram makes more).
mlir::FailureOr<Trial> judge(mlir::ModuleOp fused, const Hardware &hardware,
                             PipelineOptions &options, bool mayFit);

/// A way to make a program fit into the memory: stacks of scans are computed
/// again or go to the host, and (`values`) single values likewise.
struct FitWay {
  bool stacks, offloadStacks, values, offload;

  /// For a program that takes `peak` bytes as it is, the limit being `limit`.
  void set(PipelineOptions &options, int64_t limit, int64_t peak) const;
  /// Made so, it still took as many bytes too many.
  void more(PipelineOptions &options, int64_t missing) const;
};
/// All ways that there are for the module, of phase `fused`, or a few of them;
/// those of stacks alone come first.
llvm::SmallVector<FitWay> fitWays(mlir::ModuleOp fused,
                                  const Hardware &hardware,
                                  const PipelineOptions &options, bool few);

/// Bytes of a device that arguments take, which nothing makes fewer.
int64_t argumentBytes(mlir::ModuleOp fused);

/// Builds a pipeline and runs it.
mlir::LogicalResult
runPasses(mlir::ModuleOp module,
          llvm::function_ref<mlir::LogicalResult(mlir::OpPassManager &)> build);

} // namespace shoal

#endif // SHOAL_LIB_PIPELINES_CHOOSEPROGRAM_H
