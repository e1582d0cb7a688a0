// chlo operations with implicit broadcasting, in StableHLO.
#include "DecomposeChlo.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/StableHLO/StableHLO.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace shoal;

/// `value` repeated to `shape`; its dimensions are `dimensions` of it, by
/// default the last ones.
static Value broadcastTo(OpBuilder &builder, Location loc, Value value,
                         ArrayRef<int64_t> shape,
                         std::optional<ArrayRef<int64_t>> dimensions) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getShape() == shape)
    return value;
  SmallVector<int64_t> dims;
  if (dimensions && int64_t(dimensions->size()) == type.getRank())
    dims.assign(dimensions->begin(), dimensions->end());
  else
    for (int64_t i = 0; i < type.getRank(); ++i)
      dims.push_back(int64_t(shape.size()) - type.getRank() + i);
  return stablehlo::BroadcastInDimOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), value,
      builder.getDenseI64ArrayAttr(dims));
}

namespace {
class Decomposer {
public:
  Decomposer(Operation *op, OpBuilder &builder)
      : op(op), builder(builder), loc(op->getLoc()),
        shape(cast<RankedTensorType>(op->getResult(0).getType()).getShape()) {
    auto attr = op->getAttrOfType<DenseI64ArrayAttr>("broadcast_dimensions");
    if (attr)
      dimensions = attr.asArrayRef();
  }

  Value operand(unsigned index) {
    Value value = op->getOperand(index);
    auto type = cast<RankedTensorType>(value.getType());
    // The attribute is about the operand of lower rank.
    bool isLower = type.getRank() < int64_t(shape.size());
    return broadcastTo(builder, loc, value, shape,
                       isLower ? dimensions : std::nullopt);
  }

  template <typename Op>
  Value make() {
    return Op::create(builder, loc, op->getResult(0).getType(), operand(0),
                      operand(1));
  }

  Operation *op;
  OpBuilder &builder;
  Location loc;
  ArrayRef<int64_t> shape;
  std::optional<ArrayRef<int64_t>> dimensions;
};
} // namespace

LogicalResult shoal::decomposeBroadcasting(Operation *op, OpBuilder &builder,
                                           SmallVectorImpl<Value> &results) {
  if (op->getNumResults() != 1)
    return success();
  Decomposer d(op, builder);
  Location loc = op->getLoc();
  Type type = op->getResult(0).getType();
  Value result =
      llvm::TypeSwitch<Operation *, Value>(op)
          .Case(
              [&](chlo::BroadcastAddOp) { return d.make<stablehlo::AddOp>(); })
          .Case(
              [&](chlo::BroadcastAndOp) { return d.make<stablehlo::AndOp>(); })
          .Case([&](chlo::BroadcastAtan2Op) {
            return d.make<stablehlo::Atan2Op>();
          })
          .Case([&](chlo::BroadcastComplexOp) {
            return d.make<stablehlo::ComplexOp>();
          })
          .Case(
              [&](chlo::BroadcastDivOp) { return d.make<stablehlo::DivOp>(); })
          .Case(
              [&](chlo::BroadcastMaxOp) { return d.make<stablehlo::MaxOp>(); })
          .Case(
              [&](chlo::BroadcastMinOp) { return d.make<stablehlo::MinOp>(); })
          .Case(
              [&](chlo::BroadcastMulOp) { return d.make<stablehlo::MulOp>(); })
          .Case([&](chlo::BroadcastNextAfterOp) {
            return d.make<chlo::NextAfterOp>();
          })
          .Case([&](chlo::BroadcastOrOp) { return d.make<stablehlo::OrOp>(); })
          .Case([&](chlo::BroadcastPolygammaOp) {
            return d.make<chlo::PolygammaOp>();
          })
          .Case(
              [&](chlo::BroadcastPowOp) { return d.make<stablehlo::PowOp>(); })
          .Case(
              [&](chlo::BroadcastRemOp) { return d.make<stablehlo::RemOp>(); })
          .Case([&](chlo::BroadcastShiftLeftOp) {
            return d.make<stablehlo::ShiftLeftOp>();
          })
          .Case([&](chlo::BroadcastShiftRightArithmeticOp) {
            return d.make<stablehlo::ShiftRightArithmeticOp>();
          })
          .Case([&](chlo::BroadcastShiftRightLogicalOp) {
            return d.make<stablehlo::ShiftRightLogicalOp>();
          })
          .Case([&](chlo::BroadcastSubOp) {
            return d.make<stablehlo::SubtractOp>();
          })
          .Case(
              [&](chlo::BroadcastXorOp) { return d.make<stablehlo::XorOp>(); })
          .Case([&](chlo::BroadcastZetaOp) { return d.make<chlo::ZetaOp>(); })
          .Case([&](chlo::BroadcastCompareOp compare) -> Value {
            // The two dialects number directions and types alike.
            auto direction = static_cast<stablehlo::ComparisonDirection>(
                compare.getComparisonDirection());
            auto kind = stablehlo::ComparisonType::NOTYPE;
            if (compare.getCompareType())
              kind = static_cast<stablehlo::ComparisonType>(
                  *compare.getCompareType());
            return stablehlo::CompareOp::create(builder, loc, d.operand(0),
                                                d.operand(1), direction, kind);
          })
          .Case([&](chlo::BroadcastSelectOp) -> Value {
            Value pred = op->getOperand(0);
            // A scalar predicate may stay one.
            if (cast<RankedTensorType>(pred.getType()).getRank() != 0)
              pred = d.operand(0);
            return stablehlo::SelectOp::create(builder, loc, type, pred,
                                               d.operand(1), d.operand(2));
          })
          .Default([](Operation *) { return Value(); });
  if (result)
    results.push_back(result);
  return success();
}
