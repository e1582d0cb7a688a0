#include "CheapValues.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace shoal::propagate {

static bool isCheapOp(Operation *op) {
  if (op->getNumRegions() != 0 || op->getNumResults() != 1)
    return false;
  if (isa<stablehlo::ConstantOp, stablehlo::IotaOp>(op))
    return true;
  if (auto broadcast = dyn_cast<stablehlo::BroadcastInDimOp>(op))
    return cast<ShapedType>(broadcast.getOperand().getType()).getRank() == 0;
  return false;
}

/// Copying a chain of ops over constants pays while the chain is short.
static bool isCheapToCopy(Value value, int depth) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (isCheapOp(op))
    return true;
  if (depth == 0 || op->getNumRegions() != 0 || op->getNumResults() != 1 ||
      !isMemoryEffectFree(op) || op->getNumOperands() == 0 ||
      isa<ConstraintOp, ReshardOp, BarrierOp, stablehlo::CustomCallOp,
          stablehlo::DotGeneralOp, stablehlo::ConvolutionOp>(op) ||
      getResultSharding(op, 0))
    return false;
  return llvm::all_of(op->getOperands(),
                      [&](Value v) { return isCheapToCopy(v, depth - 1); });
}

bool isCheapToCopy(Value value) { return isCheapToCopy(value, 4); }

} // namespace shoal::propagate
