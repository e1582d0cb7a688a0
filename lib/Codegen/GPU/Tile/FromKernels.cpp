// tile-from-kernels: the strategies, as a pass.

#include "shoal/Codegen/GPU/TileCompiler.h"
#include "shoal/Codegen/Tile/Passes.h"

#include "dialects/Plan/Plan.h"

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
    TileTarget target;
    target.sm = sm;
    SmallVector<plan::KernelOp> kernels(
        getOperation().getOps<plan::KernelOp>());
    for (plan::KernelOp kernel : kernels) {
      TileSource source;
      source.symbol = ("shoal_" + kernel.getSymName()).str();
      source.body = &kernel.getBody();
      for (unsigned i = 0; i < kernel.getArgumentTypes().size(); ++i)
        source.scalarInputs.push_back(kernel.isScalarArg(i));
      if (auto pairs = kernel.getMayOverwrite())
        for (size_t i = 0; i + 1 < pairs->size(); i += 2)
          source.mayOverwrite.push_back({(*pairs)[i], (*pairs)[i + 1]});
      if (makeTileFuncs(source, target, getOperation()).empty())
        kernel.emitRemark() << "no tile strategy takes this kernel";
    }
  }
};
} // namespace
