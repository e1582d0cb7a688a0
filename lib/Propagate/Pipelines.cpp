#include "shoal/Propagate/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;

void shoal::buildShardPipeline(OpPassManager &pm) {
  pm.addPass(createPropagate());
  pm.addPass(createChoose());
  pm.addPass(createInsertReshards());
  pm.addPass(createVerifySharded());
}

void shoal::registerShoalPropagatePipelines() {
  PassPipelineRegistration<>(
      "shoal-shard-pipeline",
      "imported to sharded: propagate, choose forms, insert reshards",
      buildShardPipeline);
}
