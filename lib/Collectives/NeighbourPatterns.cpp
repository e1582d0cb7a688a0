// Collectives whose operands other collectives make.
#include "CollectivePatterns.h"
#include "GroupAxes.h"

using namespace mlir;
using shoal::comm::AllGatherOp;
using shoal::comm::AllReduceOp;
using shoal::comm::AllSliceOp;
using shoal::comm::AllToAllOp;
using shoal::comm::GroupsAttr;
using shoal::comm::PermuteOp;
using shoal::comm::ReduceScatterOp;

namespace shoal {
namespace {

/// The blocks along `dim` are whole: nothing of them is padding.
bool isExact(Operation *op, Value whole, Value part, int64_t dim,
             GroupsAttr groups) {
  return typeOf(whole).getDimSize(dim) ==
         typeOf(part).getDimSize(dim) * groups.getGroupSize(op);
}

struct SimplifyGather : CollectivePattern<AllGatherOp> {
  using CollectivePattern::CollectivePattern;
  LogicalResult matchAndRewrite(AllGatherOp op,
                                PatternRewriter &b) const override {
    GroupsAttr groups = op.getGroups();
    double before = c.prices.of(op).seconds;
    if (auto scatter = definitionOf<ReduceScatterOp>(op.getInput(), op)) {
      if (scatter.getGroups() != groups || scatter.getDim() != op.getDim() ||
          scatter.getInput().getType() != op.getType() || !scatter->hasOneUse())
        return failure();
      double after =
          c.seconds(CollectiveType::AllReduce, op.getType(), groups, op);
      before += c.prices.of(scatter).seconds;
      if (after > before)
        return failure();
      c.tell(op, "all_gather of a reduce_scatter is an all_reduce", before,
             after);
      b.replaceOp(op, makeLike<AllReduceOp>(b, scatter, op.getType(),
                                            scatter.getKind(),
                                            scatter.getInput(), groups));
      return success();
    }
    if (auto slice = definitionOf<AllSliceOp>(op.getInput(), op)) {
      if (slice.getGroups() != groups || slice.getDim() != op.getDim() ||
          slice.getInput().getType() != op.getType())
        return failure();
      c.tell(op, "every device holds what is gathered", before, 0);
      b.replaceOp(op, slice.getInput());
      return success();
    }
    if (auto inner = definitionOf<AllGatherOp>(op.getInput(), op)) {
      GroupsAttr both = joinGroups(groups, inner.getGroups());
      if (!both || inner.getDim() != op.getDim() || !inner->hasOneUse() ||
          !isExact(inner, inner.getResult(), inner.getInput(), inner.getDim(),
                   inner.getGroups()))
        return failure();
      double after =
          c.seconds(CollectiveType::AllGather, op.getType(), both, op);
      before += c.prices.of(inner).seconds;
      if (after > before)
        return failure();
      c.tell(op, "two all_gathers of one dimension are one", before, after);
      b.replaceOp(op,
                  makeLike<AllGatherOp>(b, op, op.getType(), inner.getInput(),
                                        op.getDim(), both));
      return success();
    }
    return failure();
  }
};

struct SimplifyScatter : CollectivePattern<ReduceScatterOp> {
  using CollectivePattern::CollectivePattern;
  LogicalResult matchAndRewrite(ReduceScatterOp op,
                                PatternRewriter &b) const override {
    auto inner = definitionOf<ReduceScatterOp>(op.getInput(), op);
    if (!inner || inner.getDim() != op.getDim() ||
        inner.getKind() != op.getKind() || !inner->hasOneUse() ||
        !isExact(inner, inner.getInput(), inner.getResult(), inner.getDim(),
                 inner.getGroups()) ||
        // Or the padding would be within the tensor, not at its end.
        !isExact(op, op.getInput(), op.getResult(), op.getDim(),
                 op.getGroups()))
      return failure();
    GroupsAttr both = joinGroups(inner.getGroups(), op.getGroups());
    if (!both)
      return failure();
    double before = c.prices.of(op).seconds + c.prices.of(inner).seconds;
    double after = c.seconds(CollectiveType::ReduceScatter,
                             inner.getInput().getType(), both, op);
    if (after > before)
      return failure();
    c.tell(op, "two reduce_scatters of one dimension are one", before, after);
    b.replaceOp(op,
                makeLike<ReduceScatterOp>(b, op, op.getType(), op.getKind(),
                                          inner.getInput(), op.getDim(), both));
    return success();
  }
};

struct SimplifySlice : CollectivePattern<AllSliceOp> {
  using CollectivePattern::CollectivePattern;
  LogicalResult matchAndRewrite(AllSliceOp op,
                                PatternRewriter &b) const override {
    GroupsAttr groups = op.getGroups();
    if (auto gather = definitionOf<AllGatherOp>(op.getInput(), op)) {
      if (gather.getGroups() != groups)
        return failure();
      double before = c.prices.of(gather).seconds;
      if (gather.getDim() == op.getDim()) {
        if (gather.getInput().getType() != op.getType())
          return failure();
        c.tell(op, "a slice of an all_gather is its operand", before,
               gather->hasOneUse() ? 0 : before);
        b.replaceOp(op, gather.getInput());
        return success();
      }
      if (!gather->hasOneUse())
        return failure();
      double after = c.seconds(CollectiveType::AllToAll,
                               gather.getInput().getType(), groups, op);
      c.tell(op, "a slice of an all_gather is an all_to_all", before, after);
      b.replaceOp(op, makeLike<AllToAllOp>(b, gather, op.getType(),
                                           gather.getInput(), op.getDim(),
                                           gather.getDim(), groups));
      return success();
    }
    auto reduce = definitionOf<AllReduceOp>(op.getInput(), op);
    if (!reduce || !reduce->hasOneUse())
      return failure();
    GroupsAttr rest = reduce.getGroups() == groups
                          ? groups
                          : withoutGroups(reduce.getGroups(), groups);
    if (!rest)
      return failure();
    double before = c.prices.of(reduce).seconds;
    double after =
        c.seconds(CollectiveType::ReduceScatter, reduce.getType(), groups, op);
    if (rest != groups)
      after += c.seconds(CollectiveType::AllReduce, op.getType(), rest, op);
    if (after > before)
      return failure();
    c.tell(op, "a slice of an all_reduce is a reduce_scatter", before, after);
    Value result =
        makeLike<ReduceScatterOp>(b, reduce, op.getType(), reduce.getKind(),
                                  reduce.getInput(), op.getDim(), groups);
    if (rest != groups)
      result = makeLike<AllReduceOp>(b, reduce, op.getType(), reduce.getKind(),
                                     result, rest);
    b.replaceOp(op, result);
    return success();
  }
};

bool isIdempotent(ReductionKind kind) {
  return kind == ReductionKind::Min || kind == ReductionKind::Max ||
         kind == ReductionKind::And || kind == ReductionKind::Or;
}

struct SimplifyReduce : CollectivePattern<AllReduceOp> {
  using CollectivePattern::CollectivePattern;
  LogicalResult matchAndRewrite(AllReduceOp op,
                                PatternRewriter &b) const override {
    auto inner = definitionOf<AllReduceOp>(op.getInput(), op);
    if (!inner || inner.getKind() != op.getKind())
      return failure();
    double before = c.prices.of(op).seconds;
    if (inner.getGroups() == op.getGroups() && isIdempotent(op.getKind())) {
      c.tell(op, "is reduced already", before, 0);
      b.replaceOp(op, inner.getResult());
      return success();
    }
    GroupsAttr both = joinGroups(inner.getGroups(), op.getGroups());
    if (!both || !inner->hasOneUse())
      return failure();
    before += c.prices.of(inner).seconds;
    double after = c.seconds(CollectiveType::AllReduce, op.getType(), both, op);
    if (after > before)
      return failure();
    c.tell(op, "two all_reduces are one", before, after);
    b.replaceOp(op, makeLike<AllReduceOp>(b, op, op.getType(), op.getKind(),
                                          inner.getInput(), both));
    return success();
  }
};

struct SimplifyPermute : CollectivePattern<PermuteOp> {
  using CollectivePattern::CollectivePattern;
  LogicalResult matchAndRewrite(PermuteOp op,
                                PatternRewriter &b) const override {
    int64_t n = op.getGroups().getGroupSize(op);
    double before = c.prices.of(op).seconds;
    auto isIdentity = [&](ArrayRef<int64_t> from, ArrayRef<int64_t> to) {
      return from.size() == static_cast<size_t>(n) && from == to;
    };
    if (llvm::equal(op.getSources(), op.getTargets()) &&
        isIdentity(op.getSources(), op.getTargets())) {
      c.tell(op, "everyone sends to himself", before, 0);
      b.replaceOp(op, op.getInput());
      return success();
    }
    auto inner = definitionOf<PermuteOp>(op.getInput(), op);
    if (!inner || inner.getGroups() != op.getGroups() || !inner->hasOneUse())
      return failure();
    DenseMap<int64_t, int64_t> sourceOf;
    for (auto [from, to] :
         llvm::zip_equal(inner.getSources(), inner.getTargets()))
      sourceOf[to] = from;
    SmallVector<int64_t> sources, targets;
    // Who gets what nobody was sent gets zeros, as he would from nobody.
    for (auto [middle, to] : llvm::zip_equal(op.getSources(), op.getTargets()))
      if (auto found = sourceOf.find(middle); found != sourceOf.end()) {
        sources.push_back(found->second);
        targets.push_back(to);
      }
    auto both = makeLike<PermuteOp>(
        b, op, op.getType(), inner.getInput(), b.getDenseI64ArrayAttr(sources),
        b.getDenseI64ArrayAttr(targets), op.getGroups());
    c.tell(op, "two permutes are one", before + c.prices.of(inner).seconds,
           c.prices.of(both).seconds);
    b.replaceOp(op, both);
    return success();
  }
};

struct SimplifyExchange : CollectivePattern<AllToAllOp> {
  using CollectivePattern::CollectivePattern;
  LogicalResult matchAndRewrite(AllToAllOp op,
                                PatternRewriter &b) const override {
    auto inner = definitionOf<AllToAllOp>(op.getInput(), op);
    if (!inner || inner.getGroups() != op.getGroups() ||
        inner.getSplitDim() != op.getConcatDim() ||
        inner.getConcatDim() != op.getSplitDim() ||
        inner.getInput().getType() != op.getType() ||
        inner.getSplitDim() == inner.getConcatDim() ||
        !isExact(op, inner.getInput(), inner.getResult(), inner.getSplitDim(),
                 inner.getGroups()) ||
        !isExact(op, inner.getResult(), inner.getInput(), inner.getConcatDim(),
                 inner.getGroups()))
      return failure();
    double before = c.prices.of(op).seconds;
    c.tell(op, "an all_to_all and its reverse", before, 0);
    b.replaceOp(op, inner.getInput());
    return success();
  }
};

} // namespace

void addNeighbourPatterns(RewritePatternSet &patterns,
                          const PatternContext &context) {
  patterns.add<SimplifyGather, SimplifyScatter, SimplifySlice, SimplifyReduce,
               SimplifyPermute, SimplifyExchange>(patterns.getContext(),
                                                  context);
}

} // namespace shoal
