// The program as propagation sees it: sharding variables, and steps that relate
// them. A variable is the sharding of one value, or of all values that share
// one by data flow (result and region arguments of a loop) or by a group.
#ifndef SHOAL_LIB_PROPAGATE_PROPAGATIONGRAPH_H
#define SHOAL_LIB_PROPAGATE_PROPAGATIONGRAPH_H

#include "FactorPropagation.h"

#include "dialects/Shoal/Shoal.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

#include <memory>

namespace shoal::propagate {

struct Variable {
  TensorState state;
  /// The mesh its sharding refers to (symbol or inline), null while unknown.
  mlir::Attribute mesh;
  int64_t rank = 0;
  /// Steps that read or write it, in program order.
  llvm::SmallVector<int, 4> steps;
};

/// How a step sees a variable: inside the manual region that owns it, the
/// leading manual axes of each dimension do not exist.
struct VariableUse {
  int variable = -1;
  /// Mesh axis numbers hidden from this use.
  llvm::SmallVector<int32_t, 2> hidden;
};

enum class StepKind : uint8_t {
  Op,      ///< an op with a sharding rule
  Edge,    ///< data flow into a loop, branch or region, or out of it
  Barrier, ///< shoal.barrier: its direction alone counts
  Result,  ///< a returned value and the function's result
};

struct Step {
  mlir::Operation *op = nullptr;
  StepKind kind = StepKind::Op;
  std::shared_ptr<const ShardingRule> rule;
  llvm::SmallVector<VariableUse, 2> operands;
  llvm::SmallVector<VariableUse, 2> results;
  bool elementwise = false;
  /// All operands that are no scalars are used here only.
  bool singleUse = false;
  Direction barrier = Direction::Both;
};

class PropagationGraph {
public:
  /// Builds the graph of a function. Fails with a diagnostic where shardings
  /// cannot be read (several meshes in one group).
  static llvm::FailureOr<PropagationGraph> build(mlir::func::FuncOp func);

  /// Sizes of the axes of the mesh all variables refer to.
  MeshAttr getMesh(mlir::Attribute meshOrRef) const;

  TensorState toState(ShardingAttr sharding) const;
  ShardingAttr toSharding(const Variable &variable) const;

  /// Writes all variables back as attributes of the program.
  void writeBack() const;

  mlir::func::FuncOp func;
  std::vector<Variable> variables;
  /// In program order.
  std::vector<Step> steps;
  /// Variables whose user sharding has priorities above 0, with that sharding.
  llvm::SmallVector<std::pair<int, ShardingAttr>> prioritized;

private:
  friend class GraphBuilder;
  llvm::DenseMap<mlir::Value, VariableUse> valueUses;
  /// One variable per use for values that are cheaper copied than moved.
  llvm::DenseMap<mlir::OpOperand *, int> copies;
  llvm::SmallVector<int> functionResults;
  mutable llvm::DenseMap<mlir::Attribute, MeshAttr> meshes;
};

/// True if propagation treats each use of the value as a copy of its own:
/// constants, iota, scalars broadcast, and what is computed from those alone.
bool isCheapToCopy(mlir::Value value);

} // namespace shoal::propagate

#endif // SHOAL_LIB_PROPAGATE_PROPAGATIONGRAPH_H
