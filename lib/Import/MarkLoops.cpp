// Marks counted loops.
#include "shoal/Analysis/HostScalars.h"
#include "shoal/Import/Passes.h"

#include "dialects/StableHLO/StableHLO.h"

namespace shoal {
#define GEN_PASS_DEF_MARKLOOPSPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

namespace {
struct MarkLoopsPass : shoal::impl::MarkLoopsPassBase<MarkLoopsPass> {
  void runOnOperation() override {
    getOperation().walk([&](stablehlo::WhileOp loop) {
      std::optional<CountedLoop> counted = matchCountedLoop(loop);
      if (!counted)
        return;
      Builder builder(&getContext());
      SmallVector<NamedAttribute> fields;
      auto set = [&](StringRef name, std::optional<int64_t> value) {
        if (value)
          fields.push_back(
              builder.getNamedAttr(name, builder.getI64IntegerAttr(*value)));
      };
      set("index", counted->ivIndex);
      set("step", counted->step);
      set("start", getConstantInt(counted->begin));
      set("bound", getConstantInt(counted->end));
      set("trip_count", counted->tripCount);
      loop->setAttr("shoal.counted_loop", builder.getDictionaryAttr(fields));
    });
  }
};
} // namespace
