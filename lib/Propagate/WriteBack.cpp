// From the graph to the module's attributes.
#include "PropagationGraph.h"

using namespace mlir;

namespace shoal::propagate {

namespace {
class Writer {
public:
  Writer(PropagationGraph &graph) : graph(graph) {}

  /// The sharding of a node as an attribute; null if it has none. Axes that
  /// propagation does not touch (partial ones), and explicit blocks of
  /// dimensions that it left as they were, are kept.
  ShardingAttr toAttr(int32_t index, const ManualBoundary *add = nullptr) {
    Node &node = graph.nodes[index];
    if (!node.state.known)
      return {};
    MeshAttr mesh = graph.getMesh(node.mesh);
    MLIRContext *context = mesh.getContext();
    SmallVector<DimShardingAttr> dims;
    for (auto [d, dim] : llvm::enumerate(node.state.dims)) {
      Axes axes;
      if (add)
        axes = add->dims[d];
      for (const Axis &axis : dim.axes)
        appendAxis(axes, axis);
      int64_t block = 0;
      if (node.original && node.original.getDim(d).getBlock() &&
          toAxes(node.original.getDim(d).getAxes(), mesh) == axes)
        block = node.original.getDim(d).getBlock();
      dims.push_back(DimShardingAttr::get(context, toAttrs(axes, mesh),
                                          !dim.closed, -1, block));
    }
    SmallVector<AxisRefAttr> replicated, partial;
    ReductionKind kind = ReductionKind::Add;
    Axes replicatedAxes = node.state.replicated;
    if (add)
      replicatedAxes.append(add->replicated.begin(), add->replicated.end());
    llvm::sort(replicatedAxes, [](const Axis &a, const Axis &b) {
      return std::pair(a.index, a.pre) < std::pair(b.index, b.pre);
    });
    replicated = toAttrs(replicatedAxes, mesh);
    if (node.original) {
      kind = node.original.getPartialKind();
      partial.assign(node.original.getPartialAxes().begin(),
                     node.original.getPartialAxes().end());
    }
    return ShardingAttr::get(node.mesh, dims, replicated, kind, partial);
  }

private:
  PropagationGraph &graph;
};
} // namespace

void PropagationGraph::writeBack() {
  Writer writer(*this);
  auto nodeOf = [&](Value value) {
    auto it = valueNodes.find(value);
    return it == valueNodes.end() ? -1 : it->second;
  };

  module.walk([&](Operation *op) {
    if (auto constraint = dyn_cast<ConstraintOp>(op)) {
      int32_t node = nodeOf(constraint.getResult());
      if (node >= 0)
        if (ShardingAttr sharding = writer.toAttr(node))
          constraint.setShardingAttr(sharding);
      return;
    }
    if (isa<ReshardOp, MeshOp>(op) || op->getNumResults() == 0)
      return;
    if (auto manual = dyn_cast<ManualOp>(op)) {
      SmallVector<ShardingAttr> in(manual.getInShardings().getShardings());
      SmallVector<ShardingAttr> out(manual.getOutShardings().getShardings());
      for (auto [i, arg] : llvm::enumerate(manual.getBody().getArguments())) {
        int32_t node = nodeOf(arg);
        if (node >= 0 && nodes[node].state.known)
          in[i] = writer.toAttr(node, manualArgs[{op, unsigned(i)}]);
      }
      for (auto [i, result] : llvm::enumerate(manual.getResults())) {
        int32_t node = nodeOf(result);
        if (node >= 0 && nodes[node].state.known)
          out[i] = writer.toAttr(node);
      }
      manual.setInShardingsAttr(ShardingPerValueAttr::get(op->getContext(), in));
      manual.setOutShardingsAttr(
          ShardingPerValueAttr::get(op->getContext(), out));
      return;
    }
    SmallVector<ShardingAttr> shardings;
    Attribute mesh;
    for (Value result : op->getResults()) {
      int32_t node = nodeOf(result);
      shardings.push_back(node < 0 ? ShardingAttr() : writer.toAttr(node));
      if (shardings.back() && !mesh)
        mesh = shardings.back().getMeshOrRef();
    }
    if (!mesh)
      return;
    for (auto [sharding, type] : llvm::zip(shardings, op->getResultTypes()))
      if (!sharding) {
        auto shaped = dyn_cast<ShapedType>(type);
        sharding = ShardingAttr::getFullyOpen(
            mesh, shaped && shaped.hasRank() ? shaped.getRank() : 0);
      }
    setShardings(op, shardings);
  });

  for (auto func : module.getOps<func::FuncOp>()) {
    if (func.isExternal())
      continue;
    for (BlockArgument arg : func.getArguments()) {
      int32_t node = nodeOf(arg);
      if (node >= 0)
        if (ShardingAttr sharding = writer.toAttr(node))
          func.setArgAttr(arg.getArgNumber(), ShoalDialect::kShardingAttr,
                          sharding);
    }
    for (unsigned i = 0; i < func.getNumResults(); ++i) {
      auto it = funcResults.find({func, i});
      if (it == funcResults.end())
        continue;
      if (ShardingAttr sharding = writer.toAttr(it->second))
        func.setResultAttr(i, ShoalDialect::kShardingAttr, sharding);
    }
  }
}

} // namespace shoal::propagate
