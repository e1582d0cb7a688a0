// Expresses chlo operations in StableHLO.
#include "shoal/Import/Passes.h"

#include "DecomposeChlo.h"
#include "ElementwiseBuilder.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

namespace shoal {
#define GEN_PASS_DEF_DECOMPOSECHLOPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

/// Applies a function of f32 or f64 values to operands of any float type.
static Value inFullPrecision(ElementwiseBuilder &b, ValueRange operands,
                             function_ref<Value(ArrayRef<Value>)> build) {
  Type element = getElementTypeOrSelf(operands.front().getType());
  bool narrow = isa<FloatType>(element) && !element.isF64() && !element.isF32();
  SmallVector<Value> wide;
  for (Value operand : operands)
    wide.push_back(narrow ? b.convert(operand, b.getBuilder().getF32Type())
                          : operand);
  Value result = build(wide);
  return narrow ? b.convert(result, element) : result;
}

/// x², without cancellation where real and imaginary part are equal.
static Value buildSquare(ElementwiseBuilder &b, Value x) {
  if (!isa<ComplexType>(getElementTypeOrSelf(x.getType())))
    return b.mul(x, x);
  Value re = b.real(x), im = b.imag(x);
  Value square = b.mul(b.sub(re, im), b.add(re, im));
  Value isZero = b.bitAnd(b.isFinite(re), b.eq(b.abs(re), b.abs(im)));
  return b.complex(b.select(isZero, b.constant(0.0, re), square),
                   b.mul(b.mul(re, im), 2.0));
}

/// The upper half of a product of integers.
static Value buildMulhi(ElementwiseBuilder &b, Value x, Value y) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  auto type = cast<RankedTensorType>(x.getType());
  auto element = cast<IntegerType>(type.getElementType());
  unsigned width = element.getWidth();
  auto shift = [&](Value value, uint64_t amount) -> Value {
    return stablehlo::ShiftRightLogicalOp::create(builder, loc, value,
                                                  b.bits(amount, value));
  };
  if (width <= 32) {
    Type wide = IntegerType::get(element.getContext(), 2 * width,
                                 element.getSignedness());
    Value product = b.mul(b.convert(x, wide), b.convert(y, wide));
    return b.convert(shift(product, width), element);
  }
  // In halves, unsigned; a negative factor counts 2^64 too much.
  Type u64 = IntegerType::get(element.getContext(), 64, IntegerType::Unsigned);
  Value a = element.isUnsigned() ? x : b.bitcast(x, u64);
  Value c = element.isUnsigned() ? y : b.bitcast(y, u64);
  Value low = b.bits(0xffffffffu, a);
  Value aLow = b.bitAnd(a, low), aHigh = shift(a, 32);
  Value cLow = b.bitAnd(c, low), cHigh = shift(c, 32);
  Value middle = b.add(b.mul(aHigh, cLow), shift(b.mul(aLow, cLow), 32));
  Value other = b.add(b.mul(aLow, cHigh), b.bitAnd(middle, low));
  Value result =
      b.add(b.add(b.mul(aHigh, cHigh), shift(middle, 32)), shift(other, 32));
  if (element.isUnsigned())
    return result;
  Value zero = b.bits(0, x), zeroBits = b.bits(0, a);
  result = b.sub(result, b.select(b.lt(x, zero), c, zeroBits));
  result = b.sub(result, b.select(b.lt(y, zero), a, zeroBits));
  return b.bitcast(result, element);
}

/// What one elementwise op becomes; null if it is none of them.
static Value decomposeElementwise(Operation *op, ElementwiseBuilder &b) {
  auto unary = [&](Value (*build)(ElementwiseBuilder &, Value)) {
    return inFullPrecision(b, op->getOperands(), [&](ArrayRef<Value> operands) {
      return build(b, operands[0]);
    });
  };
  auto binary = [&](Value (*build)(ElementwiseBuilder &, Value, Value)) {
    return inFullPrecision(b, op->getOperands(), [&](ArrayRef<Value> operands) {
      return build(b, operands[0], operands[1]);
    });
  };
  Value x = op->getNumOperands() ? op->getOperand(0) : Value();
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](chlo::AcosOp) { return unary(buildAcos); })
      .Case([&](chlo::AcoshOp) { return unary(buildAcosh); })
      .Case([&](chlo::AsinOp) { return unary(buildAsin); })
      .Case([&](chlo::AsinhOp) { return unary(buildAsinh); })
      .Case([&](chlo::AtanOp) { return unary(buildAtan); })
      .Case([&](chlo::AtanhOp) { return unary(buildAtanh); })
      .Case([&](chlo::AsinAcosKernelOp) { return buildAsinAcosKernel(b, x); })
      .Case([&](chlo::BesselI1eOp) { return unary(buildBesselI1e); })
      .Case([&](chlo::CoshOp) { return unary(buildCosh); })
      .Case([&](chlo::DigammaOp) { return unary(buildDigamma); })
      .Case([&](chlo::ErfOp) { return unary(buildErf); })
      .Case([&](chlo::ErfInvOp) { return unary(buildErfInv); })
      .Case([&](chlo::ErfcOp) { return unary(buildErfc); })
      .Case([&](chlo::LgammaOp) { return unary(buildLgamma); })
      .Case([&](chlo::SinhOp) { return unary(buildSinh); })
      .Case([&](chlo::TanOp) { return b.tan(x); })
      .Case([&](chlo::SquareOp) { return buildSquare(b, x); })
      .Case([&](chlo::ConjOp) {
        return isa<ComplexType>(getElementTypeOrSelf(x.getType()))
                   ? b.complex(b.real(x), b.neg(b.imag(x)))
                   : x;
      })
      .Case([&](chlo::IsInfOp) { return b.eq(b.abs(x), b.infinity(x)); })
      .Case([&](chlo::IsPosInfOp) { return b.eq(x, b.infinity(x)); })
      .Case([&](chlo::IsNegInfOp) { return b.eq(x, b.infinity(x, true)); })
      .Case([&](chlo::MulhiOp mul) {
        return buildMulhi(b, mul.getLhs(), mul.getRhs());
      })
      .Case([&](chlo::NextAfterOp next) {
        return buildNextAfter(b, next.getX(), next.getY());
      })
      .Case([&](chlo::PolygammaOp) { return binary(buildPolygamma); })
      .Case([&](chlo::ZetaOp) { return binary(buildZeta); })
      .Default([](Operation *) { return Value(); });
}

static LogicalResult decompose(Operation *op) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  for (Type type :
       llvm::concat<const Type>(SmallVector<Type>(op->getOperandTypes()),
                                SmallVector<Type>(op->getResultTypes()))) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || !tensor.hasStaticShape())
      return op->emitError("needs static shapes");
  }

  ElementwiseBuilder b(builder, loc);
  SmallVector<Value> results;
  if (Value result = decomposeElementwise(op, b)) {
    results.push_back(result);
  } else if (auto constant = dyn_cast<chlo::ConstantOp>(op)) {
    results.push_back(
        stablehlo::ConstantOp::create(builder, loc, constant.getValue()));
  } else if (auto like = dyn_cast<chlo::ConstantLikeOp>(op)) {
    auto type = cast<RankedTensorType>(like.getType());
    Attribute value = like.getValue();
    DenseElementsAttr attr = DenseElementsAttr::get(type, ArrayRef(value));
    results.push_back(stablehlo::ConstantOp::create(builder, loc, attr));
  } else if (failed(decomposeBroadcasting(op, builder, results)) ||
             (results.empty() &&
              failed(decomposeComposite(op, builder, results)))) {
    return failure();
  }
  if (results.empty())
    return op->emitError("has no decomposition");
  op->replaceAllUsesWith(results);
  op->erase();
  return success();
}

namespace {
struct DecomposeChloPass
    : shoal::impl::DecomposeChloPassBase<DecomposeChloPass> {
  void runOnOperation() override {
    // Some decompositions are written in chlo themselves.
    for (bool again = true; again;) {
      again = false;
      SmallVector<Operation *> ops;
      getOperation().walk([&](Operation *op) {
        if (isa_and_nonnull<chlo::ChloDialect>(op->getDialect()))
          ops.push_back(op);
      });
      for (Operation *op : ops) {
        again = true;
        if (failed(decompose(op)))
          return signalPassFailure();
      }
    }
  }
};
} // namespace
