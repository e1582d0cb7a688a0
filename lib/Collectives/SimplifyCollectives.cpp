// shoal-simplify-collectives: see Passes.td.
#include "CollectivePatterns.h"
#include "shoal/Collectives/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_SIMPLIFYCOLLECTIVES
#include "shoal/Collectives/Passes.h.inc"

namespace {

struct SimplifyCollectives
    : impl::SimplifyCollectivesBase<SimplifyCollectives> {
  using SimplifyCollectivesBase::SimplifyCollectivesBase;

  void runOnOperation() override {
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    Prices prices(*machine);
    PatternContext context{prices, remarks};
    RewritePatternSet patterns(&getContext());
    addNeighbourPatterns(patterns, context);
    addLocalOpPatterns(patterns, context);
    FrozenRewritePatternSet frozen(std::move(patterns));
    GreedyRewriteConfig config;
    // Nothing else changes: constants and blocks stay as other phases know
    // them.
    config.enableFolding(false).enableConstantCSE(false);
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (failed(applyPatternsGreedily(func, frozen, config)))
        func.emitWarning("collectives could be simplified for ever");
  }
};

} // namespace
} // namespace shoal
