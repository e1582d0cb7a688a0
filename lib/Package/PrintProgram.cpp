// shoal-print-program: see Passes.td.
#include "dialects/Plan/Plan.h"
#include "shoal/Package/Package.h"
#include "shoal/Package/Passes.h"

#include "shoal/runtime/Program.h"

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_PRINTPROGRAM
#include "shoal/Package/Passes.h.inc"

namespace {
struct PrintProgram : impl::PrintProgramBase<PrintProgram> {
  void runOnOperation() override {
    PackageOptions options;
    for (auto kernel : getOperation().getOps<plan::KernelOp>())
      if (kernel->hasAttr(plan::GpuLaunchAttr::getAttrName()))
        options.target = "cuda";
    FailureOr<ProgramTable> table =
        buildProgramTable(getOperation(), options);
    if (failed(table))
      return signalPassFailure();
    std::vector<uint64_t> aligned(table->table.size() / 8 + 1);
    std::copy(table->table.begin(), table->table.end(),
              reinterpret_cast<char *>(aligned.data()));
    llvm::errs() << program::print(program::View(aligned.data()));
  }
};
} // namespace
} // namespace shoal
