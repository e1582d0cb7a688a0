// Ops that compute each element from the elements at the same place.
#include "Models.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace mlir::stablehlo;

namespace shoal::rules {
namespace {

constexpr uint8_t kMin = kindBit(ReductionKind::Min);
constexpr uint8_t kMax = kindBit(ReductionKind::Max);
constexpr uint8_t kMul = kindBit(ReductionKind::Mul);
constexpr uint8_t kAnd = kindBit(ReductionKind::And);
constexpr uint8_t kOr = kindBit(ReductionKind::Or);
constexpr uint8_t kXor = kindBit(ReductionKind::Xor);

Type elementOf(Value value) { return getElementTypeOrSelf(value.getType()); }
bool isBool(Value value) { return elementOf(value).isInteger(1); }

RuleBuilder pointwiseBuilder(Operation *op) {
  RuleBuilder builder(op);
  builder.addPointwise(shapeOf(op->getResult(0)));
  return builder;
}

/// op(a) for each a alone; min and max pass because op does not decrease.
ShardingRule monotoneUnary(Operation *op) {
  return pointwiseBuilder(op).passPartial(kMin | kMax, {0}).build();
}

/// The same where op is NaN below some number: the largest element may be above
/// it and that of one part below.
ShardingRule monotoneAbove(Operation *op) {
  return pointwiseBuilder(op).passPartial(kMin, {0}).build();
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

/// Minima and maxima of the operand pass when `shift` is added to it. Integers
/// wrap around, floats without infinities overflow: not monotone. An infinite
/// shift makes NaN of the infinity that parts without elements hold.
void passShifted(RuleBuilder &builder, int64_t operand, Value shift) {
  if (hasInfinity(shift.getType()) && isNeverInfinite(shift))
    builder.passPartial(kMin | kMax, {operand});
}

ShardingRule addRule(AddOp op) {
  RuleBuilder builder = pointwiseBuilder(op);
  if (isBool(op.getLhs())) // Logical or.
    return builder.passPartial(kOr | kMax, {0, 1})
        .passPartial(kAnd | kMin, {0})
        .passPartial(kAnd | kMin, {1})
        .build();
  builder.passPartial(kAdd, {0, 1});
  passShifted(builder, 0, op.getRhs());
  passShifted(builder, 1, op.getLhs());
  return builder.build();
}

ShardingRule subtractRule(SubtractOp op) {
  RuleBuilder builder = pointwiseBuilder(op);
  if (!isBool(op.getLhs()))
    builder.passPartial(kAdd, {0, 1});
  passShifted(builder, 0, op.getRhs());
  return builder.build();
}

ShardingRule multiplyRule(MulOp op) {
  RuleBuilder builder = pointwiseBuilder(op);
  if (isBool(op.getLhs()))
    return builder.passPartial(kAnd | kMin, {0, 1})
        .passPartial(kOr | kMax, {0})
        .passPartial(kOr | kMax, {1})
        .build();
  passProduct(builder, op.getLhs(), op.getRhs());
  return builder.passPartial(kMul, {0, 1}).build();
}

ShardingRule divideRule(DivOp op) {
  RuleBuilder builder = pointwiseBuilder(op);
  // Integer division rounds each term; by zero, terms have infinities of
  // either sign.
  if (isa<FloatType>(elementOf(op.getLhs())) &&
      isNeverZeroNorInfinite(op.getRhs()))
    builder.passPartial(kAdd, {0});
  return builder.build();
}

ShardingRule negateRule(NegOp op) {
  return pointwiseBuilder(op).passPartial(kAdd, {0}).build();
}

ShardingRule maxRule(MaxOp op) {
  RuleBuilder builder = pointwiseBuilder(op);
  if (!isa<ComplexType>(elementOf(op.getLhs())))
    builder.passPartial(kMax, {0, 1})
        .passPartial(kMin, {0})
        .passPartial(kMin, {1});
  return builder.build();
}

ShardingRule minRule(MinOp op) {
  RuleBuilder builder = pointwiseBuilder(op);
  if (!isa<ComplexType>(elementOf(op.getLhs())))
    builder.passPartial(kMin, {0, 1})
        .passPartial(kMax, {0})
        .passPartial(kMax, {1});
  return builder.build();
}

ShardingRule andRule(AndOp op) {
  return pointwiseBuilder(op)
      .passPartial(kAnd, {0, 1})
      .passPartial(kOr | kXor, {0})
      .passPartial(kOr | kXor, {1})
      .build();
}
ShardingRule orRule(OrOp op) {
  return pointwiseBuilder(op)
      .passPartial(kOr, {0, 1})
      .passPartial(kAnd, {0})
      .passPartial(kAnd, {1})
      .build();
}
ShardingRule xorRule(XorOp op) {
  return pointwiseBuilder(op).passPartial(kXor, {0, 1}).build();
}

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

/// Widening within a kind of number loses nothing and passes a sum; narrowing
/// rounds every term, unless the numbers wrap anyway (integers).
bool convertIsLinear(Type from, Type to) {
  auto fromComplex = dyn_cast<ComplexType>(from);
  auto toComplex = dyn_cast<ComplexType>(to);
  if (toComplex)
    return convertIsLinear(fromComplex ? fromComplex.getElementType() : from,
                           toComplex.getElementType());
  if (fromComplex)
    return convertIsLinear(fromComplex.getElementType(), to);
  auto fromFloat = dyn_cast<FloatType>(from), toFloat = dyn_cast<FloatType>(to);
  if (fromFloat && toFloat)
    return fromFloat == toFloat ||
           (toFloat.getWidth() > fromFloat.getWidth() &&
            toFloat.getFPMantissaWidth() >= fromFloat.getFPMantissaWidth());
  // Truncation keeps sums modulo the smaller width; booleans test for zero.
  auto fromInt = dyn_cast<IntegerType>(from), toInt = dyn_cast<IntegerType>(to);
  return fromInt && toInt && toInt.getWidth() <= fromInt.getWidth() &&
         toInt.getWidth() > 1;
}

ShardingRule convertRule(ConvertOp op) {
  Type from = elementOf(op.getOperand()), to = elementOf(op.getResult());
  RuleBuilder builder = pointwiseBuilder(op);
  if (convertIsLinear(from, to))
    builder.passPartial(kAdd, {0});
  // (Without infinities, what is out of range is NaN, be it far below.)
  if (isa<FloatType>(from) && hasInfinity(to))
    builder.passPartial(kMin | kMax, {0});
  return builder.build();
}

ShardingRule bitcastConvertRule(BitcastConvertOp op) {
  ArrayRef<int64_t> in = shapeOf(op.getOperand()),
                    out = shapeOf(op.getResult());
  RuleBuilder builder(op);
  // The innermost dimension of the side with the narrower type is the bytes of
  // one element of the other.
  builder.addPointwise(in.size() < out.size() ? in : out);
  if (in.size() < out.size())
    builder.add({kNone}, {int64_t(out.size()) - 1}, out.back(),
                FactorKind::NeedReplication);
  else if (in.size() > out.size())
    builder.add({int64_t(in.size()) - 1}, {kNone}, in.back(),
                FactorKind::NeedReplication);
  return builder.build();
}

//===----------------------------------------------------------------------===//
// Choice
//===----------------------------------------------------------------------===//

/// The predicate may be a scalar.
ShardingRule selectRule(SelectOp op) {
  return pointwiseBuilder(op).movesData({1, 2}).build();
}

/// The bounds may be scalars.
ShardingRule clampRule(ClampOp op) {
  return RuleBuilder(op)
      .addPointwise(shapeOf(op.getOperand()))
      .passPartial(kMin | kMax, {1})
      .build();
}

ShardingRule linearUnary(Operation *op) {
  return pointwiseBuilder(op).passPartial(kAdd, {0}).build();
}
ShardingRule complexRule(ComplexOp op) {
  return pointwiseBuilder(op).passPartial(kAdd, {0, 1}).build();
}

} // namespace

void attachElementwise(MLIRContext *context) {
  attachAll<pointwise, AbsOp, Atan2Op, ClzOp, CompareOp, CosineOp, IsFiniteOp,
            NotOp, PopulationCountOp, PowOp, ReducePrecisionOp, RemOp,
            ShiftLeftOp, ShiftRightArithmeticOp, ShiftRightLogicalOp, SineOp,
            TanOp, MapOp, RsqrtOp>(context);
  attachAll<monotoneUnary, CbrtOp, CeilOp, ExpOp, Expm1Op, FloorOp, LogisticOp,
            RoundNearestEvenOp, RoundOp, SignOp, TanhOp>(context);
  attachAll<monotoneAbove, Log1pOp, LogOp, SqrtOp>(context);
  attachAll<linearUnary, RealOp, ImagOp>(context);
  // Quantized types: scales make sums of stored values meaningless.
  attachAll<pointwise, UniformQuantizeOp, UniformDequantizeOp>(context);
  attach<AddOp, addRule>(context);
  attach<SubtractOp, subtractRule>(context);
  attach<MulOp, multiplyRule>(context);
  attach<DivOp, divideRule>(context);
  attach<NegOp, negateRule>(context);
  attach<MaxOp, maxRule>(context);
  attach<MinOp, minRule>(context);
  attach<AndOp, andRule>(context);
  attach<OrOp, orRule>(context);
  attach<XorOp, xorRule>(context);
  attach<ConvertOp, convertRule>(context);
  attach<BitcastConvertOp, bitcastConvertRule>(context);
  attach<SelectOp, selectRule>(context);
  attach<ClampOp, clampRule>(context);
  attach<ComplexOp, complexRule>(context);
}

} // namespace shoal::rules
