#include "shoal/Pipelines/Register.h"

#include "dialects/Plan/Plan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectRegistry.h"

void shoal::registerAllDialects(mlir::DialectRegistry &registry) {
  registry.insert<mlir::func::FuncDialect, plan::PlanDialect>();
}

void shoal::registerAllPasses() {}
