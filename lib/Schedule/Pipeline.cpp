// The phase `scheduled` as one pipeline.
#include "shoal/Schedule/Passes.h"

#include "mlir/Pass/PassRegistry.h"

using namespace mlir;

void shoal::buildSchedulePipeline(OpPassManager &pm, StringRef entry) {
  pm.addPass(createOutlineLoneOps());
  pm.addPass(createBindHostScalars());
  pm.addPass(createOrder());
  BufferizeOptions options;
  options.entry = entry.str();
  pm.addPass(createBufferize(options));
  pm.addPass(createAssignOffsets());
  pm.addPass(createVerifySchedule());
}

namespace {
struct ScheduleOptions : PassPipelineOptions<ScheduleOptions> {
  Option<std::string> entry{*this, "entry",
                            llvm::cl::desc("The entry function"),
                            llvm::cl::init("main")};
};
} // namespace

void shoal::registerSchedulePipelines() {
  PassPipelineRegistration<ScheduleOptions>(
      "shoal-schedule-pipeline",
      "Phase `scheduled`: from kernels and launches to the host program",
      [](OpPassManager &pm, const ScheduleOptions &options) {
        buildSchedulePipeline(pm, options.entry);
      });
}
