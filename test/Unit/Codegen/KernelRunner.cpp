#include "KernelRunner.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"

#include <cstdlib>
#include <cstring>

using namespace mlir;
using namespace shoal;
using namespace shoal::test;

namespace {
struct Aligned {
  explicit Aligned(size_t size)
      : size(size), data(static_cast<uint8_t *>(
                        std::aligned_alloc(64, (size + 127) / 64 * 64))) {
    std::memset(data, 0xcd, (size + 127) / 64 * 64);
  }
  Aligned(Aligned &&o) : size(o.size), data(o.data) { o.data = nullptr; }
  ~Aligned() { std::free(data); }
  size_t size;
  uint8_t *data;
};
} // namespace

static size_t bytesOf(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  Type element = tensor.getElementType();
  size_t factor = 1;
  if (auto complex = dyn_cast<ComplexType>(element)) {
    element = complex.getElementType();
    factor = 2;
  }
  size_t bits = element.getIntOrFloatBitWidth();
  return tensor.getNumElements() * factor * (bits < 8 ? 1 : bits / 8);
}

// UBSan looks for a function's type in front of it: kernels have none, and may
// have no memory there.
__attribute__((no_sanitize("function"))) RunResult shoal::test::runKernel(
    const std::string &body, const std::vector<Bytes> &inputs,
    const std::vector<unsigned> &scalarInputs, bool inPlace) {
  static MLIRContext *context = [] {
    auto *c = new MLIRContext;
    c->loadDialect<func::FuncDialect, stablehlo::StablehloDialect,
                   chlo::ChloDialect>();
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    return c;
  }();
  RunResult result;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    result.error += diagnostic.str() + "\n";
    return success();
  });
  auto module = parseSourceString<ModuleOp>("func.func @kernel" + body,
                                            ParserConfig(context));
  if (!module)
    return result;
  auto function = *module->getOps<func::FuncOp>().begin();
  KernelSource source;
  source.symbol = "kernel";
  source.body = &function.getBody();
  source.scalarInputs.resize(function.getNumArguments());
  for (unsigned i : scalarInputs)
    source.scalarInputs[i] = true;
  if (inPlace)
    source.mayOverwrite.push_back({0, 0});
  KernelCompileOptions options;
  llvm::raw_string_ostream stream(result.ir);
  options.dumpIR = &stream;
  if (const char *level = std::getenv("SHOAL_TEST_OPT"))
    options.optLevel = std::atoi(level);
  auto compiled = compileKernels(source, options);
  if (failed(compiled))
    return result;
  if (std::getenv("SHOAL_TEST_DUMP"))
    llvm::errs() << result.ir;
  result.info = compiled->kernels[0].info;

  auto jit = llvm::cantFail(llvm::orc::LLJITBuilder().create());
  const auto &object = compiled->objects[0];
  llvm::cantFail(jit->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(
      StringRef(object.data(), object.size()), "kernel.o")));
  auto address = jit->lookup("kernel");
  if (!address) {
    result.error += llvm::toString(address.takeError());
    return result;
  }
  auto *entry = address->toPtr<ShoalKernelFn>();

  std::vector<Aligned> memory;
  std::vector<void *> buffers;
  std::vector<int64_t> scalars;
  for (auto [i, input] : llvm::enumerate(inputs)) {
    if (source.scalarInputs[i]) {
      int64_t value = 0;
      std::memcpy(&value, input.data(), input.size());
      scalars.push_back(value);
      continue;
    }
    memory.emplace_back(input.size());
    llvm::copy(input, memory.back().data);
    buffers.push_back(memory.back().data);
  }
  std::vector<std::pair<uint8_t *, size_t>> outputs;
  for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
    memory.emplace_back(bytesOf(type));
    if (inPlace && i == 0)
      buffers.push_back(buffers[0]);
    else
      buffers.push_back(memory.back().data);
    outputs.push_back({static_cast<uint8_t *>(buffers.back()), bytesOf(type)});
  }
  Aligned scratch(result.info.scratchBytes);
  ShoalKernelArgs args{buffers.data(), scalars.data(), scratch.data};
  for (int64_t chunk = result.info.chunks; chunk-- > 0;)
    entry(&args, chunk, chunk + 1);
  for (auto [data, size] : outputs)
    result.outputs.emplace_back(data, data + size);
  return result;
}

std::vector<float>
shoal::test::runFloat(const std::string &body,
                      const std::vector<std::vector<float>> &inputs) {
  std::vector<Bytes> bytes;
  for (const auto &input : inputs)
    bytes.push_back(toBytes(input));
  RunResult result = runKernel(body, bytes);
  if (!result.error.empty()) {
    llvm::errs() << result.error;
    return {};
  }
  return fromBytes<float>(result.outputs[0]);
}
