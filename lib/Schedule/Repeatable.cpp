#include "Repeatable.h"

#include "dialects/Plan/Plan.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace shoal {

/// Random numbers are others each time.
static bool repeatsAlone(Operation *op) {
  return !isa<stablehlo::RngOp>(op) &&
         (op->hasTrait<OpTrait::IsTerminator>() || isMemoryEffectFree(op));
}

bool isRepeatable(Operation *op, bool regions) {
  if (op->hasTrait<OpTrait::IsTerminator>() ||
      (op->getNumRegions() && !regions))
    return false;
  bool pure = true;
  op->walk([&](Operation *inner) {
    pure &= repeatsAlone(inner);
    auto launch = dyn_cast<plan::LaunchOp>(inner);
    if (!launch || !pure)
      return;
    if (auto kernel = SymbolTable::lookupNearestSymbolFrom<plan::KernelOp>(
            inner, launch.getKernelAttr()))
      kernel.getBody().walk([&](Operation *op) { pure &= repeatsAlone(op); });
  });
  return pure;
}

void removeBarriers(Operation *root) {
  SmallVector<stablehlo::OptimizationBarrierOp> barriers;
  root->walk(
      [&](stablehlo::OptimizationBarrierOp op) { barriers.push_back(op); });
  for (stablehlo::OptimizationBarrierOp op : barriers) {
    op->replaceAllUsesWith(op->getOperands());
    op->erase();
  }
}

} // namespace shoal
