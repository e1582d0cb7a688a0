// Writes formulas over tensors as StableHLO, element by element.
#include "ElementwiseBuilder.h"

#include "shoal/Support/Contract.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace shoal;
using stablehlo::ComparisonDirection;

static Value createSplat(OpBuilder &builder, Location loc, Type type,
                         const APFloat &value) {
  auto tensor = cast<RankedTensorType>(type);
  Type element = tensor.getElementType();
  DenseElementsAttr attr;
  if (auto complex = dyn_cast<ComplexType>(element)) {
    APFloat zero = APFloat::getZero(value.getSemantics());
    attr = DenseElementsAttr::get(tensor, std::complex<APFloat>(value, zero));
  } else {
    attr = DenseElementsAttr::get(tensor, value);
  }
  return stablehlo::ConstantOp::create(builder, loc, attr);
}

static const llvm::fltSemantics &getSemantics(Value like) {
  Type element = getElementTypeOrSelf(like.getType());
  if (auto complex = dyn_cast<ComplexType>(element))
    element = complex.getElementType();
  return cast<FloatType>(element).getFloatSemantics();
}

Value ElementwiseBuilder::constant(double value, Value like) {
  APFloat exact(value);
  bool losesInfo;
  exact.convert(getSemantics(like), APFloat::rmNearestTiesToEven, &losesInfo);
  return createSplat(builder, loc, like.getType(), exact);
}

Value ElementwiseBuilder::infinity(Value like, bool negative) {
  return createSplat(builder, loc, like.getType(),
                     APFloat::getInf(getSemantics(like), negative));
}

Value ElementwiseBuilder::nan(Value like) {
  return createSplat(builder, loc, like.getType(),
                     APFloat::getNaN(getSemantics(like)));
}

Value ElementwiseBuilder::largest(Value like) {
  return createSplat(builder, loc, like.getType(),
                     APFloat::getLargest(getSemantics(like)));
}

Value ElementwiseBuilder::smallestNormal(Value like) {
  return createSplat(builder, loc, like.getType(),
                     APFloat::getSmallestNormalized(getSemantics(like)));
}

Value ElementwiseBuilder::bits(uint64_t bits, Value like) {
  auto tensor = cast<RankedTensorType>(like.getType());
  unsigned width = tensor.getElementType().getIntOrFloatBitWidth();
  return stablehlo::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(tensor, APInt(width, bits, /*isSigned=*/false,
                                           /*implicitTrunc=*/true)));
}

template <typename Op>
Value ElementwiseBuilder::arithmetic(Value a, Value b) {
  auto op = Op::create(builder, loc, a.getType(), a, b);
  Type element = getElementTypeOrSelf(a.getType());
  if (element.isF32() || element.isF64())
    op->setDiscardableAttr(kContractAttr, builder.getUnitAttr());
  return op;
}
Value ElementwiseBuilder::add(Value a, Value b) {
  return arithmetic<stablehlo::AddOp>(a, b);
}
Value ElementwiseBuilder::sub(Value a, Value b) {
  return arithmetic<stablehlo::SubtractOp>(a, b);
}
Value ElementwiseBuilder::mul(Value a, Value b) {
  return arithmetic<stablehlo::MulOp>(a, b);
}

#define SHOAL_BINARY(NAME, OP)                                                 \
  Value ElementwiseBuilder::NAME(Value a, Value b) {                           \
    return stablehlo::OP::create(builder, loc, a.getType(), a, b);             \
  }
SHOAL_BINARY(div, DivOp)
SHOAL_BINARY(rem, RemOp)
SHOAL_BINARY(pow, PowOp)
SHOAL_BINARY(max, MaxOp)
SHOAL_BINARY(min, MinOp)
SHOAL_BINARY(atan2, Atan2Op)
SHOAL_BINARY(bitAnd, AndOp)
SHOAL_BINARY(bitOr, OrOp)
#undef SHOAL_BINARY

#define SHOAL_UNARY(NAME, OP)                                                  \
  Value ElementwiseBuilder::NAME(Value a) {                                    \
    return stablehlo::OP::create(builder, loc, a);                             \
  }
SHOAL_UNARY(neg, NegOp)
SHOAL_UNARY(abs, AbsOp)
SHOAL_UNARY(sqrt, SqrtOp)
SHOAL_UNARY(exp, ExpOp)
SHOAL_UNARY(expm1, Expm1Op)
SHOAL_UNARY(log, LogOp)
SHOAL_UNARY(log1p, Log1pOp)
SHOAL_UNARY(sin, SineOp)
SHOAL_UNARY(cos, CosineOp)
SHOAL_UNARY(tan, TanOp)
SHOAL_UNARY(tanh, TanhOp)
SHOAL_UNARY(floor, FloorOp)
SHOAL_UNARY(sign, SignOp)
SHOAL_UNARY(isFinite, IsFiniteOp)
SHOAL_UNARY(bitNot, NotOp)
SHOAL_UNARY(real, RealOp)
SHOAL_UNARY(imag, ImagOp)
#undef SHOAL_UNARY

Value ElementwiseBuilder::compare(ComparisonDirection direction, Value a,
                                  Value b) {
  return stablehlo::CompareOp::create(builder, loc, a, b, direction);
}
Value ElementwiseBuilder::eq(Value a, Value b) {
  return compare(ComparisonDirection::EQ, a, b);
}
Value ElementwiseBuilder::ne(Value a, Value b) {
  return compare(ComparisonDirection::NE, a, b);
}
Value ElementwiseBuilder::lt(Value a, Value b) {
  return compare(ComparisonDirection::LT, a, b);
}
Value ElementwiseBuilder::le(Value a, Value b) {
  return compare(ComparisonDirection::LE, a, b);
}
Value ElementwiseBuilder::gt(Value a, Value b) {
  return compare(ComparisonDirection::GT, a, b);
}
Value ElementwiseBuilder::ge(Value a, Value b) {
  return compare(ComparisonDirection::GE, a, b);
}

Value ElementwiseBuilder::select(Value pred, Value yes, Value no) {
  return stablehlo::SelectOp::create(builder, loc, yes.getType(), pred, yes,
                                     no);
}

Value ElementwiseBuilder::clamp(double low, Value a, double high) {
  return stablehlo::ClampOp::create(builder, loc, a.getType(), constant(low, a),
                                    a, constant(high, a));
}

Value ElementwiseBuilder::convert(Value a, Type element) {
  auto type = cast<RankedTensorType>(a.getType());
  if (type.getElementType() == element)
    return a;
  return stablehlo::ConvertOp::create(builder, loc, type.clone(element), a);
}

Value ElementwiseBuilder::bitcast(Value a, Type element) {
  return stablehlo::BitcastConvertOp::create(
      builder, loc, cast<RankedTensorType>(a.getType()).clone(element), a);
}

Value ElementwiseBuilder::complex(Value re, Value im) {
  return stablehlo::ComplexOp::create(builder, loc, re, im);
}

Value ElementwiseBuilder::polynomial(Value x, Values coefficients) {
  Value sum = constant(coefficients.front(), x);
  for (double coefficient : coefficients.drop_front())
    sum = add(mul(sum, x), coefficient);
  return sum;
}

Value ElementwiseBuilder::chebyshev(Value x, Values coefficients) {
  Value b0 = constant(0, x), b1 = b0, b2 = b0;
  for (double coefficient : coefficients) {
    b2 = b1;
    b1 = b0;
    b0 = add(sub(mul(x, b1), b2), coefficient);
  }
  return mul(sub(b0, b2), 0.5);
}
