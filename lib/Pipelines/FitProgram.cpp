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
  // Of loops and their gradients, stacks may go; of the rest single values.
  bool hasLoops =
      module->walk([](stablehlo::WhileOp) { return WalkResult::interrupt(); })
          .wasInterrupted();
  bool mayOffload = options.mayOffload && hardware.hostBytesPerSecond > 0;
  struct Way {
    bool stacks, offloadStacks, offload;
  };
  for (Way way : {Way{true, false, false}, Way{true, true, false},
                  Way{false, false, false}, Way{true, false, true},
                  Way{true, true, true}, Way{false, false, true}}) {
    if ((way.stacks && !hasLoops) ||
        ((way.offload || way.offloadStacks) && !mayOffload))
      continue;
    PipelineOptions with = options;
    with.offload = way.offload;
    with.offloadStacks = way.offloadStacks;
    with.fitTarget = limit;
    with.saveStacks = way.stacks ? before->peak - limit : 0;
    std::optional<Trial> mine;
    for (int i = 0; i < kMaxTrials && with.fitTarget > arguments; ++i) {
      FailureOr<Trial> fitted = trial(with);
      if (failed(fitted))
        return failure();
      least = std::min(least, fitted->peak);
      int64_t spare = limit - fitted->peak;
      if (spare < 0) {
        if (mine)
          break;
        spare = std::min(spare, -limit / 200);
        with.fitTarget += spare;
        with.saveStacks -= way.stacks ? spare : 0;
        continue;
      }
      if (!best || fitted->seconds < best->seconds) {
        best = *fitted;
        given = with;
      }
      bool isBetter = !mine || fitted->seconds < mine->seconds;
      mine = *fitted;
      // Too much was computed again.
      if (!isBetter || double(spare) < kSlack * double(limit))
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
              << (mayOffload ? "or kept by the host " : "")
              << "instead of held, it would need " << bytesText(least);
    return success();
  }
  options = given;
  if (options.remarks)
    module.emitRemark() << "to fit into " << bytesText(limit)
                        << (options.offload ? ", values are kept by the host "
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
