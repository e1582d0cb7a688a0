// Before propagation: a value that a constraint takes as it is computed should
// be computed in that sharding. Conditions are those of Shardy (and of GSPMD
// before it), so that programs keep the layouts their authors know.
#include "PropagationGraph.h"

using namespace mlir;

namespace shoal::propagate {

class ConstraintApplier {
public:
  ConstraintApplier(PropagationGraph &graph) : graph(graph) {}

  void run() {
    collectUses();
    size_t numEdges = graph.edges.size();
    std::vector<int32_t> order;
    for (size_t e = 0; e < numEdges; ++e)
      if (isConstraint(e) || isManual(e))
        order.push_back(e);
    llvm::sort(order, [&](int32_t a, int32_t b) {
      return graph.edges[a].order < graph.edges[b].order;
    });
    for (int32_t e : order) {
      if (isManual(e)) {
        applyManual(e);
        continue;
      }
      useTailInstead(e);
      Edge &edge = graph.edges[e];
      if (edge.nodes[0] >= 0 && edge.nodes[1] >= 0)
        apply(edge.nodes[0], edge.values[0], edge.nodes[1], e);
    }
  }

private:
  struct Use {
    int32_t edge;
    uint32_t slot;
  };

  void collectUses() {
    uses.resize(graph.nodes.size());
    for (auto [e, edge] : llvm::enumerate(graph.edges)) {
      // A manual region's inputs are also the sources of data-flow edges;
      // they count once.
      for (uint32_t slot = 0; slot < edge.numOperands; ++slot)
        if (edge.nodes[slot] >= 0)
          uses[edge.nodes[slot]].push_back(Use{int32_t(e), slot});
    }
  }

  bool isConstraint(int32_t e) const {
    return graph.edges[e].kind == EdgeKind::Constraint;
  }
  bool isManual(int32_t e) const {
    return graph.edges[e].kind == EdgeKind::Use &&
           isa<ManualOp>(graph.edges[e].op);
  }
  bool isUsedByConstraint(int32_t node, int32_t except) const {
    return llvm::any_of(uses[node], [&](const Use &use) {
      return use.edge != except && (isConstraint(use.edge) || isManual(use.edge));
    });
  }
  size_t countUses(int32_t node) const {
    return llvm::count_if(uses[node], [&](const Use &use) {
      return !isManual(use.edge);
    });
  }

  /// The attribute that a constraint or manual region states for a use.
  ShardingAttr statedBy(const Use &use) const {
    const Edge &edge = graph.edges[use.edge];
    if (auto constraint = dyn_cast<ConstraintOp>(edge.op))
      return constraint.getSharding();
    // The slot of a Use edge of a manual region is among tensors only.
    auto manual = cast<ManualOp>(edge.op);
    for (auto [i, input] : llvm::enumerate(manual.getInputs()))
      if (input == edge.values[use.slot])
        return withManualAxes(manual, manual.getInSharding(i));
    return {};
  }

  /// Manual axes that cut nothing replicate, whether the region says so or not.
  ShardingAttr withManualAxes(ManualOp manual, ShardingAttr sharding) const {
    MeshAttr mesh = graph.getMesh(sharding.getMeshOrRef());
    if (!mesh)
      return sharding;
    SmallVector<AxisRefAttr> replicated;
    for (MeshAxisAttr axis : mesh.getAxes()) {
      auto isOn = [&](AxisRefAttr ref) {
        return ref.getName() == axis.getName();
      };
      bool named = false;
      for (AxisRefAttr ref : llvm::make_filter_range(sharding.getReplicated(), isOn)) {
        replicated.push_back(ref);
        named = true;
      }
      for (DimShardingAttr dim : sharding.getDims())
        named |= llvm::any_of(dim.getAxes(), isOn);
      if (!named && manual.isManualAxis(axis.getName()))
        replicated.push_back(
            AxisRefAttr::get(mesh.getContext(), axis.getName()));
    }
    return ShardingAttr::get(sharding.getMeshOrRef(), sharding.getDims(),
                             replicated, sharding.getPartialKind(),
                             sharding.getPartialAxes());
  }

  /// Of several constraints in a row (each the only use of the one before) the
  /// last one is what the program means: later users of the input take it.
  void useTailInstead(int32_t head) {
    Edge &edge = graph.edges[head];
    int32_t input = edge.nodes[0];
    if (input < 0 || graph.nodes[input].state.known ||
        edge.values[0].getDefiningOp<ConstraintOp>() ||
        isUsedByConstraint(input, head))
      return;
    int32_t tail = head;
    while (true) {
      int32_t result = graph.edges[tail].nodes[1];
      if (result < 0 || countUses(result) != 1 ||
          !isConstraint(uses[result][0].edge))
        break;
      tail = uses[result][0].edge;
    }
    if (tail == head)
      return;
    int32_t result = graph.edges[tail].nodes[1];
    Operation *tailOp = graph.edges[tail].op;
    if (result < 0 || isUsedByConstraint(result, -1))
      return;
    replaceUses(input, edge.values[0], result, tailOp->getResult(0),
                [&](const Use &use) {
                  Operation *user = graph.edges[use.edge].users[use.slot];
                  return use.edge != head &&
                         graph.edges[use.edge].kind != EdgeKind::Return &&
                         user->getBlock() == tailOp->getBlock() &&
                         tailOp->isBeforeInBlock(user);
                });
  }

  void replaceUses(int32_t from, Value value, int32_t to, Value newValue,
                   llvm::function_ref<bool(const Use &)> condition) {
    SmallVector<Use, 4> kept;
    for (const Use &use : uses[from]) {
      Edge &edge = graph.edges[use.edge];
      if (edge.values[use.slot] != value || !condition(use)) {
        kept.push_back(use);
        continue;
      }
      edge.nodes[use.slot] = to;
      edge.values[use.slot] = newValue;
      uses[to].push_back(use);
    }
    uses[from] = kept;
  }

  bool shouldApply(int32_t node, Value value, ShardingAttr sharding) const {
    if (graph.nodes[node].state.known)
      return false;
    if (!llvm::all_of(sharding.getDims(),
                      [](DimShardingAttr dim) { return dim.isClosed(); }))
      return false;
    return llvm::none_of(uses[node], [&](const Use &use) {
      return (isConstraint(use.edge) || isManual(use.edge)) &&
             graph.edges[use.edge].values[use.slot] == value &&
             statedBy(use) != sharding;
    });
  }

  /// What a loop carries is not restricted as a whole: there, the users of the
  /// value take the constraint's result instead.
  void apply(int32_t node, Value value, int32_t result, int32_t constraint) {
    Edge &edge = graph.edges[constraint];
    ShardingAttr sharding = cast<ConstraintOp>(edge.op).getSharding();
    if (!shouldApply(node, value, sharding))
      return;
    if (!graph.nodes[node].isDataFlow) {
      setSharding(node, sharding);
      return;
    }
    moveAfter(edge, node, value);
    replaceUses(node, value, result, edge.op->getResult(0),
                [&](const Use &use) { return use.edge != constraint; });
  }

  void setSharding(int32_t node, ShardingAttr sharding) {
    Node &target = graph.nodes[node];
    target.mesh = sharding.getMeshOrRef();
    target.state = graph.toState(sharding);
  }

  void moveAfter(Edge &edge, int32_t node, Value value) {
    for (const Edge &other : graph.edges)
      if (other.kind == EdgeKind::DataFlow && other.nodes.back() == node) {
        edge.order = other.order;
        edge.order[2] = --moved + (int64_t(1) << 40);
        return;
      }
  }

  void applyManual(int32_t e) {
    for (uint32_t slot = 0; slot < graph.edges[e].numOperands; ++slot) {
      int32_t node = graph.edges[e].nodes[slot];
      Value value = graph.edges[e].values[slot];
      ShardingAttr sharding = statedBy(Use{e, slot});
      if (node < 0 || !sharding ||
          !graph.getMesh(sharding.getMeshOrRef()) ||
          sharding.getRank() != graph.nodes[node].rank ||
          graph.getMesh(sharding.getMeshOrRef()).getAxes().empty() ||
          !shouldApply(node, value, sharding))
        continue;
      if (!graph.nodes[node].isDataFlow) {
        setSharding(node, sharding);
        continue;
      }
      // A constraint of our own, between the value and its users.
      int32_t result = graph.nodes.size();
      graph.nodes.emplace_back().rank = graph.nodes[node].rank;
      uses.emplace_back();
      setSharding(result, sharding);
      Edge edge;
      edge.kind = EdgeKind::Constraint;
      edge.op = graph.edges[e].op;
      edge.isElementwise = true;
      for (const Edge &other : graph.edges)
        if (other.kind == EdgeKind::DataFlow && other.numOperands == 1 &&
            other.op == edge.op && other.values[0] == value)
          edge.rule = other.rule; // An identity of one operand.
      if (!edge.rule)
        continue;
      moveAfter(edge, node, value);
      replaceUses(node, value, result, value,
                  [&](const Use &) { return true; });
      edge.nodes = {node, result};
      edge.numOperands = 1;
      edge.values = {value};
      edge.users = {edge.op};
      graph.edges.push_back(std::move(edge));
    }
  }

  PropagationGraph &graph;
  std::vector<SmallVector<Use, 4>> uses;
  int64_t moved = 0;
};

void applyConstraints(PropagationGraph &graph) { ConstraintApplier(graph).run(); }

} // namespace shoal::propagate
