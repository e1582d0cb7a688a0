#include "ShardAlongIndex.h"
#include "IndexRewriter.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Support/TensorTypes.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace shoal {
namespace {

/// Computes what the plan says on the part that is this device's.
class Sharder : public IndexRewriter {
public:
  Sharder(const ShardPlan &plan, const IndexClasses &classes)
      : IndexRewriter(classes, plan.parts, 1), plan(plan) {}

private:
  std::optional<unsigned> dimPassedOn(OpResult result) override {
    auto found =
        plan.carried.find({result.getOwner(), result.getResultNumber()});
    return found == plan.carried.end() ? std::nullopt
                                       : std::optional(found->second);
  }

  Value join(Value value, const InParts &from) override {
    Operation *def = value.getDefiningOp();
    if (plan.kept.contains(def))
      return value;
    Value shard = from.parts.front();
    OpBuilder b(value.getContext());
    b.setInsertionPointAfterValue(shard);
    StringAttr reason;
    ArrayAttr provenance;
    if (auto collective = dyn_cast_or_null<comm::CollectiveOpInterface>(def)) {
      reason = collective.getReasonAttr();
      provenance = collective.getProvenanceAttr();
    }
    if (!reason)
      reason = b.getStringAttr(
          "what an all_reduce was needed for, computed on a shard and needed "
          "whole");
    if (!provenance)
      provenance = b.getArrayAttr(LocationAttr(value.getLoc()));
    return comm::AllGatherOp::create(b, value.getLoc(), value.getType(), shard,
                                     int64_t(from.dim), plan.groups, reason,
                                     provenance);
  }

  Parts cut(Value value, unsigned dim) override {
    if (Value shard = pointwiseShard(value, dim))
      return {shard};
    Value whole = wholeOf(value);
    OpBuilder b(value.getContext());
    b.setInsertionPointAfterValue(whole);
    return {sliceOf(b, value.getLoc(), whole, dim)};
  }

  Value sliceOf(OpBuilder &b, Location loc, Value whole, unsigned dim) {
    return comm::AllSliceOp::create(b, loc, partOf(typeOf(whole), dim, parts),
                                    whole, int64_t(dim), plan.groups);
  }

  /// The op on shards of its operands.
  Operation *onShards(OpBuilder &b, Operation *op, const PartFactor &factor) {
    SmallVector<Value> operands;
    for (const Parts &list : operandsAlong(op, factor))
      operands.push_back(list.front());
    return clonePart(b, op, factor, operands, parts);
  }

  /// What a kernel would compute in passing is computed again rather than
  /// written for a slice.
  Value pointwiseShard(Value value, unsigned dim) {
    Operation *op = value.getDefiningOp();
    if (!op || isInParts(value) || plan.stored.contains(value) ||
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
    OpBuilder b(op);
    b.setInsertionPointAfter(op);
    return onShards(b, op, *mine)->getResult(0);
  }

  void visitOp(Operation *op) override {
    if (auto found = plan.sources.find(op); found != plan.sources.end())
      visitSource(op, found->second);
    else if (const PartFactor *factor = plan.ops.lookup(op))
      visitAlong(op, *factor);
    else if (auto slice = dyn_cast<comm::AllSliceOp>(op))
      visitSlice(slice);
  }

  void visitSource(Operation *op, unsigned dim) {
    Value result = op->getResult(0);
    OpBuilder b(op);
    Value shard;
    if (isa<comm::AllGatherOp>(op)) {
      shard = op->getOperand(0);
    } else if (plan.kept.contains(op)) {
      b.setInsertionPointAfter(op);
      shard = sliceOf(b, op->getLoc(), result, dim);
    } else {
      auto reduce = cast<comm::AllReduceOp>(op);
      shard = comm::ReduceScatterOp::create(
          b, op->getLoc(), partOf(typeOf(result), dim, parts), reduce.getKind(),
          wholeOf(reduce.getInput()), int64_t(dim), plan.groups,
          reduce.getReasonAttr(), reduce.getProvenanceAttr());
    }
    setParts(result, {shard}, dim);
    if (!plan.kept.contains(op))
      finish(op);
  }

  /// A slice of what there is a shard of.
  void visitSlice(comm::AllSliceOp op) {
    const InParts *input = inParts(op.getInput());
    if (op.getGroups() != plan.groups || !input || input->dim != op.getDim() ||
        input->parts.front().getType() != op.getResult().getType())
      return;
    op.getResult().replaceAllUsesWith(input->parts.front());
    finish(op);
  }

  void visitAlong(Operation *op, const PartFactor &factor) {
    OpBuilder b(op);
    Operation *clone = onShards(b, op, factor);
    finish(op);
    if (!factor.reduces) {
      for (auto [r, d] : factor.results)
        setParts(op->getResult(r), {clone->getResult(r)}, d);
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

  const ShardPlan &plan;
};

} // namespace

void shardAlongIndex(func::FuncOp func, const ShardPlan &plan,
                     const IndexClasses &classes) {
  Sharder(plan, classes).run(func);
}

} // namespace shoal
