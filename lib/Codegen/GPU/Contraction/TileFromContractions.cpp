// tile-from-contractions: what the strategy makes of functions, for tests.

#include "shoal/Codegen/Contraction/Passes.h"
#include "shoal/Codegen/GPU/Contraction.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace shoal {
#define GEN_PASS_DEF_TILEFROMCONTRACTIONS
#include "shoal/Codegen/Contraction/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

namespace {
struct TileFromContractionsPass
    : shoal::impl::TileFromContractionsBase<TileFromContractionsPass> {
  using TileFromContractionsBase::TileFromContractionsBase;

  void runOnOperation() override {
    TileTarget target;
    if (StringRef(chip)
            .drop_front(3)
            .take_while(llvm::isDigit)
            .getAsInteger(10, target.sm)) {
      getOperation().emitError() << "no such chip: " << chip;
      return signalPassFailure();
    }
    target.maxSharedBytes = (target.sm >= 90 ? 227 : 163) * 1024;
    auto functions = llvm::to_vector(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp function : functions) {
      TileSource source;
      source.symbol = function.getSymName().str();
      source.body = &function.getBody();
      if (!makeContractionFuncs(source, target, getOperation()).empty())
        function.erase();
    }
  }
};
} // namespace
