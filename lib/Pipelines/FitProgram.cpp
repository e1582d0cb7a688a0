// Programs that take more memory than there is are made smaller.
#include "ChooseProgram.h"

#include "shoal/Analysis/OpCosts.h"
#include "shoal/Schedule/MemoryNotes.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace shoal {

/// How often a program is made with another aim: what scheduling estimates and
/// what a program takes differ by what shares memory, and by gaps.
static constexpr int kMaxTrials = 8;
/// How much of the limit may be left unused before less is tried.
static constexpr double kSlack = 0.02;
/// Programs that are estimated to take less than this share of the limit fit.
static constexpr double kSurelyFits = 0.6;

int64_t argumentBytes(ModuleOp module) {
  int64_t bytes = 0;
  for (auto func : module.getOps<func::FuncOp>())
    if (!func.isExternal())
      for (Type type : func.getArgumentTypes())
        bytes += tensorBytesOf(type);
  return bytes;
}

static bool mayOffload(const Hardware &hardware,
                       const PipelineOptions &options) {
  return options.mayOffload && hardware.hostBytesPerSecond > 0;
}

SmallVector<FitWay> fitWays(ModuleOp module, const Hardware &hardware,
                            const PipelineOptions &options, bool few) {
  bool hasLoops =
      module->walk([](stablehlo::WhileOp) { return WalkResult::interrupt(); })
          .wasInterrupted();
  SmallVector<FitWay> ways;
  for (bool values : {false, true})
    for (bool offload : {false, true})
      for (bool stacks : {true, false})
        for (bool offloadStacks : {false, true}) {
          bool isWay =
              (stacks || values) && (stacks || !offloadStacks) &&
              (values || !offload) && (hasLoops || !stacks) &&
              (mayOffload(hardware, options) || !(offload || offloadStacks));
          bool isOneOfFew =
              stacks == hasLoops && (!hasLoops || !offload || offloadStacks);
          if (isWay && (isOneOfFew || !few))
            ways.push_back({stacks, offloadStacks, values, offload});
        }
  return ways;
}

void FitWay::set(PipelineOptions &options, int64_t limit, int64_t peak) const {
  options.offload = offload;
  options.offloadStacks = offloadStacks;
  options.fitTarget = values ? limit : 0;
  options.saveStacks = stacks ? peak - limit : 0;
}

void FitWay::more(PipelineOptions &options, int64_t missing) const {
  if (values)
    options.fitTarget -= missing;
  // Of stacks alone a lot more: what is missing may be less than what went
  // beyond what was asked for.
  if (stacks)
    options.saveStacks +=
        values ? missing : std::max(missing, options.saveStacks / 2);
}

LogicalResult fitProgram(ModuleOp module, const Hardware &hardware,
                         PipelineOptions &options) {
  int64_t limit = options.memoryLimit, estimate = 0;
  int64_t arguments = argumentBytes(module);
  for (auto func : module.getOps<func::FuncOp>())
    if (!func.isExternal())
      estimate += peakBytesOf(func.getBody());
  if (options.fitTarget > 0 ||
      double(estimate) + double(arguments) < kSurelyFits * double(limit))
    return success();
  auto trial = [&](PipelineOptions &with) {
    // What has to be said is said when the program is made for good.
    ScopedDiagnosticHandler silence(module.getContext(), [](Diagnostic &d) {
      return success(d.getSeverity() == DiagnosticSeverity::Remark ||
                     d.getSeverity() == DiagnosticSeverity::Warning);
    });
    return judge(module, hardware, with, false);
  };
  PipelineOptions given = options;
  FailureOr<Trial> before = trial(given);
  if (failed(before))
    return failure();
  if (before->peak <= limit)
    return success();
  int64_t least = before->peak;
  std::optional<Trial> best;
  for (FitWay way : fitWays(module, hardware, options, /*few=*/false)) {
    PipelineOptions with = options;
    way.set(with, limit, before->peak);
    std::optional<Trial> mine;
    int64_t last = INT64_MAX;
    for (int i = 0; i < kMaxTrials; ++i) {
      if (way.values && with.fitTarget <= arguments)
        break;
      FailureOr<Trial> fitted = trial(with);
      if (failed(fitted))
        return failure();
      // No more stacks can go.
      if (!way.values && fitted->peak >= last)
        break;
      last = fitted->peak;
      least = std::min(least, fitted->peak);
      int64_t spare = limit - fitted->peak;
      if (spare < 0) {
        if (mine)
          break;
        spare = std::min(spare, -limit / 200);
        way.more(with, -spare);
        continue;
      }
      if (!best || fitted->seconds < best->seconds) {
        best = *fitted;
        given = with;
      }
      bool isBetter = !mine || fitted->seconds < mine->seconds;
      mine = *fitted;
      // Too much was computed again.
      if (!way.values || !isBetter || double(spare) < kSlack * double(limit))
        break;
      with.fitTarget += spare / 2;
    }
  }
  if (!best) {
    InFlightDiagnostic warning = module.emitWarning();
    warning << "a device needs " << bytesText(before->peak) << ", "
            << bytesText(before->peak - limit) << " more than the limit of "
            << bytesText(limit);
    if (least < before->peak)
      warning << "; with values computed again "
              << (mayOffload(hardware, options) ? "or kept by the host " : "")
              << "instead of held, it would need " << bytesText(least);
    return success();
  }
  options = given;
  if (options.remarks)
    module.emitRemark() << "to fit into " << bytesText(limit)
                        << (options.offload || options.offloadStacks
                                ? ", values are kept by the host "
                                  "or computed again: "
                                : ", values are computed again: ")
                        << bytesText(before->peak) << " -> "
                        << bytesText(best->peak) << " (modelled step: "
                        << llvm::formatv("{0:f3} -> {1:f3} ms",
                                         before->seconds * 1e3,
                                         best->seconds * 1e3)
                               .str()
                        << ")";
  return success();
}

} // namespace shoal
