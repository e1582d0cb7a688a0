// CHLO: elementwise functions, and the few ops that are kept as they are until
// kernels are built. Broadcasting forms are decomposed at import.
#include "Models.h"

#include "dialects/CHLO/CHLO.h"

using namespace mlir;
using namespace mlir::chlo;

namespace shoal::rules {
namespace {

/// The k largest along the last dimension need all of it, unless k is all.
ShardingRule topKRule(TopKOp op) {
  ArrayRef<int64_t> in = shapeOf(op.getOperand()), out = shapeOf(op.getValues());
  RuleBuilder builder(op);
  for (auto [d, size] : llvm::enumerate(in)) {
    if (d + 1 < in.size()) {
      builder.addEverywhere(d, size);
      continue;
    }
    int64_t factor = builder.createFactor(size, FactorKind::Ordered);
    builder.mapOperand(0, d, factor);
    if (size == out[d])
      builder.mapResult(0, d, factor).mapResult(1, d, factor);
  }
  return builder.build();
}

/// Sharing is safe along plain batch dimensions only where the ragged one is
/// not among them; ragged dots are decomposed or looked at whole.
ShardingRule raggedDotRule(RaggedDotOp op) { return unrelated(op); }

/// Slices of inputs and outputs, and carries, share nothing that the body does
/// not say; along the scanned dimension elements come in order.
ShardingRule scanRule(ScanOp op) { return unrelated(op); }

ShardingRule linearUnary(Operation *op) {
  ShardingRule rule = pointwise(op);
  rule.partial.push_back(PartialPass{kAdd, {0}});
  return rule;
}

/// One operand of every element; others are broadcast to it.
ShardingRule broadcasting(Operation *op) {
  // Only the trailing-aligned, equal-size case shares dimensions.
  ArrayRef<int64_t> out = shapeOf(op->getResult(0));
  RuleBuilder builder(op);
  for (auto [d, size] : llvm::enumerate(out)) {
    int64_t factor = builder.createFactor(size);
    builder.mapResult(0, d, factor);
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      int64_t inDim = int64_t(d) - (int64_t(out.size()) - rankOf(operand));
      if (inDim >= 0 && shapeOf(operand)[inDim] == size &&
          !op->hasAttr("broadcast_dimensions"))
        builder.mapOperand(i, inDim, factor);
    }
  }
  return builder.build();
}

} // namespace

void attachChlo(MLIRContext *context) {
  attachAll<pointwise, AcosOp, AcoshOp, AsinOp, AsinhOp, AtanOp, AtanhOp,
            AsinAcosKernelOp, BesselI1eOp, CoshOp, DigammaOp, ErfOp, ErfInvOp,
            ErfcOp, LgammaOp, SinhOp, SquareOp, TanOp, IsInfOp, IsNegInfOp,
            IsPosInfOp, MulhiOp, NextAfterOp, PolygammaOp, ZetaOp>(context);
  attachAll<linearUnary, ConjOp>(context);
  attachAll<broadcasting, BroadcastAddOp, BroadcastAndOp, BroadcastAtan2Op,
            BroadcastComplexOp, BroadcastDivOp, BroadcastMaxOp, BroadcastMinOp,
            BroadcastMulOp, BroadcastNextAfterOp, BroadcastOrOp,
            BroadcastPolygammaOp, BroadcastPowOp, BroadcastRemOp,
            BroadcastShiftLeftOp, BroadcastShiftRightArithmeticOp,
            BroadcastShiftRightLogicalOp, BroadcastSubOp, BroadcastXorOp,
            BroadcastZetaOp, BroadcastCompareOp, BroadcastSelectOp>(context);
  attachAll<unrelated, chlo::ConstantOp, ConstantLikeOp,
            chlo::DynamicReshapeOp>(context);
  attach<TopKOp, topKRule>(context);
  attach<RaggedDotOp, raggedDotRule>(context);
  attach<ScanOp, scanRule>(context);
}

} // namespace shoal::rules
