// Programs that take more memory than there is are made smaller.
#include "ChooseProgram.h"

#include "shoal/Analysis/OpCosts.h"

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

static std::string megabytes(int64_t bytes) {
  return llvm::formatv("{0:f1} MB", static_cast<double>(bytes) / 1e6).str();
}

LogicalResult fitProgram(ModuleOp module, const Hardware &hardware,
                         PipelineOptions &options) {
  int64_t limit = options.memoryLimit, estimate = 0, arguments = 0;
  for (auto func : module.getOps<func::FuncOp>()) {
    if (func.isExternal())
      continue;
    for (Type type : func.getArgumentTypes())
      arguments += tensorBytesOf(type);
    estimate += peakBytesOf(func.getBody());
  }
  if (options.fitTarget > 0 ||
      double(estimate) + double(arguments) < kSurelyFits * double(limit))
    return success();
  auto trial = [&](PipelineOptions &with) {
    // What has to be said is said when the program is made for good.
    ScopedDiagnosticHandler silence(module.getContext(), [](Diagnostic &d) {
      return success(d.getSeverity() == DiagnosticSeverity::Remark ||
                     d.getSeverity() == DiagnosticSeverity::Warning);
    });
    return judge(module, hardware, with);
  };
  PipelineOptions given = options;
  FailureOr<Trial> before = trial(given);
  if (failed(before))
    return failure();
  if (before->peak <= limit)
    return success();
  int64_t least = before->peak, target = limit;
  std::optional<Trial> best;
  for (int i = 0; i < kMaxTrials && target > arguments; ++i) {
    PipelineOptions with = options;
    with.fitTarget = target;
    FailureOr<Trial> fitted = trial(with);
    if (failed(fitted))
      return failure();
    least = std::min(least, fitted->peak);
    int64_t spare = limit - fitted->peak;
    if (spare < 0) {
      if (best)
        break;
      target += std::min(spare, -limit / 200);
      continue;
    }
    bool isBetter = !best || fitted->seconds < best->seconds;
    if (isBetter) {
      best = *fitted;
      given = with;
    }
    // Too much was computed again.
    if (!isBetter || double(spare) < kSlack * double(limit))
      break;
    target += spare / 2;
  }
  if (!best) {
    InFlightDiagnostic warning = module.emitWarning();
    warning << "a device needs " << megabytes(before->peak) << ", "
            << megabytes(before->peak - limit) << " more than the limit of "
            << megabytes(limit);
    if (least < before->peak)
      warning << "; computing values again instead of holding them, it would "
                 "need "
              << megabytes(least);
    return success();
  }
  options = given;
  if (options.remarks)
    module.emitRemark() << "to fit into " << megabytes(limit)
                        << ", values are computed again: "
                        << megabytes(before->peak) << " -> "
                        << megabytes(best->peak) << " (modelled step: "
                        << llvm::formatv("{0:f3} -> {1:f3} ms",
                                         before->seconds * 1e3,
                                         best->seconds * 1e3)
                               .str()
                        << ")";
  return success();
}

} // namespace shoal
