// The phase `optimized`: the partitioned program, made cheaper.
#ifndef SHOAL_OPTIMIZE_PIPELINES_H
#define SHOAL_OPTIMIZE_PIPELINES_H

#include "mlir/Pass/PassManager.h"

namespace shoal {

/// Common subexpressions, among them equal collectives, and dead code go.
void buildOptimizePipeline(mlir::OpPassManager &pm);
/// Registers `shoal-optimize-pipeline`.
void registerShoalOptimizePipelines();

} // namespace shoal

#endif // SHOAL_OPTIMIZE_PIPELINES_H
