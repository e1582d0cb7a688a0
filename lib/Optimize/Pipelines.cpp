#include "shoal/Optimize/Pipelines.h"

#include "shoal/Collectives/Passes.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

#include <cstdlib>

using namespace mlir;

void shoal::buildOptimizePipeline(OpPassManager &pm,
                                  const OptimizeOptions &options) {
  pm.addPass(createCSEPass());
  MoveOutOfLoopsOptions loops;
  loops.hardware = options.hardware;
  loops.memoryLimit = options.memoryLimit;
  loops.remarks = options.remarks;
  pm.addPass(createMoveOutOfLoops(loops));
  SimplifyCollectivesOptions simplify;
  simplify.hardware = options.hardware;
  simplify.remarks = options.remarks;
  pm.addPass(createSimplifyCollectives(simplify));
  // For tests: the numbers must be the same in parts.
  const char *forced = std::getenv("SHOAL_TEST_SPLIT_BATCH");
  if (options.splitBatch > 1 || forced) {
    SplitBatchOptions batch;
    batch.hardware = options.hardware;
    batch.parts = forced ? std::atoll(forced) : options.splitBatch;
    batch.always = forced != nullptr;
    batch.remarks = options.remarks;
    pm.addPass(createSplitBatch(batch));
  }
  if (!options.chunkProducts.empty()) {
    ChunkProductsOptions chunks;
    chunks.hardware = options.hardware;
    chunks.axes = options.chunkProducts;
    chunks.remarks = options.remarks;
    pm.addPass(createChunkProducts(chunks));
  }
  if (options.splitLevels) {
    SplitLevelsOptions levels;
    levels.hardware = options.hardware;
    levels.remarks = options.remarks;
    pm.addPass(createSplitLevels(levels));
  }
  pm.addPass(createCSEPass());
}

void shoal::registerShoalOptimizePipelines() {
  PassPipelineRegistration<OptimizeOptions>("shoal-optimize-pipeline",
                                            "partitioned to optimized",
                                            buildOptimizePipeline);
}
