// shoal-verify-partitioned, and the pipeline of the phase.

#include "shoal/Partition/Passes.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/Sharding.h"
#include "dialects/Shoal/Shoal.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

namespace shoal {
#define GEN_PASS_DEF_VERIFYPARTITIONEDPASS
#include "shoal/Partition/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

namespace {
struct VerifyPartitionedPass
    : public shoal::impl::VerifyPartitionedPassBase<VerifyPartitionedPass> {
  void runOnOperation() override {
    bool ok = true;
    getOperation().walk([&](Operation *op) {
      if (auto func = dyn_cast<func::FuncOp>(op)) {
        ok &= checkFunction(func);
        return;
      }
      bool left =
          isa<ConstraintOp, ReshardOp, ManualOp, GroupOp, BarrierOp>(op);
      for (StringRef name :
           {ShoalDialect::kShardingsAttr, ShoalDialect::kFormAttr})
        left |= op->hasAttr(name);
      if (!left)
        return;
      op->emitError("still speaks of shardings after partitioning");
      ok = false;
    });
    if (!ok)
      signalPassFailure();
  }

  /// The blocks of arguments and results must cover the global shape.
  bool checkFunction(func::FuncOp func) {
    bool ok = true;
    auto check = [&](Type local, DictionaryAttr attrs, StringRef what,
                     unsigned i) {
      auto global =
          attrs ? attrs.getAs<TypeAttr>("shoal.global_type") : TypeAttr();
      if (!global)
        return;
      auto sharding = attrs.getAs<ShardingAttr>(ShoalDialect::kShardingAttr);
      MeshAttr mesh = sharding ? sharding.getMesh(func) : MeshAttr();
      Type expected = mesh ? getLocalType(global.getValue(), sharding, mesh)
                           : global.getValue();
      if (expected == local)
        return;
      func.emitError() << what << " " << i << " has the local type " << local
                       << " where its sharding makes it " << expected;
      ok = false;
    };
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      check(func.getArgumentTypes()[i], func.getArgAttrDict(i), "argument", i);
    for (unsigned i = 0; i < func.getNumResults(); ++i)
      check(func.getResultTypes()[i], func.getResultAttrDict(i), "result", i);
    return ok;
  }
};
} // namespace

void shoal::registerShoalPartitionPipelines() {
  PassPipelineRegistration<>(
      "shoal-partition-pipeline",
      "From `sharded` to `partitioned`: per-device shapes and collectives",
      [](OpPassManager &pm) {
        pm.addPass(createPartitionPass());
        // Equal masks, offsets and reshards of one value become one.
        pm.addPass(createCSEPass());
        pm.addPass(createKeepWithOwnerPass());
        pm.addPass(createVerifyPartitionedPass());
      });
}
