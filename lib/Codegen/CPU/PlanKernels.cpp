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
    for (unsigned i = 0; i < kernel.getArgumentTypes().size(); ++i)
      source.scalarInputs.push_back(kernel.isScalarArg(i));
    if (auto pairs = kernel.getMayOverwrite())
      for (size_t i = 0; i + 1 < pairs->size(); i += 2)
        source.mayOverwrite.push_back({(*pairs)[i], (*pairs)[i + 1]});
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
