#include "FormGraph.h"

#include "PropagationGraph.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/ShardedView.h"

using namespace mlir;

namespace shoal::propagate {

namespace {

// More candidates cost time and hardly ever win.
constexpr size_t kMaxPlacements = 12;
constexpr size_t kMaxForms = 20;

// What computing costs beside a byte sent, as on current accelerators: some
// 2000 operations, or a few tens of bytes of memory traffic that fusion leaves.
constexpr double kBytesPerFlop = 1.0 / 2000;
constexpr double kBytesPerLocalByte = 1.0 / 200;

/// How often a loop is taken to run when nothing tells.
constexpr float kUnknownTripCount = 8;

bool isTensor(Value value) { return isa<RankedTensorType>(value.getType()); }

/// Values that are made anew for each use, at no cost.
bool isFree(Value value) { return isCheapToCopy(value); }

} // namespace

PlacementState getPlacement(Value value, MeshModel &mesh) {
  ShardingAttr sharding;
  if (auto constraint = value.getDefiningOp<ConstraintOp>()) {
    if (auto own = constraint->getAttrOfType<ShardingPerValueAttr>(
            ShoalDialect::kShardingsAttr))
      sharding = own.getShardings()[0];
  }
  if (!sharding)
    sharding = getSharding(value);
  PlacementState state = mesh.toPlacement(sharding, value.getType());
  state.partial = 0;
  state.partialKind = 0;
  return state;
}

FormGraph::FormGraph(func::FuncOp func, MeshModel &mesh)
    : func(func), mesh(mesh) {
  for (BlockArgument arg : func.getArguments())
    if (isTensor(arg))
      giveFixed(func, arg, getPlacement(arg, mesh), 1);
  Block &body = func.getBody().front();
  visitBlock(body, 1);
  Operation *ret = body.getTerminator();
  for (auto [i, value] : llvm::enumerate(ret->getOperands())) {
    auto sharding =
        func.getResultAttrOfType<ShardingAttr>(i, ShoalDialect::kShardingAttr);
    if (isTensor(value))
      wantFixed(ret, value, mesh.toPlacement(sharding, value.getType()));
  }
  // Suggestions travel along and against the flow.
  for (int round = 0; round < 3; ++round)
    for (int i = 0, e = infos.size(); i < e; ++i) {
      int n = round % 2 ? e - 1 - i : i;
      if (infos[n].kind == Kind::Op)
        suggestForms(n);
      else if (infos[n].kind == Kind::Carry)
        suggestCarry(n);
    }
  finish();
}

int FormGraph::addValue(Value value, float frequency) {
  auto [it, isNew] = valueIds.try_emplace(value, problem.values.size());
  if (!isNew)
    return it->second;
  problem.values.emplace_back();
  problem.values.back().weight = frequency;
  Placements &p = placements.emplace_back();
  ArrayRef<int64_t> shape = shapeOf(value.getType());
  p.shape.assign(shape.begin(), shape.end());
  p.elementBytes = elementBytesOf(value.getType());
  valueOf.push_back(value);
  return it->second;
}

int FormGraph::addNode(Kind kind, Operation *op, float frequency) {
  problem.nodes.emplace_back();
  NodeInfo &info = infos.emplace_back();
  info.kind = kind;
  info.op = op;
  info.frequency = frequency;
  return infos.size() - 1;
}

void FormGraph::addUse(int node, Value value) {
  FormProblem::Node &n = problem.nodes[node];
  auto it =
      isTensor(value) && !isFree(value) ? valueIds.find(value) : valueIds.end();
  if (it == valueIds.end()) {
    n.uses.push_back(-1);
    return;
  }
  problem.values[it->second].uses.push_back({node, int(n.uses.size())});
  n.uses.push_back(it->second);
}

void FormGraph::addDef(int node, Value value, float frequency) {
  FormProblem::Node &n = problem.nodes[node];
  if (!isTensor(value)) {
    n.defs.push_back(-1);
    return;
  }
  int id = addValue(value, frequency);
  problem.values[id].def = {node, int(n.defs.size())};
  n.defs.push_back(id);
}

bool FormGraph::isFull(int value) const {
  return placements[value].list.size() >= kMaxPlacements;
}

int FormGraph::intern(int value, const PlacementState &state) {
  std::vector<PlacementState> &list = placements[value].list;
  auto it = llvm::find(list, state);
  if (it != list.end())
    return it - list.begin();
  list.push_back(state);
  return list.size() - 1;
}

void FormGraph::wantFixed(Operation *op, Value value,
                          const PlacementState &state) {
  int node = addNode(Kind::Fixed, op, 1);
  addUse(node, value);
  int id = problem.nodes[node].uses[0];
  problem.nodes[node].candidates.push_back(
      {0, {uint8_t(id < 0 ? 0 : intern(id, state))}, {}});
}

void FormGraph::giveFixed(Operation *op, Value value,
                          const PlacementState &state, float frequency) {
  int node = addNode(Kind::Fixed, op, frequency);
  addDef(node, value, frequency);
  int id = problem.nodes[node].defs[0];
  problem.nodes[node].candidates.push_back(
      {0, {}, {uint8_t(id < 0 ? 0 : intern(id, state))}});
}

void FormGraph::visitBlock(Block &block, float frequency) {
  for (Operation &op : block.without_terminator())
    visit(&op, frequency);
}

void FormGraph::visit(Operation *op, float frequency) {
  if (isa<stablehlo::WhileOp>(op))
    return visitWhile(op, frequency);
  if (isa<stablehlo::IfOp, stablehlo::CaseOp>(op))
    return visitBranches(op, frequency);
  if (isa<ManualOp>(op))
    return visitManual(op, frequency);
  if (isa<stablehlo::OptimizationBarrierOp, BarrierOp>(op))
    return visitIdentity(op, frequency);
  if (isa<ConstraintOp, ReshardOp>(op)) {
    PlacementState state = getPlacement(op->getResult(0), mesh);
    if (isFree(op->getOperand(0)))
      ; // made where it is wanted
    wantFixed(op, op->getOperand(0), state);
    giveFixed(op, op->getResult(0), state, frequency);
    return;
  }
  if (op->getNumResults() == 1 && isFree(op->getResult(0))) {
    for (Value operand : op->getOperands())
      if (!isFree(operand) && isTensor(operand))
        wantFixed(op, operand,
                  PlacementState::replicated(shapeOf(operand.getType())));
    return;
  }
  std::optional<OpModel> model = OpModel::get(op, mesh);
  if (!model)
    return visitFixed(op, frequency);
  int node = addNode(Kind::Op, op, frequency);
  infos[node].model = std::make_shared<OpModel>(std::move(*model));
  for (Value operand : op->getOperands())
    addUse(node, operand);
  for (Value result : op->getResults())
    addDef(node, result, frequency);
  infos[node].seen.assign(op->getNumOperands() + op->getNumResults(), 0);
  for (auto [i, result] : llvm::enumerate(op->getResults()))
    if (int id = problem.nodes[node].defs[i]; id >= 0)
      intern(id, getPlacement(result, mesh));
}

void FormGraph::visitFixed(Operation *op, float frequency) {
  for (Value operand : op->getOperands())
    if (isTensor(operand))
      wantFixed(op, operand,
                PlacementState::replicated(shapeOf(operand.getType())));
  for (Value result : op->getResults())
    if (isTensor(result))
      giveFixed(op, result,
                PlacementState::replicated(shapeOf(result.getType())),
                frequency);
}

void FormGraph::visitIdentity(Operation *op, float frequency) {
  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    if (!isTensor(result))
      continue;
    int node = addNode(Kind::Carry, op, frequency);
    infos[node].resultIndex = i;
    addUse(node, op->getOperand(i));
    addDef(node, result, frequency);
    intern(problem.nodes[node].defs[0], getPlacement(result, mesh));
  }
}

void FormGraph::visitWhile(Operation *op, float frequency) {
  auto loop = cast<stablehlo::WhileOp>(op);
  std::optional<int64_t> trips = getTripCount(loop);
  float inner =
      frequency * (trips ? std::max<int64_t>(*trips, 1) : kUnknownTripCount);
  // Carries are made before the body, which uses them, and get their yields
  // after it.
  llvm::SmallVector<int> carries;
  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    if (!isTensor(result)) {
      carries.push_back(-1);
      continue;
    }
    int node = addNode(Kind::Carry, op, frequency);
    infos[node].resultIndex = i;
    carries.push_back(node);
    addUse(node, op->getOperand(i));
    addDef(node, result, frequency);
    for (Region &region : op->getRegions())
      addDef(node, region.getArgument(i), inner);
    intern(problem.nodes[node].defs[0], getPlacement(result, mesh));
  }
  for (Region &region : op->getRegions())
    visitBlock(region.front(), inner);
  Operation *yield = loop.getBody().front().getTerminator();
  for (auto [i, node] : llvm::enumerate(carries))
    if (node >= 0)
      addUse(node, yield->getOperand(i));
  Operation *condition = loop.getCond().front().getTerminator();
  wantFixed(condition, condition->getOperand(0),
            PlacementState::replicated({}));
}

void FormGraph::visitBranches(Operation *op, float frequency) {
  wantFixed(op, op->getOperand(0), PlacementState::replicated({}));
  for (Region &region : op->getRegions())
    visitBlock(region.front(), frequency);
  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    if (!isTensor(result))
      continue;
    int node = addNode(Kind::Carry, op, frequency);
    infos[node].resultIndex = i;
    for (Region &region : op->getRegions())
      addUse(node, region.front().getTerminator()->getOperand(i));
    addDef(node, result, frequency);
    intern(problem.nodes[node].defs[0], getPlacement(result, mesh));
  }
}

void FormGraph::visitManual(Operation *op, float frequency) {
  auto manual = cast<ManualOp>(op);
  for (auto [i, operand] : llvm::enumerate(op->getOperands()))
    if (isTensor(operand))
      wantFixed(op, operand,
                mesh.toPlacement(manual.getInSharding(i), operand.getType()));
  for (auto [i, arg] : llvm::enumerate(manual.getBody().getArguments()))
    if (isTensor(arg))
      giveFixed(
          op, arg,
          mesh.toPlacement(manual.getFreeSharding(manual.getInSharding(i)),
                           arg.getType()),
          frequency);
  visitBlock(manual.getBody().front(), frequency);
  Operation *ret = manual.getReturn();
  for (auto [i, value] : llvm::enumerate(ret->getOperands()))
    if (isTensor(value))
      wantFixed(
          ret, value,
          mesh.toPlacement(manual.getFreeSharding(manual.getOutSharding(i)),
                           value.getType()));
  for (auto [i, result] : llvm::enumerate(op->getResults()))
    if (isTensor(result))
      giveFixed(op, result,
                mesh.toPlacement(manual.getOutSharding(i), result.getType()),
                frequency);
}

bool FormGraph::addForm(int node, const OpForm &form, bool late) {
  NodeInfo &info = infos[node];
  if (auto it = llvm::find(info.forms, form); it != info.forms.end()) {
    if (!late)
      info.late[it - info.forms.begin()] = false;
    return false;
  }
  if (info.forms.size() >= kMaxForms || !info.model->isValid(form))
    return false;
  const FormProblem::Node &n = problem.nodes[node];
  auto value = [&](size_t t) {
    return t < n.uses.size() ? n.uses[t] : n.defs[t - n.uses.size()];
  };
  size_t tensors = n.uses.size() + n.defs.size();
  llvm::SmallVector<PlacementState, 4> states(tensors);
  for (size_t t = 0; t < tensors; ++t) {
    if (value(t) < 0)
      continue;
    states[t] = info.model->placement(form, t);
    if (isFull(value(t)) &&
        !llvm::is_contained(placements[value(t)].list, states[t]))
      return false;
  }
  for (size_t t = 0; t < tensors; ++t)
    if (value(t) >= 0)
      intern(value(t), states[t]);
  info.forms.push_back(form);
  info.late.push_back(late);
  return true;
}

void FormGraph::suggestForms(int node) {
  NodeInfo &info = infos[node];
  const OpModel &model = *info.model;
  const FormProblem::Node &n = problem.nodes[node];
  size_t operands = n.uses.size(), tensors = operands + n.defs.size();
  auto value = [&](size_t t) {
    return t < operands ? n.uses[t] : n.defs[t - operands];
  };
  auto take = [&](OpForm &form, size_t t, const PlacementState &state) {
    model.extend(form, t, state);
    if (t < operands && state.partial)
      model.takePartial(form, t, state);
  };
  // Results first, then operands: what propagation meant for each.
  auto complete = [&](OpForm form) {
    for (size_t i = 0; i < tensors; ++i) {
      size_t t = i < n.defs.size() ? operands + i : i - n.defs.size();
      if (value(t) >= 0 && !placements[value(t)].list.empty())
        model.extend(form, t, placements[value(t)].list.front());
    }
    return form;
  };
  if (info.forms.empty()) {
    addForm(node, complete(model.replicated()));
    addForm(node, model.replicated());
    // Room for a form whatever the neighbours say.
    if (info.forms.empty()) {
      info.forms.push_back(model.replicated());
      info.late.push_back(false);
    }
  }
  for (size_t t = 0; t < tensors; ++t) {
    if (value(t) < 0)
      continue;
    for (; info.seen[t] < placements[value(t)].list.size(); ++info.seen[t]) {
      PlacementState state = placements[value(t)].list[info.seen[t]];
      OpForm lead = model.replicated();
      take(lead, t, state);
      addForm(node, complete(lead));
      addForm(node, lead);
      for (OpForm &form : model.displaced(t, state)) {
        if (t < operands && state.partial)
          model.takePartial(form, t, state);
        addForm(node, complete(form));
        addForm(node, form);
      }
      // Together with each other operand's present placements.
      for (size_t o = 0; o < operands; ++o) {
        if (o == t || value(o) < 0)
          continue;
        for (size_t k = 0,
                    e = std::min<size_t>(placements[value(o)].list.size(), 4);
             k < e; ++k) {
          OpForm both = lead;
          PlacementState other = placements[value(o)].list[k];
          take(both, o, other);
          for (const OpForm &form : model.reconciled(t, state, o, other))
            addForm(node, form, /*late=*/true);
          if (!(both == lead))
            addForm(node, both);
        }
      }
    }
  }
}

/// A loop may carry a sum that is complete only after it: gradients that are
/// accumulated are then reduced once.
bool FormGraph::mayCarryPartial(int node) const {
  return isa<stablehlo::WhileOp>(infos[node].op);
}

void FormGraph::suggestCarry(int node) {
  const FormProblem::Node &n = problem.nodes[node];
  llvm::SmallVector<int, 6> values;
  for (auto *list : {&n.uses})
    for (int v : *list)
      if (v >= 0)
        values.push_back(v);
  for (int v : n.defs)
    if (v >= 0)
      values.push_back(v);
  std::vector<PlacementState> all;
  auto collect = [&](int v) {
    for (const PlacementState &state : placements[v].list)
      if ((!state.partial || mayCarryPartial(node)) &&
          !llvm::is_contained(all, state) && all.size() < kMaxPlacements)
        all.push_back(state);
  };
  // What propagation gave comes first.
  for (int v : n.defs)
    if (v >= 0)
      collect(v);
  for (int v : values)
    collect(v);
  for (const PlacementState &state : all)
    for (int v : values)
      if (!isFull(v))
        intern(v, state);
}

float FormGraph::computeCost(const NodeInfo &info, const OpForm &form) const {
  const ShardingRule &rule = info.model->getRule();
  double points = 1;
  for (auto [f, factor] : llvm::enumerate(rule.factors))
    points *= form.factors[f].empty() ? factor.size : form.blocks[f];
  double bytes = 0;
  for (int64_t t = 0; t < rule.getNumTensors(); ++t)
    bytes += double(localElements(info.model->placement(form, t))) *
             elementBytesOf(
                 t < int64_t(rule.operands.size())
                     ? info.op->getOperand(t).getType()
                     : info.op->getResult(t - rule.operands.size()).getType());
  double cost = bytes * kBytesPerLocalByte;
  if (isa<stablehlo::DotGeneralOp, stablehlo::ConvolutionOp>(info.op))
    cost += 2 * points * kBytesPerFlop;
  cost += info.model->innerBytes(form);
  return cost * mesh.planner().meshCosts().fastestSecondsPerByte() *
         info.frequency;
}

void FormGraph::finish() {
  initial.assign(infos.size(), 0);
  for (size_t i = 0; i < infos.size(); ++i) {
    NodeInfo &info = infos[i];
    FormProblem::Node &node = problem.nodes[i];
    if (info.kind == Kind::Op) {
      for (size_t f = 0; f < info.forms.size(); ++f) {
        const OpForm &form = info.forms[f];
        FormProblem::Candidate c;
        c.late = info.late[f];
        c.cost = computeCost(info, form);
        for (auto [k, v] : llvm::enumerate(node.uses))
          c.uses.push_back(v < 0 ? 0
                                 : intern(v, info.model->placement(form, k)));
        for (auto [k, v] : llvm::enumerate(node.defs))
          c.defs.push_back(v < 0 ? 0
                                 : intern(v, info.model->placement(
                                                 form, node.uses.size() + k)));
        node.candidates.push_back(std::move(c));
      }
    } else if (info.kind == Kind::Carry) {
      int first = -1;
      for (int v : node.defs)
        if (v >= 0 && first < 0)
          first = v;
      std::vector<PlacementState> options;
      for (const PlacementState &state : placements[first].list)
        if (!state.partial || mayCarryPartial(i))
          options.push_back(state);
      for (const PlacementState &state : options) {
        FormProblem::Candidate c;
        c.late = state.partial != 0;
        for (int v : node.uses)
          c.uses.push_back(v < 0 ? 0 : intern(v, state));
        for (int v : node.defs)
          c.defs.push_back(v < 0 ? 0 : intern(v, state));
        node.candidates.push_back(std::move(c));
      }
    }
  }
  for (size_t v = 0; v < problem.values.size(); ++v) {
    Placements &p = placements[v];
    std::vector<int64_t> key(p.shape.begin(), p.shape.end());
    key.push_back(p.elementBytes);
    for (const PlacementState &state : p.list)
      state.appendKey(key);
    std::unique_ptr<MoveCosts> &table = tables[key];
    if (!table) {
      table = std::make_unique<MoveCosts>();
      table->size = p.list.size();
      table->table.assign(table->size * table->size, -1);
      for (const PlacementState &state : p.list)
        table->bytes.push_back(float(localElements(state)) * p.elementBytes);
      table->compute = [this, v](size_t from, size_t to) {
        const Placements &p = placements[v];
        return float(
            mesh.planner()
                .plan(p.list[from], p.list[to], p.shape, p.elementBytes)
                .time);
      };
      table->bounds = table->table;
      table->bound = [this, v](size_t from, size_t to) {
        const Placements &p = placements[v];
        // Rounding must not lift it above the cost.
        return float(mesh.planner().atLeast(p.list[from], p.list[to], p.shape,
                                            p.elementBytes) *
                     (1 - 1e-6));
      };
    }
    problem.values[v].costs = table.get();
  }
}

void FormGraph::writeBack(llvm::ArrayRef<uint8_t> choice) {
  auto sharding = [&](int value, uint8_t index) {
    return mesh.toSharding(placements[value].list[index],
                           placements[value].shape);
  };
  // Results of loops and branches are set one by one.
  llvm::MapVector<Operation *, llvm::SmallVector<ShardingAttr>> carried;
  for (size_t i = 0; i < infos.size(); ++i) {
    NodeInfo &info = infos[i];
    const FormProblem::Node &node = problem.nodes[i];
    const FormProblem::Candidate &c = node.candidates[choice[i]];
    if (info.kind == Kind::Carry) {
      auto &list = carried[info.op];
      if (list.empty())
        for (Value result : info.op->getResults())
          list.push_back(ShardingAttr::getReplicated(
              mesh.meshRef(), shapeOf(result.getType()).size()));
      list[info.resultIndex] = sharding(node.defs[0], c.defs[0]);
      continue;
    }
    if (isa<ConstraintOp>(info.op) && !node.defs.empty()) {
      setShardings(info.op, sharding(node.defs[0], c.defs[0]));
      continue;
    }
    if (info.kind != Kind::Op) {
      if (!isa<func::FuncOp, ConstraintOp, ReshardOp, ManualOp>(info.op) &&
          !info.op->hasTrait<OpTrait::IsTerminator>() &&
          info.op->getNumResults() && !isFree(info.op->getResult(0)) &&
          !isa<stablehlo::IfOp, stablehlo::CaseOp>(info.op)) {
        llvm::SmallVector<ShardingAttr> list;
        for (Value result : info.op->getResults())
          list.push_back(ShardingAttr::getReplicated(
              mesh.meshRef(), shapeOf(result.getType()).size()));
        setShardings(info.op, list);
      }
      continue;
    }
    const OpForm &form = info.forms[choice[i]];
    info.op->setAttr(ShoalDialect::kFormAttr, info.model->toAttr(form));
    llvm::SmallVector<ShardingAttr> list;
    for (auto [k, v] : llvm::enumerate(node.defs))
      list.push_back(v < 0 ? ShardingAttr::getReplicated(mesh.meshRef(), 0)
                           : sharding(v, c.defs[k]));
    setShardings(info.op, list);
  }
  for (auto &[op, list] : carried)
    setShardings(op, list);
}

} // namespace shoal::propagate
