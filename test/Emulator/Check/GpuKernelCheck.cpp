// gpu-kernel-check IN.mlir: every plan.kernel of a fused module, its code for a
// GPU in the emulator against its code for the CPU, on random inputs.
//
//   --chip=NAME       of what the code is made for (sm_80)
//   --strategy=NAME   only this strategy and the last resort
//   --only=TEXT       kernels whose name contains it
//   --seed=N          of inputs; the threads' order too, unless 0
//   --scale=X         inputs of floating point are multiplied by it (10)
//   --dump=DIR        LLVM IR of the modules
//   --verbose         a line for every kernel, with its time
//
// Exit status 1 if a kernel differs or has no code.

#include "Abi.h"

#include "../../../lib/Package/Link.h"
#include "dialects/Plan/Plan.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Codegen/CPU/KernelCompiler.h"
#include "shoal/Codegen/GPU/KernelCompiler.h"
#include "shoal/Pipelines/Register.h"
#include "shoal/runtime/Compare.h"
#include "shoal/runtime/Random.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"

#include <chrono>
#include <cmath>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace mlir;
using namespace shoal;
using rt::DType;
using rt::HostTensor;
namespace cl = llvm::cl;

/// What the command line says. LLVM's own options do not outlive the first
/// kernel: the linker in this process sets them back.
static struct {
  std::string input, chip, strategy, only, dump;
  unsigned seed;
  double scale;
  bool verbose;
} line;

static void readCommandLine(int argc, char **argv) {
  static cl::opt<std::string> input(cl::Positional, cl::Required);
  static cl::opt<std::string> chip("chip", cl::init("sm_80"));
  static cl::opt<std::string> strategy("strategy"), only("only"), dump("dump");
  static cl::opt<unsigned> seed("seed", cl::init(1));
  static cl::opt<double> scale("scale", cl::init(10));
  static cl::opt<bool> verbose("verbose");
  cl::ParseCommandLineOptions(argc, argv);
  line = {input, chip, strategy, only, dump, seed, scale, verbose};
}

/// An ELF shared object in memory, opened.
static void *open(llvm::ArrayRef<char> bytes) {
  int file = memfd_create("kernels", 0);
  if (file < 0 ||
      write(file, bytes.data(), bytes.size()) != ssize_t(bytes.size()))
    return nullptr;
  std::string path = "/proc/self/fd/" + std::to_string(file);
  void *library = dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (!library)
    llvm::errs() << dlerror() << "\n";
  // The file stays open: dlopen goes by the name, and the next one's must be
  // another.
  return library;
}

namespace {
/// A module's kernels as code for both.
struct Libraries {
  void *cpu = nullptr;
  llvm::StringMap<void *> gpu; ///< by gpu.binary
};
} // namespace

static LogicalResult compile(ModuleOp module, Libraries &libraries) {
  shoal::gpu::CompileOptions options;
  options.chip = line.chip;
  options.emulate = true;
  options.strategy = line.strategy;
  options.dumpFolder = line.dump;
  options.threads = 1;
  if (failed(shoal::gpu::compileKernels(module, options)))
    return failure();
  for (auto binary : module.getOps<mlir::gpu::BinaryOp>()) {
    auto object = cast<mlir::gpu::ObjectAttr>(binary.getObjects()[0]);
    StringRef bytes = object.getObject().getValue();
    libraries.gpu[binary.getSymName()] =
        open(ArrayRef<char>(bytes.data(), bytes.size()));
  }
  KernelCompileOptions cpuOptions;
  cpuOptions.threads = 1;
  auto cpu = compileKernels(module, cpuOptions);
  if (failed(cpu))
    return failure();
  SmallVector<ArrayRef<char>> objects(cpu->objects.begin(), cpu->objects.end());
  std::string error;
  std::vector<char> image = linkShared(objects, error);
  if (image.empty())
    return module.emitError(error);
  libraries.cpu = open(image);
  return success(libraries.cpu);
}

static bool makeTensor(Type type, HostTensor &tensor) {
  auto ranked = cast<RankedTensorType>(type);
  std::string name;
  llvm::raw_string_ostream(name) << ranked.getElementType();
  tensor.type = rt::parseDType(name);
  tensor.shape.assign(ranked.getShape().begin(), ranked.getShape().end());
  if (!rt::isValid(tensor.type))
    return false;
  size_t bytes = tensor.elements() * rt::byteSize(tensor.type);
  tensor.buffer = rt::AlignedBuffer(bytes);
  std::memset(tensor.data(), 0xff, bytes);
  return true;
}

static void fill(HostTensor &tensor, unsigned stream) {
  rt::fillRandom(tensor, line.seed, stream);
  if (rt::isFloat(tensor.type))
    for (int64_t i = 0; i < tensor.elements(); ++i) {
      auto *element = tensor.data() + i * rt::byteSize(tensor.type);
      rt::fromDouble(tensor.type,
                     rt::toDouble(tensor.type, element) * line.scale, element);
    }
}

/// Two ways to compute that both round as the type says.
static double toleranceOf(DType type) {
  switch (type) {
  case DType::F64:
  case DType::C128:
    return 1e-11;
  case DType::F32:
  case DType::C64:
    return 3e-5;
  case DType::F16:
    return 2e-3;
  case DType::BF16:
    return 1.6e-2;
  default:
    return 0.13; // of eight bits and fewer
  }
}

namespace {
class Check {
public:
  Check(plan::KernelOp kernel, const Libraries &libraries)
      : kernel(kernel), libraries(libraries) {}
  bool run();

private:
  bool allocate();
  void runCpu();
  bool runGpu(uint64_t order);
  bool compareAll(StringRef how);
  bool overlay();

  plan::KernelOp kernel;
  const Libraries &libraries;
  std::vector<HostTensor> inputs, gpuOutputs, cpuOutputs;
  std::vector<int64_t> scalars;
  /// For the run in place: where the GPU's outputs lie.
  std::vector<std::byte *> outputAt;
  double seconds = 0;
};
} // namespace

bool Check::allocate() {
  unsigned number = 0;
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes())) {
    HostTensor tensor;
    if (!makeTensor(type, tensor))
      return false;
    fill(tensor, number++);
    if (kernel.isScalarArg(i))
      scalars.push_back(rt::toInt64(tensor.type, tensor.data()));
    else
      inputs.push_back(std::move(tensor));
  }
  for (Type type : kernel.getResultTypes()) {
    HostTensor a, b;
    if (!makeTensor(type, a) || !makeTensor(type, b))
      return false;
    outputAt.push_back(a.data());
    gpuOutputs.push_back(std::move(a));
    cpuOutputs.push_back(std::move(b));
  }
  return true;
}

void Check::runCpu() {
  std::vector<void *> buffers;
  for (HostTensor &tensor : inputs)
    buffers.push_back(tensor.data());
  for (HostTensor &tensor : cpuOutputs)
    buffers.push_back(tensor.data());
  rt::AlignedBuffer scratch(kernel.getScratchBytes().value_or(0));
  ShoalKernelArgs args{buffers.data(), scalars.data(), scratch.data()};
  auto function = reinterpret_cast<ShoalKernelFn>(
      dlsym(libraries.cpu, kernel.getSymbol()->str().c_str()));
  function(&args, 0, kernel.getChunks().value_or(1));
}

bool Check::runGpu(uint64_t order) {
  auto launches =
      kernel->getAttrOfType<ArrayAttr>(plan::GpuLaunchAttr::getAttrName());
  std::vector<void *> values;
  for (HostTensor &tensor : inputs)
    values.push_back(tensor.data());
  for (std::byte *at : outputAt)
    values.push_back(at);
  for (int64_t scalar : scalars)
    values.push_back(reinterpret_cast<void *>(scalar));
  auto first = cast<plan::GpuLaunchAttr>(launches[0]);
  rt::AlignedBuffer scratch(first.getScratchBytes() + 256);
  std::memset(scratch.data(), first.getScratchZeroed() ? 0 : 0xff,
              scratch.size());
  auto aligned =
      (reinterpret_cast<uintptr_t>(scratch.data()) + 255) & ~uintptr_t(255);
  values.push_back(reinterpret_cast<void *>(aligned));
  shoal_emu_add_memory(scratch.data(), scratch.size(), "scratch");
  auto forAll = [&](auto act) {
    for (HostTensor &tensor : inputs)
      act(tensor);
    for (HostTensor &tensor : gpuOutputs)
      act(tensor);
  };
  forAll([](HostTensor &t) {
    shoal_emu_add_memory(t.data(), t.buffer.size(), "a buffer");
  });
  std::vector<void *> params;
  for (void *&value : values)
    params.push_back(&value);
  auto start = std::chrono::steady_clock::now();
  bool good = true;
  for (Attribute attribute : launches) {
    auto launch = cast<plan::GpuLaunchAttr>(attribute);
    std::string symbol = launch.getSymbol().str();
    void *library = libraries.gpu.lookup(launch.getImage().getValue());
    auto *entry =
        library
            ? reinterpret_cast<ShoalEmuKernel>(dlsym(library, symbol.c_str()))
            : nullptr;
    if (!entry) {
      llvm::outs() << kernel.getSymName() << ": no function " << symbol << "\n";
      good = false;
      break;
    }
    ShoalEmuLaunch shape{};
    for (unsigned i = 0; i < 3; ++i) {
      shape.grid[i] = launch.getGrid()[i];
      shape.block[i] = i ? 1 : launch.getBlock();
      shape.cluster[i] = 1;
    }
    shape.sharedBytes = launch.getSharedBytes();
    shape.kernel = symbol.c_str();
    shape.params = static_cast<const ShoalEmuParam *>(
        dlsym(library, (symbol + "_params").c_str()));
    shape.seed = order;
    entry(params.data(), &shape);
    if (shape.failed) {
      llvm::outs() << kernel.getSymName() << ": fails (see above)\n";
      good = false;
      break;
    }
  }
  seconds +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  forAll([](HostTensor &t) { shoal_emu_remove_memory(t.data()); });
  shoal_emu_remove_memory(scratch.data());
  return good;
}

/// What rounds to few bits inside of a kernel does so from sums in another
/// order, and once more or less where it is converted back: the result has that
/// many bits, whatever its type.
static double toleranceInside(plan::KernelOp kernel) {
  double result = 0;
  kernel.getBody().walk([&](Operation *op) {
    for (Type type : op->getResultTypes()) {
      Type element = getElementTypeOrSelf(type);
      if (!isa<FloatType>(element))
        continue;
      std::string name;
      llvm::raw_string_ostream(name) << element;
      result = std::max(result, toleranceOf(rt::parseDType(name)));
    }
  });
  return result;
}

bool Check::compareAll(StringRef how) {
  double narrowest = toleranceInside(kernel);
  // Atomics add in the order of threads, and each time round a partial sum,
  // which may be as large as the largest result where this one cancels.
  bool isScattered =
      kernel.getBody()
          .walk([](stablehlo::ScatterOp) { return WalkResult::interrupt(); })
          .wasInterrupted();
  for (auto [i, want] : llvm::enumerate(cpuOutputs)) {
    int64_t count = want.elements();
    double largest = 0;
    if (rt::isFloat(want.type) || rt::isComplex(want.type))
      for (int64_t j = 0; j < count; ++j) {
        double value = std::fabs(
            rt::toDouble(want.type, want.data() + j * rt::byteSize(want.type)));
        if (std::isfinite(value))
          largest = std::max(largest, value);
      }
    rt::Tolerance tolerance;
    tolerance.relative = std::max(toleranceOf(want.type), narrowest);
    tolerance.absolute = tolerance.relative * (isScattered ? 1 : 0.1) * largest;
    rt::Comparison result =
        rt::compare(want.type, outputAt[i], want.data(), count, tolerance);
    if (result.mismatches) {
      llvm::outs() << kernel.getSymName() << ": output " << i << how << ": "
                   << rt::describe(result, want.type, outputAt[i], want.data(),
                                   want.shape)
                   << "\n";
      return false;
    }
  }
  return true;
}

/// Puts outputs into the memory of inputs that they may overwrite.
bool Check::overlay() {
  auto pairs = kernel.getMayOverwrite();
  if (!pairs)
    return false;
  std::vector<unsigned> bufferOf;
  for (unsigned i = 0, buffer = 0; i < kernel.getArgumentTypes().size(); ++i)
    bufferOf.push_back(kernel.isScalarArg(i) ? ~0u : buffer++);
  llvm::DenseSet<unsigned> used;
  for (size_t i = 0; i + 1 < pairs->size(); i += 2) {
    unsigned output = (*pairs)[i], buffer = bufferOf[(*pairs)[i + 1]];
    if (buffer == ~0u || outputAt[output] != gpuOutputs[output].data() ||
        inputs[buffer].buffer.size() != gpuOutputs[output].buffer.size() ||
        !used.insert(buffer).second)
      continue;
    outputAt[output] = inputs[buffer].data();
  }
  return !used.empty();
}

bool Check::run() {
  if (!allocate()) {
    llvm::outs() << kernel.getSymName() << ": a type that has no values\n";
    return false;
  }
  runCpu();
  std::vector<std::vector<std::byte>> saved;
  for (HostTensor &tensor : inputs)
    saved.emplace_back(tensor.data(), tensor.data() + tensor.buffer.size());
  uint64_t order = line.seed > 1 ? line.seed : 0;
  if (!runGpu(order) || !compareAll(""))
    return false;
  // Again, with outputs in the memory of inputs where that is allowed: what
  // one block writes must not be what another still has to read.
  if (overlay())
    for (uint64_t blocks : {order, order | 1}) {
      for (auto [tensor, bytes] : llvm::zip_equal(inputs, saved))
        std::memcpy(tensor.data(), bytes.data(), bytes.size());
      if (!runGpu(blocks) ||
          !compareAll(blocks % 2 ? " in place, last block first" : " in place"))
        return false;
    }
  if (line.verbose) {
    auto strategyName = kernel->getAttrOfType<StringAttr>("strategy");
    llvm::outs() << kernel.getSymName() << ": ok ("
                 << (strategyName ? strategyName.getValue() : StringRef("?"))
                 << llvm::format(", %.1f ms)\n", seconds * 1e3);
  }
  return true;
}

int main(int argc, char **argv) {
  readCommandLine(argc, argv);
  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  auto module = parseSourceFile<ModuleOp>(line.input, ParserConfig(&context));
  if (!module)
    return 2;
  unsigned good = 0, bad = 0;
  auto checkModule = [&](ModuleOp part) {
    Libraries libraries;
    if (failed(compile(part, libraries)))
      return false;
    for (auto kernel : part.getOps<plan::KernelOp>())
      ++(Check(kernel, libraries).run() ? good : bad);
    return true;
  };
  for (auto kernel :
       llvm::make_early_inc_range(module->getOps<plan::KernelOp>()))
    if (!line.only.empty() && !kernel.getSymName().contains(line.only))
      kernel.erase();
  // Together, or, where one has no code, each on its own.
  OwningOpRef<ModuleOp> copy = module->clone();
  std::string problems;
  bool together;
  {
    ScopedDiagnosticHandler handler(&context,
                                    [](Diagnostic &) { return success(); });
    together = checkModule(*copy);
  }
  if (!together) {
    good = bad = 0;
    for (auto kernel : module->getOps<plan::KernelOp>()) {
      OwningOpRef<ModuleOp> alone = ModuleOp::create(module->getLoc());
      alone->push_back(kernel->clone());
      if (!checkModule(*alone)) {
        llvm::outs() << kernel.getSymName() << ": no code\n";
        ++bad;
      }
    }
  }
  llvm::outs() << good << " kernels agree, " << bad << " do not\n";
  return bad != 0;
}
