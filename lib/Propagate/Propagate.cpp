// shoal-propagate: shardings from where the user gave them to everywhere else.
//
// Shardy's hierarchy of rounds: user priorities outermost; within one, ops by
// class, those that only pass indices through first; within that, a worklist
// to the fixed point. Within one step conflicts go to the larger tensor
// (FactorPropagation.h).

#include "PropagationGraph.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Propagate/Passes.h"

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_PROPAGATE
#include "shoal/Propagate/Passes.h.inc"
} // namespace shoal

namespace shoal::propagate {

namespace {

/// Classes of ops in the order in which they begin to take part; each class
/// keeps the directions of those before.
constexpr int kNumClasses = 5;

bool isPassThroughFactor(const ShardingRule &rule, int64_t factor) {
  return rule.factors[factor].kind == FactorKind::PassThrough;
}

Direction getClassDirection(const Step &step, int64_t factor, int opClass) {
  bool isBroadcast = isa<stablehlo::BroadcastInDimOp>(step.op) &&
                     step.kind == StepKind::Op;
  switch (opClass) {
  case 0:
  case 1:
    if (opClass == 0 && !step.singleUse)
      return Direction::None;
    if (step.kind == StepKind::Edge || step.elementwise ||
        isa<stablehlo::ReshapeOp, stablehlo::TransposeOp>(step.op))
      return Direction::Both;
    if (isa<stablehlo::DynamicSliceOp, stablehlo::DynamicUpdateSliceOp>(step.op))
      return Direction::Forward;
    return Direction::None;
  case 2:
    if (!isPassThroughFactor(*step.rule, factor))
      return Direction::None;
    return isBroadcast ? Direction::Backward : Direction::Both;
  case 3:
    return isBroadcast ? Direction::Backward : Direction::Both;
  default:
    return Direction::Both;
  }
}

class Propagator {
public:
  explicit Propagator(PropagationGraph &graph) : graph(graph) {}

  void run() {
    initializePriorities();
    runOpClasses();
    llvm::SmallVector<int64_t> rounds;
    for (auto &[variable, sharding] : graph.prioritized)
      for (DimShardingAttr dim : sharding.getDims())
        if (dim.getPriorityOrDefault() > 0)
          rounds.push_back(dim.getPriorityOrDefault());
    llvm::sort(rounds);
    rounds.erase(std::unique(rounds.begin(), rounds.end()), rounds.end());
    for (int64_t priority : rounds) {
      enterPriority(priority);
      runOpClasses();
    }
  }

private:
  /// Dimensions of later rounds start closed and empty, their axes kept from
  /// being used otherwise.
  void initializePriorities() {
    for (auto &[id, sharding] : graph.prioritized) {
      TensorState &state = graph.variables[id].state;
      for (auto [dim, attr] : llvm::zip(state.dims, sharding.getDims())) {
        if (attr.getPriorityOrDefault() == 0)
          continue;
        state.replicated.append(dim.axes.begin(), dim.axes.end());
        dim.axes.clear();
        dim.closed = true;
      }
    }
  }

  void enterPriority(int64_t priority) {
    for (auto &[id, sharding] : graph.prioritized) {
      TensorState &state = graph.variables[id].state;
      TensorState original = graph.toState(sharding);
      for (auto [dim, attr, user] :
           llvm::zip(state.dims, sharding.getDims(), original.dims)) {
        if (attr.getPriorityOrDefault() != priority)
          continue;
        dim = user;
        llvm::erase_if(state.replicated, [&, &axes = user.axes](const Axis &a) {
          return llvm::is_contained(axes, a);
        });
      }
    }
  }

  void runOpClasses() {
    for (int opClass = 0; opClass < kNumClasses; ++opClass) {
      lastClass = opClass;
      visitResults();
      // Results change nothing that the loop would not see in a later class,
      // so one pass of the worklist reaches the fixed point.
      runWorklist();
      visitResults();
    }
  }

  void visitResults() {
    for (size_t i = 0; i < graph.steps.size(); ++i)
      if (graph.steps[i].kind == StepKind::Result)
        apply(i);
  }

  void runWorklist() {
    // A stack, program order first; a step that may have to run again goes on
    // top. Order matters where two shardings compete.
    llvm::SmallVector<int> stack;
    onStack.assign(graph.steps.size(), false);
    for (int i = graph.steps.size() - 1; i >= 0; --i)
      if (graph.steps[i].kind != StepKind::Result) {
        stack.push_back(i);
        onStack[i] = true;
      }
    worklist = &stack;
    while (!stack.empty()) {
      int i = stack.pop_back_val();
      onStack[i] = false;
      apply(i);
    }
    worklist = nullptr;
  }

  Direction getDirection(const Step &step, int64_t factor) const {
    if (step.kind == StepKind::Result)
      return Direction::Both;
    if (step.kind == StepKind::Barrier)
      return step.barrier;
    if (step.rule->factors[factor].blocked)
      return Direction::None;
    Direction direction = Direction::None;
    for (int c = 0; c <= lastClass; ++c)
      direction = direction | getClassDirection(step, factor, c);
    return direction;
  }

  /// The variable's state as this use sees it.
  TensorState view(const VariableUse &use) const {
    static const TensorState unknown;
    if (use.variable < 0)
      return unknown;
    TensorState state = graph.variables[use.variable].state;
    if (use.hidden.empty())
      return state;
    auto isHidden = [&](const Axis &a) { return llvm::is_contained(use.hidden, a.index); };
    for (DimState &dim : state.dims)
      llvm::erase_if(dim.axes, isHidden);
    llvm::erase_if(state.replicated, isHidden);
    // Manual axes exist outside only; nothing inside may take them.
    for (int32_t index : use.hidden)
      state.replicated.push_back(
          {index, 1, graph.getMesh(graph.variables[use.variable].mesh)
                         .getAxes()[index].getSize()});
    return state;
  }

  /// Stores what a step made of a variable. False if it is what it was.
  bool store(const VariableUse &use, TensorState state, Attribute mesh) {
    if (use.variable < 0)
      return false;
    Variable &variable = graph.variables[use.variable];
    if (!use.hidden.empty()) {
      for (auto [dim, old] : llvm::zip(state.dims, variable.state.dims)) {
        Axes axes;
        for (const Axis &axis : old.axes)
          if (llvm::is_contained(use.hidden, axis.index))
            axes.push_back(axis);
        axes.append(dim.axes.begin(), dim.axes.end());
        dim.axes = std::move(axes);
      }
      state.replicated = variable.state.replicated;
    }
    if (variable.state.known ? state.dims == variable.state.dims
                             : !state.hasAxes())
      return false;
    variable.state = std::move(state);
    variable.mesh = mesh;
    return true;
  }

  void apply(int index) {
    const Step &step = graph.steps[index];
    // Steps between values of different meshes cannot agree on anything.
    Attribute mesh;
    for (auto *uses : {&step.operands, &step.results})
      for (const VariableUse &use : *uses) {
        if (use.variable < 0 || !graph.variables[use.variable].mesh)
          continue;
        Attribute own = graph.variables[use.variable].mesh;
        if (mesh && mesh != own)
          return;
        mesh = own;
      }
    if (!mesh)
      return;

    const ShardingRule &rule = *step.rule;
    Projection projection;
    for (auto [use, mapping] : llvm::zip(step.operands, rule.operands))
      projection.operands.push_back(project(view(use), mapping, rule.factors));
    for (auto [use, mapping] : llvm::zip(step.results, rule.results))
      projection.results.push_back(project(view(use), mapping, rule.factors));

    llvm::BitVector changed = propagateFactors(
        projection, rule.factors,
        [&](int64_t factor) { return getDirection(step, factor); },
        step.elementwise);
    for (int t : changed.set_bits()) {
      bool isOperand = t < int(rule.operands.size());
      int i = isOperand ? t : t - rule.operands.size();
      const VariableUse &use = isOperand ? step.operands[i] : step.results[i];
      const TensorFactors &tensor =
          isOperand ? projection.operands[i] : projection.results[i];
      if (store(use, unproject(tensor, rule.getTensor(t), rule.factors), mesh))
        notify(use.variable, index);
    }
  }

  void notify(int variable, int except) {
    if (!worklist)
      return;
    for (int step : llvm::reverse(graph.variables[variable].steps)) {
      if (step == except || onStack[step] ||
          graph.steps[step].kind == StepKind::Result)
        continue;
      onStack[step] = true;
      worklist->push_back(step);
    }
  }

  PropagationGraph &graph;
  int lastClass = 0;
  llvm::SmallVector<int> *worklist = nullptr;
  std::vector<bool> onStack;
};

struct PropagatePass : shoal::impl::PropagateBase<PropagatePass> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal())
        continue;
      FailureOr<PropagationGraph> graph = PropagationGraph::build(func);
      if (failed(graph))
        return signalPassFailure();
      Propagator(*graph).run();
      graph->writeBack();
    }
  }
};

} // namespace
} // namespace shoal::propagate
