// shoal-bufferize: see Passes.td. The plan is made in BufferPlan*.cpp, the
// program written in Program*.cpp.
#include "BlockGraph.h"
#include "ProgramBuilder.h"
#include "shoal/Schedule/Passes.h"

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_BUFFERIZE
#include "shoal/Schedule/Passes.h.inc"

namespace {
/// Values that cost nothing to compute (zeros to accumulate into) and start
/// several loops are computed once for each, instead of copied.
void cloneSharedInits(func::FuncOp func) {
  func.walk([](stablehlo::WhileOp loop) {
    for (OpOperand &init : loop->getOpOperands()) {
      auto launch = init.get().getDefiningOp<plan::LaunchOp>();
      if (!launch || !launch.getInputs().empty() || init.get().hasOneUse() ||
          BufferPlan::isInvariant(loop, init.getOperandNumber()))
        continue;
      unsigned result = cast<OpResult>(init.get()).getResultNumber();
      OpBuilder b(loop);
      init.set(b.clone(*launch)->getResult(result));
    }
  });
}

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
    // The order is settled.
    func.walk([](Operation *op) {
      op->removeAttr(kMarkAttr);
      op->removeAttr(kAfterAttr);
    });
    forwardInvariants(func);
    cloneSharedInits(func);
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
