// shoal-simplify-collectives: see Passes.td.
#include "GroupAxes.h"
#include "Prices.h"
#include "shoal/Analysis/Remarks.h"
#include "shoal/Collectives/Passes.h"
#include "shoal/Support/TensorTypes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using shoal::comm::AllGatherOp;
using shoal::comm::AllReduceOp;
using shoal::comm::AllSliceOp;
using shoal::comm::AllToAllOp;
using shoal::comm::GroupsAttr;
using shoal::comm::PermuteOp;
using shoal::comm::ReduceScatterOp;

namespace shoal {
#define GEN_PASS_DEF_SIMPLIFYCOLLECTIVES
#include "shoal/Collectives/Passes.h.inc"

namespace {

int64_t bitsOf(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (auto complex = dyn_cast<ComplexType>(element))
    return 2 * complex.getElementType().getIntOrFloatBitWidth();
  return element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 0;
}

/// The blocks along `dim` are whole: nothing of them is padding.
bool isExact(Operation *op, Value whole, Value part, int64_t dim,
             GroupsAttr groups) {
  return typeOf(whole).getDimSize(dim) ==
         typeOf(part).getDimSize(dim) * groups.getGroupSize(op);
}

/// The op that makes `value` right before its only use: in the same block, so
/// that neither runs more often than the other.
template <typename Op>
Op definitionOf(Value value, Operation *user) {
  Operation *def = value.getDefiningOp();
  return def && def->getBlock() == user->getBlock() ? dyn_cast<Op>(def) : Op();
}

struct Context {
  Prices &prices;
  bool remarks;

  void tell(Operation *at, const Twine &what, double before,
            double after) const {
    remarkGain(remarks, at, what, before, after);
  }
};

template <typename Op>
struct Pattern : OpRewritePattern<Op> {
  Pattern(MLIRContext *context, const Context &c)
      : OpRewritePattern<Op>(context), c(c) {}
  const Context &c;
};

/// What all rewritten collectives keep of the one that they come from.
template <typename New, typename... Args>
New makeLike(PatternRewriter &b, comm::CollectiveOpInterface like,
             Args &&...args) {
  return New::create(b, like->getLoc(), std::forward<Args>(args)...,
                     like.getReasonAttr(), like.getProvenanceAttr());
}

struct SimplifyGather : Pattern<AllGatherOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(AllGatherOp op,
                                PatternRewriter &b) const override {
    GroupsAttr groups = op.getGroups();
    double before = c.prices.of(op).seconds;
    if (auto scatter = definitionOf<ReduceScatterOp>(op.getInput(), op)) {
      if (scatter.getGroups() != groups || scatter.getDim() != op.getDim() ||
          scatter.getInput().getType() != op.getType() || !scatter->hasOneUse())
        return failure();
      double after = c.prices
                         .of(CollectiveType::AllReduce,
                             comm::getTensorBytes(op.getType()), groups, op)
                         .seconds;
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
      double after = c.prices
                         .of(CollectiveType::AllGather,
                             comm::getTensorBytes(op.getType()), both, op)
                         .seconds;
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

struct SimplifyScatter : Pattern<ReduceScatterOp> {
  using Pattern::Pattern;
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
    double after =
        c.prices
            .of(CollectiveType::ReduceScatter,
                comm::getTensorBytes(inner.getInput().getType()), both, op)
            .seconds;
    if (after > before)
      return failure();
    c.tell(op, "two reduce_scatters of one dimension are one", before, after);
    b.replaceOp(op,
                makeLike<ReduceScatterOp>(b, op, op.getType(), op.getKind(),
                                          inner.getInput(), op.getDim(), both));
    return success();
  }
};

struct SimplifySlice : Pattern<AllSliceOp> {
  using Pattern::Pattern;
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
      double after =
          c.prices
              .of(CollectiveType::AllToAll,
                  comm::getTensorBytes(gather.getInput().getType()), groups, op)
              .seconds;
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
    double after = c.prices
                       .of(CollectiveType::ReduceScatter,
                           comm::getTensorBytes(reduce.getType()), groups, op)
                       .seconds;
    if (rest != groups)
      after += c.prices
                   .of(CollectiveType::AllReduce,
                       comm::getTensorBytes(op.getType()), rest, op)
                   .seconds;
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

struct SimplifyReduce : Pattern<AllReduceOp> {
  using Pattern::Pattern;
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
    double after = c.prices
                       .of(CollectiveType::AllReduce,
                           comm::getTensorBytes(op.getType()), both, op)
                       .seconds;
    if (after > before)
      return failure();
    c.tell(op, "two all_reduces are one", before, after);
    b.replaceOp(op, makeLike<AllReduceOp>(b, op, op.getType(), op.getKind(),
                                          inner.getInput(), both));
    return success();
  }
};

struct SimplifyPermute : Pattern<PermuteOp> {
  using Pattern::Pattern;
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

struct SimplifyExchange : Pattern<AllToAllOp> {
  using Pattern::Pattern;
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

/// A collective that only moves whole elements, on another element type or
/// shape: the same op with another operand and result.
Operation *cloneOn(PatternRewriter &b, Operation *op, Value input, Type type) {
  Operation *fresh = b.clone(*op);
  fresh->setOperand(0, input);
  fresh->getResult(0).setType(type);
  return fresh;
}

bool onlyMoves(Operation *op) {
  if (auto halo = dyn_cast_or_null<comm::HaloOp>(op))
    return !halo.getFill();
  if (auto reblock = dyn_cast_or_null<comm::ReblockOp>(op))
    return !reblock.getFill();
  return isa_and_nonnull<AllGatherOp, AllToAllOp, PermuteOp, comm::BroadcastOp>(
      op);
}

/// Conversions stand where fewer bytes are sent: a narrowing one before the
/// collective, a widening one after it.
struct MoveConversion : Pattern<stablehlo::ConvertOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(stablehlo::ConvertOp op,
                                PatternRewriter &b) const override {
    int64_t from = bitsOf(op.getOperand().getType()), to = bitsOf(op.getType());
    if (from == 0 || to == 0)
      return failure();
    // In memory and on the wire nothing is narrower than a byte.
    from = std::max<int64_t>(from, 8);
    to = std::max<int64_t>(to, 8);
    if (to < from) {
      Operation *moved = op.getOperand().getDefiningOp();
      if (!onlyMoves(moved) || moved->getBlock() != op->getBlock() ||
          !moved->hasOneUse())
        return failure();
      Type element = getElementTypeOrSelf(op.getType());
      Value input = moved->getOperand(0);
      double before = c.prices.of(moved).seconds;
      b.setInsertionPoint(moved);
      Value narrow = stablehlo::ConvertOp::create(
          b, op.getLoc(), typeOf(input).clone(element), input);
      Operation *fresh = cloneOn(b, moved, narrow, op.getType());
      c.tell(op, "converted before it is sent", before,
             c.prices.of(fresh).seconds);
      b.replaceOp(op, fresh->getResult(0));
      return success();
    }
    if (to > from && op->hasOneUse()) {
      Operation *mover = *op->user_begin();
      if (!onlyMoves(mover) || mover->getBlock() != op->getBlock() ||
          mover->getOperand(0) != op.getResult())
        return failure();
      Type element = getElementTypeOrSelf(op.getOperand().getType());
      double before = c.prices.of(mover).seconds;
      b.setInsertionPoint(mover);
      Operation *fresh = cloneOn(b, mover, op.getOperand(),
                                 typeOf(mover->getResult(0)).clone(element));
      c.tell(mover, "converted after it is sent", before,
             c.prices.of(fresh).seconds);
      b.replaceOpWithNewOp<stablehlo::ConvertOp>(
          mover, mover->getResult(0).getType(), fresh->getResult(0));
      return success();
    }
    return failure();
  }
};

/// Of a tensor that is only needed in part, that part is sent.
struct SliceBefore : Pattern<stablehlo::SliceOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(stablehlo::SliceOp op,
                                PatternRewriter &b) const override {
    Operation *def = op.getOperand().getDefiningOp();
    if (!isa_and_nonnull<AllGatherOp, AllReduceOp, PermuteOp>(def) ||
        def->getBlock() != op->getBlock() || !def->hasOneUse())
      return failure();
    Value input = def->getOperand(0);
    auto type = typeOf(input);
    SmallVector<int64_t> start(op.getStartIndices()),
        limit(op.getLimitIndices()), strides(op.getStrides());
    SmallVector<int64_t> shape(op.getType().getShape());
    if (auto gather = dyn_cast<AllGatherOp>(def)) {
      int64_t d = gather.getDim();
      if (shape[d] != typeOf(gather.getResult()).getDimSize(d))
        return failure();
      start[d] = 0;
      strides[d] = 1;
      limit[d] = shape[d] = type.getDimSize(d);
    }
    double before = c.prices.of(def).seconds;
    b.setInsertionPoint(def);
    Value part = stablehlo::SliceOp::create(
        b, op.getLoc(), RankedTensorType::get(shape, type.getElementType()),
        input, start, limit, strides);
    Operation *fresh = cloneOn(b, def, part, op.getType());
    c.tell(op, "only what is needed is sent", before,
           c.prices.of(fresh).seconds);
    b.replaceOp(op, fresh->getResult(0));
    return success();
  }
};

/// f(reduce(a), reduce(b)) is reduce(f(a, b)).
template <typename Op, ReductionKind... kinds>
struct ReduceOnce : Pattern<Op> {
  using Pattern<Op>::Pattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &b) const override {
    Operation *lhs = op.getLhs().getDefiningOp(),
              *rhs = op.getRhs().getDefiningOp();
    if (!lhs || !rhs || lhs == rhs || !isa<AllReduceOp, ReduceScatterOp>(lhs) ||
        lhs->getName() != rhs->getName() ||
        lhs->getOperand(0).getType() != rhs->getOperand(0).getType() ||
        lhs->getResult(0).getType() != rhs->getResult(0).getType() ||
        lhs->getAttr("groups") != rhs->getAttr("groups") ||
        lhs->getAttr("kind") != rhs->getAttr("kind") ||
        lhs->getAttr("dim") != rhs->getAttr("dim") || !lhs->hasOneUse() ||
        !rhs->hasOneUse() || lhs->getBlock() != rhs->getBlock() ||
        lhs->getBlock() != op->getBlock())
      return failure();
    ReductionKind kind =
        lhs->getAttrOfType<ReductionKindAttr>("kind").getValue();
    if (((kind != kinds) && ...))
      return failure();
    double each = this->c.prices.of(lhs).seconds;
    this->c.tell(op, "reduced once, after they are joined", 2 * each, each);
    Value local =
        Op::create(b, op.getLoc(), lhs->getOperand(0), rhs->getOperand(0));
    b.replaceOp(op, cloneOn(b, lhs, local, op.getType())->getResult(0));
    return success();
  }
};

/// The kind of a reduce's body, if it is one op on the two arguments.
std::optional<ReductionKind> kindOf(stablehlo::ReduceOp op) {
  Block &body = op.getBody().front();
  if (body.getNumArguments() != 2 || !llvm::hasNItems(body, 2))
    return std::nullopt;
  Operation &inner = body.front();
  if (inner.getNumOperands() != 2 || inner.getNumResults() != 1 ||
      body.getTerminator()->getOperand(0) != inner.getResult(0) ||
      inner.getOperand(0) == inner.getOperand(1) ||
      inner.getOperand(0).getParentBlock() != &body ||
      inner.getOperand(1).getParentBlock() != &body)
    return std::nullopt;
  if (isa<stablehlo::AddOp>(inner))
    return ReductionKind::Add;
  if (isa<stablehlo::MaxOp>(inner))
    return ReductionKind::Max;
  if (isa<stablehlo::MinOp>(inner))
    return ReductionKind::Min;
  return std::nullopt;
}

/// Sums of sums: dimensions first, which leaves less to send.
struct ReduceLocallyFirst : Pattern<stablehlo::ReduceOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(stablehlo::ReduceOp op,
                                PatternRewriter &b) const override {
    if (op.getInputs().size() != 1 || op->hasAttr("shoal.accumulate"))
      return failure();
    auto reduce = definitionOf<AllReduceOp>(op.getInputs()[0], op);
    std::optional<ReductionKind> kind = kindOf(op);
    if (!reduce || !reduce->hasOneUse() || !kind || *kind != reduce.getKind() ||
        getElementTypeOrSelf(op.getResult(0).getType()) !=
            reduce.getType().getElementType())
      return failure();
    Value init = op.getInitValues()[0];
    if (*kind == ReductionKind::Add && !matchPattern(init, m_AnyZeroFloat()) &&
        !matchPattern(init, m_Zero()))
      return failure();
    Operation *local = b.clone(*op);
    local->setOperand(0, reduce.getInput());
    auto fresh = makeLike<AllReduceOp>(b, reduce, local->getResult(0).getType(),
                                       reduce.getKind(), local->getResult(0),
                                       reduce.getGroups());
    c.tell(op, "reduced on each device first", c.prices.of(reduce).seconds,
           c.prices.of(fresh).seconds);
    b.replaceOp(op, fresh.getResult());
    return success();
  }
};

struct SimplifyCollectives
    : impl::SimplifyCollectivesBase<SimplifyCollectives> {
  using SimplifyCollectivesBase::SimplifyCollectivesBase;

  void runOnOperation() override {
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    Prices prices(*machine);
    Context context{prices, remarks};
    RewritePatternSet patterns(&getContext());
    patterns.add<SimplifyGather, SimplifyScatter, SimplifySlice, SimplifyReduce,
                 SimplifyPermute, SimplifyExchange, MoveConversion, SliceBefore,
                 ReduceLocallyFirst,
                 ReduceOnce<stablehlo::AddOp, ReductionKind::Add>,
                 ReduceOnce<stablehlo::SubtractOp, ReductionKind::Add>,
                 ReduceOnce<stablehlo::MaxOp, ReductionKind::Max>,
                 ReduceOnce<stablehlo::MinOp, ReductionKind::Min>>(
        &getContext(), context);
    FrozenRewritePatternSet frozen(std::move(patterns));
    GreedyRewriteConfig config;
    // Nothing else changes: constants and blocks stay as other phases know
    // them.
    config.enableFolding(false).enableConstantCSE(false);
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (failed(applyPatternsGreedily(func, frozen, config)))
        func.emitWarning("collectives could be simplified for ever");
  }
};

} // namespace
} // namespace shoal
