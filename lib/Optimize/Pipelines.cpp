#include "shoal/Optimize/Pipelines.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void shoal::buildOptimizePipeline(OpPassManager &pm) {
  pm.addPass(createCSEPass());
}

void shoal::registerShoalOptimizePipelines() {
  PassPipelineRegistration<>("shoal-optimize-pipeline",
                             "partitioned to optimized", buildOptimizePipeline);
}
