// The phase `scheduled` as one pipeline.
#include "shoal/Collectives/Passes.h"
#include "shoal/Schedule/Passes.h"

#include "mlir/Pass/PassRegistry.h"

using namespace mlir;
using namespace shoal;

/// On tensors: what runs when.
static void addOrder(OpPassManager &pm, StringRef hardware, int64_t memoryLimit,
                     StringRef overlapMode, int64_t fitTarget,
                     int64_t saveStacks, bool offload, bool offloadStacks,
                     bool remarks) {
  if (saveStacks > 0) {
    RecomputeStacksOptions stacks;
    stacks.hardware = hardware.str();
    stacks.save = saveStacks;
    stacks.offload = offloadStacks;
    stacks.remarks = remarks;
    pm.addPass(createRecomputeStacks(stacks));
  }
  if (fitTarget > 0)
    memoryLimit = fitTarget;
  if (overlapMode == "loops") {
    PipelineLoopsOptions loops;
    loops.hardware = hardware.str();
    loops.memoryLimit = memoryLimit;
    loops.remarks = remarks;
    pm.addPass(createPipelineLoops(loops));
  }
  pm.addPass(createOutlineLoneOps());
  pm.addPass(createBindHostScalars());
  pm.addPass(createOrder());
  if (fitTarget > 0) {
    FitMemoryOptions fit;
    fit.hardware = hardware.str();
    fit.memoryLimit = fitTarget;
    fit.offload = offload;
    fit.remarks = remarks;
    pm.addPass(createFitMemory(fit));
  }
  if (overlapMode != "none") {
    OverlapOptions overlap;
    overlap.hardware = hardware.str();
    overlap.memoryLimit = memoryLimit;
    overlap.remarks = remarks;
    pm.addPass(createOverlap(overlap));
  }
}

void shoal::buildSchedulePipeline(OpPassManager &pm, StringRef entry,
                                  StringRef hardware, int64_t memoryLimit,
                                  StringRef overlapMode, bool remarks,
                                  bool combineCollectives, StringRef part,
                                  int64_t fitTarget, int64_t saveStacks,
                                  bool offload, bool offloadStacks) {
  if (part != "rest")
    addOrder(pm, hardware, memoryLimit, overlapMode, fitTarget, saveStacks,
             offload, offloadStacks, remarks);
  if (part == "order")
    return;
  BufferizeOptions options;
  options.entry = entry.str();
  pm.addPass(createBufferize(options));
  if (overlapMode != "none") {
    if (combineCollectives) {
      CombineCollectivesOptions combine;
      combine.hardware = hardware.str();
      combine.memoryLimit = memoryLimit;
      combine.remarks = remarks;
      pm.addPass(createCombineCollectives(combine));
    }
    SplitCollectivesOptions split;
    split.hardware = hardware.str();
    pm.addPass(createSplitCollectives(split));
  }
  pm.addPass(createAssignOffsets());
  pm.addPass(createVerifySchedule());
}

namespace {
struct ScheduleOptions : PassPipelineOptions<ScheduleOptions> {
  Option<std::string> entry{*this, "entry",
                            llvm::cl::desc("The entry function"),
                            llvm::cl::init("main")};
  Option<std::string> hardware{*this, "hardware",
                               llvm::cl::desc("Machine for the modelled times"),
                               llvm::cl::init("")};
  Option<int64_t> memoryLimit{
      *this, "memory-limit",
      llvm::cl::desc("Bytes that a device may hold; 0: as few as can be"),
      llvm::cl::init(0)};
  Option<int64_t> fitTarget{
      *this, "fit-target",
      llvm::cl::desc("Bytes to keep within by computing values again "
                     "(shoal-fit-memory); 0: nothing is computed again"),
      llvm::cl::init(0)};
  Option<int64_t> saveStacks{
      *this, "save-stacks",
      llvm::cl::desc("Bytes of a scan's stacks to do without "
                     "(shoal-recompute-stacks)"),
      llvm::cl::init(0)};
  Option<bool> offload{
      *this, "offload",
      llvm::cl::desc("To fit, values may go to the host's memory and back"),
      llvm::cl::init(false)};
  Option<bool> offloadStacks{
      *this, "offload-stacks",
      llvm::cl::desc("Stacks to do without may go there, too"),
      llvm::cl::init(false)};
  Option<std::string> overlap{
      *this, "overlap",
      llvm::cl::desc("How far collectives are hidden: none, blocks or loops"),
      llvm::cl::init("loops")};
  Option<bool> combine{*this, "combine",
                       llvm::cl::desc("Collectives become one in buckets"),
                       llvm::cl::init(true)};
  Option<std::string> part{
      *this, "part",
      llvm::cl::desc("all; order: up to the order of kernels and collectives; "
                     "rest: from there on"),
      llvm::cl::init("all")};
  Option<bool> remarks{*this, "remarks",
                       llvm::cl::desc("Say what was changed, and the gain"),
                       llvm::cl::init(false)};
};
} // namespace

void shoal::registerSchedulePipelines() {
  PassPipelineRegistration<ScheduleOptions>(
      "shoal-schedule-pipeline",
      "Phase `scheduled`: from kernels and launches to the host program",
      [](OpPassManager &pm, const ScheduleOptions &options) {
        buildSchedulePipeline(
            pm, options.entry, options.hardware, options.memoryLimit,
            options.overlap, options.remarks, options.combine, options.part,
            options.fitTarget, options.saveStacks, options.offload,
            options.offloadStacks);
      });
}
