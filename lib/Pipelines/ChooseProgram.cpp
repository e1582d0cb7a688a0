#include "ChooseProgram.h"

#include "shoal/Collectives/Passes.h"
#include "shoal/Simulate/SimulateModule.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Plan/Plan.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FormatVariadic.h"

#include <map>
#include <set>

using namespace mlir;

namespace shoal {

LogicalResult
runPasses(ModuleOp module,
          llvm::function_ref<LogicalResult(OpPassManager &)> build) {
  PassManager pm(module.getContext(), ModuleOp::getOperationName(),
                 OpPassManager::Nesting::Implicit);
  return success(succeeded(build(pm)) && succeeded(pm.run(module)));
}

/// The share of a step for which communication is exposed, from which on
/// programs in parts are tried.
static constexpr double kWorthSplitting = 0.02;
/// How many ops may go through trials: long programs are tried in fewer ways.
static constexpr int64_t kTrialOps = 120'000;
/// The share of a step that forms chosen by time must save over those chosen by
/// bytes.
static constexpr double kWorthMoreBytes = 0.01;

/// How often a program that does not fit is made to before it is given up.
static constexpr int kFitTrials = 4;

static int64_t opsIn(ModuleOp module) {
  int64_t count = 0;
  module.walk([&](Operation *) { ++count; });
  return count;
}

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

/// What fits the memory comes before what does not, then what is faster; of two
/// that do not fit, the smaller.
static bool isBetter(const Trial &a, const Trial &b, int64_t memoryLimit) {
  bool fits = a.peak <= memoryLimit;
  if (fits != (b.peak <= memoryLimit))
    return fits;
  return fits ? a.seconds < b.seconds : a.peak < b.peak;
}

FailureOr<Trial> judge(ModuleOp fused, const Hardware &hardware,
                       PipelineOptions &options, bool mayFit) {
  PipelineOptions part = options;
  part.remarks = false;
  part.schedulePart = "order";
  OwningOpRef<ModuleOp> ordered = fused.clone();
  auto schedule = [&](ModuleOp module) {
    return runPasses(module, [&](OpPassManager &pm) {
      return buildPhasePipeline(pm, Phase::Scheduled, part);
    });
  };
  if (failed(schedule(*ordered)))
    return failure();
  part.schedulePart = "rest";
  std::optional<Trial> best;
  for (bool combine : {true, false}) {
    if (combine && !options.combine)
      continue;
    part.combine = combine;
    OwningOpRef<ModuleOp> scheduled = ordered->clone();
    if (failed(schedule(*scheduled)))
      return failure();
    SimulationOptions simulation;
    simulation.hardware = &hardware;
    FailureOr<Simulation> time = simulateModule(*scheduled, simulation);
    if (failed(time))
      return failure();
    Trial trial{time->stepSeconds, peakOf(*scheduled),
                time->computeSeconds + time->communicationSeconds,
                time->exposedSeconds};
    if (!best || isBetter(trial, *best, options.memoryLimit)) {
      best = trial;
      options.combine = combine;
    }
  }
  int64_t limit = options.memoryLimit;
  if (!mayFit || best->peak <= limit || limit <= argumentBytes(fused))
    return *best;
  std::optional<Trial> fits;
  for (FitWay way : fitWays(fused, hardware, options, /*few=*/true)) {
    PipelineOptions fitting = options;
    way.set(fitting, limit, best->peak);
    int64_t last = INT64_MAX;
    for (int i = 0; i < kFitTrials; ++i) {
      if (way.values && fitting.fitTarget <= 0)
        break;
      FailureOr<Trial> fitted = judge(fused, hardware, fitting, false);
      if (failed(fitted))
        return failure();
      if (fitted->peak <= limit) {
        if (!fits || fitted->seconds < fits->seconds)
          fits = *fitted;
        break;
      }
      if (!way.values && fitted->peak >= last) // no more can go
        break;
      last = fitted->peak;
      way.more(fitting, fitted->peak - limit);
    }
  }
  return fits ? *fits : *best;
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
    PipelineOptions mine = options;
    mine.overlap = way;
    FailureOr<Trial> trial = judge(*fused, hardware, mine, true);
    if (failed(trial))
      return failure();
    if (!best || isBetter(*trial, *best, options.memoryLimit))
      best = *trial;
  }
  return *best;
}

LogicalResult chooseFreeForms(ModuleOp module, const Hardware &hardware,
                              PipelineOptions &options) {
  if (opsIn(module) > kTrialOps / 4)
    return success();
  PipelineOptions within = options, free = options;
  within.remarks = free.remarks = false;
  free.freeForms = true;
  // As a rule all forms fit, and are the same.
  auto formsWith = [&](const PipelineOptions &with) -> FailureOr<std::string> {
    ScopedDiagnosticHandler silence(module.getContext(), [](Diagnostic &d) {
      return success(d.getSeverity() == DiagnosticSeverity::Remark ||
                     d.getSeverity() == DiagnosticSeverity::Warning);
    });
    OwningOpRef<ModuleOp> sharded = module.clone();
    if (failed(runPasses(*sharded, [&](OpPassManager &pm) {
          return buildPhasePipeline(pm, Phase::Sharded, with);
        })))
      return failure();
    std::string text;
    llvm::raw_string_ostream os(text);
    sharded->walk([&](Operation *op) {
      os << op->getName() << " " << op->getAttrDictionary() << "\n";
    });
    return text;
  };
  FailureOr<std::string> one = formsWith(within), other = formsWith(free);
  if (failed(one) || failed(other))
    return failure();
  if (*one == *other)
    return success();
  FailureOr<Trial> kept = tryProgram(module, Phase::Sharded, hardware, within,
                                     Overlap::Blocks),
                   freed = tryProgram(module, Phase::Sharded, hardware, free,
                                      Overlap::Blocks);
  if (failed(kept) || failed(freed))
    return failure();
  // (Where neither fits, forms that hold less are nearer to it.)
  if (freed->peak > options.memoryLimit ||
      !isBetter(*freed, *kept, options.memoryLimit))
    return success();
  options.freeForms = true;
  if (options.remarks)
    module.emitRemark()
        << "forms are chosen without regard to the memory limit, which what is "
           "computed again keeps (modelled step, before what else is "
           "overlapped: "
        << llvm::formatv("{0:f3} -> {1:f3} ms)", kept->seconds * 1e3,
                         freed->seconds * 1e3);
  return success();
}

LogicalResult chooseAxisTimes(ModuleOp module, const Hardware &hardware,
                              PipelineOptions &options) {
  // Along axes of one kind of links, bytes say it all.
  bool differs = false;
  for (auto mesh : module.getOps<MeshOp>())
    differs |=
        mesh.getMesh().getNumDevices() > hardware.links.front().devices &&
        llvm::count_if(mesh.getMesh().getAxes(), [](MeshAxisAttr axis) {
          return axis.getSize() > 1;
        }) > 1;
  if (!differs || hardware.links.size() < 2 || options.axisTimes ||
      opsIn(module) > kTrialOps / 4)
    return success();
  PipelineOptions trial = options;
  FailureOr<Trial> bytes =
      tryProgram(module, Phase::Sharded, hardware, trial, Overlap::Blocks);
  trial.axisTimes = true;
  FailureOr<Trial> times =
      tryProgram(module, Phase::Sharded, hardware, trial, Overlap::Blocks);
  if (failed(bytes) || failed(times))
    return failure();
  // Fewer bytes leave more to others on the network: not given up for little.
  bytes->seconds *= 1 - kWorthMoreBytes;
  if (!isBetter(*times, *bytes, options.memoryLimit))
    return success();
  options.axisTimes = true;
  if (options.remarks)
    module.emitRemark()
        << "forms are chosen by the times of the axes' links (modelled step, "
           "before what else is overlapped: "
        << llvm::formatv("{0:f3} -> {1:f3} ms",
                         bytes->seconds / (1 - kWorthMoreBytes) * 1e3,
                         times->seconds * 1e3)
        << ")";
  return success();
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
  // What is computed on shards between the halves of all_reduces takes less
  // memory: there is more to keep.
  std::string whole = options.splitAllReduces;
  if (whole.empty()) {
    options.splitAllReduces = "*";
    FailureOr<Trial> shards = with({}, ways);
    if (failed(shards))
      return failure();
    if (isBetter(*shards, *best, options.memoryLimit))
      best = shards;
    else
      options.splitAllReduces = whole;
  }
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

namespace {

/// Makes a module, which is to go into `phase`, into programs and keeps what
/// made the best one.
class Chooser {
public:
  Chooser(ModuleOp module, Phase phase, const Hardware &hardware,
          const PipelineOptions &options)
      : module(module), phase(phase), hardware(hardware), chosen(options) {}

  const PipelineOptions &getChosen() const { return chosen; }
  double exposedShare() const { return best->exposed / best->seconds; }

  /// Tries options, each with every one of `ways`. What a pass of `optimized`
  /// would do is tried only if it does something: if the program is none that
  /// was there already.
  LogicalResult tryWith(PipelineOptions options, ArrayRef<Overlap> ways) {
    bool remarks = std::exchange(options.remarks, false);
    OwningOpRef<ModuleOp> fused = module.clone();
    auto bring = [&](Phase p) {
      return runPasses(*fused, [&](OpPassManager &pm) {
        return buildPhasePipeline(pm, p, options);
      });
    };
    if (phase <= Phase::Optimized) {
      if (best && tried > kTrialOps)
        return success();
      if (failed(bring(Phase::Optimized)))
        return failure();
      if (!seen.insert(collectivesOf(*fused)).second)
        return success();
      tried += opsIn(*fused);
      if (failed(bring(Phase::Fused)))
        return failure();
    }
    for (Overlap overlap : ways) {
      PipelineOptions trial = options;
      trial.overlap = overlap;
      FailureOr<Trial> result = judge(*fused, hardware, trial, true);
      if (failed(result))
        return failure();
      if (best && !isBetter(*result, *best, options.memoryLimit))
        continue;
      best = *result;
      chosen = trial;
      chosen.remarks = remarks;
    }
    return success();
  }

private:
  /// How many collectives there are of each kind, type and group: programs that
  /// differ in that are different.
  using Collectives =
      std::map<std::tuple<std::string, const void *, const void *>, int64_t>;
  static Collectives collectivesOf(ModuleOp m) {
    Collectives counts;
    m.walk([&](comm::CollectiveOpInterface op) {
      ++counts[{op->getName().getStringRef().str(),
                op->getResult(0).getType().getAsOpaquePointer(),
                op.getCollectiveGroups().getAsOpaquePointer()}];
    });
    return counts;
  }

  ModuleOp module;
  Phase phase;
  const Hardware &hardware;
  PipelineOptions chosen;
  std::optional<Trial> best;
  int64_t tried = 0; ///< ops
  std::set<Collectives> seen;
};

} // namespace

LogicalResult chooseProgram(ModuleOp module, Phase phase,
                            const Hardware &hardware, PipelineOptions &options,
                            bool choosesHalves) {
  Chooser chooser(module, phase, hardware, options);
  SmallVector<std::string> chunks{options.chunkProducts};
  bool optimizes = phase <= Phase::Optimized;
  if (optimizes && options.chunkProducts.empty()) {
    llvm::append_range(chunks, chunkableAxes(module));
    if (chunks.size() > 2)
      chunks.push_back("*");
  }
  bool hasLoops =
      module->walk([](stablehlo::WhileOp) { return WalkResult::interrupt(); })
          .wasInterrupted();
  SmallVector<Overlap> ways{Overlap::Blocks};
  if (hasLoops)
    ways.push_back(Overlap::Loops);
  PipelineOptions trial = options;
  for (const std::string &axes : chunks) {
    trial.chunkProducts = axes;
    if (failed(chooser.tryWith(trial, ways)))
      return failure();
  }
  // What stands between the halves of all_reduces on shards: of the group that
  // sends most, and of all; the halves are next to products then.
  SmallVector<std::string> halves;
  if (optimizes && choosesHalves) {
    halves = allReduceGroups(module);
    if (halves.size() > 1)
      halves[1] = "*";
    halves.resize(std::min<size_t>(halves.size(), 2));
    halves.push_back("");
  }
  auto tryHalves = [&]() -> LogicalResult {
    for (const std::string &groups : halves) {
      PipelineOptions trial = chooser.getChosen();
      if (trial.splitAllReduces == groups)
        continue;
      trial.splitAllReduces = groups;
      trial.combine = options.combine;
      Overlap way = trial.overlap;
      if (failed(chooser.tryWith(trial, way)))
        return failure();
      if (chooser.getChosen().splitAllReduces != groups || groups == "*" ||
          groups.empty() || !options.chunkProducts.empty() ||
          !trial.chunkProducts.empty())
        continue;
      trial.chunkProducts = groups;
      if (failed(chooser.tryWith(trial, way)))
        return failure();
    }
    return success();
  };
  if (failed(tryHalves()))
    return failure();
  // Reductions over several levels, where there are any that gain alone.
  if (optimizes) {
    trial = chooser.getChosen();
    trial.splitLevels = true;
    trial.combine = options.combine;
    Overlap way = trial.overlap;
    if (failed(chooser.tryWith(trial, way)))
      return failure();
  }
  // Independent rows beside each other, where much is not hidden yet. (What is
  // chunked for want of something to run beside need not be then.)
  if (optimizes)
    for (int64_t PipelineOptions::*split :
         {&PipelineOptions::splitBatch, &PipelineOptions::splitExchanges}) {
      int64_t fewer = options.*split;
      for (int64_t parts : {2, 4}) {
        if (chooser.getChosen().*split != fewer ||
            chooser.exposedShare() < kWorthSplitting)
          break;
        trial = chooser.getChosen();
        trial.*split = parts;
        trial.combine = options.combine;
        Overlap way = trial.overlap;
        SmallVector<std::string> also{trial.chunkProducts};
        if (parts == 2)
          also = chunks;
        for (const std::string &axes : also) {
          trial.chunkProducts = axes;
          if (failed(chooser.tryWith(trial, way)))
            return failure();
        }
        // Halves are exposed until something runs beside them.
        if (parts == 2 && !halves.empty() && trial.splitAllReduces.empty()) {
          trial.chunkProducts = also.front();
          trial.splitAllReduces = halves.front();
          if (failed(chooser.tryWith(trial, way)))
            return failure();
        }
        fewer = parts;
      }
    }
  if (chooser.getChosen().splitBatch && failed(tryHalves()))
    return failure();
  bool remarks = options.remarks;
  options = chooser.getChosen();
  options.remarks = remarks;
  return success();
}

} // namespace shoal
