// Kernels to objects: modules of some kernels each, compiled in parallel.

#include "shoal/Codegen/CPU/KernelCompiler.h"

#include "KernelEmitter.h"
#include "Target.h"

#include "../KernelMath/KernelMath.h"

#include "mlir/IR/Threading.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/MathExtras.h"

#include <mutex>

using namespace mlir;
using namespace shoal;
using namespace shoal::cpu;

static llvm::Function *declareKernel(llvm::Module &module, StringRef name,
                                     const llvm::TargetMachine &machine) {
  llvm::LLVMContext &context = module.getContext();
  llvm::Type *pointer = llvm::PointerType::getUnqual(context);
  llvm::Type *i64 = llvm::Type::getInt64Ty(context);
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context),
                                       {pointer, i64, i64}, false);
  auto *function = llvm::Function::Create(
      type, llvm::GlobalValue::ExternalLinkage, name, module);
  function->setDoesNotThrow();
  function->addParamAttr(0, llvm::Attribute::NoAlias);
  function->addFnAttr("target-cpu", machine.getTargetCPU());
  function->addFnAttr("target-features", machine.getTargetFeatureString());
  // Kernels are loops over contiguous memory: full width pays.
  function->addFnAttr("prefer-vector-width", "512");
  function->addFnAttr("no-trapping-math", "true");
  return function;
}

static bool emitKernel(llvm::Module &module, const KernelSource &source,
                       const llvm::TargetMachine &machine, KernelInfo &info) {
  // The dry run is silent about errors: the real one meets them again.
  KernelFacts dry;
  {
    llvm::Module scratch("dry-run", module.getContext());
    llvm::Function *function = declareKernel(scratch, "dry_run", machine);
    KernelEmitter(function, source, dry, /*dryRun=*/true).run();
  }
  KernelFacts facts;
  facts.splits = std::move(dry.splits);
  llvm::Function *function = declareKernel(module, source.symbol, machine);
  if (!KernelEmitter(function, source, facts, /*dryRun=*/false).run())
    return false;
  info.symbol = source.symbol;
  info.info.chunks = facts.chunks;
  info.info.scratchBytes = facts.scratchBytes;
  info.info.flops = facts.flops;
  info.info.bytes = facts.bytes;
  return true;
}

FailureOr<CompiledKernels>
shoal::compileKernels(ArrayRef<KernelSource> sources,
                      const KernelCompileOptions &options) {
  CompiledKernels result;
  result.kernels.resize(sources.size());
  if (sources.empty())
    return result;
  // So many kernels a module: the fixed costs of LLVM's pipeline spread, and
  // still enough modules for all cores. From the sources only.
  constexpr size_t kernelsPerModule = 16;
  size_t modules = llvm::divideCeil(sources.size(), kernelsPerModule);
  result.objects.resize(modules);
  MLIRContext *context = sources[0].body->getContext();
  std::mutex printing;

  auto compileModule = [&](size_t number) -> LogicalResult {
    auto machine = makeTargetMachine(options);
    if (!machine)
      return emitError(sources[0].body->getLoc())
             << llvm::toString(machine.takeError());
    llvm::LLVMContext llvmContext;
    llvm::Module module("kernels", llvmContext);
    module.setTargetTriple((*machine)->getTargetTriple());
    module.setDataLayout((*machine)->createDataLayout());
    module.setPICLevel(llvm::PICLevel::BigPIC);
    size_t first = number * kernelsPerModule;
    size_t last = std::min(first + kernelsPerModule, sources.size());
    bool good = true;
    for (size_t i = first; i < last; ++i)
      good &= emitKernel(module, sources[i], **machine, result.kernels[i]);
    if (!good)
      return failure();
    auto dump = [&](StringRef title) {
      if (!options.dumpIR)
        return;
      std::lock_guard<std::mutex> lock(printing);
      *options.dumpIR << "; " << title << "\n";
      module.print(*options.dumpIR, nullptr);
    };
    dump("before optimisation");
    std::string problem;
    llvm::raw_string_ostream stream(problem);
    if (llvm::verifyModule(module, &stream))
      return emitError(sources[first].body->getLoc())
             << "internal error: malformed kernel code: " << problem;
    kernelmath::link(module);
    optimize(module, **machine, options.optLevel);
    dump("after optimisation");
    if (llvm::Error error =
            emitObject(module, **machine, result.objects[number]))
      return emitError(sources[first].body->getLoc())
             << llvm::toString(std::move(error));
    return success();
  };

  if (modules == 1 || options.threads == 1) {
    for (size_t i = 0; i < modules; ++i)
      if (failed(compileModule(i)))
        return failure();
    return result;
  }
  if (failed(failableParallelForEachN(context, 0, modules, compileModule)))
    return failure();
  return result;
}
