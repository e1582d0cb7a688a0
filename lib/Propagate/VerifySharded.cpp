// shoal-verify-sharded: the invariants of the phase `sharded`.

#include "shoal/Analysis/ShardedView.h"
#include "shoal/Propagate/Passes.h"

#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace shoal {
#define GEN_PASS_DEF_VERIFYSHARDED
#include "shoal/Propagate/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

namespace {
struct VerifyShardedPass
    : public shoal::impl::VerifyShardedBase<VerifyShardedPass> {
  bool ok = true;

  void runOnOperation() override {
    ok = true;
    std::unique_ptr<MeshModel> mesh = MeshModel::create(getOperation());
    if (!mesh)
      return signalPassFailure();
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isDeclaration())
        check(func, *mesh);
    if (!ok)
      signalPassFailure();
  }

  void check(func::FuncOp func, MeshModel &mesh) {
    ShardedView view(mesh);
    for (BlockArgument arg : func.getArguments())
      if (view.stateOf(arg).partial) {
        func.emitError("argument ")
            << arg.getArgNumber() << " is partial on entry";
        ok = false;
      }
    func.walk<WalkOrder::PreOrder>([&](Operation *op) {
      // Scalar bodies of reductions and the like have no places.
      if (op != func && !isa<func::FuncOp, stablehlo::WhileOp, stablehlo::IfOp,
                             stablehlo::CaseOp, ManualOp>(op->getParentOp()))
        return;
      if (op != func)
        check(op, view, mesh);
    });
  }

  void check(Operation *op, const ShardedView &view, MeshModel &mesh) {
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<RankedTensorType>(operand.get().getType()))
        continue;
      std::optional<PlacementState> want = view.required(operand);
      PlacementState have = view.stateOf(operand.get());
      if (!want || have == *want)
        continue;
      ArrayRef<int64_t> shape = shapeOf(operand.get().getType());
      op->emitError("operand ")
          << operand.getOperandNumber() << " is sharded "
          << mesh.toSharding(have, shape) << " where the op's form needs "
          << mesh.toSharding(*want, shape)
          << "; shoal-insert-reshards makes up the difference";
      ok = false;
    }
  }
};
} // namespace
