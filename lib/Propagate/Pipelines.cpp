#include "shoal/Propagate/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;

void shoal::buildShardPipeline(OpPassManager &pm, int64_t memoryLimit) {
  pm.addPass(createPropagate());
  pm.addPass(createRecognizeTopK());
  pm.addPass(createRecognizeBatchedIndices());
  pm.addPass(createWidenSumsPass());
  ChooseOptions choose;
  choose.memoryLimit = memoryLimit;
  pm.addPass(createChoose(choose));
  pm.addPass(createInsertReshards());
  pm.addPass(createVerifySharded());
}

namespace {
struct ShardPipelineOptions : PassPipelineOptions<ShardPipelineOptions> {
  Option<int64_t> memoryLimit{
      *this, "memory-limit",
      llvm::cl::desc("Bytes a device should hold at most; 0: no limit"),
      llvm::cl::init(0)};
};
} // namespace

void shoal::registerShoalPropagatePipelines() {
  PassPipelineRegistration<ShardPipelineOptions>(
      "shoal-shard-pipeline",
      "imported to sharded: propagate, choose forms, insert reshards",
      [](OpPassManager &pm, const ShardPipelineOptions &options) {
        buildShardPipeline(pm, options.memoryLimit);
      });
}
