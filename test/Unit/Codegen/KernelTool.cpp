// kernel-tool IN.mlir OUT.so: compiles the plan.kernel ops of a module into a
// shared object, and prints one line for each: symbol, chunks, scratch bytes.
// For comparing kernels with JAX (test/Codegen/CPU/compare_with_jax.py).

#include "dialects/CHLO/CHLO.h"
#include "dialects/Comm/Comm.h"
#include "dialects/Plan/Plan.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Codegen/CPU/KernelCompiler.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Pass.h"
#include "llvm/Support/Timer.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"

#include <chrono>
#include <cstdlib>

using namespace mlir;

int main(int argc, char **argv) {
  if (argc != 3) {
    llvm::errs() << "usage: kernel-tool IN.mlir OUT.so\n";
    return 2;
  }
  MLIRContext context;
  context.loadDialect<func::FuncDialect, stablehlo::StablehloDialect,
                      chlo::ChloDialect, shoal::plan::PlanDialect,
                      shoal::comm::CommDialect, shoal::ShoalDialect>();
  auto module = parseSourceFile<ModuleOp>(argv[1], ParserConfig(&context));
  if (!module)
    return 1;
  auto start = std::chrono::steady_clock::now();
  shoal::KernelCompileOptions options;
  if (const char *level = std::getenv("SHOAL_TEST_OPT"))
    options.optLevel = std::atoi(level);
  if (std::getenv("SHOAL_TEST_DUMP"))
    options.dumpIR = &llvm::errs();
  if (std::getenv("SHOAL_TEST_TIMES")) {
    options.times = &llvm::errs();
    llvm::TimePassesIsEnabled = std::atoi(std::getenv("SHOAL_TEST_TIMES")) > 1;
    options.threads = options.kernelsPerModule = 1;
  }
  auto compiled = shoal::compileKernels(*module, options);
  if (failed(compiled))
    return 1;
  double seconds = std::chrono::duration<double>(
                       std::chrono::steady_clock::now() - start)
                       .count();
  llvm::errs() << compiled->kernels.size() << " kernels in "
               << llvm::format("%.1f ms", seconds * 1e3) << "\n";
  std::vector<std::string> arguments = {"ld.lld", "-shared", "-o", argv[2]};
  for (auto [i, object] : llvm::enumerate(compiled->objects)) {
    std::string path = std::string(argv[2]) + "." + std::to_string(i) + ".o";
    std::error_code error;
    llvm::raw_fd_ostream file(path, error);
    file.write(object.data(), object.size());
    arguments.push_back(path);
  }
  std::vector<llvm::StringRef> references(arguments.begin(), arguments.end());
  auto linker = llvm::sys::findProgramByName("ld.lld-22");
  if (!linker || llvm::sys::ExecuteAndWait(*linker, references) != 0)
    return 1;
  for (auto kernel : module->getOps<shoal::plan::KernelOp>())
    llvm::outs() << kernel.getSymName() << " " << *kernel.getSymbol() << " "
                 << *kernel.getChunks() << " " << *kernel.getScratchBytes()
                 << "\n";
  return 0;
}
