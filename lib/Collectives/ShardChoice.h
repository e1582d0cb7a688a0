// Where the two halves of all_reduces go: what between them is computed on
// shards.
#ifndef SHOAL_COLLECTIVES_SHARDCHOICE_H
#define SHOAL_COLLECTIVES_SHARDCHOICE_H

#include "IndexClasses.h"
#include "Prices.h"

#include "llvm/ADT/MapVector.h"

namespace shoal {
class UniformValues;

/// Ops that work on a shard of their uniform operands, each along one index.
struct ShardPlan {
  comm::GroupsAttr groups;
  int64_t parts = 0; ///< devices in a group
  /// all_reduces (to be reduce_scatters) and all_gathers (to be nothing) whose
  /// results are shards, and the dimension. In program order.
  llvm::MapVector<mlir::Operation *, unsigned> sources;
  /// Sources whose results someone needs whole as well, and that stay.
  llvm::DenseSet<mlir::Operation *> kept;
  /// Ops on shards, and by which factor.
  llvm::DenseMap<mlir::Operation *, const PartFactor *> ops;
  /// Results of loops, branches and barriers that are shards, and the
  /// dimension.
  llvm::DenseMap<std::pair<mlir::Operation *, unsigned>, unsigned> carried;
  /// Values that kernels of the program as it is write to memory.
  llvm::DenseSet<mlir::Value> stored;
  /// Modelled seconds of what changes, before and after.
  double before = 0, after = 0;
};

/// The plan for all_reduces over the group (axes of a mesh) that is modelled to
/// take least; nothing moves (`sources` is empty) where none gains.
/// `classes` must come from `shardableClasses`.
ShardPlan choosePlan(mlir::func::FuncOp func, comm::GroupsAttr groups,
                     const IndexClasses &classes, const UniformValues &uniform,
                     Prices &prices, bool always);

/// Indices along which uniform values can be computed shard by shard.
IndexClasses shardableClasses(mlir::func::FuncOp func, comm::GroupsAttr groups,
                              const UniformValues &uniform);

} // namespace shoal

#endif // SHOAL_COLLECTIVES_SHARDCHOICE_H
