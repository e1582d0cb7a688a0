// shoal-partition: from global shapes with shardings to device-local shapes
// with collectives.

#include "Partitioner.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/Sharding.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Partition/Passes.h"

namespace shoal {
#define GEN_PASS_DEF_PARTITIONPASS
#include "shoal/Partition/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

void shoal::stripShardings(Operation *op) {
  op->walk([](Operation *inner) {
    for (StringRef name : {ShoalDialect::kShardingsAttr,
                           ShoalDialect::kFormAttr, ShoalDialect::kRuleAttr})
      inner->removeDiscardableAttr(name);
  });
}

Type Partitioner::localType(Type type, const PlacementState &state) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return RankedTensorType::get(state.blocks, tensor.getElementType(),
                                 tensor.getEncoding());
  return type;
}

void Partitioner::set(Value old, Value local, const PlacementState &state) {
  values[old] = {local, state};
}

bool Partitioner::hasResultState(Operation *op) {
  return op->hasAttr(ShoalDialect::kShardingsAttr);
}

PlacementState Partitioner::resultState(Operation *op, unsigned result) {
  return mesh.toPlacement(getResultSharding(op, result),
                          op->getResult(result).getType());
}

Value Partitioner::get(Value old, const PlacementState &want, Operation *user,
                       LocalBuilder &b) {
  LocalValue have = values.lookup(old);
  assert(have.value && "a value was used before it was partitioned");
  if (have.state == want)
    return have.value;
  std::vector<int64_t> key;
  want.appendKey(key);
  std::pair<void *, std::vector<int64_t>> name{old.getAsOpaquePointer(), key};
  for (auto &scope : llvm::reverse(reshards)) {
    auto it = scope.find(name);
    if (it != scope.end())
      return it->second;
  }
  b.setLoc(user->getLoc());
  std::string reason = ("operand of " + user->getName().getStringRef()).str();
  if (auto stated = user->getAttrOfType<StringAttr>("shoal.reason"))
    reason = stated.str();
  Value local = emitReshard(have.value, shapeOf(old.getType()), have.state,
                            want, reason, user->getLoc(), mesh, b);
  reshards.back()[name] = local;
  return local;
}

LogicalResult Partitioner::partitionBlock(Block &from, LocalBuilder &b) {
  for (Operation &op : from.without_terminator()) {
    b.setLoc(op.getLoc());
    if (failed(partitionOp(&op, b)))
      return failure();
  }
  return success();
}

/// Collectives of manual regions: they go along with any placement over the
/// free axes, except along the dimensions that they cut or join.
LogicalResult Partitioner::partitionCollective(Operation *op, LocalBuilder &b) {
  SmallVector<int64_t> whole;
  if (auto gather = dyn_cast<comm::AllGatherOp>(op))
    whole = {static_cast<int64_t>(gather.getDim())};
  else if (auto scatter = dyn_cast<comm::ReduceScatterOp>(op))
    whole = {static_cast<int64_t>(scatter.getDim())};
  else if (auto all = dyn_cast<comm::AllToAllOp>(op))
    whole = {static_cast<int64_t>(all.getSplitDim()),
             static_cast<int64_t>(all.getConcatDim())};
  else if (auto slice = dyn_cast<comm::AllSliceOp>(op))
    whole = {static_cast<int64_t>(slice.getDim())};
  else if (!isa<comm::AllReduceOp, comm::PermuteOp, comm::BroadcastOp>(op))
    return partitionReplicated(op, b);
  Value input = op->getOperand(0);
  PlacementState state = values.lookup(input).state;
  ArrayRef<int64_t> shape = shapeOf(input.getType());
  state.partial = 0;
  state.partialKind = 0;
  for (int64_t d : whole) {
    state.dims[d].clear();
    state.blocks[d] = shape[d];
  }
  SmallVector<Value> operands = {get(input, state, op, b)};
  for (Value other : op->getOperands().drop_front())
    operands.push_back(get(
        other, PlacementState::replicated(shapeOf(other.getType())), op, b));
  Operation *clone = op->clone();
  clone->setOperands(operands);
  stripShardings(clone);
  PlacementState after = state;
  ArrayRef<int64_t> resultShape = shapeOf(op->getResult(0).getType());
  for (int64_t d : whole)
    after.blocks[d] = resultShape[d];
  clone->getResult(0).setType(localType(op->getResult(0).getType(), after));
  b.insert(clone);
  set(op->getResult(0), clone->getResult(0), after);
  return success();
}

LogicalResult Partitioner::partitionOp(Operation *op, LocalBuilder &b) {
  if (isa<ConstraintOp, ReshardOp>(op)) {
    Value input = op->getOperand(0);
    ShardingAttr sharding = isa<ConstraintOp>(op)
                                ? cast<ConstraintOp>(op).getSharding()
                                : cast<ReshardOp>(op).getSharding();
    // Propagation may have added axes to open dimensions.
    if (isa<ConstraintOp>(op))
      if (ShardingAttr chosen = getResultSharding(op, 0))
        sharding = chosen;
    PlacementState state = mesh.toPlacement(sharding, input.getType());
    set(op->getResult(0), get(input, state, op, b), state);
    return success();
  }
  if (isa<BarrierOp>(op)) {
    values[op->getResult(0)] = values.lookup(op->getOperand(0));
    return success();
  }
  if (isa<GroupOp, RuleOp>(op))
    return success();
  if (isa<ManualOp>(op))
    return partitionManual(op, b);
  if (isa<sh::WhileOp>(op))
    return partitionWhile(op, b);
  if (isa<sh::IfOp, sh::CaseOp>(op))
    return partitionBranches(op, b);
  if (isa<sh::OptimizationBarrierOp>(op)) {
    // Keeps whatever comes in; its results are placed like its operands.
    Operation *clone = op->clone();
    for (unsigned i = 0; i < op->getNumOperands(); ++i) {
      LocalValue have = values.lookup(op->getOperand(i));
      clone->setOperand(i, have.value);
      clone->getResult(i).setType(have.value.getType());
      set(op->getResult(i), clone->getResult(i), have.state);
    }
    stripShardings(clone);
    b.insert(clone);
    return success();
  }
  if (op->getDialect() && op->getDialect()->getNamespace() == "comm" &&
      op->getNumOperands() > 0 && op->getNumResults() == 1)
    return partitionCollective(op, b);
  if (std::optional<OpModel> model = OpModel::get(op, mesh))
    return partitionByRule(op, *model, b);
  return partitionReplicated(op, b);
}

LogicalResult Partitioner::partitionFunction(func::FuncOp func) {
  if (func.isDeclaration())
    return success();
  reuseSelectedValues(func);
  Block &old = func.getBody().front();
  Block *block = new Block;
  auto shardingOf = [&](DictionaryAttr attrs) {
    return attrs ? attrs.getAs<ShardingAttr>(ShoalDialect::kShardingAttr)
                 : ShardingAttr();
  };
  SmallVector<Type> inputs, outputs;
  SmallVector<PlacementState> results;
  for (auto [i, arg] : llvm::enumerate(old.getArguments())) {
    PlacementState state =
        mesh.toPlacement(shardingOf(func.getArgAttrDict(i)), arg.getType());
    inputs.push_back(localType(arg.getType(), state));
    set(arg, block->addArgument(inputs.back(), arg.getLoc()), state);
    func.setArgAttr(i, kGlobalTypeAttr, TypeAttr::get(arg.getType()));
  }
  for (auto [i, type] : llvm::enumerate(func.getResultTypes())) {
    results.push_back(
        mesh.toPlacement(shardingOf(func.getResultAttrDict(i)), type));
    outputs.push_back(localType(type, results.back()));
    func.setResultAttr(i, kGlobalTypeAttr, TypeAttr::get(type));
  }
  LocalBuilder b(block, mesh);
  if (failed(partitionBlock(old, b))) {
    delete block;
    return failure();
  }
  Operation *end = old.getTerminator();
  b.setLoc(end->getLoc());
  SmallVector<Value> returned;
  for (auto [value, want] : llvm::zip_equal(end->getOperands(), results))
    returned.push_back(get(value, want, end, b));
  func::ReturnOp::create(b, end->getLoc(), returned);
  func.getBody().push_back(block);
  // The old block refers to nothing outside itself.
  old.dropAllReferences();
  old.dropAllUses();
  old.erase();
  func.setFunctionType(FunctionType::get(func.getContext(), inputs, outputs));
  return success();
}

namespace {
struct PartitionPass : public shoal::impl::PartitionPassBase<PartitionPass> {
  void runOnOperation() override {
    std::unique_ptr<MeshModel> mesh = MeshModel::create(getOperation());
    if (!mesh)
      return signalPassFailure();
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      // Decompositions of composites become part of their callers.
      if (func.isPrivate() && !func.isExternal())
        continue;
      Partitioner partitioner(*mesh);
      if (failed(partitioner.partitionFunction(func)))
        return signalPassFailure();
    }
    for (RuleOp rule :
         llvm::make_early_inc_range(getOperation().getOps<RuleOp>()))
      rule.erase();
    for (auto func :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (func.isPrivate() &&
          SymbolTable::symbolKnownUseEmpty(func, getOperation()))
        func.erase();
  }
};
} // namespace
