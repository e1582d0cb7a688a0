#include "shoal/Fuse/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;

namespace {
struct FuseOptionsOfPipeline : PassPipelineOptions<FuseOptionsOfPipeline> {
  Option<std::string> target{*this, "target",
                             llvm::cl::desc("What code is made for: cpu, cuda"),
                             llvm::cl::init("cpu")};
};
} // namespace

void shoal::registerShoalFusePipelines() {
  PassPipelineRegistration<FuseOptionsOfPipeline>(
      "shoal-fuse-pipeline", "optimized to fused",
      [](OpPassManager &pm, const FuseOptionsOfPipeline &given) {
        if (given.target == "cuda") {
          pm.addPass(createFuseAttentionGradient());
          pm.addPass(createFuseAttention());
        }
        FuseOptions options;
        options.library = given.target != "cuda";
        pm.addPass(createFuse(options));
      });
}
