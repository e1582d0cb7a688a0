#include "shoal/Pipelines/Phases.h"

#include "mlir/Pass/PassRegistry.h"

using namespace mlir;

namespace shoal {

StringRef stringifyPhase(Phase phase) {
  switch (phase) {
  case Phase::Input:
    return "input";
  case Phase::Imported:
    return "imported";
  case Phase::Sharded:
    return "sharded";
  case Phase::Partitioned:
    return "partitioned";
  case Phase::Optimized:
    return "optimized";
  case Phase::Fused:
    return "fused";
  case Phase::Scheduled:
    return "scheduled";
  case Phase::Binary:
    return "binary";
  }
  return "";
}

std::optional<Phase> parsePhase(StringRef name) {
  for (Phase phase : allPhases)
    if (stringifyPhase(phase) == name)
      return phase;
  return std::nullopt;
}

std::string phaseList() {
  std::string text;
  for (Phase phase : allPhases)
    text += (text.empty() ? "" : ", ") + stringifyPhase(phase).str();
  return text;
}

ArrayRef<StringRef> passesOfPhase(Phase phase) {
  static const StringRef imported[] = {
      "shoal-import-pipeline",      "shoal-prune-to-entry",
      "shoal-import-linalg",        "shoal-inline-calls",
      "shoal-flatten-tuples",       "shoal-expand-custom-calls",
      "shoal-expand-composites",    "shoal-modernize-ops",
      "shoal-decompose-batch-norm", "shoal-decompose-chlo",
      "shoal-import-gspmd",         "shoal-import-sdy",
      "shoal-unify-meshes",         "shoal-import-collectives",
      "shoal-mark-loops",           "shoal-externalize-constants",
      "shoal-tag-origins",          "shoal-strip-shardings",
      "shoal-verify-imported"};
  static const StringRef sharded[] = {"shoal-shard-pipeline",
                                      "shoal-keep-recomputed",
                                      "shoal-propagate",
                                      "shoal-recognize-top-k",
                                      "shoal-recognize-batched-indices",
                                      "shoal-widen-sums",
                                      "shoal-place-mesh",
                                      "shoal-choose",
                                      "shoal-insert-reshards",
                                      "shoal-verify-sharded",
                                      "shoal-export-sdy"};
  static const StringRef partitioned[] = {
      "shoal-partition-pipeline", "shoal-partition", "shoal-keep-with-owner",
      "shoal-verify-partitioned", "shoal-export-stablehlo"};
  static const StringRef optimized[] = {
      "shoal-optimize-pipeline",    "shoal-simplify-collectives",
      "shoal-move-out-of-loops",    "shoal-split-all-reduces",
      "shoal-split-batch",
      "shoal-quantize-collectives", "shoal-chunk-products",
      "shoal-split-levels"};
  static const StringRef fused[] = {"shoal-fuse-pipeline", "shoal-fuse"};
  static const StringRef scheduled[] = {"shoal-schedule-pipeline",
                                        "shoal-outline-lone-ops",
                                        "shoal-bind-host-scalars",
                                        "shoal-order",
                                        "shoal-recompute-stacks",
                                        "shoal-fit-memory",
                                        "shoal-overlap",
                                        "shoal-pipeline-loops",
                                        "shoal-combine-collectives",
                                        "shoal-split-collectives",
                                        "shoal-bufferize",
                                        "shoal-assign-offsets",
                                        "shoal-verify-schedule",
                                        "shoal-print-program"};
  switch (phase) {
  case Phase::Imported:
    return imported;
  case Phase::Sharded:
    return sharded;
  case Phase::Partitioned:
    return partitioned;
  case Phase::Optimized:
    return optimized;
  case Phase::Fused:
    return fused;
  case Phase::Scheduled:
    return scheduled;
  case Phase::Input:
  case Phase::Binary:
    break;
  }
  return {};
}

/// Adds registered passes given in MLIR's textual form.
static LogicalResult add(OpPassManager &pm, const std::string &text) {
  std::string error;
  llvm::raw_string_ostream stream(error);
  if (succeeded(parsePassPipeline(text, pm, stream)))
    return success();
  llvm::errs() << "error: internal: pipeline '" << text << "': " << error
               << "\n";
  return failure();
}

LogicalResult buildExportPipeline(OpPassManager &pm, StringRef form) {
  return add(pm, "shoal-export-" + form.str());
}

LogicalResult buildPhasePipeline(OpPassManager &pm, Phase phase,
                                 const PipelineOptions &o) {
  switch (phase) {
  case Phase::Input:
  case Phase::Binary:
    return success();
  case Phase::Imported:
    return add(pm, "shoal-import-pipeline{entry=" + o.entry +
                       (o.singleDevice ? " single-device=true" : "") +
                       (o.argumentShapes.empty()
                            ? ""
                            : " argument-shapes=" + o.argumentShapes) +
                       "}");
  case Phase::Sharded: {
    std::string kept;
    for (int64_t i : o.keep)
      kept += (kept.empty() ? "" : ",") + std::to_string(i);
    if (!kept.empty())
      kept = "shoal-keep-recomputed{keep=" + kept + "},";
    if (o.axisTimes)
      kept += "shoal-place-mesh" +
              (o.hardware.empty() ? "" : "{hardware=" + o.hardware + "}") + ",";
    return add(pm, kept + "shoal-shard-pipeline{memory-limit=" +
                       std::to_string(o.freeForms ? 0 : o.memoryLimit) + "}");
  }
  case Phase::Partitioned:
    return add(pm, "shoal-partition-pipeline");
  case Phase::Optimized:
    return add(
        pm,
        "shoal-optimize-pipeline{memory-limit=" +
            std::to_string(o.memoryLimit) +
            (o.hardware.empty() ? "" : " hardware=" + o.hardware) +
            (o.remarks ? " remarks=true" : "") +
            (o.splitAllReduces.empty()
                 ? ""
                 : " split-all-reduces=" + o.splitAllReduces) +
            (o.splitLevels ? " split-levels=true" : "") +
            (o.quantizeCollectives.empty()
                 ? ""
                 : " quantize-collectives=" + o.quantizeCollectives) +
            (o.compressGradients.empty()
                 ? ""
                 : " compress-gradients=" + o.compressGradients) +
            (o.splitExchanges
                 ? " split-exchanges=" + std::to_string(o.splitExchanges)
                 : "") +
            (o.splitBatch ? " split-batch=" + std::to_string(o.splitBatch)
                          : "") +
            (o.chunkProducts.empty() ? ""
                                     : " chunk-products=" + o.chunkProducts) +
            "}");
  case Phase::Fused:
    return add(pm, "shoal-fuse-pipeline{target=" + o.target + "}");
  case Phase::Scheduled:
    return add(pm, "shoal-schedule-pipeline{entry=" + o.entry +
                       (o.hardware.empty() ? "" : " hardware=" + o.hardware) +
                       " memory-limit=" + std::to_string(o.memoryLimit) +
                       (o.fitTarget > 0
                            ? " fit-target=" + std::to_string(o.fitTarget)
                            : "") +
                       (o.saveStacks > 0
                            ? " save-stacks=" + std::to_string(o.saveStacks)
                            : "") +
                       (o.offload ? " offload=true" : "") +
                       (o.offloadStacks ? " offload-stacks=true" : "") +
                       " overlap=" +
                       (o.overlap == Overlap::None     ? "none"
                        : o.overlap == Overlap::Blocks ? "blocks"
                                                       : "loops") +
                       (o.remarks ? " remarks=true" : "") +
                       (o.combine ? "" : " combine=false") +
                       " part=" + o.schedulePart + "}");
  }
  return failure();
}

} // namespace shoal
