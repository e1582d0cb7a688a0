#include "LinalgBody.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace shoal {

Value broadcastScalar(Value scalar, ArrayRef<int64_t> sizes, OpBuilder &builder) {
  auto type = RankedTensorType::get(sizes, getElementTypeOrSelf(scalar.getType()));
  if (scalar.getType() == type)
    return scalar;
  return sh::BroadcastInDimOp::create(builder, scalar.getLoc(), type, scalar,
                                      builder.getDenseI64ArrayAttr({}));
}

static Value createConstant(Location loc, Attribute value, OpBuilder &builder) {
  if (auto dense = dyn_cast<DenseElementsAttr>(value))
    return sh::ConstantOp::create(builder, loc, dense);
  auto typed = cast<TypedAttr>(value);
  Type element = typed.getType();
  if (element.isIndex()) {
    element = builder.getI64Type();
    typed = builder.getI64IntegerAttr(cast<IntegerAttr>(value).getInt());
  }
  return sh::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(RankedTensorType::get({}, element), Attribute(typed)));
}

Value asTensor(Value value, OpBuilder &builder) {
  Operation *op = value.getDefiningOp();
  if (auto constant = dyn_cast_or_null<arith::ConstantOp>(op))
    return createConstant(op->getLoc(), constant.getValue(), builder);
  if (isa_and_nonnull<tensor::EmptyOp>(op)) {
    auto type = cast<RankedTensorType>(value.getType());
    TypedAttr zero = builder.getZeroAttr(type.getElementType());
    return sh::ConstantOp::create(builder, op->getLoc(),
                                  DenseElementsAttr::get(type, Attribute(zero)));
  }
  return isa<RankedTensorType>(value.getType()) ? value : Value();
}

TypedAttr getNeutral(Operation *combine, Type element) {
  Builder b(element.getContext());
  auto integer = [&](APInt value) { return b.getIntegerAttr(element, value); };
  unsigned width = element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 0;
  auto infinity = [&](bool negative) {
    return b.getFloatAttr(element, APFloat::getInf(cast<FloatType>(element).getFloatSemantics(), negative));
  };
  return TypeSwitch<Operation *, TypedAttr>(combine)
      .Case<arith::AddFOp, arith::AddIOp, arith::OrIOp, arith::XOrIOp, arith::MaxUIOp>(
          [&](Operation *) { return b.getZeroAttr(element); })
      .Case<arith::MulFOp>([&](Operation *) { return b.getFloatAttr(element, 1.0); })
      .Case<arith::MulIOp>([&](Operation *) { return integer(APInt(width, 1)); })
      .Case<arith::MaximumFOp, arith::MaxNumFOp>([&](Operation *) { return infinity(true); })
      .Case<arith::MinimumFOp, arith::MinNumFOp>([&](Operation *) { return infinity(false); })
      .Case<arith::MaxSIOp>([&](Operation *) { return integer(APInt::getSignedMinValue(width)); })
      .Case<arith::MinSIOp>([&](Operation *) { return integer(APInt::getSignedMaxValue(width)); })
      .Case<arith::MinUIOp, arith::AndIOp>([&](Operation *) { return integer(APInt::getAllOnes(width)); })
      .Default([](Operation *) { return TypedAttr(); });
}

static std::optional<std::pair<sh::ComparisonDirection, bool>>
getComparison(arith::CmpFPredicate predicate) {
  using P = arith::CmpFPredicate;
  switch (predicate) {
  case P::OEQ: return std::pair(sh::ComparisonDirection::EQ, false);
  case P::OGT: return std::pair(sh::ComparisonDirection::GT, false);
  case P::OGE: return std::pair(sh::ComparisonDirection::GE, false);
  case P::OLT: return std::pair(sh::ComparisonDirection::LT, false);
  case P::OLE: return std::pair(sh::ComparisonDirection::LE, false);
  case P::UNE: return std::pair(sh::ComparisonDirection::NE, false);
  // "Unordered or …" is the negation of the ordered opposite.
  case P::UGT: return std::pair(sh::ComparisonDirection::LE, true);
  case P::UGE: return std::pair(sh::ComparisonDirection::LT, true);
  case P::ULT: return std::pair(sh::ComparisonDirection::GE, true);
  case P::ULE: return std::pair(sh::ComparisonDirection::GT, true);
  default: return std::nullopt;
  }
}

static sh::ComparisonDirection getComparison(arith::CmpIPredicate predicate) {
  using P = arith::CmpIPredicate;
  switch (predicate) {
  case P::eq: return sh::ComparisonDirection::EQ;
  case P::ne: return sh::ComparisonDirection::NE;
  case P::slt: case P::ult: return sh::ComparisonDirection::LT;
  case P::sle: case P::ule: return sh::ComparisonDirection::LE;
  case P::sgt: case P::ugt: return sh::ComparisonDirection::GT;
  case P::sge: case P::uge: return sh::ComparisonDirection::GE;
  }
  return sh::ComparisonDirection::EQ;
}

Value createElementwise(Operation *op, ValueRange operands, OpBuilder &b,
                        ArrayRef<int64_t> sizes) {
  Location loc = op->getLoc();
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return broadcastScalar(createConstant(loc, constant.getValue(), b), sizes, b);
  if (operands.empty())
    return {};
  auto shaped = cast<RankedTensorType>(operands.back().getType());
  auto like = [&](Type element) { return RankedTensorType::get(shaped.getShape(), element); };
  auto compare = [&](Value lhs, Value rhs, sh::ComparisonDirection direction,
                     sh::ComparisonType type) -> Value {
    return sh::CompareOp::create(b, loc, lhs, rhs, direction, type);
  };
  Value x = operands[0], y = operands.size() > 1 ? operands[1] : Value();
#define SHOAL_BINARY(OP, TO) .Case<OP>([&](auto) -> Value { return TO::create(b, loc, x, y); })
#define SHOAL_UNARY(OP, TO) .Case<OP>([&](auto) -> Value { return TO::create(b, loc, x.getType(), x); })
  return TypeSwitch<Operation *, Value>(op)
      SHOAL_BINARY(arith::AddFOp, sh::AddOp) SHOAL_BINARY(arith::AddIOp, sh::AddOp)
      SHOAL_BINARY(arith::SubFOp, sh::SubtractOp) SHOAL_BINARY(arith::SubIOp, sh::SubtractOp)
      SHOAL_BINARY(arith::MulFOp, sh::MulOp) SHOAL_BINARY(arith::MulIOp, sh::MulOp)
      SHOAL_BINARY(arith::DivFOp, sh::DivOp) SHOAL_BINARY(arith::DivSIOp, sh::DivOp)
      SHOAL_BINARY(arith::RemFOp, sh::RemOp) SHOAL_BINARY(arith::RemSIOp, sh::RemOp)
      SHOAL_BINARY(arith::MaximumFOp, sh::MaxOp) SHOAL_BINARY(arith::MaxSIOp, sh::MaxOp)
      SHOAL_BINARY(arith::MinimumFOp, sh::MinOp) SHOAL_BINARY(arith::MinSIOp, sh::MinOp)
      SHOAL_BINARY(arith::MaxNumFOp, sh::MaxOp) SHOAL_BINARY(arith::MinNumFOp, sh::MinOp)
      SHOAL_BINARY(arith::AndIOp, sh::AndOp) SHOAL_BINARY(arith::OrIOp, sh::OrOp)
      SHOAL_BINARY(arith::XOrIOp, sh::XorOp) SHOAL_BINARY(arith::ShLIOp, sh::ShiftLeftOp)
      SHOAL_BINARY(math::PowFOp, sh::PowOp) SHOAL_BINARY(math::Atan2Op, sh::Atan2Op)
      SHOAL_UNARY(arith::NegFOp, sh::NegOp) SHOAL_UNARY(math::AbsFOp, sh::AbsOp)
      SHOAL_UNARY(math::AbsIOp, sh::AbsOp) SHOAL_UNARY(math::ExpOp, sh::ExpOp)
      SHOAL_UNARY(math::ExpM1Op, sh::Expm1Op) SHOAL_UNARY(math::LogOp, sh::LogOp)
      SHOAL_UNARY(math::Log1pOp, sh::Log1pOp) SHOAL_UNARY(math::TanhOp, sh::TanhOp)
      SHOAL_UNARY(math::SqrtOp, sh::SqrtOp) SHOAL_UNARY(math::RsqrtOp, sh::RsqrtOp)
      SHOAL_UNARY(math::SinOp, sh::SineOp) SHOAL_UNARY(math::CosOp, sh::CosineOp)
      SHOAL_UNARY(math::CeilOp, sh::CeilOp) SHOAL_UNARY(math::FloorOp, sh::FloorOp)
      SHOAL_UNARY(math::RoundOp, sh::RoundOp) SHOAL_UNARY(math::RoundEvenOp, sh::RoundNearestEvenOp)
      SHOAL_UNARY(math::CbrtOp, sh::CbrtOp) SHOAL_UNARY(math::ErfOp, chlo::ErfOp)
      .Case<math::FmaOp>([&](auto) -> Value {
        return sh::AddOp::create(b, loc, sh::MulOp::create(b, loc, x, y), operands[2]);
      })
      .Case<arith::SelectOp>([&](auto) -> Value {
        return sh::SelectOp::create(b, loc, y.getType(), x, y, operands[2]);
      })
      .Case<arith::CmpFOp>([&](arith::CmpFOp cmp) -> Value {
        auto found = getComparison(cmp.getPredicate());
        if (!found)
          return {};
        Value result = compare(x, y, found->first, sh::ComparisonType::FLOAT);
        return found->second ? sh::NotOp::create(b, loc, result.getType(), result) : result;
      })
      .Case<arith::CmpIOp>([&](arith::CmpIOp cmp) -> Value {
        bool isUnsigned = cmp.getPredicate() >= arith::CmpIPredicate::ult;
        return compare(x, y, getComparison(cmp.getPredicate()),
                       isUnsigned ? sh::ComparisonType::UNSIGNED : sh::ComparisonType::SIGNED);
      })
      .Case<arith::ExtFOp, arith::TruncFOp, arith::SIToFPOp, arith::FPToSIOp, arith::ExtSIOp,
            arith::TruncIOp, arith::IndexCastOp>([&](Operation *cast) -> Value {
        Type to = cast->getResult(0).getType();
        Value result = sh::ConvertOp::create(b, loc, like(to.isIndex() ? b.getI64Type() : to), x);
        // StableHLO's i1 is a truth value, arith's signed one is 0 or -1.
        if (isa<arith::ExtSIOp, arith::SIToFPOp>(cast) &&
            getElementTypeOrSelf(x.getType()).isInteger(1))
          result = sh::NegOp::create(b, loc, result.getType(), result);
        return result;
      })
      .Default([](Operation *) { return Value(); });
#undef SHOAL_BINARY
#undef SHOAL_UNARY
}

} // namespace shoal
