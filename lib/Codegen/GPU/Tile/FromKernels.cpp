// tile-from-kernels: the strategies, as a pass.

#include "shoal/Codegen/GPU/TileCompiler.h"
#include "shoal/Codegen/Tile/Passes.h"

#include "dialects/Plan/Plan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace shoal {
#define GEN_PASS_DEF_TILEFROMKERNELS
#include "shoal/Codegen/Tile/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

namespace {
struct TileFromKernelsPass
    : shoal::impl::TileFromKernelsBase<TileFromKernelsPass> {
  using TileFromKernelsBase::TileFromKernelsBase;

  void runOnOperation() override {
    // "sm_90a"
    if (StringRef(chip).drop_front(3).take_while(llvm::isDigit).getAsInteger(
            10, target.sm)) {
      getOperation().emitError() << "no such chip: " << chip;
      return signalPassFailure();
    }
    SmallVector<plan::KernelOp> kernels(
        getOperation().getOps<plan::KernelOp>());
    for (plan::KernelOp kernel : kernels) {
      TileSource source;
      source.symbol = ("shoal_" + kernel.getSymName()).str();
      source.body = &kernel.getBody();
      source.scalarInputs = kernel.getScalarArgs();
      source.mayOverwrite = kernel.getOverwritePairs();
      make(source);
    }
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp function : functions) {
      TileSource source;
      source.symbol = function.getSymName().str();
      source.body = &function.getBody();
      make(source);
      function.setSymName(source.symbol + "_source");
    }
  }

  void make(const TileSource &source) {
    SmallVector<tile::FuncOp> made =
        makeTileFuncs(source, target, getOperation());
    if (made.empty())
      source.body->getParentOp()->emitRemark()
          << "no tile strategy takes this kernel";
    for (tile::FuncOp func : made)
      if (failed(assignTileLayouts(func)))
        return signalPassFailure();
  }

  TileTarget target;
};
} // namespace
