// From the module to the graph.
#include "PropagationGraph.h"

#include "OpProperties.h"

#include "mlir/IR/Iterators.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace shoal::propagate {

static RankedTensorType staticTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() ? tensor : RankedTensorType();
}

Axes toAxes(ArrayRef<AxisRefAttr> axes, MeshAttr mesh) {
  Axes result;
  for (AxisRefAttr axis : axes) {
    int64_t size = axis.getSize(mesh);
    if (size > 1)
      appendAxis(result,
                 Axis{static_cast<int32_t>(mesh.getAxisIndex(axis.getName())),
                      axis.getPre(), size});
  }
  return result;
}

SmallVector<AxisRefAttr> toAttrs(AxesRef axes, MeshAttr mesh) {
  SmallVector<AxisRefAttr> result;
  for (const Axis &axis : axes)
    result.push_back(AxisRefAttr::getNormalized(
        mesh.getAxes()[axis.index].getName(), axis.pre, axis.size, mesh));
  return result;
}

TensorState PropagationGraph::toState(ShardingAttr sharding) {
  MeshAttr mesh = getMesh(sharding.getMeshOrRef());
  TensorState state;
  state.known = true;
  for (DimShardingAttr dim : sharding.getDims())
    state.dims.push_back(DimState{toAxes(dim.getAxes(), mesh), dim.isClosed()});
  state.replicated = toAxes(sharding.getReplicated(), mesh);
  state.partial = toAxes(sharding.getPartialAxes(), mesh);
  return state;
}

MeshAttr PropagationGraph::getMesh(Attribute meshOrRef) {
  MeshAttr &mesh = meshes[meshOrRef];
  if (!mesh)
    mesh = lookupMesh(meshOrRef, module);
  return mesh;
}

class GraphBuilder {
public:
  GraphBuilder(PropagationGraph &graph) : graph(graph) {}

  LogicalResult run() {
    findDeadOps();
    for (auto func : graph.module.getOps<func::FuncOp>())
      if (!func.isExternal())
        buildFunc(func);
    if (!ok || failed(joinGroups()))
      return failure();
    applyConstraints(graph);
    finish();
    return success();
  }

private:
  /// Users before their operands: ops later in a block, and what they hold.
  void findDeadOps() {
    graph.module.walk<WalkOrder::PreOrder, ReverseIterator>([&](Operation *op) {
      if (getRegionFlow(op) == RegionFlow::None && op->getNumResults() > 0 &&
          !isa<ConstraintOp>(op) && wouldOpBeTriviallyDead(op) &&
          llvm::all_of(op->getUsers(),
                       [&](Operation *user) { return deadOps.contains(user); }))
        deadOps.insert(op);
    });
  }

  //===--------------------------------------------------------------------===//
  // Nodes
  //===--------------------------------------------------------------------===//

  int32_t createNode(Type type, ShardingAttr attr = {}) {
    Node &node = graph.nodes.emplace_back();
    node.rank = staticTensor(type).getRank();
    setSharding(node, attr);
    return graph.nodes.size() - 1;
  }

  void setSharding(Node &node, ShardingAttr attr) {
    if (!attr || attr.getRank() != node.rank)
      return;
    MeshAttr mesh = graph.getMesh(attr.getMeshOrRef());
    if (!mesh || mesh.getAxes().empty())
      return; // Maximal: its place is fixed, nothing to propagate.
    node.original = attr;
    node.mesh = attr.getMeshOrRef();
    node.state = graph.toState(attr);
  }

  /// The node of a value, -1 if its type has no place for shardings.
  int32_t nodeOf(Value value) {
    if (!staticTensor(value.getType()))
      return -1;
    auto [it, isNew] = graph.valueNodes.try_emplace(value, -1);
    if (isNew) {
      int32_t node = createNode(value.getType());
      graph.valueNodes[value] = node;
      return node;
    }
    return it->second;
  }

  void setNode(Value value, int32_t node) { graph.valueNodes[value] = node; }

  const ShardingRule *getRule(Operation *op) {
    auto [it, isNew] = opRules.try_emplace(op, nullptr);
    if (isNew) {
      if (std::optional<ShardingRule> rule = shoal::getShardingRule(op)) {
        graph.rules.push_back(
            std::make_unique<ShardingRule>(std::move(*rule)));
        it->second = graph.rules.back().get();
      } else if (hasUserRule(op)) {
        ok = false; // It does not fit, and that has been said.
      }
    }
    return it->second;
  }

  /// All tensors have the same dimensions.
  const ShardingRule *getIdentity(size_t operands, int64_t rank) {
    const ShardingRule *&cached = identities[{operands, rank}];
    if (cached)
      return cached;
    auto rule = std::make_unique<ShardingRule>();
    rule->operands.resize(operands);
    rule->results.resize(1);
    for (int64_t d = 0; d < rank; ++d) {
      // Sizes only matter where a dimension is several factors.
      rule->factors.push_back(Factor{1,
                                     FactorKind::PassThrough});
      for (TensorMapping &tensor : rule->operands)
        tensor.dims.emplace_back().factors.push_back(d);
      rule->results[0].dims.emplace_back().factors.push_back(d);
    }
    graph.rules.push_back(std::move(rule));
    return cached = graph.rules.back().get();
  }

  //===--------------------------------------------------------------------===//
  // Edges
  //===--------------------------------------------------------------------===//

  Edge &createEdge(EdgeKind kind, Operation *op, int64_t at) {
    Edge &edge = graph.edges.emplace_back();
    edge.kind = kind;
    edge.op = op;
    edge.order = {at, ++sequence, 0};
    return edge;
  }

  static void addOperand(Edge &edge, int32_t node, Value value,
                         Operation *user) {
    edge.nodes.push_back(node);
    edge.values.push_back(value);
    edge.users.push_back(user);
    ++edge.numOperands;
  }

  /// The node that `user` sees for an operand: its own copy of a constant.
  int32_t useOf(Operation *user, Value value) {
    Operation *def = value.getDefiningOp();
    if (!def || !cheapOps.contains(def) || cheapOps.contains(user))
      return nodeOf(value);
    llvm::DenseMap<Value, int32_t> copies;
    return copy(value, copies);
  }

  int32_t copy(Value value, llvm::DenseMap<Value, int32_t> &copies) {
    auto type = staticTensor(value.getType());
    Operation *def = value.getDefiningOp();
    if (!type || type.getRank() == 0 || !def || !cheapOps.contains(def))
      return nodeOf(value);
    if (auto it = copies.find(value); it != copies.end())
      return it->second;
    SmallVector<int32_t, 4> operands;
    for (Value operand : def->getOperands())
      operands.push_back(copy(operand, copies));
    int32_t node = createNode(value.getType(), getResultSharding(def, 0));
    copies[value] = node;
    // The first copy speaks for the op itself.
    graph.valueNodes.try_emplace(value, node);
    if (const ShardingRule *rule = getRule(def)) {
      Edge &edge = createEdge(EdgeKind::Rule, def, positions[def]);
      edge.rule = rule;
      edge.isElementwise = isElementwise(def);
      for (auto [operand, value] : llvm::zip(operands, def->getOperands()))
        addOperand(edge, operand, value, def);
      edge.nodes.push_back(node);
    }
    return node;
  }

  void addDataFlow(Operation *op, int32_t target,
                   ArrayRef<std::pair<Value, Operation *>> sources,
                   int64_t at) {
    if (target < 0)
      return;
    Edge edge;
    edge.kind = EdgeKind::DataFlow;
    edge.op = op;
    edge.order = {at, ++sequence, 0};
    for (auto [value, user] : sources)
      addOperand(edge, useOf(user, value), value, user);
    edge.rule = getIdentity(sources.size(), graph.nodes[target].rank);
    edge.nodes.push_back(target);
    graph.nodes[target].isDataFlow = true;
    graph.edges.push_back(std::move(edge));
  }

  //===--------------------------------------------------------------------===//
  // Ops
  //===--------------------------------------------------------------------===//

  void buildFunc(func::FuncOp func) {
    for (BlockArgument arg : func.getArguments())
      if (staticTensor(arg.getType()))
        setNode(arg, createNode(arg.getType(),
                                func.getArgAttrOfType<ShardingAttr>(
                                    arg.getArgNumber(),
                                    ShoalDialect::kShardingAttr)));
    for (Block &block : func.getBody())
      buildBlock(block);
    if (!func.getBody().hasOneBlock())
      return;
    Operation *terminator = func.getBody().front().getTerminator();
    for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
      if (!staticTensor(value.getType()))
        continue;
      int32_t result = createNode(
          value.getType(), func.getResultAttrOfType<ShardingAttr>(
                               i, ShoalDialect::kShardingAttr));
      graph.funcResults[{func, i}] = result;
      int32_t source = useOf(terminator, value);
      Edge &edge = createEdge(EdgeKind::Return, terminator, position);
      addOperand(edge, source, value, terminator);
      edge.nodes.push_back(result);
      edge.rule = getIdentity(1, graph.nodes[result].rank);
    }
  }

  void buildBlock(Block &block) {
    for (Operation &op : block)
      buildOp(&op);
  }

  void buildOp(Operation *op) {
    positions[op] = ++position;
    if (auto group = dyn_cast<GroupOp>(op)) {
      groups.push_back(group);
      return;
    }
    if (op->hasTrait<OpTrait::IsTerminator>())
      return; // Looked at with the parent.
    switch (getRegionFlow(op)) {
    case RegionFlow::While:
    case RegionFlow::Branch:
    case RegionFlow::Barrier:
      return buildRegionFlow(op);
    case RegionFlow::Manual:
      return buildManual(cast<ManualOp>(op));
    case RegionFlow::None:
      break;
    }
    if (isCheap(op)) {
      cheapOps.insert(op);
      return;
    }
    buildSimple(op);
  }

  /// A constant expression or a broadcast scalar, unless it is in a group,
  /// whose members are one.
  bool isCheap(Operation *op) {
    if (op->getNumResults() != 1 || !staticTensor(op->getResult(0).getType()))
      return false;
    bool cheap =
        isConstantLike(op) || isScalarBroadcast(op) ||
        (preservesConstants(op) &&
         llvm::all_of(op->getOperands(), [&](Value operand) {
           Operation *def = operand.getDefiningOp();
           return def && cheapOps.contains(def) && !isBroadcastOnly(def);
         }));
    return cheap && llvm::none_of(op->getResult(0).getUsers(), [](Operation *u) {
             return isa<GroupOp>(u);
           });
  }
  /// Cheap, but computed from more than constants.
  bool isBroadcastOnly(Operation *op) {
    if (!isScalarBroadcast(op))
      return false;
    Operation *def = op->getOperand(0).getDefiningOp();
    return !def || !cheapOps.contains(def);
  }

  void buildSimple(Operation *op) {
    EdgeKind kind = EdgeKind::Rule;
    if (isa<ConstraintOp>(op))
      kind = EdgeKind::Constraint;
    else if (isa<BarrierOp>(op))
      kind = EdgeKind::Barrier;
    const ShardingRule *rule = nullptr;
    if (kind == EdgeKind::Barrier) {
      auto type = staticTensor(op->getResult(0).getType());
      rule = type ? getIdentity(1, type.getRank()) : nullptr;
    } else {
      rule = getRule(op);
    }
    Edge edge;
    edge.kind = rule ? kind : EdgeKind::Use;
    edge.op = op;
    edge.rule = rule;
    edge.isElementwise = isElementwise(op);
    edge.isDead = deadOps.contains(op);
    for (Value operand : op->getOperands())
      addOperand(edge, useOf(op, operand), operand, op);
    for (OpResult result : op->getResults()) {
      int32_t node = -1;
      if (staticTensor(result.getType())) {
        node = createNode(result.getType(), getSharding(result));
        setNode(result, node);
      }
      edge.nodes.push_back(node);
    }
    if (auto barrier = dyn_cast<BarrierOp>(op))
      edge.barrier = static_cast<Direction>(barrier.getAllowedDirection());
    edge.order = {positions[op], ++sequence, 0};
    graph.edges.push_back(std::move(edge));
  }

  void buildRegionFlow(Operation *op) {
    RegionFlow flow = getRegionFlow(op);
    SmallVector<int32_t> targets;
    for (OpResult result : op->getResults()) {
      int32_t node = -1;
      if (staticTensor(result.getType())) {
        node = createNode(result.getType(),
                          getResultSharding(op, result.getResultNumber()));
        setNode(result, node);
        if (flow == RegionFlow::While)
          for (Region &region : op->getRegions())
            setNode(region.getArgument(result.getResultNumber()), node);
      }
      targets.push_back(node);
    }
    for (Region &region : op->getRegions())
      for (Block &block : region)
        buildBlock(block);
    int64_t at = ++position;
    for (auto [i, target] : llvm::enumerate(targets)) {
      SmallVector<std::pair<Value, Operation *>> sources;
      if (flow != RegionFlow::Branch)
        sources.push_back({op->getOperand(i), op});
      for (auto [r, region] : llvm::enumerate(op->getRegions())) {
        if (flow == RegionFlow::While && r == 0)
          continue; // The condition yields the predicate.
        Operation *terminator = region.front().getTerminator();
        sources.push_back({terminator->getOperand(i), terminator});
      }
      addDataFlow(op, target, sources, at);
    }
  }

  ManualBoundary *createBoundary(ManualOp op, ShardingAttr sharding) {
    // Without axes (a maximal mesh) nothing changes at the boundary, and the
    // sharding need not have the tensor's rank.
    MeshAttr mesh = graph.getMesh(sharding.getMeshOrRef());
    if (!mesh || mesh.getAxes().empty())
      return nullptr;
    auto boundary = std::make_unique<ManualBoundary>();
    llvm::SmallDenseSet<StringRef> unused;
    for (Attribute axis : op.getManualAxes())
      unused.insert(cast<StringAttr>(axis).getValue());
    auto manual = [&](AxisListRef axes) {
      AxisList result;
      for (AxisRefAttr axis : axes)
        if (op.isManualAxis(axis.getName())) {
          result.push_back(axis);
          unused.erase(axis.getName());
        }
      return toAxes(result, mesh);
    };
    for (DimShardingAttr dim : sharding.getDims())
      boundary->dims.push_back(manual(dim.getAxes()));
    boundary->replicated = manual(sharding.getReplicated());
    // Along the other manual axes the tensor is replicated outside.
    for (MeshAxisAttr axis : mesh.getAxes())
      if (unused.contains(axis.getName()))
        boundary->replicated.append(
            toAxes(AxisRefAttr::get(mesh.getContext(), axis.getName()), mesh));
    graph.boundaries.push_back(std::move(boundary));
    return graph.boundaries.back().get();
  }

  void buildManual(ManualOp op) {
    int64_t at = ++position;
    SmallVector<int32_t> inside;
    for (BlockArgument arg : op.getBody().getArguments()) {
      unsigned i = arg.getArgNumber();
      int32_t node = -1;
      if (staticTensor(arg.getType())) {
        node = createNode(arg.getType(),
                          op.getFreeSharding(op.getInSharding(i)));
        setNode(arg, node);
      }
      ManualBoundary *boundary = createBoundary(op, op.getInSharding(i));
      graph.manualArgs[{op, i}] = boundary;
      addDataFlow(op, node, {{op.getInputs()[i], op}}, at);
      if (node >= 0) {
        graph.edges.back().boundary = boundary;
        graph.edges.back().targetIsInside = true;
      }
    }
    SmallVector<int32_t> targets;
    for (OpResult result : op.getResults()) {
      unsigned i = result.getResultNumber();
      int32_t node = -1;
      ManualBoundary *boundary = createBoundary(op, op.getOutSharding(i));
      graph.manualResults[{op, i}] = boundary;
      if (staticTensor(result.getType())) {
        node = createNode(result.getType(), op.getOutSharding(i));
        if (boundary && graph.nodes[node].state.known)
          graph.nodes[node].state.replicated = boundary->replicated;
        setNode(result, node);
      }
      targets.push_back(node);
    }
    for (Block &block : op.getBody())
      buildBlock(block);
    at = ++position;
    Operation *terminator = op.getReturn();
    for (auto [i, target] : llvm::enumerate(targets)) {
      addDataFlow(op, target, {{terminator->getOperand(i), terminator}}, at);
      if (target >= 0)
        graph.edges.back().boundary = graph.manualResults[{op, i}];
    }
    // applyConstraints looks at what goes into manual regions.
    Edge edge;
    edge.kind = EdgeKind::Use;
    edge.op = op;
    edge.order = {at, ++sequence, 0};
    for (Edge &arg : graph.edges)
      if (arg.kind == EdgeKind::DataFlow && arg.op == op && arg.targetIsInside)
        addOperand(edge, arg.nodes[0], arg.values[0], op);
    graph.edges.push_back(std::move(edge));
  }

  //===--------------------------------------------------------------------===//
  // Groups, order
  //===--------------------------------------------------------------------===//

  LogicalResult joinGroups() {
    if (groups.empty())
      return success();
    llvm::DenseMap<int64_t, std::pair<int32_t, GroupOp>> leaders;
    llvm::DenseMap<int32_t, int32_t> renamed;
    auto find = [&](int32_t node) {
      while (renamed.contains(node))
        node = renamed[node];
      return node;
    };
    for (GroupOp op : groups) {
      int32_t node = find(nodeOf(op.getInput()));
      if (node < 0)
        continue;
      auto [it, isNew] = leaders.try_emplace(op.getId(), node, op);
      int32_t leader = find(it->second.first);
      if (isNew || leader == node)
        continue;
      Node &a = graph.nodes[leader], &b = graph.nodes[node];
      if (a.rank != b.rank) {
        InFlightDiagnostic diag = op.emitOpError()
                                  << "members of group " << op.getId()
                                  << " have different ranks";
        diag.attachNote(it->second.second.getLoc()) << "other member";
        return diag;
      }
      if (a.original && b.original && a.original != b.original) {
        InFlightDiagnostic diag =
            op.emitOpError() << "members of group " << op.getId()
                             << " are given different shardings, "
                             << a.original << " and " << b.original;
        diag.attachNote(it->second.second.getLoc()) << "other member";
        return diag;
      }
      if (!a.original && b.original)
        setSharding(a, b.original);
      a.isDataFlow |= b.isDataFlow;
      renamed[node] = leader;
    }
    for (Edge &edge : graph.edges)
      for (int32_t &node : edge.nodes)
        if (node >= 0)
          node = find(node);
    for (auto &entry : graph.valueNodes)
      if (entry.second >= 0)
        entry.second = find(entry.second);
    return success();
  }

  /// Sorts edges, and lists for each node what depends on it.
  void finish() {
    llvm::sort(graph.edges, [](const Edge &a, const Edge &b) {
      return a.order < b.order;
    });
    findSingleUses();
    std::vector<SmallVector<int32_t, 4>> uses(graph.nodes.size());
    for (auto [e, edge] : llvm::enumerate(graph.edges)) {
      if (edge.kind == EdgeKind::Return || edge.kind == EdgeKind::Use)
        continue;
      for (auto [slot, node] : llvm::enumerate(edge.nodes)) {
        if (node < 0)
          continue;
        if (slot >= edge.numOperands)
          graph.nodes[node].dependents.push_back(e);
        else
          uses[node].push_back(e);
      }
    }
    // Later uses first, as use lists run.
    for (auto [n, node] : llvm::enumerate(graph.nodes)) {
      if (!node.isDataFlow)
        std::reverse(uses[n].begin(), uses[n].end());
      node.dependents.append(uses[n].begin(), uses[n].end());
    }
  }

  /// Copies of a constant, and a loop's value inside and outside, count apart.
  void findSingleUses() {
    llvm::DenseMap<std::pair<int32_t, Value>, int32_t> counts;
    auto forEachUse = [&](auto callback) {
      for (Edge &edge : graph.edges)
        if (!edge.isDead &&
            (edge.kind != EdgeKind::Use || !isa<ManualOp>(edge.op)))
          for (uint32_t slot = 0; slot < edge.numOperands; ++slot)
            if (edge.nodes[slot] >= 0 && graph.nodes[edge.nodes[slot]].rank > 0)
              callback(edge, counts[{edge.nodes[slot], edge.values[slot]}]);
    };
    forEachUse([](Edge &, int32_t &count) { ++count; });
    for (GroupOp group : groups)
      ++counts[{nodeOf(group.getInput()), group.getInput()}];
    forEachUse([](Edge &edge, int32_t &count) {
      edge.isSingleUse &= count == 1 || edge.kind == EdgeKind::DataFlow;
    });
  }

  PropagationGraph &graph;
  bool ok = true;
  int64_t position = 0, sequence = 0;
  llvm::DenseMap<Operation *, int64_t> positions;
  llvm::DenseMap<Operation *, const ShardingRule *> opRules;
  llvm::DenseMap<std::pair<size_t, int64_t>, const ShardingRule *> identities;
  llvm::SmallPtrSet<Operation *, 32> cheapOps, deadOps;
  SmallVector<GroupOp> groups;
};

LogicalResult PropagationGraph::build(ModuleOp newModule) {
  module = newModule;
  return GraphBuilder(*this).run();
}

} // namespace shoal::propagate
