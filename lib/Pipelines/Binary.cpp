// The last phase: machine code, program table and constants in one file.
#include "Binary.h"

#include "shoal/Codegen/CPU/KernelCompiler.h"
#include "shoal/Codegen/GPU/Chip.h"
#include "shoal/Codegen/GPU/KernelCompiler.h"
#include "shoal/Package/Package.h"
#include "shoal/Report/Report.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"

#include <cstdlib>

using namespace mlir;

namespace shoal {

/// The vector extensions that the loader asks for: those of the CPU that
/// kernels are compiled for (empty: this machine).
static std::string neededFeatures(StringRef cpu) {
  llvm::StringMap<bool> features;
  if (cpu.empty()) {
    features = llvm::sys::getHostCPUFeatures();
  } else {
    SmallVector<StringRef, 64> names;
    if (llvm::X86::parseArchX86(cpu) != llvm::X86::CK_None)
      llvm::X86::getFeaturesForCPU(cpu, names);
    for (StringRef name : names)
      features[name] = true;
  }
  std::string text;
  for (const char *name :
       {"avx", "avx2", "fma", "bmi2", "avx512f", "avx512bw", "avx512vl",
        "avx512dq", "avx512cd", "avx512vnni", "avx512bf16"})
    if (features.lookup(name))
      text += (text.empty() ? "" : ",") + std::string(name);
  return text;
}

static const char *const producer =
    "shoal " SHOAL_VERSION ", LLVM " LLVM_VERSION_STRING;

static LogicalResult makeCudaBinary(ModuleOp module,
                                    const CompileOptions &options,
                                    std::vector<char> &binary) {
  gpu::CompileOptions compile;
  compile.chip = options.chip.empty() ? gpu::kDefaultChip.str() : options.chip;
  compile.fatalSpills = options.fatalSpills;
  compile.allowTf32 = options.allowTf32;
  compile.emulate = options.emulate;
  compile.dumpFolder = options.dumpCode;
  if (options.kernelTimes)
    compile.times = &llvm::errs();
  // ptxas is a process of its own: worth threads even where passes are not.
  MLIRContext *context = module.getContext();
  bool threads = context->isMultithreadingEnabled();
  if (!threads)
    context->enableMultithreading();
  LogicalResult compiled = gpu::compileKernels(module, compile);
  if (!threads)
    context->disableMultithreading();
  if (failed(compiled))
    return failure();
  PackageOptions package;
  package.target = options.target;
  package.chip = compile.chip;
  package.producer = producer;
  if (auto report = module->getAttrOfType<StringAttr>(reportAttrName))
    package.report = report.str();
  FailureOr<std::vector<char>> image = packageModule(module, {}, package);
  if (failed(image))
    return failure();
  binary = std::move(*image);
  return success();
}

LogicalResult makeBinary(ModuleOp module, const CompileOptions &options,
                         std::vector<char> &binary) {
  if (options.target == "cuda")
    return makeCudaBinary(module, options, binary);
  KernelCompileOptions compile;
  // For tests that compile thousands of programs: LLVM's effort.
  if (const char *level = std::getenv("SHOAL_TEST_OPT_LEVEL"))
    compile.optLevel = static_cast<unsigned>(std::atoi(level));
  if (options.kernelTimes)
    compile.times = &llvm::errs();
  PackageOptions package;
  package.features = neededFeatures(options.chip);
  if (options.chip.empty()) {
    package.chip = llvm::sys::getHostCPUName().str();
  } else {
    compile.cpu = package.chip = options.chip;
  }
  package.target = options.target;
  package.producer = producer;
  if (auto report = module->getAttrOfType<StringAttr>(reportAttrName))
    package.report = report.str();
  FailureOr<CompiledKernels> kernels = compileKernels(module, compile);
  if (failed(kernels))
    return failure();
  FailureOr<std::vector<char>> image =
      packageModule(module, kernels->objects, package);
  if (failed(image))
    return failure();
  binary = std::move(*image);
  return success();
}

} // namespace shoal
