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
/// makes the shortest step and fits the memory.
/// The module is to go into `sharded`; there is a memory limit.
mlir::LogicalResult chooseKept(mlir::ModuleOp module, const Hardware &hardware,
                               PipelineOptions &options);

/// Sets whether forms are chosen by the hardware's times along each axis of the
/// mesh instead of bytes: if that makes the shorter step. The module is to go
/// into `sharded`; there is a memory limit.
mlir::LogicalResult chooseAxisTimes(mlir::ModuleOp module,
                                    const Hardware &hardware,
                                    PipelineOptions &options);

/// Sets how far communication is overlapped, and over which axes products are
/// chunked, to what the simulator finds fastest for the module, which is to go
/// into `phase`. There is a memory limit.
mlir::LogicalResult chooseProgram(mlir::ModuleOp module, Phase phase,
                                  const Hardware &hardware,
                                  PipelineOptions &options);

/// Builds a pipeline and runs it.
mlir::LogicalResult
runPasses(mlir::ModuleOp module,
          llvm::function_ref<mlir::LogicalResult(mlir::OpPassManager &)> build);

} // namespace shoal

#endif // SHOAL_LIB_PIPELINES_CHOOSEPROGRAM_H
