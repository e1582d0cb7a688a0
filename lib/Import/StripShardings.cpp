// Makes a program for one device out of a sharded one.
#include "shoal/Import/Passes.h"

#include "ManualUnroller.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace shoal {
#define GEN_PASS_DEF_STRIPSHARDINGSPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

namespace {
struct StripShardingsPass
    : shoal::impl::StripShardingsPassBase<StripShardingsPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<ManualOp> regions;
    module.walk<WalkOrder::PreOrder>([&](ManualOp op) {
      regions.push_back(op);
      return WalkResult::skip(); // Nested ones come with it.
    });
    for (ManualOp op : regions)
      if (failed(ManualUnroller::run(op)))
        return signalPassFailure();

    module.walk([&](Operation *op) {
      op->removeAttr(ShoalDialect::kShardingsAttr);
      op->removeAttr(ShoalDialect::kFormAttr);
      if (auto func = dyn_cast<func::FuncOp>(op)) {
        auto name = StringAttr::get(&getContext(), ShoalDialect::kShardingAttr);
        for (unsigned i = 0; i < func.getNumArguments(); ++i)
          func.removeArgAttr(i, name);
        for (unsigned i = 0; i < func.getNumResults(); ++i)
          func.removeResultAttr(i, name);
      } else if (isa<ConstraintOp, BarrierOp, ReshardOp>(op)) {
        op->replaceAllUsesWith(op->getOperands());
        op->erase();
      } else if (isa<GroupOp, MeshOp, RuleOp>(op)) {
        op->erase();
      } else if (isa<stablehlo::PartitionIdOp, stablehlo::ReplicaIdOp>(op)) {
        OpBuilder builder(op);
        auto type = cast<RankedTensorType>(op->getResult(0).getType());
        op->replaceAllUsesWith(stablehlo::ConstantOp::create(
            builder, op->getLoc(),
            DenseElementsAttr::get(
                type, builder.getZeroAttr(type.getElementType()))));
        op->erase();
      }
    });
    // One device.
    for (StringRef name : {"mhlo.num_partitions", "mhlo.num_replicas"})
      if (module->hasAttr(name))
        module->setAttr(
            name, IntegerAttr::get(IntegerType::get(&getContext(), 32), 1));
  }
};
} // namespace
