// Host scalars: integer ops of StableHLO become 64-bit arithmetic of the host
// program, wrapped to the width of their type. Signed types are kept
// sign-extended, unsigned ones and i1 zero-extended.
#include "ProgramBuilder.h"

#include "dialects/Comm/Comm.h"

using namespace mlir;
using namespace shoal;
using plan::ScalarOpKind;
namespace shlo = mlir::stablehlo;

Value ProgramBuilder::constant(int64_t value) {
  Value &scalar = constants[value];
  if (!scalar)
    scalar = createTop([&]() -> Value {
      return plan::ConstOp::create(b, func.getLoc(), scalarType(), value);
    });
  return scalar;
}

/// Arithmetic, folded where both sides are constants or one is neutral.
Value ProgramBuilder::binary(Location loc, ScalarOpKind kind, Value x,
                             Value y) {
  auto constantOf = [](Value v) -> std::optional<int64_t> {
    if (auto op = v.getDefiningOp<plan::ConstOp>())
      return op.getValue();
    return std::nullopt;
  };
  auto a = constantOf(x), c = constantOf(y);
  using U = uint64_t;
  if (a && c)
    switch (kind) {
    case ScalarOpKind::Add:
      return constant(U(*a) + U(*c));
    case ScalarOpKind::Sub:
      return constant(U(*a) - U(*c));
    case ScalarOpKind::Mul:
      return constant(U(*a) * U(*c));
    case ScalarOpKind::Min:
      return constant(std::min(*a, *c));
    case ScalarOpKind::Max:
      return constant(std::max(*a, *c));
    default:
      break;
    }
  if (c && *c == 0 && (kind == ScalarOpKind::Add || kind == ScalarOpKind::Sub))
    return x;
  if (a && *a == 0 && kind == ScalarOpKind::Add)
    return y;
  if (c && *c == 1 && (kind == ScalarOpKind::Mul || kind == ScalarOpKind::Div))
    return x;
  return plan::ScalarOp::create(b, loc, scalarType(), kind, x, y);
}

ProgramBuilder::Range ProgramBuilder::rangeOf(Value scalar, unsigned depth) {
  constexpr Range anything{INT64_MIN, INT64_MAX};
  // Far from the ends of int64, so that sums of bounds do not wrap.
  constexpr int64_t safe = int64_t(1) << 40;
  auto isSafe = [](Range r) { return r.low > -safe && r.high < safe; };
  if (depth > 8)
    return anything;
  if (auto arg = dyn_cast<BlockArgument>(scalar)) {
    auto loop = dyn_cast<plan::ForOp>(arg.getOwner()->getParentOp());
    if (!loop || arg.getArgNumber() != 0)
      return anything;
    Range begin = rangeOf(loop.getBegin(), depth + 1),
          end = rangeOf(loop.getEnd(), depth + 1);
    auto step = loop.getStep().getDefiningOp<plan::ConstOp>();
    if (!step || !isSafe(begin) || !isSafe(end))
      return anything;
    return static_cast<int64_t>(step.getValue()) > 0
               ? Range{begin.low, std::max(begin.low, end.high - 1)}
               : Range{std::min(begin.high, end.low + 1), begin.high};
  }
  if (auto known = scalar.getDefiningOp<plan::ConstOp>()) {
    int64_t value = known.getValue();
    return {value, value};
  }
  if (auto wrap = scalar.getDefiningOp<plan::WrapOp>()) {
    Range inner = rangeOf(wrap.getValue(), depth + 1);
    unsigned bits = wrap.getBits() - (wrap.getIsUnsigned() ? 0 : 1);
    int64_t most = bits >= 63 ? INT64_MAX : (int64_t(1) << bits) - 1;
    int64_t least = wrap.getIsUnsigned() ? 0 : -most - 1;
    return inner.low >= least && inner.high <= most ? inner
                                                    : Range{least, most};
  }
  if (auto choice = scalar.getDefiningOp<plan::SelectOp>()) {
    Range a = rangeOf(choice.getIfTrue(), depth + 1),
          b = rangeOf(choice.getIfFalse(), depth + 1);
    // JAX's negative indices: select(i < 0, i + n, i).
    if (auto less = choice.getCondition().getDefiningOp<plan::CompareOp>();
        less && less.getPredicate() == plan::Predicate::LT &&
        less.getLhs() == choice.getIfFalse()) {
      Range i = rangeOf(less.getLhs(), depth + 1),
            bound = rangeOf(less.getRhs(), depth + 1);
      if (i.low >= bound.high)
        return b;
    }
    return {std::min(a.low, b.low), std::max(a.high, b.high)};
  }
  auto op = scalar.getDefiningOp<plan::ScalarOp>();
  if (!op)
    return anything;
  Range a = rangeOf(op.getLhs(), depth + 1),
        b = rangeOf(op.getRhs(), depth + 1);
  switch (op.getKind()) {
  case ScalarOpKind::Min:
    return {std::min(a.low, b.low), std::min(a.high, b.high)};
  case ScalarOpKind::Max:
    return {std::max(a.low, b.low), std::max(a.high, b.high)};
  case ScalarOpKind::Add:
    if (isSafe(a) && isSafe(b))
      return {a.low + b.low, a.high + b.high};
    return anything;
  case ScalarOpKind::Sub:
    if (isSafe(a) && isSafe(b))
      return {a.low - b.high, a.high - b.low};
    return anything;
  case ScalarOpKind::Mul:
    // Both within 2^30: products stay within 2^60.
    if (std::min(a.low, b.low) > -(int64_t(1) << 30) &&
        std::max(a.high, b.high) < int64_t(1) << 30) {
      auto [low, high] = std::minmax(
          {a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
      return {low, high};
    }
    return anything;
  case ScalarOpKind::Rem:
    if (b.low > 0)
      return {a.low >= 0 ? 0 : std::max(a.low, 1 - b.high),
              std::max<int64_t>(0, std::min(a.high, b.high - 1))};
    return anything;
  default:
    return anything;
  }
}

bool ProgramBuilder::isAvailable(Value value) {
  return getConstantInt(value) || scalarValues.contains(value);
}

Value ProgramBuilder::getScalar(Value value) {
  if (auto known = getConstantInt(value))
    return constant(*known);
  Value scalar = scalarValues.lookup(value);
  assert(scalar && "host scalars are emitted before they are used");
  return scalar;
}

Value ProgramBuilder::readScalar(Location loc, Value value) {
  if (!plan.isDevice(value))
    return getScalar(value);
  return plan::ReadScalarOp::create(b, loc, scalarType(), getBuffer(value));
}

LogicalResult ProgramBuilder::emitHostOp(Operation *op) {
  if (isa<shlo::ConstantOp>(op))
    return success(); // Made where it is used.
  Location loc = op->getLoc();
  auto type =
      cast<IntegerType>(getElementTypeOrSelf(op->getResult(0).getType()));
  unsigned bits = type.getWidth();
  bool isBool = bits == 1, isUnsigned = type.isUnsigned() || isBool;
  auto operand = [&](unsigned i) { return getScalar(op->getOperand(i)); };
  auto operandType = [&](unsigned i) {
    return cast<IntegerType>(getElementTypeOrSelf(op->getOperand(i).getType()));
  };
  auto wrap = [&](Value value) -> Value {
    unsigned free = bits - (isUnsigned ? 0 : 1);
    Range range = rangeOf(value);
    if (bits == 64 || (range.high < int64_t(1) << free &&
                       range.low >= (isUnsigned ? 0 : -(int64_t(1) << free))))
      return value;
    return plan::WrapOp::create(b, loc, scalarType(), value, bits, isUnsigned);
  };
  auto make = [&](ScalarOpKind kind) {
    return binary(loc, kind, operand(0), operand(1));
  };
  auto compare = [&](plan::Predicate predicate, Value x, Value y,
                     IntegerType of) -> Value {
    return plan::CompareOp::create(b, loc, scalarType(), predicate, x, y,
                                   of.isUnsigned() && of.getWidth() == 64);
  };
  bool wide = isUnsigned && bits == 64; // Above INT64_MAX the order is another.

  Value result;
  if (isa<shlo::AddOp>(op)) {
    result = isBool ? make(ScalarOpKind::Or) : wrap(make(ScalarOpKind::Add));
  } else if (isa<shlo::SubtractOp>(op)) {
    result = isBool ? make(ScalarOpKind::Xor) : wrap(make(ScalarOpKind::Sub));
  } else if (isa<shlo::MulOp>(op)) {
    result = isBool ? make(ScalarOpKind::And) : wrap(make(ScalarOpKind::Mul));
  } else if (isa<shlo::DivOp>(op)) {
    result = wrap(make(isUnsigned ? ScalarOpKind::UDiv : ScalarOpKind::Div));
  } else if (isa<shlo::RemOp>(op)) {
    result = wrap(make(isUnsigned ? ScalarOpKind::URem : ScalarOpKind::Rem));
  } else if (isa<shlo::MaxOp, shlo::MinOp>(op)) {
    bool isMax = isa<shlo::MaxOp>(op);
    if (wide)
      result = plan::SelectOp::create(
          b, loc, scalarType(),
          compare(isMax ? plan::Predicate::GT : plan::Predicate::LT, operand(0),
                  operand(1), type),
          operand(0), operand(1));
    else
      result = make(isMax ? ScalarOpKind::Max : ScalarOpKind::Min);
  } else if (isa<shlo::AndOp>(op)) {
    result = make(ScalarOpKind::And);
  } else if (isa<shlo::OrOp>(op)) {
    result = make(ScalarOpKind::Or);
  } else if (isa<shlo::XorOp>(op)) {
    result = make(ScalarOpKind::Xor);
  } else if (isa<shlo::NotOp>(op)) {
    result =
        binary(loc, ScalarOpKind::Xor, operand(0), constant(isBool ? 1 : -1));
    if (isUnsigned && !isBool)
      result = wrap(result);
  } else if (isa<shlo::NegOp>(op)) {
    result = wrap(binary(loc, ScalarOpKind::Sub, constant(0), operand(0)));
  } else if (isa<shlo::AbsOp>(op)) {
    result = operand(0);
    if (!isUnsigned)
      result =
          wrap(binary(loc, ScalarOpKind::Max, operand(0),
                      binary(loc, ScalarOpKind::Sub, constant(0), operand(0))));
  } else if (isa<shlo::SelectOp>(op)) {
    result = plan::SelectOp::create(b, loc, scalarType(), operand(0),
                                    operand(1), operand(2));
  } else if (isa<shlo::ClampOp>(op)) {
    if (wide)
      return op->emitOpError("cannot be computed on the host in ui64");
    result = binary(loc, ScalarOpKind::Min,
                    binary(loc, ScalarOpKind::Max, operand(1), operand(0)),
                    operand(2));
  } else if (auto cmp = dyn_cast<shlo::CompareOp>(op)) {
    using Direction = shlo::ComparisonDirection;
    plan::Predicate predicate;
    switch (cmp.getComparisonDirection()) {
    case Direction::EQ:
      predicate = plan::Predicate::EQ;
      break;
    case Direction::NE:
      predicate = plan::Predicate::NE;
      break;
    case Direction::LT:
      predicate = plan::Predicate::LT;
      break;
    case Direction::LE:
      predicate = plan::Predicate::LE;
      break;
    case Direction::GT:
      predicate = plan::Predicate::GT;
      break;
    case Direction::GE:
      predicate = plan::Predicate::GE;
      break;
    }
    result = compare(predicate, operand(0), operand(1), operandType(0));
  } else if (isa<shlo::ConvertOp>(op)) {
    if (isBool)
      result =
          plan::CompareOp::create(b, loc, scalarType(), plan::Predicate::NE,
                                  operand(0), constant(0), false);
    else
      result = wrap(operand(0));
  } else if (isa<shlo::ReshapeOp, shlo::OptimizationBarrierOp>(op)) {
    for (auto [i, r] : llvm::enumerate(op->getResults()))
      scalarValues[r] = operand(i);
    return success();
  } else if (isa<shlo::PartitionIdOp>(op)) {
    result = plan::RankOp::create(b, loc, scalarType());
  } else if (isa<comm::AxisIndexOp>(op)) {
    FailureOr<plan::GroupAttr> group = getGroup(op);
    if (failed(group))
      return failure();
    result = position(loc, *group);
  } else {
    return op->emitOpError("cannot be computed on the host");
  }
  scalarValues[op->getResult(0)] = result;
  return success();
}
