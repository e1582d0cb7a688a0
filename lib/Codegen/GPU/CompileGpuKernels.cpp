// shoal-compile-gpu-kernels: see Passes.td.
#include "shoal/Codegen/GPU/KernelCompiler.h"
#include "shoal/Codegen/GPU/Passes.h"

#include "dialects/Plan/Plan.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_COMPILEGPUKERNELS
#include "shoal/Codegen/GPU/Passes.h.inc"

namespace {
struct CompileGpuKernels
    : impl::CompileGpuKernelsBase<CompileGpuKernels> {
  using CompileGpuKernelsBase::CompileGpuKernelsBase;

  void runOnOperation() override {
    gpu::CompileOptions options;
    options.chip = chip;
    options.strategy = strategy;
    options.fatalSpills = fatalSpills;
    options.allowTf32 = allowTf32;
    options.dumpFolder = dump;
    options.print = assembly;
    if (failed(gpu::compileKernels(getOperation(), options)))
      signalPassFailure();
  }
};
} // namespace
} // namespace shoal
