#include "shoal/Pipelines/Compile.h"

#include "Binary.h"
#include "ChooseProgram.h"
#include "ParseLimit.h"

#include "shoal/Import/Passes.h"
#include "shoal/Pipelines/PackBooleans.h"
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
  std::unique_ptr<llvm::MemoryBuffer> packed;
  if (!isBytecode(source) && (packed = packBooleans(source)))
    source = *packed;
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

namespace {

/// A module on its way through the phases.
class Compilation {
public:
  Compilation(const CompileOptions &given, MLIRContext &context)
      : given(given), options(given), context(context) {}

  LogicalResult run(llvm::MemoryBufferRef source);

  Compiled result;

private:
  LogicalResult prepare();
  LogicalResult enter(Phase phase);
  LogicalResult chooseOptions(Phase phase);
  void updateReport(Phase phase);
  LogicalResult simulate();
  std::string reportText(bool withTimes) const;

  template <typename Body>
  LogicalResult timed(Phase phase, Body body) {
    auto begin = std::chrono::steady_clock::now();
    LogicalResult ok = body();
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - begin;
    result.seconds.push_back({phase, time.count()});
    return ok;
  }

  const CompileOptions &given;
  CompileOptions options; ///< with what was chosen
  MLIRContext &context;
  ModuleOp module;
  Hardware hardware;
  std::optional<Report> report;
};

/// What options leave open and the machine says.
LogicalResult Compilation::prepare() {
  std::string error;
  FailureOr<Hardware> found = getHardware(options.hardware, error);
  if (failed(found))
    return module.emitError() << "--hardware: " << error;
  hardware = *found;
  if (!options.memoryLimit && !options.hardware.empty())
    options.memoryLimit = static_cast<int64_t>(hardware.memoryBytes);
  return success();
}

/// The report describes the program that is run, so it is made from the last
/// phase that still has whole tensors; memory comes from the schedule.
void Compilation::updateReport(Phase phase) {
  if (phase == Phase::Partitioned || phase == Phase::Optimized ||
      (phase == Phase::Fused && !report))
    report = Report::of(module, options.entry, hardware);
  else if (phase == Phase::Scheduled && report)
    report->addSchedule(module);
}

/// Models a step of the scheduled program, for the report and the trace.
LogicalResult Compilation::simulate() {
  SimulationOptions simulation;
  simulation.hardware = &hardware;
  simulation.trace = true;
  simulation.jitter = options.jitter;
  for (auto [rank, factor] : options.stragglers) {
    if (rank >= report->devices)
      return module.emitError()
             << "--straggler: there is no rank " << rank << ", the mesh has "
             << report->devices << " devices";
    simulation.slowdown.resize(static_cast<size_t>(report->devices), 1.0);
    simulation.slowdown[static_cast<size_t>(rank)] = factor;
  }
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
  report->modelledLinks.clear();
  for (auto [link, seconds] : llvm::zip(hardware.links, s->linkSeconds))
    report->modelledLinks.push_back({link.name, seconds});
  report->modelledPeakBytes = 0;
  for (auto [time, bytes] : s->memory)
    report->modelledPeakBytes = std::max(report->modelledPeakBytes, bytes);
  report->ranksSimulated = s->ranksSimulated;
  return success();
}

std::string Compilation::reportText(bool withTimes) const {
  std::vector<std::pair<std::string, double>> seconds;
  for (auto &[phase, time] : result.seconds)
    if (withTimes)
      seconds.push_back({stringifyPhase(phase).str(), time});
  return report->json(seconds);
}

/// Options of this phase and of later ones that were not given: those that make
/// the modelled step shortest, and then make it fit.
LogicalResult Compilation::chooseOptions(Phase phase) {
  bool reachesSchedule = options.to >= Phase::Scheduled;
  if (phase == Phase::Sharded && options.choose &&
      options.overlap != Overlap::None && options.memoryLimit > 0 &&
      !options.hardware.empty()) {
    if (reachesSchedule && failed(chooseFreeForms(module, hardware, options)))
      return failure();
    if (options.keep.empty() && failed(chooseKept(module, hardware, options)))
      return failure();
    if (failed(chooseAxisTimes(module, hardware, options)))
      return failure();
  }
  // Neither pipelined loops nor chunked products are always faster: whole
  // programs are made and judged.
  bool first = phase == Phase::Optimized ||
               (phase == Phase::Scheduled && options.from >= Phase::Optimized);
  if (first && options.choose && reachesSchedule &&
      options.overlap == Overlap::Loops && options.memoryLimit > 0 &&
      failed(chooseProgram(module, phase, hardware, options,
                           given.splitAllReduces.empty())))
    return failure();
  if (phase == Phase::Scheduled && options.memoryLimit > 0)
    return fitProgram(module, hardware, options);
  return success();
}

/// From the phase before to this one.
LogicalResult Compilation::enter(Phase phase) {
  if (phase == Phase::Binary) {
    // Without times: the same input gives the same bytes.
    if (report)
      module->setAttr(reportAttrName,
                      StringAttr::get(&context, reportText(false)));
    return timed(phase,
                 [&] { return makeBinary(module, options, result.binary); });
  }
  if (failed(timed(phase, [&]() -> LogicalResult {
        if (failed(chooseOptions(phase)))
          return failure();
        return runPasses(module, [&](OpPassManager &pm) {
          return buildPhasePipeline(pm, phase, options);
        });
      })))
    return failure();
  updateReport(phase);
  if (phase == Phase::Scheduled && report &&
      (options.report || options.trace) && failed(simulate()))
    return failure();
  return options.onPhase ? options.onPhase(phase, module) : success();
}

LogicalResult Compilation::run(llvm::MemoryBufferRef source) {
  if (failed(timed(options.from, [&] {
        return readModule(source, given, context, result.module, options.entry);
      })))
    return failure();
  module = *result.module;
  if (options.onPhase && failed(options.onPhase(options.from, module)))
    return failure();
  if (failed(prepare()))
    return failure();
  updateReport(options.from);
  for (Phase phase : allPhases)
    if (phase > options.from && phase <= options.to && failed(enter(phase)))
      return failure();
  if (!options.emit.empty() && failed(runPasses(module, [&](OpPassManager &pm) {
        return buildExportPipeline(pm, options.emit);
      })))
    return failure();
  if (!options.report)
    return success();
  if (!report)
    return module.emitError()
           << "--report: there is no program to report on in phase '"
           << stringifyPhase(options.to) << "'";
  result.report = reportText(true);
  return success();
}

} // namespace

FailureOr<Compiled> compileModule(llvm::MemoryBufferRef source,
                                  const CompileOptions &options,
                                  MLIRContext &context) {
  Compilation compilation(options, context);
  if (failed(compilation.run(source)))
    return failure();
  return std::move(compilation.result);
}

} // namespace shoal
