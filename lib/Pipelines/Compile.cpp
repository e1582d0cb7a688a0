#include "shoal/Pipelines/Compile.h"

#include "shoal/Report/Report.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/SourceMgr.h"

#include <chrono>

using namespace mlir;

namespace shoal {

/// Unknown or wrong entry functions, where the user can see what there is.
static LogicalResult checkEntry(ModuleOp module, StringRef entry) {
  if (module.lookupSymbol<func::FuncOp>(entry))
    return success();
  std::string names;
  for (auto f : module.getOps<func::FuncOp>()) {
    if (names.size() > 200) {
      names += ", …";
      break;
    }
    names += (names.empty() ? "'" : ", '") + f.getName().str() + "'";
  }
  InFlightDiagnostic error = module.emitError()
                             << "no function '" << entry << "' to compile";
  if (names.empty())
    error << "; the module has no functions";
  else
    error << "; choose one with --entry=NAME: " << names;
  return error;
}

/// Machine code and program table of a module in phase `scheduled`.
static LogicalResult makeBinary(ModuleOp module, const CompileOptions &options,
                                std::vector<char> &binary) {
  return module.emitError() << "making binaries is not part of this build";
}

static LogicalResult runPhase(ModuleOp module, Phase phase,
                              const CompileOptions &options) {
  PassManager pm(module.getContext(), ModuleOp::getOperationName(),
                 OpPassManager::Nesting::Implicit);
  if (failed(buildPhasePipeline(pm, phase, options)))
    return failure();
  return pm.run(module);
}

FailureOr<Compiled> compileModule(llvm::MemoryBufferRef source,
                                  const CompileOptions &options,
                                  MLIRContext &context) {
  Compiled result;
  using Clock = std::chrono::steady_clock;
  auto timed = [&](Phase phase, auto body) -> LogicalResult {
    auto begin = Clock::now();
    LogicalResult ok = body();
    std::chrono::duration<double> time = Clock::now() - begin;
    result.seconds.push_back({phase, time.count()});
    return ok;
  };
  auto sourceManager = std::make_shared<llvm::SourceMgr>();
  sourceManager->AddNewSourceBuffer(
      llvm::MemoryBuffer::getMemBuffer(source, /*RequiresNullTerminator=*/true),
      llvm::SMLoc());
  if (failed(timed(options.from, [&]() -> LogicalResult {
        ParserConfig config(&context);
        result.module = parseSourceFile<ModuleOp>(sourceManager, config);
        return success(static_cast<bool>(result.module));
      })))
    return failure();
  ModuleOp module = *result.module;
  if (failed(checkEntry(module, options.entry)))
    return failure();
  if (options.onPhase && failed(options.onPhase(options.from, module)))
    return failure();

  std::string hardwareError;
  FailureOr<Hardware> hardware =
      getHardware(options.hardware, hardwareError);
  if (failed(hardware))
    return module.emitError() << "--hardware: " << hardwareError;
  std::optional<Report> report;
  auto gather = [&](Phase phase) {
    // The report describes the program that is run, so it is made from the
    // last phase that still has whole tensors; memory comes from the schedule.
    if (phase == Phase::Partitioned || phase == Phase::Optimized ||
        (phase == Phase::Fused && !report))
      report = Report::of(module, options.entry, *hardware);
    else if (phase == Phase::Scheduled && report)
      report->addSchedule(module);
  };
  auto reportText = [&] {
    std::vector<std::pair<std::string, double>> seconds;
    for (auto &[phase, time] : result.seconds)
      seconds.push_back({stringifyPhase(phase).str(), time});
    return report->json(seconds);
  };
  gather(options.from);
  for (Phase phase : allPhases) {
    if (phase <= options.from || phase > options.to)
      continue;
    if (phase == Phase::Binary) {
      if (report)
        module->setAttr(reportAttrName,
                        StringAttr::get(&context, reportText()));
      if (failed(timed(phase, [&] {
            return makeBinary(module, options, result.binary);
          })))
        return failure();
      break;
    }
    if (failed(timed(phase, [&] { return runPhase(module, phase, options); })))
      return failure();
    gather(phase);
    if (options.onPhase && failed(options.onPhase(phase, module)))
      return failure();
  }
  if (options.report) {
    if (!report)
      return module.emitError()
             << "--report: there is no program to report on in phase '"
             << stringifyPhase(options.to) << "'";
    result.report = reportText();
  }
  return result;
}

} // namespace shoal
