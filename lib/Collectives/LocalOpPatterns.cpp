// Collectives beside ops that each device computes by itself.
#include "CollectivePatterns.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using shoal::comm::AllGatherOp;
using shoal::comm::AllReduceOp;
using shoal::comm::AllToAllOp;
using shoal::comm::PermuteOp;
using shoal::comm::ReduceScatterOp;

namespace shoal {
namespace {

int64_t bitsOf(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (auto complex = dyn_cast<ComplexType>(element))
    return 2 * complex.getElementType().getIntOrFloatBitWidth();
  return element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 0;
}

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
struct MoveConversion : CollectivePattern<stablehlo::ConvertOp> {
  using CollectivePattern::CollectivePattern;
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
struct SliceBefore : CollectivePattern<stablehlo::SliceOp> {
  using CollectivePattern::CollectivePattern;
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
struct ReduceOnce : CollectivePattern<Op> {
  using CollectivePattern<Op>::CollectivePattern;
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
struct ReduceLocallyFirst : CollectivePattern<stablehlo::ReduceOp> {
  using CollectivePattern::CollectivePattern;
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

} // namespace

void addLocalOpPatterns(RewritePatternSet &patterns,
                        const PatternContext &context) {
  patterns.add<MoveConversion, SliceBefore, ReduceLocallyFirst,
               ReduceOnce<stablehlo::AddOp, ReductionKind::Add>,
               ReduceOnce<stablehlo::SubtractOp, ReductionKind::Add>,
               ReduceOnce<stablehlo::MaxOp, ReductionKind::Max>,
               ReduceOnce<stablehlo::MinOp, ReductionKind::Min>>(
      patterns.getContext(), context);
}

} // namespace shoal
