// The phase `imported`.
#include "shoal/Import/Passes.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/Comm/Comm.h"
#include "dialects/SDY/SDY.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"
#include "dialects/VHLO/VHLO.h"

#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;
using namespace shoal;

void shoal::buildImportPipeline(OpPassManager &pm, StringRef entry,
                                bool singleDevice, StringRef argumentShapes) {
  pm.addPass(vhlo::createVhloLegalizeToStablehloPass());
  PruneToEntryPassOptions prune;
  prune.entry = entry.str();
  pm.addPass(createPruneToEntryPass(prune));
  pm.addPass(createTagOriginsPass());
  pm.addPass(createInlineCallsPass());
  pm.addPass(createFlattenTuplesPass());
  pm.addPass(createImportTokensPass());
  RefineShapesPassOptions refine;
  refine.argumentShapes = argumentShapes.str();
  pm.addPass(createRefineShapesPass(refine));
  pm.addPass(createExpandCustomCallsPass());
  pm.addPass(createImportLinalgPass());
  pm.addPass(createNormalizeReductionsPass());
  pm.addPass(createImportSdyPass());
  pm.addPass(createImportGspmdPass());
  pm.addPass(createUnifyMeshesPass());
  pm.addPass(createImportCollectivesPass());
  ExpandCompositesPassOptions composites;
  composites.all = singleDevice;
  pm.addPass(createExpandCompositesPass(composites));
  pm.addPass(createModernizeOpsPass());
  pm.addPass(createDecomposeChloPass());
  pm.addPass(createLowerQuantizedPass());
  pm.addPass(createNormalizeReductionsPass());
  pm.addPass(createDecomposeBatchNormPass());
  pm.addPass(createIsolateBodiesPass());
  if (singleDevice)
    pm.addPass(createStripShardingsPass());
  pm.addPass(createMarkLoopsPass());
  pm.addPass(createExternalizeConstantsPass());
  pm.addPass(createVerifyImportedPass());
}

namespace {
struct ImportPipelineOptions : PassPipelineOptions<ImportPipelineOptions> {
  Option<std::string> entry{*this, "entry",
                            llvm::cl::desc("Function to compile")};
  Option<bool> singleDevice{
      *this, "single-device",
      llvm::cl::desc("Ignore shardings; run manual regions once per shard")};
  Option<std::string> argumentShapes{
      *this, "argument-shapes",
      llvm::cl::desc("Shapes of dynamic arguments: arg0:4x8,arg1:16")};
};
} // namespace

void shoal::registerImportPasses() {
  registerShoalImportPasses();
  PassPipelineRegistration<ImportPipelineOptions>(
      "shoal-import-pipeline",
      "The phase `imported`: StableHLO with shoal annotations only",
      [](OpPassManager &pm, const ImportPipelineOptions &options) {
        buildImportPipeline(pm, options.entry, options.singleDevice,
                            options.argumentShapes);
      });
}
