#include "shoal/Analysis/IntegerScalars.h"

#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace shoal {
namespace {

/// Values that more depends on than that are not followed: ops that are read
/// twice are visited twice.
constexpr int kMostVisits = 256;

class Evaluator {
public:
  explicit Evaluator(IntegerLeaf leaf) : leaf(leaf) {}

  std::optional<APInt> evaluate(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || !type.hasStaticShape() || type.getNumElements() != 1 ||
        !type.getElementType().isInteger() || ++visits > kMostVisits)
      return std::nullopt;
    unsigned width = type.getElementTypeBitWidth();
    Operation *op = value.getDefiningOp();
    if (isa_and_nonnull<sh::ConstantOp>(op)) {
      DenseIntElementsAttr elements;
      if (!matchPattern(value, m_Constant(&elements)))
        return std::nullopt;
      return *elements.value_begin<APInt>();
    }
    if (!isa_and_nonnull<sh::ConvertOp, sh::AddOp, sh::SubtractOp, sh::MulOp,
                         sh::DivOp, sh::RemOp, sh::MinOp, sh::MaxOp,
                         sh::CompareOp, sh::SelectOp, sh::ClampOp, sh::NegOp,
                         sh::ReshapeOp, ConstraintOp>(op))
      return leaf(value);
    SmallVector<APInt> in;
    for (Value operand : op->getOperands()) {
      std::optional<APInt> number = evaluate(operand);
      if (!number)
        return std::nullopt;
      in.push_back(*number);
    }
    Type from = getElementTypeOrSelf(op->getOperand(0).getType());
    bool isUnsigned = from.isUnsignedInteger() || from.isInteger(1);
    auto pick = [&](bool first) { return first ? in[0] : in[1]; };
    auto less = [&](const APInt &a, const APInt &b) {
      return isUnsigned ? a.ult(b) : a.slt(b);
    };
    // Booleans: other than zero is true, and a sum is an or.
    if (width == 1 && isa<sh::ConvertOp>(op))
      return APInt(1, !in[0].isZero());
    if (width == 1 && isa<sh::AddOp>(op))
      return in[0] | in[1];
    if (isa<sh::ConvertOp>(op))
      return isUnsigned ? in[0].zextOrTrunc(width) : in[0].sextOrTrunc(width);
    if (isa<sh::ReshapeOp, ConstraintOp>(op))
      return in[0];
    if (isa<sh::AddOp>(op))
      return in[0] + in[1];
    if (isa<sh::SubtractOp>(op))
      return in[0] - in[1];
    if (isa<sh::MulOp>(op))
      return in[0] * in[1];
    if (isa<sh::NegOp>(op))
      return -in[0];
    if (isa<sh::DivOp, sh::RemOp>(op)) {
      if (in[1].isZero() || (!isUnsigned && in[1].isAllOnes()))
        return std::nullopt;
      if (isa<sh::DivOp>(op))
        return isUnsigned ? in[0].udiv(in[1]) : in[0].sdiv(in[1]);
      return isUnsigned ? in[0].urem(in[1]) : in[0].srem(in[1]);
    }
    if (isa<sh::MinOp>(op))
      return pick(less(in[0], in[1]));
    if (isa<sh::MaxOp>(op))
      return pick(less(in[1], in[0]));
    if (isa<sh::ClampOp>(op)) { // low, value, high
      Type type = getElementTypeOrSelf(op->getOperand(1).getType());
      isUnsigned = type.isUnsignedInteger();
      APInt atLeast = less(in[1], in[0]) ? in[0] : in[1];
      return less(in[2], atLeast) ? in[2] : atLeast;
    }
    if (isa<sh::SelectOp>(op))
      return in[0].isZero() ? in[2] : in[1];
    if (auto compare = dyn_cast<sh::CompareOp>(op)) {
      bool result = false;
      switch (compare.getComparisonDirection()) {
      case sh::ComparisonDirection::EQ:
        result = in[0] == in[1];
        break;
      case sh::ComparisonDirection::NE:
        result = in[0] != in[1];
        break;
      case sh::ComparisonDirection::LT:
        result = less(in[0], in[1]);
        break;
      case sh::ComparisonDirection::LE:
        result = !less(in[1], in[0]);
        break;
      case sh::ComparisonDirection::GT:
        result = less(in[1], in[0]);
        break;
      case sh::ComparisonDirection::GE:
        result = !less(in[0], in[1]);
        break;
      }
      return APInt(1, result);
    }
    return std::nullopt;
  }

private:
  IntegerLeaf leaf;
  int visits = 0;
};

} // namespace

std::optional<APInt> evaluateInteger(Value value, IntegerLeaf leaf) {
  return Evaluator(leaf).evaluate(value);
}

std::optional<int64_t> asInt64(const APInt &number, Type element) {
  if (!element.isUnsignedInteger() && !element.isInteger(1))
    return number.trySExtValue();
  if (number.getActiveBits() > 63)
    return std::nullopt;
  return static_cast<int64_t>(number.getZExtValue());
}

} // namespace shoal
