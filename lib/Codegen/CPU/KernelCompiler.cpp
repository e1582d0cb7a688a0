// Kernels to objects: modules of some kernels each, compiled in parallel.

#include "shoal/Codegen/CPU/KernelCompiler.h"

#include "KernelEmitter.h"
#include "Target.h"

#include "../KernelMath/KernelMath.h"

#include "mlir/IR/Threading.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MathExtras.h"

#include <ctime>
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

namespace {
/// What LLVM says of loops that were given a width and could not be vectorized
/// is of no use to whoever wrote the model.
struct NoRemarks : llvm::DiagnosticHandler {
  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    return info.getSeverity() == llvm::DS_Remark;
  }
};
} // namespace

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
  facts.rowPlan = std::move(dry.rowPlan);
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

/// About how long a kernel takes to compile, in units of a simple op.
static unsigned compileCost(const KernelSource &source,
                            const OpEmitters &emitters) {
  unsigned cost = 4;
  source.body->walk([&](Operation *op) {
    const OpEmitter *emitter = emitters.lookup(op);
    if (!emitter)
      return;
    bool isLarge = emitter->kind == OpEmitter::Kind::Buffer;
    cost += isLarge ? 32 : 1 + unsigned(emitter->cost) / 4;
  });
  return cost;
}

/// Processor time of this thread: what a busy machine does not change.
static double threadMilliseconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1e3 + time.tv_nsec * 1e-6;
}

/// Which kernels share a module: enough modules of equal work for all cores,
/// and not so many that the fixed costs of LLVM's pipeline count. From the
/// sources only.
static std::vector<SmallVector<size_t>>
divideIntoModules(ArrayRef<KernelSource> sources, unsigned kernelsPerModule) {
  constexpr unsigned mostKernels = 16, moduleCost = 64, enoughModules = 8;
  std::vector<unsigned> costs;
  unsigned total = 0;
  for (const KernelSource &source : sources)
    total += costs.emplace_back(compileCost(source, OpEmitters::get()));
  size_t count = llvm::divideCeil(
      sources.size(), kernelsPerModule ? kernelsPerModule : mostKernels);
  if (!kernelsPerModule)
    count = std::max<size_t>(count, std::min({total / moduleCost, enoughModules,
                                              unsigned(sources.size())}));
  std::vector<SmallVector<size_t>> modules(count);
  std::vector<unsigned> load(count, 0);
  auto order = llvm::to_vector(llvm::seq<size_t>(0, sources.size()));
  llvm::stable_sort(order,
                    [&](size_t a, size_t b) { return costs[a] > costs[b]; });
  // A module costs some milliseconds whatever is in it, so small kernels open
  // none while another has less than its share.
  size_t used = 0;
  for (size_t i : order) {
    auto leastOf = [&](size_t first) {
      return std::min_element(load.begin(), load.begin() + first) -
             load.begin();
    };
    size_t least = leastOf(count);
    if (used && !kernelsPerModule && costs[i] < moduleCost / 2)
      if (size_t joined = leastOf(used); load[joined] < moduleCost ||
                                         costs[i] < load[joined] / 16)
        least = joined;
    used = std::max(used, least + 1);
    modules[least].push_back(i);
    load[least] += costs[i];
  }
  llvm::erase_if(modules, [](const auto &module) { return module.empty(); });
  for (SmallVector<size_t> &module : modules)
    llvm::sort(module);
  return modules;
}

FailureOr<CompiledKernels>
shoal::compileKernels(ArrayRef<KernelSource> sources,
                      const KernelCompileOptions &options) {
  CompiledKernels result;
  result.kernels.resize(sources.size());
  if (sources.empty())
    return result;
  std::vector<SmallVector<size_t>> modules =
      divideIntoModules(sources, options.kernelsPerModule);
  result.objects.resize(modules.size());
  MLIRContext *context = sources[0].body->getContext();
  std::mutex printing;

  auto compileModule = [&](size_t number) -> LogicalResult {
    SmallVector<double, 4> times = {threadMilliseconds()};
    auto machine = makeTargetMachine(options);
    if (!machine)
      return emitError(sources[0].body->getLoc())
             << llvm::toString(machine.takeError());
    llvm::LLVMContext llvmContext;
    llvmContext.setDiagnosticHandler(std::make_unique<NoRemarks>());
    llvm::Module module("kernels", llvmContext);
    module.setTargetTriple((*machine)->getTargetTriple());
    module.setDataLayout((*machine)->createDataLayout());
    module.setPICLevel(llvm::PICLevel::BigPIC);
    ArrayRef<size_t> members = modules[number];
    Location loc = sources[members.front()].body->getLoc();
    bool good = true;
    for (size_t i : members)
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
      return emitError(loc)
             << "internal error: malformed kernel code: " << problem;
    times.push_back(threadMilliseconds());
    kernelmath::link(module);
    optimize(module, **machine, options.optLevel);
    dump("after optimisation");
    times.push_back(threadMilliseconds());
    size_t instructions = options.times ? module.getInstructionCount() : 0;
    if (llvm::Error error =
            emitObject(module, **machine, result.objects[number]))
      return emitError(loc) << llvm::toString(std::move(error));
    times.push_back(threadMilliseconds());
    if (options.times) {
      std::lock_guard<std::mutex> lock(printing);
      for (auto [from, to] : llvm::zip(times, llvm::drop_begin(times)))
        *options.times << llvm::format("%8.2f", to - from);
      *options.times << llvm::format("%8zu", instructions);
      for (size_t i : members)
        *options.times << " " << sources[i].symbol;
      *options.times << "\n";
    }
    return success();
  };

  if (modules.size() == 1 || options.threads == 1) {
    for (size_t i = 0; i < modules.size(); ++i)
      if (failed(compileModule(i)))
        return failure();
    return result;
  }
  if (failed(
          failableParallelForEachN(context, 0, modules.size(), compileModule)))
    return failure();
  return result;
}
