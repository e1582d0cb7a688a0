#include "ShardAlongIndex.h"
#include "PartClones.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace shoal {
namespace {

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

class Sharder {
public:
  Sharder(const ShardPlan &plan, const IndexClasses &classes)
      : plan(plan), classes(classes), small(classes, plan.parts) {}

  unsigned run(func::FuncOp func) {
    visit(func.getBody().front());
    // What nobody could turn into a shard reads the whole.
    for (Value value : made)
      if (!plan.kept.contains(value.getDefiningOp()) &&
          llvm::any_of(value.getUses(),
                       [&](OpOperand &use) { return !isDone(use.getOwner()); }))
        value.replaceUsesWithIf(wholeOf(value), [&](OpOperand &use) {
          return !isDone(use.getOwner());
        });
    // Users first.
    for (Operation *op : llvm::reverse(done))
      op->erase();
    return gathers;
  }

private:
  struct Shard {
    Value value;
    unsigned dim;
  };

  bool isDone(Operation *op) const { return doneSet.contains(op); }
  void finish(Operation *op) {
    done.push_back(op);
    doneSet.insert(op);
  }

  void setShard(Value value, Value shard, unsigned dim) {
    shards[value] = {shard, dim};
    made.push_back(value);
  }

  /// The whole of a value of which there is a shard.
  Value wholeOf(Value value) {
    auto found = shards.find(value);
    if (found == shards.end())
      return value;
    if (Operation *def = value.getDefiningOp(); plan.kept.contains(def))
      return value;
    auto [shard, dim] = found->second;
    Value &whole = wholes[value];
    if (!whole) {
      OpBuilder b(value.getContext());
      b.setInsertionPointAfterValue(shard);
      StringAttr reason;
      ArrayAttr provenance;
      Operation *def = value.getDefiningOp();
      if (auto collective =
              dyn_cast_or_null<comm::CollectiveOpInterface>(def)) {
        reason = collective.getReasonAttr();
        provenance = collective.getProvenanceAttr();
      }
      if (!reason)
        reason = b.getStringAttr(
            "what an all_reduce was needed for, computed on a shard and needed "
            "whole");
      if (!provenance)
        provenance = b.getArrayAttr(LocationAttr(value.getLoc()));
      whole = comm::AllGatherOp::create(b, value.getLoc(), value.getType(),
                                        shard, int64_t(dim), plan.groups,
                                        reason, provenance);
      ++gathers;
    }
    return whole;
  }

  /// The device's part of a value along a dimension.
  Value shardOf(Value value, unsigned dim) {
    if (auto found = shards.find(value);
        found != shards.end() && found->second.dim == dim)
      return found->second.value;
    if (classes.isFree(value, dim))
      return small.of(value, dim);
    if (Value known = cut.lookup({value, dim}))
      return known;
    if (Value made = pointwiseShard(value, dim))
      return cut[{value, dim}] = made;
    Value whole = wholeOf(value);
    OpBuilder b(value.getContext());
    b.setInsertionPointAfterValue(whole);
    Value slice = comm::AllSliceOp::create(
        b, value.getLoc(), partOf(typeOf(value), dim, plan.parts), whole,
        int64_t(dim), plan.groups);
    return cut[{value, dim}] = slice;
  }

  /// What a kernel would compute in passing is computed again rather than
  /// written for a slice.
  Value pointwiseShard(Value value, unsigned dim) {
    Operation *op = value.getDefiningOp();
    if (!op || shards.contains(value) || plan.stored.contains(value) ||
        op->getNumResults() != 1 || op->getNumRegions() ||
        !isa_and_nonnull<sh::StablehloDialect>(op->getDialect()))
      return {};
    const PartFactor *mine = nullptr;
    for (const PartFactor &factor : classes.factorsOf(op))
      if (!factor.reduces &&
          llvm::is_contained(factor.results, std::pair(0u, dim)))
        mine = &factor;
    if (!mine || mine->operands.empty())
      return {};
    std::optional<ShardingRule> rule = getShardingRule(op);
    if (llvm::any_of(rule->factors, [](const Factor &factor) {
          return factor.kind != FactorKind::PassThrough;
        }))
      return {};
    SmallVector<Value> operands(op->getOperands());
    for (auto [t, d] : mine->operands)
      operands[t] = shardOf(operands[t], d);
    for (auto [t, operand] : llvm::enumerate(operands))
      if (llvm::none_of(mine->operands,
                        [t = t](auto place) { return place.first == t; }))
        operand = wholeOf(operand);
    OpBuilder b(op);
    b.setInsertionPointAfter(op);
    return clonePart(b, op, *mine, operands, plan.parts)->getResult(0);
  }

  void visit(Block &block) {
    SmallVector<Operation *> ops;
    for (Operation &op : block)
      ops.push_back(&op);
    for (Operation *op : ops) {
      if (isa<sh::WhileOp, sh::IfOp, sh::CaseOp>(op))
        visitRegions(op);
      else if (isa<sh::OptimizationBarrierOp>(op))
        visitBarrier(op);
      else if (auto found = plan.sources.find(op); found != plan.sources.end())
        visitSource(op, found->second);
      else if (const PartFactor *factor = plan.ops.lookup(op))
        visitOp(op, *factor);
      else if (auto slice = dyn_cast<comm::AllSliceOp>(op))
        visitSlice(slice);
    }
  }

  void visitSource(Operation *op, unsigned dim) {
    Value result = op->getResult(0);
    if (isa<comm::AllGatherOp>(op)) {
      setShard(result, op->getOperand(0), dim);
    } else if (plan.kept.contains(op)) {
      OpBuilder b(op);
      b.setInsertionPointAfter(op);
      setShard(result,
               comm::AllSliceOp::create(b, op->getLoc(),
                                        partOf(typeOf(result), dim, plan.parts),
                                        result, int64_t(dim), plan.groups),
               dim);
    } else {
      auto reduce = cast<comm::AllReduceOp>(op);
      OpBuilder b(op);
      setShard(result,
               comm::ReduceScatterOp::create(
                   b, op->getLoc(), partOf(typeOf(result), dim, plan.parts),
                   reduce.getKind(), wholeOf(reduce.getInput()), int64_t(dim),
                   plan.groups, reduce.getReasonAttr(),
                   reduce.getProvenanceAttr()),
               dim);
    }
    if (!plan.kept.contains(op))
      finish(op);
  }

  /// A slice of what there is a shard of.
  void visitSlice(comm::AllSliceOp op) {
    auto found = shards.find(op.getInput());
    if (op.getGroups() != plan.groups || found == shards.end() ||
        found->second.dim != op.getDim() ||
        found->second.value.getType() != op.getResult().getType())
      return;
    op.getResult().replaceAllUsesWith(found->second.value);
    finish(op);
  }

  void visitOp(Operation *op, const PartFactor &factor) {
    SmallVector<Value> operands(op->getOperands());
    for (unsigned t = 0; t < operands.size(); ++t) {
      auto place =
          llvm::find_if(factor.operands, [&](auto p) { return p.first == t; });
      operands[t] = place != factor.operands.end()
                        ? shardOf(operands[t], place->second)
                        : wholeOf(operands[t]);
    }
    OpBuilder b(op);
    Operation *clone = clonePart(b, op, factor, operands, plan.parts);
    finish(op);
    if (!factor.reduces) {
      for (auto [r, d] : factor.results)
        setShard(op->getResult(r), clone->getResult(r), d);
      return;
    }
    ReductionKind kind =
        isa<sh::ReduceOp>(op) ? *factor.reduction : ReductionKind::Add;
    Value sum = comm::AllReduceOp::create(
        b, op->getLoc(), clone->getResult(0).getType(), kind,
        clone->getResult(0), plan.groups,
        b.getStringAttr("reduced along an index of which devices have shards"),
        b.getArrayAttr(LocationAttr(op->getLoc())));
    op->getResult(0).replaceAllUsesWith(sum);
  }

  //===--------------------------------------------------------------------===//
  // What passes values on
  //===--------------------------------------------------------------------===//

  /// Of each result of the op that is a shard, its dimension.
  SmallVector<std::pair<unsigned, unsigned>> carriedBy(Operation *op) const {
    SmallVector<std::pair<unsigned, unsigned>> list;
    for (unsigned i = 0; i < op->getNumResults(); ++i)
      if (auto found = plan.carried.find({op, i}); found != plan.carried.end())
        list.push_back({i, found->second});
    return list;
  }

  /// A copy of an op without its regions whose results in `list` are shards.
  Operation *rebuild(OpBuilder &b, Operation *op, ValueRange operands,
                     ArrayRef<std::pair<unsigned, unsigned>> list) {
    SmallVector<Type> types(op->getResultTypes());
    for (auto [i, dim] : list)
      types[i] = partOf(cast<RankedTensorType>(types[i]), dim, plan.parts);
    OperationState state(op->getLoc(), op->getName(), operands, types,
                         op->getAttrs());
    for (unsigned i = 0; i < op->getNumRegions(); ++i)
      state.addRegion();
    return b.create(state);
  }

  void replaceResults(Operation *op, Operation *fresh,
                      ArrayRef<std::pair<unsigned, unsigned>> list) {
    for (OpResult result : op->getResults()) {
      Value to = fresh->getResult(result.getResultNumber());
      auto found = llvm::find_if(
          list, [&](auto p) { return p.first == result.getResultNumber(); });
      if (found != list.end())
        setShard(result, to, found->second);
      else
        result.replaceAllUsesWith(to);
    }
    finish(op);
  }

  void visitRegions(Operation *op) {
    auto list = carriedBy(op);
    if (list.empty()) {
      for (Region &region : op->getRegions())
        visit(region.front());
      return;
    }
    bool isLoop = isa<sh::WhileOp>(op);
    SmallVector<Value> operands(op->getOperands());
    if (isLoop)
      for (auto [i, dim] : list)
        operands[i] = shardOf(operands[i], dim);
    OpBuilder b(op);
    Operation *fresh = rebuild(b, op, operands, list);
    for (auto [from, to] :
         llvm::zip_equal(op->getRegions(), fresh->getRegions())) {
      to.takeBody(from);
      Block &block = to.front();
      bool isCondition = isLoop && to.getRegionNumber() == 0;
      if (isLoop)
        for (auto [i, dim] : list) {
          BlockArgument argument = block.getArgument(i);
          RankedTensorType whole = typeOf(argument);
          if (!isCondition) {
            // Stands for the whole until all its users are done.
            OpBuilder inner = OpBuilder::atBlockBegin(&block);
            auto stand = UnrealizedConversionCastOp::create(
                inner, argument.getLoc(), TypeRange(whole), ValueRange());
            argument.replaceAllUsesWith(stand.getResult(0));
            setShard(stand.getResult(0), argument, dim);
            finish(stand);
          }
          argument.setType(partOf(whole, dim, plan.parts));
        }
      visit(block);
      if (!isCondition)
        for (auto [i, dim] : list) {
          OpOperand &yielded = block.getTerminator()->getOpOperand(i);
          yielded.set(shardOf(yielded.get(), dim));
        }
    }
    replaceResults(op, fresh, list);
  }

  void visitBarrier(Operation *op) {
    auto list = carriedBy(op);
    if (list.empty())
      return;
    SmallVector<Value> operands(op->getOperands());
    for (auto [i, dim] : list)
      operands[i] = shardOf(operands[i], dim);
    OpBuilder b(op);
    replaceResults(op, rebuild(b, op, operands, list), list);
  }

  const ShardPlan &plan;
  const IndexClasses &classes;
  FreeParts small;
  llvm::DenseMap<Value, Shard> shards;
  SmallVector<Value> made; ///< with shards, in program order
  llvm::DenseMap<Value, Value> wholes;
  llvm::DenseMap<std::pair<Value, unsigned>, Value> cut;
  llvm::DenseSet<Operation *> doneSet;
  SmallVector<Operation *> done;
  unsigned gathers = 0;
};

} // namespace

unsigned shardAlongIndex(func::FuncOp func, const ShardPlan &plan,
                         const IndexClasses &classes) {
  return Sharder(plan, classes).run(func);
}

} // namespace shoal
