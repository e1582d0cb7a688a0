// Passes of the phase `sharded`.
#ifndef SHOAL_PROPAGATE_PASSES_H
#define SHOAL_PROPAGATE_PASSES_H

#include "dialects/Shoal/Shoal.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

namespace shoal {

#define GEN_PASS_DECL
#include "shoal/Propagate/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "shoal/Propagate/Passes.h.inc"

/// The phase `sharded`: propagate, choose, insert reshards.
/// `memoryLimit`: bytes a device should hold at most, 0 for no limit.
void buildShardPipeline(mlir::OpPassManager &pm, int64_t memoryLimit = 0);
/// Registers `shoal-shard-pipeline`.
void registerShoalPropagatePipelines();

} // namespace shoal

#endif // SHOAL_PROPAGATE_PASSES_H
