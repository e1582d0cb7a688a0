// Gives every operation a location.
#include "shoal/Import/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace shoal {
#define GEN_PASS_DEF_TAGORIGINSPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;

namespace {
struct TagOriginsPass : shoal::impl::TagOriginsPassBase<TagOriginsPass> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      unsigned number = 0;
      func.walk<WalkOrder::PreOrder>([&](Operation *op) {
        unsigned mine = number++;
        if (isa<UnknownLoc>(op->getLoc()))
          op->setLoc(NameLoc::get(StringAttr::get(
              &getContext(), func.getSymName() + ":" + Twine(mine) + " " +
                                 op->getName().getStringRef())));
      });
    }
  }
};
} // namespace
