#include "shoal/Analysis/ScalarBodies.h"

#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <optional>

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

bool shoal::isRoundedFloat(Type type) {
  auto element = dyn_cast<FloatType>(getElementTypeOrSelf(type));
  return element && element.getWidth() < 16;
}

static bool isScalar(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 0;
}

Value shoal::rootOf(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    bool copies =
        isa<ReshardOp, ConstraintOp>(op) ||
        (isa<sh::BroadcastInDimOp, sh::ReshapeOp>(op) &&
         isScalar(op->getOperand(0).getType()) && isScalar(value.getType()));
    if (!copies)
      break;
    value = op->getOperand(0);
  }
  return value;
}

bool shoal::isElementwiseBody(Region &body) {
  if (!body.hasOneBlock())
    return false;
  for (Operation &op : body.front().without_terminator()) {
    if (op.getNumRegions() || op.getNumResults() != 1 ||
        !llvm::all_of(op.getOperandTypes(), isScalar) ||
        !isScalar(op.getResult(0).getType()))
      return false;
    if (!op.hasTrait<OpTrait::Elementwise>() &&
        !isa<sh::ConstantOp, sh::SelectOp, sh::ClampOp, sh::CompareOp,
             sh::BroadcastInDimOp, sh::ReshapeOp, sh::ConvertOp>(op))
      return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Computing a body
//===----------------------------------------------------------------------===//

namespace {
/// A number as a double; integers and booleans stay within what it holds.
class Evaluator {
public:
  std::optional<SmallVector<double>> run(Block &block, ArrayRef<double> args) {
    values.clear();
    for (auto [arg, value] : llvm::zip_equal(block.getArguments(), args))
      values[arg] = value;
    for (Operation &op : block.without_terminator()) {
      std::optional<double> value = compute(&op);
      if (!value)
        return std::nullopt;
      values[op.getResult(0)] = *value;
    }
    SmallVector<double> results;
    for (Value value : block.getTerminator()->getOperands()) {
      auto it = values.find(value);
      if (it == values.end())
        return std::nullopt;
      results.push_back(it->second);
    }
    return results;
  }

  static std::optional<double> constantOf(Value value) {
    DenseElementsAttr dense;
    if (!matchPattern(rootOf(value), m_Constant(&dense)) || !dense.isSplat())
      return std::nullopt;
    if (auto type = dyn_cast<IntegerType>(dense.getElementType())) {
      APInt bits = dense.getSplatValue<APInt>();
      return type.isUnsigned() || type.getWidth() == 1
                 ? bits.roundToDouble(false)
                 : bits.roundToDouble(true);
    }
    if (isa<FloatType>(dense.getElementType())) {
      APFloat number = dense.getSplatValue<APFloat>();
      bool lost;
      number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                     &lost);
      return number.convertToDouble();
    }
    return std::nullopt;
  }

private:
  DenseMap<Value, double> values;

  std::optional<double> compute(Operation *op) {
    if (op->getNumResults() != 1 || op->getNumRegions())
      return std::nullopt;
    if (isa<sh::ConstantOp>(op))
      return constantOf(op->getResult(0));
    SmallVector<double> in;
    for (Value operand : op->getOperands()) {
      auto it = values.find(operand);
      if (it == values.end())
        return std::nullopt;
      in.push_back(it->second);
    }
    Type element = getElementTypeOrSelf(op->getResult(0).getType());
    bool isBool = element.isInteger(1);
    auto logic = [&](auto fn) -> double {
      if (isBool)
        return fn(int64_t(in[0]) & 1, int64_t(in[1]) & 1) & 1;
      int64_t bits = fn(int64_t(in[0]), int64_t(in[1]));
      return double(bits);
    };
    using Result = std::optional<double>;
    return llvm::TypeSwitch<Operation *, Result>(op)
        .Case([&](sh::AddOp) -> Result {
          return isBool ? double(in[0] != 0 || in[1] != 0) : in[0] + in[1];
        })
        .Case([&](sh::SubtractOp) -> Result { return in[0] - in[1]; })
        .Case([&](sh::MulOp) -> Result { return in[0] * in[1]; })
        .Case([&](sh::MaxOp) -> Result { return std::max(in[0], in[1]); })
        .Case([&](sh::MinOp) -> Result { return std::min(in[0], in[1]); })
        .Case([&](sh::AndOp) -> Result {
          return logic([](int64_t a, int64_t b) { return a & b; });
        })
        .Case([&](sh::OrOp) -> Result {
          return logic([](int64_t a, int64_t b) { return a | b; });
        })
        .Case([&](sh::XorOp) -> Result {
          return logic([](int64_t a, int64_t b) { return a ^ b; });
        })
        .Case([&](sh::NotOp) -> Result {
          if (!isBool)
            return std::nullopt;
          return double(in[0] == 0);
        })
        .Case([&](sh::NegOp) -> Result { return -in[0]; })
        .Case([&](sh::AbsOp) -> Result { return std::fabs(in[0]); })
        .Case([&](sh::ExpOp) -> Result { return std::exp(in[0]); })
        .Case([&](sh::Expm1Op) -> Result { return std::expm1(in[0]); })
        .Case([&](sh::LogOp) -> Result { return std::log(in[0]); })
        .Case([&](sh::Log1pOp) -> Result { return std::log1p(in[0]); })
        .Case(
            [&](sh::SelectOp) -> Result { return in[0] != 0 ? in[1] : in[2]; })
        .Case([&](sh::ConvertOp) -> Result { return in[0]; })
        .Case([&](sh::ReshapeOp) -> Result { return in[0]; })
        .Case([&](sh::BroadcastInDimOp) -> Result { return in[0]; })
        .Case([&](sh::CompareOp compare) -> Result {
          double a = in[0], b = in[1];
          switch (compare.getComparisonDirection()) {
          case sh::ComparisonDirection::EQ:
            return double(a == b);
          case sh::ComparisonDirection::NE:
            return double(a != b);
          case sh::ComparisonDirection::LT:
            return double(a < b);
          case sh::ComparisonDirection::LE:
            return double(a <= b);
          case sh::ComparisonDirection::GT:
            return double(a > b);
          case sh::ComparisonDirection::GE:
            return double(a >= b);
          }
          return std::nullopt;
        })
        .Default([](Operation *) { return Result(); });
  }
};
} // namespace

bool shoal::isNeutral(Region &body, ArrayRef<Value> inits) {
  size_t n = inits.size();
  if (!body.hasOneBlock() || body.front().getNumArguments() != 2 * n ||
      body.front().getTerminator()->getNumOperands() != n)
    return false;
  SmallVector<double> init;
  for (Value value : inits) {
    std::optional<double> number = Evaluator::constantOf(value);
    if (!number)
      return false;
    init.push_back(*number);
  }
  // Small numbers that every type holds; booleans take their parity.
  static constexpr double points[] = {0, 1, 3, 6, 2};
  Evaluator evaluator;
  for (size_t p = 0; p < std::size(points); ++p)
    for (int sign : {1, -1}) {
      SmallVector<double> x;
      for (size_t i = 0; i < n; ++i) {
        double value = points[(p + i) % std::size(points)];
        auto type = dyn_cast<IntegerType>(
            getElementTypeOrSelf(body.front().getArgument(i).getType()));
        if (type && type.getWidth() < 5)
          value = double(int64_t(value) & 1);
        else if (!type || !type.isUnsigned())
          value *= sign;
        x.push_back(value);
      }
      SmallVector<double> left(init), right(x);
      left.append(x);
      right.append(init);
      for (ArrayRef<double> args :
           {ArrayRef<double>(left), ArrayRef<double>(right)}) {
        std::optional<SmallVector<double>> got =
            evaluator.run(body.front(), args);
        if (!got || *got != x)
          return false;
      }
    }
  return true;
}

Value shoal::createCombine(OpBuilder &builder, Location loc, ReductionKind kind,
                           Value x, Value y) {
  switch (kind) {
  case ReductionKind::Add:
    return stablehlo::AddOp::create(builder, loc, x, y);
  case ReductionKind::Mul:
    return stablehlo::MulOp::create(builder, loc, x, y);
  case ReductionKind::Min:
    return stablehlo::MinOp::create(builder, loc, x, y);
  case ReductionKind::Max:
    return stablehlo::MaxOp::create(builder, loc, x, y);
  case ReductionKind::And:
    return stablehlo::AndOp::create(builder, loc, x, y);
  case ReductionKind::Or:
    return stablehlo::OrOp::create(builder, loc, x, y);
  case ReductionKind::Xor:
    return stablehlo::XorOp::create(builder, loc, x, y);
  }
  return {};
}
