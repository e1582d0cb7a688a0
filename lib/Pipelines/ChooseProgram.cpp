#include "ChooseProgram.h"

#include "shoal/Collectives/Passes.h"
#include "shoal/Simulate/SimulateModule.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Plan/Plan.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace shoal {

LogicalResult
runPasses(ModuleOp module,
          llvm::function_ref<LogicalResult(OpPassManager &)> build) {
  PassManager pm(module.getContext(), ModuleOp::getOperationName(),
                 OpPassManager::Nesting::Implicit);
  return success(succeeded(build(pm)) && succeeded(pm.run(module)));
}

namespace {

/// A program that was made to be judged.
struct Trial {
  double seconds = 0;
  int64_t peak = 0; ///< bytes of a device
  double work = 0;  ///< seconds of all kernels, and of all collectives
  double exposed = 0; ///< seconds that the device waits for links
};

} // namespace

/// The share of a step for which communication is exposed, from which on
/// programs in parts are tried.
static constexpr double kWorthSplitting = 0.02;

/// Bytes of a device that a scheduled program takes.
static int64_t peakOf(ModuleOp scheduled) {
  int64_t peak = 0;
  for (auto program : scheduled.getOps<plan::ProgramOp>()) {
    peak += program.getArenaBytes().value_or(0);
    program.walk([&](Operation *op) {
      auto result = dyn_cast<plan::ResultOp>(op);
      if (isa<plan::ArgumentOp>(op) || (result && !result.getArgument()))
        peak += cast<plan::BufferType>(op->getResult(0).getType()).getBytes();
    });
  }
  return peak;
}

/// Schedules a copy of a module of phase `fused`, and simulates it.
static FailureOr<Trial> judge(ModuleOp fused, const Hardware &hardware,
                              const PipelineOptions &options) {
  OwningOpRef<ModuleOp> scheduled = fused.clone();
  if (failed(runPasses(*scheduled, [&](OpPassManager &pm) {
        return buildPhasePipeline(pm, Phase::Scheduled, options);
      })))
    return failure();
  SimulationOptions simulation;
  simulation.hardware = &hardware;
  FailureOr<Simulation> time = simulateModule(*scheduled, simulation);
  if (failed(time))
    return failure();
  return Trial{time->stepSeconds, peakOf(*scheduled),
               time->computeSeconds + time->communicationSeconds,
               time->exposedSeconds};
}

/// What fits the memory comes before what does not, then what is faster; of two
/// that do not fit, the smaller.
static bool isBetter(const Trial &a, const Trial &b, int64_t memoryLimit) {
  bool fits = a.peak <= memoryLimit;
  if (fits != (b.peak <= memoryLimit))
    return fits;
  return fits ? a.seconds < b.seconds : a.peak < b.peak;
}

/// Brings a copy of the module, which is to go into `phase`, to `scheduled`, by
/// each of the ways, and returns the best.
static FailureOr<Trial> tryProgram(ModuleOp module, Phase phase,
                                   const Hardware &hardware,
                                   PipelineOptions options,
                                   ArrayRef<Overlap> ways) {
  options.remarks = false;
  // What has to be said is said when the program is made for good.
  ScopedDiagnosticHandler silence(module.getContext(), [](Diagnostic &d) {
    return success(d.getSeverity() == DiagnosticSeverity::Remark ||
                   d.getSeverity() == DiagnosticSeverity::Warning);
  });
  OwningOpRef<ModuleOp> fused = module.clone();
  for (Phase p :
       {Phase::Sharded, Phase::Partitioned, Phase::Optimized, Phase::Fused})
    if (phase <= p && failed(runPasses(*fused, [&](OpPassManager &pm) {
          return buildPhasePipeline(pm, p, options);
        })))
      return failure();
  std::optional<Trial> best;
  for (Overlap way : ways) {
    options.overlap = way;
    FailureOr<Trial> trial = judge(*fused, hardware, options);
    if (failed(trial))
      return failure();
    if (!best || isBetter(*trial, *best, options.memoryLimit))
      best = *trial;
  }
  return *best;
}

LogicalResult chooseKept(ModuleOp module, const Hardware &hardware,
                         PipelineOptions &options) {
  int64_t count = countRecomputed(module);
  if (count == 0)
    return success();
  auto with = [&](std::vector<int64_t> keep, ArrayRef<Overlap> ways) {
    PipelineOptions trial = options;
    trial.keep = std::move(keep);
    return tryProgram(module, Phase::Sharded, hardware, trial, ways);
  };
  Overlap blocks[] = {Overlap::Blocks},
          both[] = {Overlap::Blocks, Overlap::Loops};
  ArrayRef<Overlap> ways = options.overlap == Overlap::Loops
                               ? ArrayRef<Overlap>(both)
                               : ArrayRef<Overlap>(blocks);
  FailureOr<Trial> best = with({}, ways);
  if (failed(best))
    return failure();
  double work = best->work;
  struct Candidate {
    int64_t number;
    double gain;
  };
  SmallVector<Candidate> candidates;
  for (int64_t i = 0; i < count; ++i) {
    FailureOr<Trial> one = with({i}, blocks);
    if (failed(one))
      return failure();
    if (one->work < work)
      candidates.push_back({i, work - one->work});
  }
  llvm::stable_sort(candidates, [](const Candidate &a, const Candidate &b) {
    return a.gain > b.gain;
  });
  double before = best->seconds;
  std::vector<int64_t> keep;
  for (const Candidate &candidate : candidates) {
    keep.push_back(candidate.number);
    FailureOr<Trial> more = with(keep, ways);
    if (failed(more))
      return failure();
    if (more->peak > options.memoryLimit) {
      keep.pop_back();
    } else if (isBetter(*more, *best, options.memoryLimit)) {
      best = more;
      options.keep = keep;
    }
  }
  if (options.remarks && !options.keep.empty())
    module.emitRemark() << options.keep.size()
                        << " products are kept for a loop that would compute "
                           "them again (modelled step: "
                        << llvm::formatv("{0:f3} -> {1:f3} ms", before * 1e3,
                                         best->seconds * 1e3)
                        << ")";
  return success();
}

LogicalResult chooseProgram(ModuleOp module, Phase phase,
                            const Hardware &hardware,
                            PipelineOptions &options) {
  SmallVector<std::string> chunks{options.chunkProducts};
  if (phase == Phase::Optimized && options.chunkProducts.empty()) {
    llvm::append_range(chunks, chunkableAxes(module));
    if (chunks.size() > 2)
      chunks.push_back("*");
  }
  std::optional<Trial> best;
  PipelineOptions chosen = options;
  OwningOpRef<ModuleOp> chosenFused;
  auto take = [&](ModuleOp fused, const PipelineOptions &trial) {
    FailureOr<Trial> result = judge(fused, hardware, trial);
    if (failed(result))
      return failure();
    if (best && !isBetter(*result, *best, options.memoryLimit))
      return success();
    best = *result;
    chosen = trial;
    chosen.remarks = options.remarks;
    return success();
  };
  bool hasLoops =
      module->walk([](stablehlo::WhileOp) { return WalkResult::interrupt(); })
          .wasInterrupted();
  SmallVector<Overlap> ways{Overlap::Blocks};
  if (hasLoops)
    ways.push_back(Overlap::Loops);
  auto permutesIn = [](ModuleOp m) {
    int64_t count = 0;
    m.walk([&](comm::PermuteOp) { ++count; });
    return count;
  };
  std::optional<int64_t> permutes;
  for (const std::string &axes : chunks) {
    PipelineOptions trial = options;
    trial.remarks = false;
    trial.chunkProducts = axes;
    OwningOpRef<ModuleOp> fused = module.clone();
    auto bring = [&](Phase p) {
      return runPasses(*fused, [&](OpPassManager &pm) {
        return buildPhasePipeline(pm, p, trial);
      });
    };
    if (phase <= Phase::Optimized) {
      if (failed(bring(Phase::Optimized)))
        return failure();
      int64_t count = permutesIn(*fused);
      if (permutes && count == *permutes)
        continue; // nothing was worth it: the same program
      if (!permutes)
        permutes = count;
      if (failed(bring(Phase::Fused)))
        return failure();
    }
    for (Overlap overlap : ways) {
      trial.overlap = overlap;
      if (failed(take(*fused, trial)))
        return failure();
    }
    if (!chosenFused || chosen.chunkProducts == axes)
      chosenFused = std::move(fused);
  }
  // Reductions over several levels, where there are any that gain alone.
  if (phase <= Phase::Optimized) {
    PipelineOptions trial = chosen;
    trial.remarks = false;
    trial.splitLevels = true;
    OwningOpRef<ModuleOp> fused = module.clone();
    auto bring = [&](Phase p) {
      return runPasses(*fused, [&](OpPassManager &pm) {
        return buildPhasePipeline(pm, p, trial);
      });
    };
    auto reductionsIn = [](ModuleOp m) {
      int64_t count = 0;
      m.walk([&](comm::ReduceScatterOp) { ++count; });
      return count;
    };
    if (failed(bring(Phase::Optimized)))
      return failure();
    if (reductionsIn(*fused) > reductionsIn(*chosenFused)) {
      if (failed(bring(Phase::Fused)) || failed(take(*fused, trial)))
        return failure();
      if (chosen.splitLevels)
        chosenFused = std::move(fused);
    }
  }
  // Independent rows beside each other, where much is not hidden yet.
  auto collectivesIn = [](ModuleOp m) {
    int64_t count = 0;
    m.walk([&](comm::CollectiveOpInterface) { ++count; });
    return count;
  };
  int64_t fewer = 0;
  for (int64_t parts : {2, 4}) {
    if (phase > Phase::Optimized || chosen.splitBatch != fewer ||
        best->exposed < kWorthSplitting * best->seconds)
      break;
    fewer = parts;
    SmallVector<std::string> alsoChunked{options.chunkProducts};
    if (chosen.chunkProducts != options.chunkProducts)
      alsoChunked.push_back(chosen.chunkProducts);
    PipelineOptions trial = chosen;
    trial.remarks = false;
    trial.splitBatch = parts;
    for (const std::string &axes : alsoChunked) {
      trial.chunkProducts = axes;
      OwningOpRef<ModuleOp> fused = module.clone();
      auto bring = [&](Phase p) {
        return runPasses(*fused, [&](OpPassManager &pm) {
          return buildPhasePipeline(pm, p, trial);
        });
      };
      if (failed(bring(Phase::Optimized)))
        return failure();
      if (collectivesIn(*fused) == collectivesIn(*chosenFused))
        continue;
      if (failed(bring(Phase::Fused)) || failed(take(*fused, trial)))
        return failure();
      if (chosen.splitBatch == parts && chosen.chunkProducts == axes)
        chosenFused = std::move(fused);
    }
  }
  // Buckets are made from a simpler model than the simulator's.
  PipelineOptions trial = chosen;
  trial.remarks = false;
  trial.combine = false;
  if (failed(take(*chosenFused, trial)))
    return failure();
  options.combine = chosen.combine;
  options.splitLevels = chosen.splitLevels;
  options.splitBatch = chosen.splitBatch;
  options.chunkProducts = chosen.chunkProducts;
  options.overlap = chosen.overlap;
  return success();
}

} // namespace shoal
