// shoal-reduce: MLIR's test case reducer over Shoal's dialects and passes.

#include "shoal/Pipelines/Register.h"
#include "shoal/runtime/CommandLine.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"
#include "mlir/Transforms/Passes.h"

#include <cstdio>
#include <cstring>

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i)
    if (!std::strcmp(argv[i], "--version")) {
      std::fputs(shoal::rt::versionText("shoal-reduce").c_str(), stdout);
      return 0;
    }
  mlir::DialectRegistry registry;
  shoal::registerAllDialects(registry);
  shoal::registerAllPasses();
  mlir::registerTransformsPasses();
  mlir::MLIRContext context(registry);
  return mlir::failed(mlir::mlirReduceMain(argc, argv, context)) ? 2 : 0;
}
