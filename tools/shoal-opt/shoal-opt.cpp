// shoal-opt: MLIR's optimizer driver over all of Shoal's dialects, passes and
// phase pipelines.

#include "shoal/Pipelines/Register.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  shoal::registerAllDialects(registry);
  shoal::registerAllPasses();
  mlir::registerTransformsPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "Shoal modular optimizer driver\n", registry));
}
