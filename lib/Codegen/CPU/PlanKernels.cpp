// The module's plan.kernel ops as kernel sources, and their metadata back.

#include "shoal/Codegen/CPU/KernelCompiler.h"

#include "dialects/Plan/Plan.h"

using namespace mlir;
using namespace shoal;

FailureOr<CompiledKernels>
shoal::compileKernels(ModuleOp module, const KernelCompileOptions &options) {
  SmallVector<plan::KernelOp> kernels(module.getOps<plan::KernelOp>());
  std::vector<KernelSource> sources;
  for (plan::KernelOp kernel : kernels) {
    KernelSource &source = sources.emplace_back();
    source.symbol = ("shoal_" + kernel.getSymName()).str();
    source.body = &kernel.getBody();
    source.scalarInputs = kernel.getScalarArgs();
    source.mayOverwrite = kernel.getOverwritePairs();
  }
  FailureOr<CompiledKernels> compiled = compileKernels(sources, options);
  if (failed(compiled))
    return failure();
  for (auto [kernel, info] : llvm::zip_equal(kernels, compiled->kernels)) {
    kernel.setSymbol(info.symbol);
    kernel.setChunks(info.info.chunks);
    kernel.setScratchBytes(info.info.scratchBytes);
    kernel.setFlops(info.info.flops);
  }
  return compiled;
}
