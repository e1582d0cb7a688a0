// The module as propagation sees it: nodes that hold a sharding, and edges,
// each with a rule that relates the shardings of its nodes.
//
// Values and nodes are not one to one. What a loop carries is one value outside
// and several inside but has one sharding: one node. A constant has a node for
// each of its uses: constants (and what is computed from constants alone, and
// broadcasts of scalars) are cheap to compute again, so their uses need not
// agree.
#ifndef SHOAL_LIB_PROPAGATE_PROPAGATIONGRAPH_H
#define SHOAL_LIB_PROPAGATE_PROPAGATIONGRAPH_H

#include "CheapValues.h"
#include "FactorPropagation.h"

#include "dialects/Shoal/Sharding.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

#include <array>
#include <memory>

namespace shoal::propagate {

struct Node {
  TensorState state;
  /// What was written in the program, or null: source of partial axes, blocks,
  /// priorities.
  ShardingAttr original;
  /// The mesh, as a symbol or inline; null until there is a sharding.
  mlir::Attribute mesh;
  int64_t rank = 0;
  /// Edges to look at again when the sharding changes, in that order.
  llvm::SmallVector<int32_t, 4> dependents;
  /// Number of the last change.
  uint32_t stamp = 0;
  /// The node of all targets of a data-flow edge.
  bool isDataFlow = false;
};

/// A manual region's boundary: outside, a sharding has the manual axes (major
/// in each dimension, and as replicated axes), inside it has not.
struct ManualBoundary {
  llvm::SmallVector<Axes, 4> dims;
  Axes replicated;
};

enum class EdgeKind : uint8_t {
  Rule,       ///< An op with a sharding rule.
  Constraint, ///< shoal.constraint.
  DataFlow,   ///< Sources and target of a region's value.
  Barrier,    ///< shoal.barrier.
  Return,     ///< A returned value and the function's result.
  Use,        ///< No rule; a use that the graph must know of.
};

struct Edge {
  EdgeKind kind = EdgeKind::Rule;
  mlir::Operation *op = nullptr;
  const ShardingRule *rule = nullptr;
  /// Nodes: operands, then results; -1 for values without one.
  llvm::SmallVector<int32_t, 4> nodes;
  uint32_t numOperands = 0;
  /// The values used, in the order of operands, and the ops that use them (for
  /// a loop, the loop itself and the terminator of its body).
  llvm::SmallVector<mlir::Value, 2> values;
  llvm::SmallVector<mlir::Operation *, 2> users;
  bool isElementwise = false;
  /// No operand but scalars is used elsewhere.
  bool isSingleUse = true;
  /// Nothing needs the op's results: it takes shardings from its operands once
  /// all others are settled, and has no say before.
  bool isDead = false;
  /// For DataFlow at a manual region: its boundary, and whether the target
  /// node is the inside one.
  const ManualBoundary *boundary = nullptr;
  bool targetIsInside = false;
  Direction barrier = Direction::Both;
  /// Place in the order of processing.
  std::array<int64_t, 3> order = {0, 0, 0};
  /// When it was last looked at, and in which round.
  uint32_t stamp = 0, round = 0;
};

class PropagationGraph {
public:
  /// Reads the module. Fails, with a diagnostic, on shardings that contradict
  /// each other within a group.
  mlir::LogicalResult build(mlir::ModuleOp module);
  /// Writes the nodes' shardings into the module (WriteBack.cpp).
  void writeBack();

  MeshAttr getMesh(mlir::Attribute meshOrRef);
  /// Axes of size 1 are dropped: they cut nothing.
  TensorState toState(ShardingAttr sharding);

  std::vector<Node> nodes;
  /// In the order of processing.
  std::vector<Edge> edges;

private:
  friend class GraphBuilder;
  friend class ConstraintApplier;
  mlir::ModuleOp module;
  llvm::DenseMap<mlir::Value, int32_t> valueNodes;
  llvm::DenseMap<std::pair<mlir::Operation *, unsigned>, int32_t> funcResults;
  /// What crosses the boundary of each manual region.
  llvm::DenseMap<std::pair<mlir::Operation *, unsigned>, ManualBoundary *>
      manualArgs, manualResults;
  std::vector<std::unique_ptr<ShardingRule>> rules;
  std::vector<std::unique_ptr<ManualBoundary>> boundaries;
  llvm::DenseMap<mlir::Attribute, MeshAttr> meshes;
};

Axes toAxes(llvm::ArrayRef<AxisRefAttr> axes, MeshAttr mesh);
llvm::SmallVector<AxisRefAttr> toAttrs(AxesRef axes, MeshAttr mesh);

/// Gives values the sharding of the constraint they go into
/// (ApplyConstraints.cpp).
void applyConstraints(PropagationGraph &graph);

} // namespace shoal::propagate

#endif // SHOAL_LIB_PROPAGATE_PROPAGATIONGRAPH_H
