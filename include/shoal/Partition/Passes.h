// Passes of lib/Partition: from `sharded` to `partitioned`.
#ifndef SHOAL_PARTITION_PASSES_H
#define SHOAL_PARTITION_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace shoal {
#define GEN_PASS_DECL
#include "shoal/Partition/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "shoal/Partition/Passes.h.inc"

/// Registers `shoal-partition-pipeline`.
void registerShoalPartitionPipelines();

/// Prints a partitioned module as plain StableHLO with collectives in place:
/// comm ops become stablehlo collectives with replica groups, shardings go.
/// Fails with a diagnostic on ops that have no such form.
mlir::LogicalResult exportToStableHLO(mlir::ModuleOp module);
} // namespace shoal

#endif // SHOAL_PARTITION_PASSES_H
