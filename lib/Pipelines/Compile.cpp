#include "shoal/Pipelines/Compile.h"

#include "Binary.h"
#include "ParseLimit.h"

#include "shoal/Collectives/Passes.h"
#include "shoal/Import/Passes.h"
#include "shoal/Report/Report.h"
#include "shoal/Simulate/SimulateModule.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Plan/Plan.h"
#include "dialects/StableHLO/StableHLO.h"
#include "dialects/VHLO/VHLO.h"

#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/SourceMgr.h"

#include <chrono>

using namespace mlir;

namespace shoal {

/// The function that is compiled: `wanted`, else main, else the only one.
static FailureOr<std::string> findEntry(ModuleOp module, StringRef wanted) {
  if (!wanted.empty() && module.lookupSymbol(wanted))
    return wanted.str();
  if (wanted.empty() && module.lookupSymbol("main"))
    return std::string("main");
  SmallVector<StringRef> names;
  for (Operation &op : module.getOps())
    if (isa<FunctionOpInterface>(op) ||
        op.getName().stripDialect() == "program")
      if (auto symbol = dyn_cast<SymbolOpInterface>(op);
          symbol && !isa<plan::KernelOp>(op))
        names.push_back(symbol.getName());
  if (wanted.empty() && names.size() == 1)
    return names.front().str();
  InFlightDiagnostic error = module.emitError();
  if (wanted.empty())
    error << "no function 'main'";
  else
    error << "no function '" << wanted << "' to compile";
  if (names.empty())
    return error << "; the module has no functions", failure();
  error << "; choose one with --entry=NAME: ";
  for (auto [i, name] : llvm::enumerate(names)) {
    if (i == 8) {
      error << ", …";
      break;
    }
    error << (i ? ", '" : "'") << name << "'";
  }
  error.report();
  return failure();
}

/// Parses the source and leaves what the entry reaches, verified: other
/// functions must only parse.
static LogicalResult readModule(llvm::MemoryBufferRef source,
                                const CompileOptions &options,
                                MLIRContext &context,
                                OwningOpRef<ModuleOp> &module,
                                std::string &entry) {
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(
      llvm::MemoryBuffer::getMemBuffer(source, /*RequiresNullTerminator=*/true),
      llvm::SMLoc());
  ParserConfig config(&context, /*verifyAfterParse=*/false);
  auto parse = [&] {
    ParseLimit limit(source);
    module = parseSourceFile<ModuleOp>(sources, config);
  };
  if (isBytecode(source) && !survivesReading(parse))
    return emitError(
        FileLineColLoc::get(&context, source.getBufferIdentifier(), 1, 1),
        "the bytecode is damaged");
  parse();
  // A portable artifact has versioned ops, functions included.
  if (!module || failed(vhlo::legalizeToStablehlo(*module)))
    return failure();
  FailureOr<std::string> found = findEntry(*module, options.entry);
  if (failed(found))
    return failure();
  entry = *found;
  if (options.from == Phase::Input && options.to > Phase::Input &&
      failed(pruneToEntry(*module, entry)))
    return failure();
  return verify(*module);
}

static LogicalResult
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
};

} // namespace

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

/// Brings a copy of the module, which is to go into `phase`, to `scheduled`, by
/// each of the ways; the fastest that fits the memory limit, or the first.
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
  SimulationOptions simulation;
  simulation.hardware = &hardware;
  std::optional<Trial> best;
  for (Overlap way : ways) {
    options.overlap = way;
    OwningOpRef<ModuleOp> scheduled = fused->clone();
    if (failed(runPasses(*scheduled, [&](OpPassManager &pm) {
          return buildPhasePipeline(pm, Phase::Scheduled, options);
        })))
      return failure();
    FailureOr<Simulation> time = simulateModule(*scheduled, simulation);
    if (failed(time))
      return failure();
    Trial trial{time->stepSeconds, peakOf(*scheduled),
                time->computeSeconds + time->communicationSeconds};
    if (!best ||
        (trial.seconds < best->seconds && trial.peak <= options.memoryLimit))
      best = trial;
  }
  return *best;
}

/// Of what a checkpointed layer computes again, sets what is kept instead: of
/// what saves work (collectives, as a rule, most), so much, the best first, as
/// makes the shortest step and fits the memory.
static LogicalResult chooseKept(ModuleOp module, const Hardware &hardware,
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
    } else if (more->seconds < best->seconds) {
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

/// Sets how far communication is overlapped, and over which axes products are
/// chunked, to what the simulator finds fastest for the module, which is to go
/// into `phase`.
static LogicalResult chooseProgram(ModuleOp module, Phase phase,
                                   const Hardware &hardware,
                                   PipelineOptions &options) {
  SmallVector<std::string> chunks{options.chunkProducts};
  if (phase == Phase::Optimized && options.chunkProducts.empty()) {
    llvm::append_range(chunks, chunkableAxes(module));
    if (chunks.size() > 2)
      chunks.push_back("*");
  }
  std::optional<double> best;
  PipelineOptions chosen = options;
  SimulationOptions simulation;
  simulation.hardware = &hardware;
  OwningOpRef<ModuleOp> chosenFused;
  auto judge = [&](ModuleOp fused, const PipelineOptions &trial) {
    OwningOpRef<ModuleOp> scheduled = fused.clone();
    if (failed(runPasses(*scheduled, [&](OpPassManager &pm) {
          return buildPhasePipeline(pm, Phase::Scheduled, trial);
        })))
      return failure();
    FailureOr<Simulation> time = simulateModule(*scheduled, simulation);
    if (failed(time))
      return failure();
    if (best && time->stepSeconds >= *best)
      return success();
    best = time->stepSeconds;
    bool remarks = options.remarks;
    chosen = trial;
    chosen.remarks = remarks;
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
      if (failed(judge(*fused, trial)))
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
      if (failed(bring(Phase::Fused)) || failed(judge(*fused, trial)))
        return failure();
      if (chosen.splitLevels)
        chosenFused = std::move(fused);
    }
  }
  // Buckets are made from a simpler model than the simulator's.
  PipelineOptions trial = chosen;
  trial.remarks = false;
  trial.combine = false;
  if (failed(judge(*chosenFused, trial)))
    return failure();
  options.combine = chosen.combine;
  options.splitLevels = chosen.splitLevels;
  options.chunkProducts = chosen.chunkProducts;
  options.overlap = chosen.overlap;
  return success();
}

FailureOr<Compiled> compileModule(llvm::MemoryBufferRef source,
                                  const CompileOptions &given,
                                  MLIRContext &context) {
  Compiled result;
  CompileOptions options = given;
  using Clock = std::chrono::steady_clock;
  auto timed = [&](Phase phase, auto body) -> LogicalResult {
    auto begin = Clock::now();
    LogicalResult ok = body();
    std::chrono::duration<double> time = Clock::now() - begin;
    result.seconds.push_back({phase, time.count()});
    return ok;
  };
  if (failed(timed(options.from, [&] {
        return readModule(source, given, context, result.module, options.entry);
      })))
    return failure();
  ModuleOp module = *result.module;
  if (options.onPhase && failed(options.onPhase(options.from, module)))
    return failure();

  std::string hardwareError;
  FailureOr<Hardware> hardware = getHardware(options.hardware, hardwareError);
  if (failed(hardware))
    return module.emitError() << "--hardware: " << hardwareError;
  if (!options.memoryLimit && !options.hardware.empty())
    options.memoryLimit = static_cast<int64_t>(hardware->memoryBytes);
  std::optional<Report> report;
  auto simulateProgram = [&]() -> LogicalResult {
    SimulationOptions simulation;
    simulation.hardware = &*hardware;
    FailureOr<Simulation> s = simulateModule(
        module, simulation, options.trace ? &result.trace : nullptr);
    if (failed(s))
      return failure();
    if (!s->error.empty())
      return module.emitError() << "simulation: " << s->error;
    report->modelledStep = s->stepSeconds;
    report->modelledExposed = s->exposedSeconds;
    report->modelledCompute = s->computeSeconds;
    report->modelledCommunication =
        s->linkSeconds.empty() ? 0 : *llvm::max_element(s->linkSeconds);
    report->modelledPath = s->criticalPathSeconds;
    return success();
  };
  auto gather = [&](Phase phase) {
    // The report describes the program that is run, so it is made from the
    // last phase that still has whole tensors; memory comes from the schedule.
    if (phase == Phase::Partitioned || phase == Phase::Optimized ||
        (phase == Phase::Fused && !report))
      report = Report::of(module, options.entry, *hardware);
    else if (phase == Phase::Scheduled && report)
      report->addSchedule(module);
  };
  auto reportText = [&](bool withTimes) {
    std::vector<std::pair<std::string, double>> seconds;
    for (auto &[phase, time] : result.seconds)
      if (withTimes)
        seconds.push_back({stringifyPhase(phase).str(), time});
    return report->json(seconds);
  };
  gather(options.from);
  for (Phase phase : allPhases) {
    if (phase <= options.from || phase > options.to)
      continue;
    if (phase == Phase::Binary) {
      // Without times: the same input gives the same bytes.
      if (report)
        module->setAttr(reportAttrName,
                        StringAttr::get(&context, reportText(false)));
      if (failed(timed(phase, [&] {
            return makeBinary(module, options, result.binary);
          })))
        return failure();
      break;
    }
    if (failed(timed(phase, [&]() -> LogicalResult {
          bool modelled = options.overlap != Overlap::None &&
                          options.memoryLimit > 0 && !options.hardware.empty();
          if (phase == Phase::Sharded && modelled && options.keep.empty() &&
              failed(chooseKept(module, *hardware, options)))
            return failure();
          // Neither pipelined loops nor chunked products are always faster:
          // whole programs are made and judged.
          bool first =
              phase == Phase::Optimized ||
              (phase == Phase::Scheduled && options.from >= Phase::Optimized);
          if (first && options.to >= Phase::Scheduled &&
              options.overlap == Overlap::Loops && options.memoryLimit > 0 &&
              failed(chooseProgram(module, phase, *hardware, options)))
            return failure();
          return runPasses(module, [&](OpPassManager &pm) {
            return buildPhasePipeline(pm, phase, options);
          });
        })))
      return failure();
    gather(phase);
    if (phase == Phase::Scheduled && report &&
        (options.report || options.trace) && failed(simulateProgram()))
      return failure();
    if (options.onPhase && failed(options.onPhase(phase, module)))
      return failure();
  }
  if (!options.emit.empty() && failed(runPasses(module, [&](OpPassManager &pm) {
        return buildExportPipeline(pm, options.emit);
      })))
    return failure();
  if (options.report) {
    if (!report)
      return module.emitError()
             << "--report: there is no program to report on in phase '"
             << stringifyPhase(options.to) << "'";
    result.report = reportText(true);
  }
  return result;
}

} // namespace shoal
