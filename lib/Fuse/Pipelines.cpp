#include "shoal/Fuse/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;

void shoal::registerShoalFusePipelines() {
  PassPipelineRegistration<>("shoal-fuse-pipeline", "optimized to fused",
                             [](OpPassManager &pm) {
                               pm.addPass(createFuse());
                             });
}
