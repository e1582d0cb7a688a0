// shoal-propagate: shardings from where the user gave them to everywhere else.
//
// Rounds, from the outermost: user priorities; classes of ops, those that only
// pass indices on first; a worklist of edges to the fixed point.
#include "PropagationGraph.h"

#include "OpProperties.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Propagate/Passes.h"

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_PROPAGATE
#include "shoal/Propagate/Passes.h.inc"
} // namespace shoal

namespace shoal::propagate {
namespace {

/// Classes of ops in the order in which they begin to take part; each keeps
/// the directions of those before.
enum OpClass {
  kPassThroughOpsUsedOnce, ///< elementwise, reshape, transpose; slices forward
  kPassThroughOps,
  kPassThroughFactors,     ///< of all ops; broadcasts backward
  kAllButBroadcastForward,
  kAll,
  kNumClasses
};

class Propagator {
public:
  explicit Propagator(PropagationGraph &graph) : graph(graph) {}
  void run();

private:
  void runClasses();
  void runToFixedPoint();
  void runReturns();
  bool process(int32_t edge);
  Direction getClassDirection(const Edge &edge, int64_t factor, int c) const;
  Direction getDirection(const Edge &edge, int64_t factor) const;
  void initializePriorities();
  void admitPriority(int64_t priority);

  PropagationGraph &graph;
  int lastClass = kAll;
  bool admitDead = false;
  /// Rounds and changes, counted.
  uint32_t round = 0, clock = 0;
  /// What the last call of process changed.
  SmallVector<int32_t, 4> changedNodes;
  /// Nodes with a priority, and all priorities above 0 in order.
  SmallVector<int32_t> prioritized;
  SmallVector<int64_t> priorities;
};

//===----------------------------------------------------------------------===//
// Crossing the boundary of a manual region
//===----------------------------------------------------------------------===//

/// As seen outside: manual axes lead in each dimension, and are replicated
/// where they cut nothing.
TensorState addManual(const TensorState &inside,
                      const ManualBoundary &boundary) {
  TensorState result;
  result.known = true;
  for (auto [d, dim] : llvm::enumerate(boundary.dims)) {
    DimState &into = result.dims.emplace_back();
    into.axes = dim;
    if (!inside.known)
      continue;
    into.closed = inside.dims[d].closed;
    for (const Axis &axis : inside.dims[d].axes)
      appendAxis(into.axes, axis);
  }
  result.replicated = boundary.replicated;
  if (inside.known)
    result.replicated.append(inside.replicated.begin(),
                             inside.replicated.end());
  return result;
}

/// As seen inside: without the manual axes.
TensorState removeManual(const TensorState &outside,
                         const ManualBoundary &boundary) {
  TensorState result = outside;
  if (!outside.known)
    return result;
  for (auto [d, dim] : llvm::enumerate(result.dims)) {
    size_t lead = 0;
    while (lead < dim.axes.size() && lead < boundary.dims[d].size() &&
           dim.axes[lead] == boundary.dims[d][lead])
      ++lead;
    dim.axes.erase(dim.axes.begin(), dim.axes.begin() + lead);
  }
  llvm::erase_if(result.replicated, [&](const Axis &axis) {
    return llvm::is_contained(boundary.replicated, axis);
  });
  return result;
}

//===----------------------------------------------------------------------===//
// One edge
//===----------------------------------------------------------------------===//

Direction Propagator::getClassDirection(const Edge &edge, int64_t factor,
                                        int c) const {
  bool isBroadcast = isa<stablehlo::BroadcastInDimOp>(edge.op) &&
                     edge.kind == EdgeKind::Rule;
  switch (c) {
  case kPassThroughOpsUsedOnce:
  case kPassThroughOps:
    if (c == kPassThroughOpsUsedOnce && !edge.isSingleUse)
      return Direction::None;
    if (edge.kind == EdgeKind::DataFlow || edge.isElementwise ||
        isa<stablehlo::ReshapeOp, stablehlo::TransposeOp>(edge.op))
      return Direction::Both;
    if (isa<stablehlo::DynamicSliceOp, stablehlo::DynamicUpdateSliceOp>(edge.op))
      return Direction::Forward;
    return Direction::None;
  case kPassThroughFactors:
    if (!edge.rule->factors[factor].passesThrough())
      return Direction::None;
    return isBroadcast ? Direction::Backward : Direction::Both;
  case kAllButBroadcastForward:
    return isBroadcast ? Direction::Backward : Direction::Both;
  default:
    return Direction::Both;
  }
}

Direction Propagator::getDirection(const Edge &edge, int64_t factor) const {
  if (edge.kind == EdgeKind::Return)
    return Direction::Both;
  if (edge.kind == EdgeKind::Barrier)
    return edge.barrier;
  if (edge.isDead)
    return Direction::Forward;
  if (edge.rule->factors[factor].blocked)
    return Direction::None;
  Direction direction = Direction::None;
  for (int c = 0; c <= lastClass; ++c)
    direction = direction | getClassDirection(edge, factor, c);
  return direction;
}

/// Propagates along one edge; true if a node changed.
bool Propagator::process(int32_t index) {
  Edge &edge = graph.edges[index];
  changedNodes.clear();
  if (!edge.rule || (edge.isDead && !admitDead))
    return false;
  // Tensors of one edge lie on one mesh, or nothing passes.
  Attribute mesh;
  uint32_t newest = 0;
  for (int32_t n : edge.nodes) {
    if (n < 0)
      continue;
    const Node &node = graph.nodes[n];
    newest = std::max(newest, node.stamp);
    if (!node.state.known)
      continue;
    if (mesh && mesh != node.mesh &&
        graph.getMesh(mesh) != graph.getMesh(node.mesh))
      return false;
    mesh = node.mesh;
  }
  if (!mesh || (edge.round == round && edge.stamp >= newest))
    return false;
  edge.round = round;
  // Its own changes count as new: they are looked at in the next sweep.
  edge.stamp = clock;

  const ShardingRule &rule = *edge.rule;
  static const TensorState unknown;
  auto load = [&](size_t t) -> const TensorState & {
    return edge.nodes[t] < 0 ? unknown : graph.nodes[edge.nodes[t]].state;
  };
  Projection projection;
  size_t numTensors = edge.nodes.size();
  for (size_t t = 0; t < edge.numOperands; ++t)
    projection.operands.push_back(
        project(load(t), rule.getTensor(t), rule.factors));
  for (size_t t = edge.numOperands; t < numTensors; ++t) {
    if (!edge.boundary) {
      projection.results.push_back(
          project(load(t), rule.getTensor(t), rule.factors));
      continue;
    }
    projection.results.push_back(project(
        edge.targetIsInside ? addManual(load(t), *edge.boundary)
                            : removeManual(load(t), *edge.boundary),
        rule.getTensor(t), rule.factors));
  }
  llvm::BitVector changed = propagateFactors(
      projection, rule.factors,
      [&](int64_t factor) { return getDirection(edge, factor); },
      edge.isElementwise);

  for (int t : changed.set_bits()) {
    int32_t n = edge.nodes[t];
    bool isResult = t >= int(edge.numOperands);
    // Forward still passes sideways, from operand to operand.
    if (n < 0 || (edge.isDead && !isResult))
      continue;
    Node &node = graph.nodes[n];
    TensorState state =
        unproject(isResult ? projection.results[t - edge.numOperands]
                           : projection.operands[t],
                  rule.getTensor(t), rule.factors);
    if (isResult && edge.boundary)
      state = edge.targetIsInside ? removeManual(state, *edge.boundary)
                                  : addManual(state, *edge.boundary);
    // What would need strided blocks has been dropped again.
    if (node.state.known ? state.dims == node.state.dims : !state.hasAxes())
      continue;
    node.state = std::move(state);
    if (!node.mesh)
      node.mesh = mesh;
    node.stamp = ++clock;
    changedNodes.push_back(n);
  }
  return !changedNodes.empty();
}

//===----------------------------------------------------------------------===//
// Rounds
//===----------------------------------------------------------------------===//

void Propagator::runReturns() {
  for (size_t e = 0; e < graph.edges.size(); ++e)
    if (graph.edges[e].kind == EdgeKind::Return)
      process(e);
}

/// Sweeps until nothing changes; a sweep is a stack of edges in program order;
/// what a change concerns goes on top, unless it is still to come anyway. The
/// order decides where two shardings compete.
void Propagator::runToFixedPoint() {
  SmallVector<int32_t> stack;
  llvm::BitVector waiting(graph.edges.size());
  bool changed = true;
  while (changed) {
    changed = false;
    for (size_t e = graph.edges.size(); e-- > 0;) {
      EdgeKind kind = graph.edges[e].kind;
      if (kind == EdgeKind::Return || kind == EdgeKind::Use)
        continue;
      stack.push_back(e);
      waiting.set(e);
    }
    while (!stack.empty()) {
      int32_t e = stack.pop_back_val();
      waiting.reset(e);
      if (!process(e))
        continue;
      changed = true;
      for (int32_t n : changedNodes)
        for (int32_t dependent : graph.nodes[n].dependents)
          if (dependent != e && !waiting.test(dependent)) {
            waiting.set(dependent);
            stack.push_back(dependent);
          }
    }
  }
}

void Propagator::runClasses() {
  for (lastClass = 0; lastClass < kNumClasses; ++lastClass) {
    ++round;
    runReturns();
    runToFixedPoint();
    runReturns();
  }
  lastClass = kAll;
}

//===----------------------------------------------------------------------===//
// User priorities
//===----------------------------------------------------------------------===//

int64_t priorityOf(const Node &node, int64_t dim) {
  return node.original.getDim(dim).getPriorityOrDefault();
}

/// Dimensions of later priority wait, empty and closed; their axes are kept
/// free for them by being replicated.
void Propagator::initializePriorities() {
  for (auto [n, node] : llvm::enumerate(graph.nodes)) {
    if (!node.original || !node.state.known || node.isDataFlow)
      continue;
    bool waits = false;
    for (int64_t d = 0; d < node.rank; ++d) {
      int64_t priority = priorityOf(node, d);
      if (priority == 0)
        continue;
      waits = true;
      if (!llvm::is_contained(priorities, priority))
        priorities.push_back(priority);
      DimState &dim = node.state.dims[d];
      node.state.replicated.append(dim.axes.begin(), dim.axes.end());
      dim.axes.clear();
      dim.closed = true;
    }
    if (waits)
      prioritized.push_back(n);
  }
  llvm::sort(priorities);
}

void Propagator::admitPriority(int64_t priority) {
  for (int32_t n : prioritized) {
    Node &node = graph.nodes[n];
    TensorState original = graph.toState(node.original);
    for (int64_t d = 0; d < node.rank; ++d) {
      if (priorityOf(node, d) != priority)
        continue;
      node.state.dims[d] = original.dims[d];
      llvm::erase_if(node.state.replicated, [&](const Axis &axis) {
        return llvm::is_contained(original.dims[d].axes, axis);
      });
    }
    node.stamp = ++clock;
  }
}

void Propagator::run() {
  initializePriorities();
  runClasses();
  for (int64_t priority : priorities) {
    admitPriority(priority);
    runClasses();
  }
  admitDead = true;
  ++round;
  runToFixedPoint();
}

struct PropagatePass : shoal::impl::PropagateBase<PropagatePass> {
  void runOnOperation() override {
    PropagationGraph graph;
    if (failed(graph.build(getOperation())))
      return signalPassFailure();
    Propagator(graph).run();
    graph.writeBack();
  }
};

} // namespace
} // namespace shoal::propagate
