#include "shoal/Optimize/Pipelines.h"

#include "shoal/Collectives/Passes.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

#include <cstdlib>

using namespace mlir;
using namespace shoal;

static void addSplits(OpPassManager &pm, const OptimizeOptions &options,
                      int64_t parts, bool exchanges, const char *variable) {
  // For tests: the numbers must be the same in parts.
  const char *forced = std::getenv(variable);
  if (parts < 2 && !forced)
    return;
  SplitBatchOptions split;
  split.hardware = options.hardware;
  split.parts = forced ? std::atoll(forced) : parts;
  split.always = forced != nullptr;
  split.exchanges = exchanges;
  split.remarks = options.remarks;
  pm.addPass(createSplitBatch(split));
}

void shoal::buildOptimizePipeline(OpPassManager &pm,
                                  const OptimizeOptions &options) {
  pm.addPass(createCSEPass());
  pm.addPass(createRecognizeSlices());
  MoveOutOfLoopsOptions loops;
  loops.hardware = options.hardware;
  loops.memoryLimit = options.memoryLimit;
  loops.remarks = options.remarks;
  pm.addPass(createMoveOutOfLoops(loops));
  MoveReductionsOptions reductions;
  reductions.hardware = options.hardware;
  reductions.remarks = options.remarks;
  pm.addPass(createMoveReductions(reductions));
  SimplifyCollectivesOptions simplify;
  simplify.hardware = options.hardware;
  simplify.remarks = options.remarks;
  pm.addPass(createSimplifyCollectives(simplify));
  if (!options.compress.empty()) {
    CompressGradientsOptions compress;
    compress.how = options.compress;
    compress.remarks = options.remarks;
    pm.addPass(createCompressGradients(compress));
  }
  // For tests: the numbers must be the same with all that can be on shards.
  bool forced = std::getenv("SHOAL_TEST_SPLIT_ALL_REDUCES") != nullptr;
  if (!options.splitAllReduces.empty() || forced) {
    SplitAllReducesOptions halves;
    halves.groups = forced ? "*" : options.splitAllReduces.getValue();
    halves.hardware = options.hardware;
    halves.always = forced;
    halves.remarks = options.remarks;
    pm.addPass(createSplitAllReduces(halves));
    pm.addPass(createCSEPass());
    pm.addPass(createSimplifyCollectives(simplify));
  }
  addSplits(pm, options, options.splitBatch, /*exchanges=*/false,
            "SHOAL_TEST_SPLIT_BATCH");
  addSplits(pm, options, options.splitExchanges, /*exchanges=*/true,
            "SHOAL_TEST_SPLIT_EXCHANGES");
  if (!options.quantize.empty()) {
    QuantizeCollectivesOptions quantize;
    quantize.hardware = options.hardware;
    quantize.axes = options.quantize;
    quantize.remarks = options.remarks;
    pm.addPass(createQuantizeCollectives(quantize));
  }
  const char *chunked = std::getenv("SHOAL_TEST_CHUNK_PRODUCTS");
  if (!options.chunkProducts.empty() || chunked) {
    ChunkProductsOptions chunks;
    chunks.hardware = options.hardware;
    chunks.axes = chunked ? chunked : options.chunkProducts.getValue();
    chunks.always = chunked != nullptr;
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
