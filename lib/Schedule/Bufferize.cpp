// shoal-bufferize: see Passes.td. The plan is made in BufferPlan*.cpp, the program
// written in Program*.cpp.
#include "ProgramBuilder.h"
#include "shoal/Schedule/Passes.h"

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_BUFFERIZE
#include "shoal/Schedule/Passes.h.inc"

namespace {
struct Bufferize : impl::BufferizeBase<Bufferize> {
  using BufferizeBase::BufferizeBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto func = module.lookupSymbol<func::FuncOp>(entry);
    if (!func) {
      module.emitError("has no function '") << entry << "' to run";
      return signalPassFailure();
    }
    if (!func.getBody().hasOneBlock()) {
      func.emitError("must have one block to be scheduled");
      return signalPassFailure();
    }
    forwardInvariants(func);
    HostScalars scalars(func);
    BufferPlan plan(func, scalars);
    if (failed(plan.build()))
      return signalPassFailure();
    ProgramBuilder builder(func, scalars, plan);
    if (!builder.build())
      return signalPassFailure();
    func.erase();
  }
};
} // namespace
} // namespace shoal
