#include "shoal/Pipelines/Register.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Plan/Plan.h"
#include "dialects/Shoal/Shoal.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectRegistry.h"

void shoal::registerAllDialects(mlir::DialectRegistry &registry) {
  registry.insert<mlir::func::FuncDialect, plan::PlanDialect, ShoalDialect,
                  comm::CommDialect>();
}

void shoal::registerAllPasses() {}
