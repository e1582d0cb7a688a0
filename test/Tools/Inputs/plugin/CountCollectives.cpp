// A pass outside Shoal's tree: counts the collectives of a module in a remark.

#include "dialects/Comm/Comm.h"

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "llvm/Config/llvm-config.h"

namespace {

struct CountCollectives
    : mlir::PassWrapper<CountCollectives, mlir::OperationPass<mlir::ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CountCollectives)
  llvm::StringRef getArgument() const override { return "count-collectives"; }
  llvm::StringRef getDescription() const override {
    return "Counts collectives over mesh axes";
  }
  void runOnOperation() override {
    int count = 0;
    getOperation().walk([&](shoal::comm::AllReduceOp) { ++count; });
    getOperation().emitRemark() << count << " all_reduce";
  }
};

} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK mlir::PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "CountCollectives", LLVM_VERSION_STRING,
          [] { mlir::PassRegistration<CountCollectives>(); }};
}
