// Reads the phase `sharded`: how each value is placed, and how each operand
// must be placed for its op's form.
#ifndef SHOAL_ANALYSIS_SHARDEDVIEW_H
#define SHOAL_ANALYSIS_SHARDEDVIEW_H

#include "shoal/Analysis/OpForm.h"

namespace shoal {

/// Strategy text of a form whose operands come in partial: "partial(0,2)".
std::string partialStrategy(uint64_t operands);

class ShardedView {
public:
  explicit ShardedView(MeshModel &mesh) : mesh(mesh) {}

  /// Placement of a value: an op's result by its `shoal.shardings`, a function
  /// argument by its attribute, a region argument by its op. Without any:
  /// replicated.
  PlacementState stateOf(mlir::Value value) const;
  /// Placement the user of the operand needs; nothing if it takes anything.
  std::optional<PlacementState> required(mlir::OpOperand &operand) const;

private:
  MeshModel &mesh;
  mutable llvm::DenseMap<mlir::Operation *,
                         std::shared_ptr<std::pair<OpModel, OpForm>>>
      forms;
};

/// Iterations of a stablehlo.while that counts from a constant to a constant
/// (`shoal.trip_count` where import has found it); nothing if unknown.
std::optional<int64_t> getTripCount(mlir::Operation *whileOp);

} // namespace shoal

#endif // SHOAL_ANALYSIS_SHARDEDVIEW_H
