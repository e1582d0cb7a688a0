// Passes that merge, move and hide communication; documented in Passes.td.
#ifndef SHOAL_COLLECTIVES_PASSES_H
#define SHOAL_COLLECTIVES_PASSES_H

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace shoal {

/// The sets of axes ("tp", "dp+tp") over which a module in phase `partitioned`
/// gathers operands of products or scatters their results: what
/// shoal-chunk-products may be given.
llvm::SmallVector<std::string> chunkableAxes(mlir::ModuleOp module);

/// The groups ("tp", "dp+tp") over which a module in phase `partitioned` has
/// all_reduces of tensors that the group divides, those with most bytes first:
/// what shoal-split-all-reduces may be given.
llvm::SmallVector<std::string> allReduceGroups(mlir::ModuleOp module);

/// How many products of a module in phase `imported` shoal-keep-recomputed
/// could keep.
int64_t countRecomputed(mlir::ModuleOp module);

#define GEN_PASS_DECL
#include "shoal/Collectives/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "shoal/Collectives/Passes.h.inc"

} // namespace shoal

#endif // SHOAL_COLLECTIVES_PASSES_H
