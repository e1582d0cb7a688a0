// Which values hold no infinity. A product is linear in each factor only as
// long as the other one is finite: of 1 + (-0.5), times infinity, parts give
// infinity - infinity, and 0 times infinity is NaN on the devices that hold
// none of a value.
#include "Models.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Matchers.h"

#include <complex>

using namespace mlir;
using namespace mlir::stablehlo;

static bool hasInfinity(FloatType type) {
  return llvm::APFloat::semanticsHasInf(type.getFloatSemantics());
}

bool shoal::rules::hasInfinity(Type type) {
  auto element = dyn_cast<FloatType>(getElementTypeOrSelf(type));
  return element && ::hasInfinity(element);
}

/// Whether every integer of the type is within the range of the float type.
static bool isWithinRange(IntegerType from, FloatType to) {
  return from.getWidth() == 1 ||
         llvm::APFloat::semanticsMaxExponent(to.getFloatSemantics()) >=
             int(from.getWidth());
}

static bool isNeverInfinite(Value value, int depth) {
  auto type = dyn_cast<FloatType>(getElementTypeOrSelf(value.getType()));
  if (isa<IntegerType>(getElementTypeOrSelf(value.getType())))
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || depth == 0)
    return false;
  auto operandsAre = [&](ValueRange operands) {
    return llvm::all_of(operands,
                        [&](Value v) { return isNeverInfinite(v, depth - 1); });
  };
  DenseElementsAttr complex;
  if (matchPattern(value, m_Constant(&complex)) &&
      isa<ComplexType>(complex.getElementType()))
    return llvm::none_of(complex.getValues<std::complex<APFloat>>(),
                         [](const std::complex<APFloat> &z) {
                           return z.real().isInfinity() ||
                                  z.imag().isInfinity();
                         });
  DenseFPElementsAttr elements;
  if (matchPattern(value, m_Constant(&elements)))
    return elements.isSplat()
               ? !elements.getSplatValue<APFloat>().isInfinity()
               : llvm::none_of(elements.getValues<APFloat>(),
                               [](const APFloat &x) { return x.isInfinity(); });
  // Types without infinities overflow to NaN: what is above the largest value
  // is so on one device as well.
  if (isa<LogisticOp, TanhOp, SineOp, CosineOp, SignOp>(op))
    return type != nullptr;
  if (isa<shoal::ReshardOp, shoal::ConstraintOp, BroadcastInDimOp, ReshapeOp,
          TransposeOp, SliceOp, ReverseOp, PadOp, ConcatenateOp, NegOp, AbsOp,
          MinOp, MaxOp, OptimizationBarrierOp>(op))
    return op->getNumResults() == 1 && operandsAre(op->getOperands());
  if (isa<SelectOp>(op))
    return operandsAre(op->getOperands().drop_front());
  if (isa<ClampOp>(op))
    return operandsAre({op->getOperand(0), op->getOperand(2)});
  if (isa<GatherOp, DynamicSliceOp>(op))
    return operandsAre(op->getOperand(0));
  if (auto convert = dyn_cast<ConvertOp>(op); convert && type) {
    Type from = getElementTypeOrSelf(convert.getOperand().getType());
    if (auto integer = dyn_cast<IntegerType>(from))
      return isWithinRange(integer, type);
    if (auto narrow = dyn_cast<FloatType>(from))
      return llvm::APFloat::semanticsMaxExponent(type.getFloatSemantics()) >=
                 llvm::APFloat::semanticsMaxExponent(
                     narrow.getFloatSemantics()) &&
             type.getFPMantissaWidth() >= narrow.getFPMantissaWidth() &&
             operandsAre(op->getOperands());
  }
  if (auto iota = dyn_cast<IotaOp>(op); iota && type)
    return cast<ShapedType>(iota.getType())
               .getDimSize(iota.getIotaDimension()) <=
           int64_t(1) << std::min(
               llvm::APFloat::semanticsMaxExponent(type.getFloatSemantics()),
               62);
  return false;
}

bool shoal::rules::isNeverInfinite(Value value) {
  return ::isNeverInfinite(value, /*depth=*/8);
}

bool shoal::rules::isNeverZeroNorInfinite(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<shoal::ReshardOp, shoal::ConstraintOp, BroadcastInDimOp,
             ReshapeOp>(op))
      break;
    value = op->getOperand(0);
  }
  DenseFPElementsAttr elements;
  return matchPattern(value, m_Constant(&elements)) &&
         llvm::none_of(elements.getValues<APFloat>(), [](const APFloat &x) {
           return x.isZero() || x.isInfinity();
         });
}
