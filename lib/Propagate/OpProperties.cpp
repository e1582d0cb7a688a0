#include "OpProperties.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace mlir::stablehlo;

namespace shoal::propagate {

static bool isElementwiseStablehlo(Operation *op) {
  return isa<AbsOp, AddOp, AndOp, Atan2Op, CbrtOp, CeilOp, ClampOp, ClzOp,
             CompareOp, ComplexOp, ConvertOp, CosineOp, DivOp, ExpOp, Expm1Op,
             FloorOp, ImagOp, IsFiniteOp, Log1pOp, LogOp, LogisticOp, MaxOp,
             MinOp, MulOp, NegOp, NotOp, OrOp, PopulationCountOp, PowOp, RealOp,
             ReducePrecisionOp, RemOp, RoundNearestEvenOp, RoundOp, RsqrtOp,
             SelectOp, ShiftLeftOp, ShiftRightArithmeticOp,
             ShiftRightLogicalOp, SignOp, SineOp, SqrtOp, SubtractOp, TanOp,
             TanhOp, UniformDequantizeOp, UniformQuantizeOp, XorOp>(op);
}

static bool isElementwiseChlo(Operation *op) {
  using namespace mlir::chlo;
  return isa<AcosOp, AcoshOp, AsinOp, AsinhOp, AtanOp, AtanhOp,
             AsinAcosKernelOp, BesselI1eOp, ConjOp, CoshOp, DigammaOp, ErfOp,
             ErfInvOp, ErfcOp, LgammaOp, SinhOp, SquareOp, chlo::TanOp, IsInfOp,
             IsNegInfOp, IsPosInfOp, MulhiOp, NextAfterOp, PolygammaOp, ZetaOp>(
      op);
}

bool isElementwise(Operation *op) {
  if (auto bitcast = dyn_cast<BitcastConvertOp>(op))
    return cast<ShapedType>(bitcast.getOperand().getType()).getShape() ==
           cast<ShapedType>(bitcast.getResult().getType()).getShape();
  return isElementwiseStablehlo(op) || isElementwiseChlo(op) ||
         isa<ConstraintOp, ReshardOp, BarrierOp>(op);
}

bool isConstantLike(Operation *op) {
  return isa<stablehlo::ConstantOp, chlo::ConstantOp, IotaOp>(op);
}

bool preservesConstants(Operation *op) {
  // A copy of a constraint or barrier would be one too many.
  return op->getNumOperands() > 0 && op->getNumRegions() == 0 &&
         !isa<ConstraintOp, ReshardOp, BarrierOp>(op) &&
         (isElementwise(op) || isa<BroadcastInDimOp, ReshapeOp, SliceOp>(op));
}

bool isScalarBroadcast(Operation *op) {
  auto broadcast = dyn_cast<BroadcastInDimOp>(op);
  return broadcast &&
         cast<ShapedType>(broadcast.getOperand().getType()).getRank() == 0;
}

RegionFlow getRegionFlow(Operation *op) {
  if (isa<WhileOp>(op))
    return RegionFlow::While;
  if (isa<CaseOp, IfOp>(op))
    return RegionFlow::Branch;
  if (isa<OptimizationBarrierOp>(op))
    return RegionFlow::Barrier;
  if (isa<ManualOp>(op))
    return RegionFlow::Manual;
  return RegionFlow::None;
}

} // namespace shoal::propagate
