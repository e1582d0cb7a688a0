// The kernels of a module as device code: strategies, LLVM, ptxas; modules of
// some kernels each, in parallel.
#include "shoal/Codegen/GPU/KernelCompiler.h"

#include "Backend.h"
#include "BufferAlignments.h"
#include "LibraryCalls.h"
#include "Ptxas.h"

#include "dialects/Plan/Plan.h"
#include "dialects/Tile/Tile.h"
#include "shoal/Codegen/GPU/Emulate.h"
#include "shoal/Codegen/GPU/Strategy.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Threading.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <mutex>

using namespace mlir;
using namespace shoal;
using namespace shoal::gpu;

namespace {
/// A kernel on its way.
struct Job {
  plan::KernelOp kernel;
  KernelSource source;
  SmallVector<int64_t> inputAlign, outputAlign;
  unsigned cost = 0;
  KernelCode code;
};

/// What becomes one gpu.binary.
struct Unit {
  SmallVector<size_t> jobs;
  std::string ptx;
  Cubin cubin;
  std::vector<char> host;
  double seconds[3] = {0, 0, 0}; ///< emission and LLVM's passes, NVPTX, ptxas
};

/// Processor time of this thread.
double threadSeconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

class Compiler {
public:
  Compiler(ModuleOp module, const CompileOptions &options, const Chip &chip)
      : module(module), options(options), chip(chip) {}

  LogicalResult run();

private:
  void collect();
  void divide();
  LogicalResult compile(Unit &unit);
  LogicalResult emit(Job &job, llvm::Module &llvmModule);
  LogicalResult emit(Unit &unit, llvm::Module &llvmModule);
  LogicalResult checkSpills();
  void attach();
  void printLaunches(const Unit &unit);
  void dump(size_t number, const llvm::Module *ir, StringRef suffix,
            StringRef text = {});

  ModuleOp module;
  const CompileOptions &options;
  const Chip &chip;
  Ptxas ptxas;
  std::vector<Job> jobs;
  std::vector<Unit> units;
  std::mutex printing;
};
} // namespace

void Compiler::collect() {
  BufferAlignments alignments(module);
  for (auto kernel : module.getOps<plan::KernelOp>()) {
    Job &job = jobs.emplace_back();
    job.kernel = kernel;
    job.source.symbol = ("shoal_" + kernel.getSymName()).str();
    job.source.body = &kernel.getBody();
    job.source.scalarInputs = kernel.getScalarArgs();
    job.source.mayOverwrite = kernel.getOverwritePairs();
    alignments.of(kernel, job.inputAlign, job.outputAlign);
    kernel.getBody().walk([&](Operation *) { ++job.cost; });
    job.cost += 8;
  }
}

/// Which kernels share a module: enough modules of equal work for all cores, and
/// not so many that a process of ptxas for each counts. From the kernels only.
void Compiler::divide() {
  constexpr size_t mostUnits = 8, smallUnit = 200;
  unsigned total = 0;
  for (const Job &job : jobs)
    total += job.cost;
  size_t count = std::clamp<size_t>(total / smallUnit, 1,
                                    std::max<size_t>(mostUnits, jobs.size() / 16));
  count = std::min(count, jobs.size());
  units.resize(count);
  std::vector<unsigned> load(count, 0);
  auto order = llvm::to_vector(llvm::seq<size_t>(0, jobs.size()));
  llvm::stable_sort(order, [&](size_t a, size_t b) {
    return jobs[a].cost > jobs[b].cost;
  });
  for (size_t i : order) {
    size_t least = llvm::min_element(load) - load.begin();
    units[least].jobs.push_back(i);
    load[least] += jobs[i].cost;
  }
  for (Unit &unit : units)
    llvm::sort(unit.jobs);
}

void Compiler::dump(size_t number, const llvm::Module *ir, StringRef suffix,
                    StringRef text) {
  if (options.dumpFolder.empty())
    return;
  (void)llvm::sys::fs::create_directories(options.dumpFolder);
  SmallString<128> path(options.dumpFolder);
  llvm::sys::path::append(path, "module" + Twine(number) + suffix);
  std::error_code error;
  llvm::raw_fd_ostream os(path, error);
  if (error)
    return;
  if (ir)
    ir->print(os, nullptr);
  else
    os << text;
}

/// The first strategy that takes the kernel.
LogicalResult Compiler::emit(Job &job, llvm::Module &llvmModule) {
  KernelRequest request{job.source, chip, job.inputAlign, job.outputAlign,
                        options.allowTf32};
  for (const Strategy *strategy : getStrategies()) {
    bool isLast = strategy == getStrategies().back();
    if (!options.strategy.empty() && !isLast &&
        strategy->getName() != options.strategy)
      continue;
    job.code = KernelCode();
    FailureOr<bool> taken = strategy->emit(request, llvmModule, job.code);
    if (failed(taken))
      return failure();
    if (!*taken)
      continue;
    if (job.code.strategy.empty())
      job.code.strategy = strategy->getName().str();
    return success();
  }
  return job.kernel.emitError("no GPU code for this kernel");
}

LogicalResult Compiler::emit(Unit &unit, llvm::Module &llvmModule) {
  bool good = true;
  for (size_t i : unit.jobs) {
    Job &job = jobs[i];
    good &= succeeded(emit(job, llvmModule));
    for (const Launch &launch : job.code.launches)
      if (launch.sharedBytes > chip.sharedBytes) {
        job.kernel.emitError("internal error: the GPU code needs ")
            << launch.sharedBytes << " bytes of shared memory; " << chip.name
            << " has " << chip.sharedBytes;
        good = false;
      }
  }
  if (!good)
    return failure();
  // Functions of the runtime run on the host only.
  for (llvm::Function &function : llvmModule)
    if (function.isDeclaration() && function.getName().starts_with("shoal_rt_"))
      return jobs[unit.jobs.front()].kernel.emitError(
                 "no GPU code for an op of this kernel or one beside it: it "
                 "calls ")
             << function.getName();
  return success();
}

/// Kernels that spill under a bound on registers, which asks for several blocks
/// on a multiprocessor, get all registers: spilling costs more than waiting.
/// True if there are such, and the PTX was changed.
static bool dropBounds(std::string &ptx, const Cubin &cubin) {
  bool changed = false;
  for (const auto &kernel : cubin.kernels) {
    if (!kernel.second.spillBytes)
      continue;
    size_t entry = ptx.find((".entry " + kernel.first() + "(").str());
    if (entry == std::string::npos)
      continue;
    constexpr llvm::StringLiteral bound = ".minnctapersm ";
    size_t body = ptx.find('{', entry), at = ptx.find(bound.str(), entry);
    if (at >= body)
      continue;
    at += bound.size();
    size_t digits = ptx.find_first_not_of("0123456789", at) - at;
    if (ptx.compare(at, digits, "1") == 0)
      continue;
    ptx.replace(at, digits, "1");
    changed = true;
  }
  return changed;
}

LogicalResult Compiler::compile(Unit &unit) {
  size_t number = &unit - units.data();
  Location loc = jobs[unit.jobs.front()].kernel.getLoc();
  double begin = threadSeconds();
  auto machine = makeTargetMachine(chip);
  if (!machine)
    return emitError(loc) << llvm::toString(machine.takeError());
  llvm::LLVMContext context;
  llvm::Module llvmModule("kernels", context);
  llvmModule.setTargetTriple((*machine)->getTargetTriple());
  llvmModule.setDataLayout((*machine)->createDataLayout());
  if (failed(emit(unit, llvmModule)))
    return failure();
  dump(number, &llvmModule, ".before.ll");
  std::string problem;
  llvm::raw_string_ostream stream(problem);
  if (llvm::verifyModule(llvmModule, &stream))
    return emitError(loc) << "internal error: malformed kernel code: "
                          << problem;
  optimize(llvmModule, **machine);
  dump(number, &llvmModule, ".ll");
  if (options.print == "llvm") {
    std::lock_guard<std::mutex> lock(printing);
    printLaunches(unit);
    llvmModule.print(llvm::outs(), nullptr);
    return success();
  }
  double optimized = threadSeconds();
  unit.seconds[0] = optimized - begin;
  if (options.emulate) {
    llvm::Expected<std::vector<char>> host = emulateKernels(llvmModule);
    if (!host)
      return emitError(loc) << llvm::toString(host.takeError());
    unit.host = std::move(*host);
    return success();
  }
  llvm::Expected<std::string> ptx = emitPtx(llvmModule, **machine, chip);
  if (!ptx)
    return emitError(loc) << llvm::toString(ptx.takeError());
  unit.ptx = std::move(*ptx);
  dump(number, nullptr, ".ptx", unit.ptx);
  if (!options.print.empty()) {
    std::lock_guard<std::mutex> lock(printing);
    printLaunches(unit);
    llvm::outs() << unit.ptx;
    return success();
  }
  unit.seconds[1] = threadSeconds() - optimized;
  auto start = std::chrono::steady_clock::now();
  llvm::Expected<Cubin> cubin = assemble(ptxas, unit.ptx, chip);
  if (!cubin)
    return emitError(loc) << llvm::toString(cubin.takeError());
  if (dropBounds(unit.ptx, *cubin)) {
    cubin = assemble(ptxas, unit.ptx, chip);
    if (!cubin)
      return emitError(loc) << llvm::toString(cubin.takeError());
  }
  unit.cubin = std::move(*cubin);
  unit.seconds[2] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  return success();
}

/// What a test needs to run the printed code, as comments.
void Compiler::printLaunches(const Unit &unit) {
  const char *mark = options.print == "ptx" ? "//" : ";";
  for (size_t i : unit.jobs) {
    const KernelCode &code = jobs[i].code;
    llvm::outs() << mark << " kernel " << jobs[i].kernel.getSymName() << " scratch "
                 << code.scratchBytes << " zeroed " << code.scratchZeroed
                 << " strategy " << code.strategy << "\n";
    for (const Launch &launch : code.launches)
      llvm::outs() << mark << " launch " << launch.symbol << " grid "
                   << launch.grid[0] << " " << launch.grid[1] << " "
                   << launch.grid[2] << " block " << launch.block << " shared "
                   << launch.sharedBytes << "\n";
  }
}

LogicalResult Compiler::checkSpills() {
  bool good = true;
  for (Unit &unit : units)
    for (size_t i : unit.jobs)
      for (const Launch &launch : jobs[i].code.launches) {
        KernelResources used = unit.cubin.kernels.lookup(launch.symbol);
        if (!used.spillBytes || !jobs[i].code.isPerformanceKernel)
          continue;
        auto report = options.fatalSpills ? jobs[i].kernel.emitError()
                                          : jobs[i].kernel.emitWarning();
        report << "registers are spilled in " << launch.symbol << " ("
               << jobs[i].code.strategy << "): " << used.spillBytes
               << " bytes for " << chip.name;
        good &= !options.fatalSpills;
      }
  return success(good);
}

/// gpu.binary ops at the end of the module, and attributes of kernels.
void Compiler::attach() {
  MLIRContext *context = module.getContext();
  context->loadDialect<mlir::gpu::GPUDialect, NVVM::NVVMDialect>();
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto target = NVVM::NVVMTargetAttr::get(
      context, /*O=*/2, "nvptx64-nvidia-cuda", chip.name,
      "+ptx" + std::to_string(chip.ptx));
  auto object = [&](mlir::gpu::CompilationTarget format, StringRef bytes,
                    DictionaryAttr properties = {}) -> Attribute {
    return mlir::gpu::ObjectAttr::get(context, target, format,
                                      builder.getStringAttr(bytes), properties,
                                      nullptr);
  };
  for (auto [number, unit] : llvm::enumerate(units)) {
    SmallVector<Attribute> objects;
    if (options.emulate) {
      objects.push_back(
          object(mlir::gpu::CompilationTarget::Binary,
                 StringRef(unit.host.data(), unit.host.size()),
                 builder.getDictionaryAttr(builder.getNamedAttr(
                     "shoal.host", builder.getUnitAttr()))));
    } else {
      objects.push_back(
          object(mlir::gpu::CompilationTarget::Binary,
                 StringRef(unit.cubin.bytes.data(), unit.cubin.bytes.size())));
      if (options.withPtx)
        objects.push_back(
            object(mlir::gpu::CompilationTarget::Assembly, unit.ptx));
    }
    std::string name = "shoal_images_" + std::to_string(number);
    mlir::gpu::BinaryOp::create(builder, module.getLoc(), name, Attribute(),
                                ArrayRef<Attribute>(objects));
    auto image = FlatSymbolRefAttr::get(context, name);
    for (size_t i : unit.jobs) {
      Job &job = jobs[i];
      const KernelCode &code = job.code;
      SmallVector<Attribute> launches;
      for (const Launch &launch : code.launches) {
        KernelResources used = unit.cubin.kernels.lookup(launch.symbol);
        SmallVector<int64_t> cluster;
        if (launch.cluster != std::array<int64_t, 3>{1, 1, 1})
          cluster.assign(launch.cluster.begin(), launch.cluster.end());
        launches.push_back(plan::GpuLaunchAttr::get(
            context, image, builder.getStringAttr(launch.symbol), launch.grid,
            launch.block, cluster, launch.sharedBytes, code.scratchBytes,
            code.scratchZeroed && launches.empty(), launch.cooperative,
            used.registers, used.spillBytes));
      }
      job.kernel.setSymbol(job.source.symbol);
      job.kernel.setScratchBytes(code.scratchBytes);
      job.kernel.setFlops(code.flops);
      job.kernel.setStrategy(code.strategy);
      job.kernel->setAttr(plan::GpuLaunchAttr::getAttrName(),
                          builder.getArrayAttr(launches));
      if (std::string call = describeLibraryCall(job.source); !call.empty())
        job.kernel->setAttr("plan.library", builder.getStringAttr(call));
    }
  }
}

LogicalResult Compiler::run() {
  if (!options.emulate && options.print.empty()) {
    llvm::Expected<Ptxas> found = findPtxas();
    if (!found)
      return module.emitError() << llvm::toString(found.takeError());
    ptxas = *found;
    if (ptxas.needsWorkaround())
      module.emitWarning("ptxas ")
          << ptxas.major << "." << ptxas.minor
          << " is known to make wrong code for Hopper; it is run with "
             "--regAllocOptLevel=2, which avoids what is known. Use 13.3 or "
             "newer: pip install -U nvidia-cuda-nvcc";
  }
  collect();
  if (jobs.empty())
    return success();
  divide();
  // Threads must not load them.
  module.getContext()
      ->loadDialect<tile::TileDialect, arith::ArithDialect, scf::SCFDialect>();
  auto one = [&](size_t i) { return compile(units[i]); };
  if (options.threads == 1 || units.size() == 1) {
    for (size_t i = 0; i < units.size(); ++i)
      if (failed(one(i)))
        return failure();
  } else if (failed(failableParallelForEachN(module.getContext(), 0,
                                             units.size(), one))) {
    return failure();
  }
  if (!options.print.empty())
    return success();
  if (failed(checkSpills()))
    return failure();
  if (options.times) {
    llvm::raw_ostream &os = *options.times;
    os << "  passes   nvptx   ptxas kernels\n";
    for (Unit &unit : units) {
      for (double seconds : unit.seconds)
        os << llvm::format("%8.3f", seconds);
      os << llvm::format("%8zu", unit.jobs.size());
      for (size_t i : unit.jobs)
        os << " " << jobs[i].kernel.getSymName() << "(" << jobs[i].code.strategy
           << ")";
      os << "\n";
    }
  }
  attach();
  return success();
}

LogicalResult shoal::gpu::compileKernels(ModuleOp module,
                                         const CompileOptions &options) {
  StringRef name = options.chip.empty() ? StringRef(kDefaultChip)
                                        : StringRef(options.chip);
  const Chip *chip = findChip(name);
  if (!chip)
    return module.emitError("unknown chip '")
           << name << "'; known are " << chipList();
  // Tests with models that are too large to be emulated.
  if (const char *how = std::getenv("SHOAL_TEST_EMULATE");
      options.emulate && how && StringRef(how) == "cpu")
    return emulateByCpuKernels(module, chip->name);
  return Compiler(module, options, *chip).run();
}
