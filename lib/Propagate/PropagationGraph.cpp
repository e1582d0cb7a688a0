#include "PropagationGraph.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;

namespace shoal::propagate {

static int64_t getRank(Type type) {
  auto shaped = dyn_cast<RankedTensorType>(type);
  return shaped ? shaped.getRank() : 0;
}

static bool isCheapOp(Operation *op) {
  if (op->getNumRegions() != 0 || op->getNumResults() != 1)
    return false;
  if (isa<stablehlo::ConstantOp, stablehlo::IotaOp>(op))
    return true;
  if (auto broadcast = dyn_cast<stablehlo::BroadcastInDimOp>(op))
    return getRank(broadcast.getOperand().getType()) == 0;
  return false;
}

/// Copying a chain of ops over constants pays while the chain is short.
static bool isCheapToCopy(Value value, int depth) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (isCheapOp(op))
    return true;
  if (depth == 0 || op->getNumRegions() != 0 || op->getNumResults() != 1 ||
      !isMemoryEffectFree(op) || op->getNumOperands() == 0 ||
      isa<ConstraintOp, ReshardOp, BarrierOp, stablehlo::CustomCallOp,
          stablehlo::DotGeneralOp, stablehlo::ConvolutionOp>(op) ||
      getResultSharding(op, 0))
    return false;
  return llvm::all_of(op->getOperands(),
                      [&](Value v) { return isCheapToCopy(v, depth - 1); });
}

bool isCheapToCopy(Value value) { return isCheapToCopy(value, 4); }

MeshAttr PropagationGraph::getMesh(Attribute meshOrRef) const {
  MeshAttr &mesh = meshes[meshOrRef];
  if (!mesh)
    mesh = lookupMesh(meshOrRef, func);
  return mesh;
}

static Axes toAxes(ArrayRef<AxisRefAttr> refs, MeshAttr mesh) {
  Axes axes;
  for (AxisRefAttr ref : refs) {
    int64_t size = ref.getSize(mesh);
    if (size != 1) // axes of one device carry no information
      appendAxis(axes, {int32_t(mesh.getAxisIndex(ref.getName())), ref.getPre(),
                        size});
  }
  return axes;
}

static SmallVector<AxisRefAttr> toRefs(AxesRef axes, MeshAttr mesh) {
  SmallVector<AxisRefAttr> refs;
  for (const Axis &axis : axes)
    refs.push_back(AxisRefAttr::getNormalized(
        mesh.getAxes()[axis.index].getName(), axis.pre, axis.size, mesh));
  return refs;
}

TensorState PropagationGraph::toState(ShardingAttr sharding) const {
  MeshAttr mesh = getMesh(sharding.getMeshOrRef());
  TensorState state;
  state.known = true;
  for (DimShardingAttr dim : sharding.getDims())
    state.dims.push_back({toAxes(dim.getAxes(), mesh), !dim.getIsOpen()});
  state.replicated = toAxes(sharding.getReplicated(), mesh);
  state.partial = toAxes(sharding.getPartialAxes(), mesh);
  return state;
}

ShardingAttr PropagationGraph::toSharding(const Variable &variable) const {
  MeshAttr mesh = getMesh(variable.mesh);
  MLIRContext *context = mesh.getContext();
  SmallVector<DimShardingAttr> dims;
  for (const DimState &dim : variable.state.dims)
    dims.push_back(DimShardingAttr::get(context, toRefs(dim.axes, mesh),
                                        /*isOpen=*/!dim.closed));
  return ShardingAttr::get(variable.mesh, dims,
                           toRefs(variable.state.replicated, mesh),
                           ReductionKind::Add,
                           toRefs(variable.state.partial, mesh));
}

/// Walks a function and makes variables and steps.
class GraphBuilder {
public:
  GraphBuilder(PropagationGraph &graph) : graph(graph) {}

  LogicalResult run() {
    func::FuncOp func = graph.func;
    for (BlockArgument arg : func.getArguments())
      define(arg, func.getArgAttrOfType<ShardingAttr>(arg.getArgNumber(),
                                                      "shoal.sharding"));
    visitBlock(func.getBody().front());
    Operation *ret = func.getBody().front().getTerminator();
    for (OpOperand &operand : ret->getOpOperands()) {
      int variable = make(operand.get().getType(),
                          func.getResultAttrOfType<ShardingAttr>(
                              operand.getOperandNumber(), "shoal.sharding"));
      graph.functionResults.push_back(variable);
      addIdentity(StepKind::Result, ret, {use(operand)}, VariableUse{variable, {}},
                  operand.get().getType());
    }
    applyConstraints();
    if (failed(mergeGroups()))
      return failure();
    for (auto [i, step] : llvm::enumerate(graph.steps))
      for (auto *uses : {&step.operands, &step.results})
        for (VariableUse &u : *uses)
          if (u.variable >= 0 && (graph.variables[u.variable].steps.empty() ||
                                  graph.variables[u.variable].steps.back() != int(i)))
            graph.variables[u.variable].steps.push_back(i);
    return success();
  }

private:
  int make(Type type, ShardingAttr sharding) {
    Variable variable;
    variable.rank = getRank(type);
    if (sharding && int64_t(sharding.getDims().size()) == variable.rank) {
      variable.state = graph.toState(sharding);
      variable.mesh = sharding.getMeshOrRef();
    }
    int id = graph.variables.size();
    if (sharding && llvm::any_of(sharding.getDims(), [](DimShardingAttr d) {
          return d.getPriorityOrDefault() > 0;
        }))
      graph.prioritized.push_back({id, sharding});
    graph.variables.push_back(std::move(variable));
    return id;
  }

  void define(Value value, ShardingAttr sharding) {
    graph.valueUses[value] = {make(value.getType(), sharding), {}};
  }

  VariableUse use(OpOperand &operand) {
    Value value = operand.get();
    if (isa<TokenLike>(value))
      return {};
    if (!value.hasOneUse() && isCheapToCopy(value)) {
      auto [it, isNew] = graph.copies.try_emplace(&operand, -1);
      if (isNew)
        it->second = make(value.getType(), {});
      return {it->second, {}};
    }
    auto it = graph.valueUses.find(value);
    return it == graph.valueUses.end() ? VariableUse{} : it->second;
  }

  struct TokenLike {
    static bool classof(Value v) { return !isa<RankedTensorType>(v.getType()); }
  };

  std::shared_ptr<const ShardingRule> getIdentityRule(Type type, size_t operands) {
    SmallVector<Type> types(operands, type);
    auto shaped = cast<RankedTensorType>(type);
    RuleBuilder builder{TypeRange(types), TypeRange(type)};
    return std::make_shared<ShardingRule>(
        builder.addPointwise(shaped.getShape()).build());
  }

  void addIdentity(StepKind kind, Operation *op, ArrayRef<VariableUse> sources,
                   VariableUse target, Type type) {
    if (getRank(type) == 0)
      return;
    Step step;
    step.op = op;
    step.kind = kind;
    step.rule = getIdentityRule(type, sources.size());
    step.operands.assign(sources.begin(), sources.end());
    step.results.push_back(target);
    step.singleUse = true;
    graph.steps.push_back(std::move(step));
  }

  void visitBlock(Block &block) {
    for (Operation &op : block.without_terminator())
      visit(&op);
  }

  void visit(Operation *op) {
    if (auto loop = dyn_cast<stablehlo::WhileOp>(op))
      return visitWhile(loop);
    if (isa<stablehlo::IfOp, stablehlo::CaseOp>(op))
      return visitBranches(op);
    if (auto manual = dyn_cast<ManualOp>(op))
      return visitManual(manual);

    for (auto [i, result] : llvm::enumerate(op->getResults()))
      define(result, getSharding(result));
    if (isa<GroupOp>(op)) {
      groups.push_back(cast<GroupOp>(op));
      return;
    }
    if (isa<stablehlo::OptimizationBarrierOp>(op)) {
      for (OpOperand &operand : op->getOpOperands()) {
        Value result = op->getResult(operand.getOperandNumber());
        addIdentity(StepKind::Edge, op, {use(operand)}, graph.valueUses[result],
                    result.getType());
      }
      return;
    }
    if (auto barrier = dyn_cast<BarrierOp>(op)) {
      addIdentity(StepKind::Barrier, op, {use(op->getOpOperand(0))},
                  graph.valueUses[barrier.getResult()],
                  barrier.getResult().getType());
      if (getRank(barrier.getResult().getType()) != 0)
        graph.steps.back().barrier =
            static_cast<Direction>(barrier.getAllowedDirection());
      return;
    }
    addOp(op);
  }

  void addOp(Operation *op) {
    std::shared_ptr<const ShardingRule> rule;
    if (isa<ConstraintOp, ReshardOp>(op)) {
      if (getRank(op->getResult(0).getType()) == 0)
        return;
      rule = getIdentityRule(op->getResult(0).getType(), 1);
    } else if (std::optional<ShardingRule> own = getShardingRule(op)) {
      if (own->operands.size() != op->getNumOperands() ||
          own->results.size() != op->getNumResults())
        return;
      rule = std::make_shared<ShardingRule>(std::move(*own));
    } else {
      return;
    }
    Step step;
    step.op = op;
    step.singleUse = true;
    for (OpOperand &operand : op->getOpOperands()) {
      step.operands.push_back(use(operand));
      Value value = operand.get();
      if (!value.hasOneUse() && getRank(value.getType()) != 0 &&
          !isCheapToCopy(value))
        step.singleUse = false;
    }
    for (Value result : op->getResults())
      step.results.push_back(graph.valueUses[result]);
    step.elementwise = isElementwise(op, *rule);
    step.rule = std::move(rule);
    graph.steps.push_back(std::move(step));
  }

  /// All tensors have the same dimensions, each one independent of the others.
  static bool isElementwise(Operation *op, const ShardingRule &rule) {
    if (isa<stablehlo::BroadcastInDimOp, stablehlo::TransposeOp,
            stablehlo::ReshapeOp>(op) ||
        rule.getNumTensors() < 2 || rule.results.empty())
      return false;
    for (const Factor &factor : rule.factors)
      if (factor.kind != FactorKind::PassThrough || factor.blocked)
        return false;
    const TensorMapping &first = rule.results.front();
    for (int64_t i = 0; i < rule.getNumTensors(); ++i) {
      const TensorMapping &tensor = rule.getTensor(i);
      if (tensor.dims.empty() && i < int64_t(rule.operands.size()))
        continue; // scalar operands of select and clamp
      if (tensor.dims.size() != first.dims.size())
        return false;
      for (size_t d = 0; d < first.dims.size(); ++d)
        if (tensor.dims[d].factors != first.dims[d].factors ||
            tensor.dims[d].factors.size() > 1)
          return false;
    }
    return true;
  }

  void visitWhile(stablehlo::WhileOp loop) {
    for (auto [i, result] : llvm::enumerate(loop->getResults())) {
      define(result, getSharding(result));
      for (Region &region : loop->getRegions())
        graph.valueUses[region.getArgument(i)] = graph.valueUses[result];
    }
    for (Region &region : loop->getRegions())
      visitBlock(region.front());
    Operation *yield = loop.getBody().front().getTerminator();
    for (auto [i, result] : llvm::enumerate(loop->getResults()))
      if (!isa<TokenLike>(result))
        addIdentity(StepKind::Edge, loop,
                    {use(loop->getOpOperand(i)), use(yield->getOpOperand(i))},
                    graph.valueUses[result], result.getType());
  }

  void visitBranches(Operation *op) {
    for (Value result : op->getResults())
      define(result, getSharding(result));
    for (Region &region : op->getRegions())
      visitBlock(region.front());
    for (auto [i, result] : llvm::enumerate(op->getResults())) {
      if (isa<TokenLike>(result))
        continue;
      SmallVector<VariableUse> sources;
      for (Region &region : op->getRegions())
        sources.push_back(use(region.front().getTerminator()->getOpOperand(i)));
      addIdentity(StepKind::Edge, op, sources, graph.valueUses[result],
                  result.getType());
    }
  }

  void visitManual(ManualOp manual) {
    SmallVector<int32_t, 2> hidden;
    auto hiddenAxes = [&](ShardingAttr sharding) {
      SmallVector<int32_t, 2> result;
      MeshAttr mesh = graph.getMesh(sharding.getMeshOrRef());
      for (Attribute name : manual.getManualAxes())
        if (int64_t index = mesh.getAxisIndex(cast<StringAttr>(name).getValue());
            index >= 0)
          result.push_back(index);
      return result;
    };
    for (auto [i, arg] : llvm::enumerate(manual.getBody().getArguments())) {
      ShardingAttr sharding = manual.getInSharding(i);
      VariableUse inside{make(arg.getType(), sharding), hiddenAxes(sharding)};
      graph.valueUses[arg] = inside;
      if (!isa<TokenLike>(arg))
        addIdentity(StepKind::Edge, manual, {use(manual->getOpOperand(i))},
                    {inside.variable, {}}, manual->getOperand(i).getType());
    }
    for (auto [i, result] : llvm::enumerate(manual->getResults()))
      define(result, manual.getOutSharding(i));
    visitBlock(manual.getBody().front());
    Operation *ret = manual.getReturn();
    for (auto [i, result] : llvm::enumerate(manual->getResults())) {
      if (isa<TokenLike>(result))
        continue;
      VariableUse target = graph.valueUses[result];
      target.hidden = hiddenAxes(manual.getOutSharding(i));
      // Inside, shapes are local to the manual axes.
      addIdentity(StepKind::Edge, manual, {use(ret->getOpOperand(i))}, target,
                  ret->getOperand(i).getType());
    }
  }

  /// A closed constraint dictates the sharding of its input where nothing else
  /// does: that closedness would not propagate.
  void applyConstraints() {
    DenseMap<int, ShardingAttr> demanded;
    DenseSet<int> contested;
    DenseSet<int> fromEdge;
    for (const Step &step : graph.steps)
      if (step.kind == StepKind::Edge)
        for (const VariableUse &u : step.results)
          fromEdge.insert(u.variable);
    auto demand = [&](int variable, ShardingAttr sharding) {
      auto [it, isNew] = demanded.try_emplace(variable, sharding);
      if (!isNew && it->second != sharding)
        contested.insert(variable);
    };
    for (const Step &step : graph.steps) {
      if (auto constraint = dyn_cast<ConstraintOp>(step.op))
        demand(step.operands[0].variable, constraint.getSharding());
      else if (auto manual = dyn_cast<ManualOp>(step.op))
        if (step.results[0].hidden.empty() && step.results[0].variable >= 0)
          contested.insert(step.operands[0].variable);
    }
    for (const Step &step : graph.steps) {
      auto constraint = dyn_cast<ConstraintOp>(step.op);
      if (!constraint || step.operands[0].variable < 0)
        continue;
      int id = step.operands[0].variable;
      Variable &input = graph.variables[id];
      bool closed = llvm::all_of(constraint.getSharding().getDims(),
                                 [](DimShardingAttr d) { return !d.getIsOpen(); });
      if (!closed || input.state.known || contested.contains(id) ||
          fromEdge.contains(id) || !step.operands[0].hidden.empty())
        continue;
      input.state = graph.toState(constraint.getSharding());
      input.mesh = constraint.getSharding().getMeshOrRef();
    }
  }

  LogicalResult mergeGroups() {
    DenseMap<int64_t, int> leaders;
    DenseMap<int, int> merged;
    for (GroupOp group : groups) {
      auto it = graph.valueUses.find(group.getInput());
      if (it == graph.valueUses.end())
        continue;
      int id = it->second.variable;
      auto [leader, isNew] = leaders.try_emplace(group.getId(), id);
      if (isNew || leader->second == id)
        continue;
      Variable &a = graph.variables[leader->second], &b = graph.variables[id];
      if (a.rank != b.rank)
        return group.emitError("members of sharding group ")
               << group.getId() << " have different ranks";
      if (!a.state.known) {
        a.state = b.state;
        a.mesh = b.mesh;
      }
      merged[id] = leader->second;
    }
    if (merged.empty())
      return success();
    auto redirect = [&](VariableUse &u) {
      for (auto it = merged.find(u.variable); it != merged.end();
           it = merged.find(u.variable))
        u.variable = it->second;
    };
    for (Step &step : graph.steps) {
      llvm::for_each(step.operands, redirect);
      llvm::for_each(step.results, redirect);
    }
    for (auto &[value, u] : graph.valueUses)
      redirect(u);
    return success();
  }

  PropagationGraph &graph;
  SmallVector<GroupOp> groups;
};

FailureOr<PropagationGraph> PropagationGraph::build(func::FuncOp func) {
  PropagationGraph graph;
  graph.func = func;
  if (failed(GraphBuilder(graph).run()))
    return failure();
  return graph;
}

void PropagationGraph::writeBack() const {
  func::FuncOp mutableFunc = func;
  auto get = [&](int id) -> ShardingAttr {
    if (id < 0 || !variables[id].state.known)
      return {};
    return toSharding(variables[id]);
  };
  for (BlockArgument arg : mutableFunc.getArguments())
    if (ShardingAttr sharding = get(valueUses.lookup(arg).variable))
      mutableFunc.setArgAttr(arg.getArgNumber(), "shoal.sharding", sharding);
  for (auto [i, id] : llvm::enumerate(functionResults))
    if (ShardingAttr sharding = get(id))
      mutableFunc.setResultAttr(i, "shoal.sharding", sharding);
  mutableFunc.walk([&](Operation *op) {
    if (auto manual = dyn_cast<ManualOp>(op)) {
      SmallVector<ShardingAttr> in, out;
      for (auto [i, arg] : llvm::enumerate(manual.getBody().getArguments())) {
        ShardingAttr sharding = get(valueUses.lookup(arg).variable);
        in.push_back(sharding ? sharding : manual.getInSharding(i));
      }
      for (auto [i, result] : llvm::enumerate(manual->getResults())) {
        ShardingAttr sharding = get(valueUses.lookup(result).variable);
        out.push_back(sharding ? sharding : manual.getOutSharding(i));
      }
      manual.setInShardingsAttr(ShardingPerValueAttr::get(op->getContext(), in));
      manual.setOutShardingsAttr(ShardingPerValueAttr::get(op->getContext(), out));
      return;
    }
    if (op->getNumResults() == 0 || isa<ConstraintOp, ReshardOp>(op))
      return;
    SmallVector<ShardingAttr> shardings;
    bool any = false;
    Attribute mesh;
    for (OpResult result : op->getResults()) {
      int id = valueUses.lookup(result).variable;
      // A value that is copied per use has the sharding of its first use.
      if (!result.hasOneUse())
        for (OpOperand &operand : result.getUses())
          if (auto it = copies.find(&operand); it != copies.end())
            id = it->second;
      ShardingAttr sharding = valueUses.contains(result) ? get(id) : ShardingAttr();
      any |= bool(sharding);
      if (sharding)
        mesh = sharding.getMeshOrRef();
      shardings.push_back(sharding);
    }
    if (!any)
      return;
    for (auto [i, sharding] : llvm::enumerate(shardings))
      if (!sharding)
        sharding = ShardingAttr::getFullyOpen(
            mesh, getRank(op->getResult(i).getType()));
    setShardings(op, shardings);
  });
}

} // namespace shoal::propagate
