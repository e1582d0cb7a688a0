// The phase `optimized`: the partitioned program, made cheaper.
#ifndef SHOAL_OPTIMIZE_PIPELINES_H
#define SHOAL_OPTIMIZE_PIPELINES_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace shoal {

struct OptimizeOptions : mlir::PassPipelineOptions<OptimizeOptions> {
  Option<std::string> hardware{*this, "hardware",
                               llvm::cl::desc("Machine for modelled times"),
                               llvm::cl::init("")};
  Option<int64_t> memoryLimit{
      *this, "memory-limit",
      llvm::cl::desc("Bytes that a device may hold; 0: no limit"),
      llvm::cl::init(0)};
  Option<std::string> chunkProducts{
      *this, "chunk-products",
      llvm::cl::desc("Axes over which products with collectives work in "
                     "chunks: tp+sp; *: all"),
      llvm::cl::init("")};
  Option<int64_t> splitBatch{
      *this, "split-batch",
      llvm::cl::desc("Parts of a batch that hide each other's collectives"),
      llvm::cl::init(0)};
  Option<int64_t> splitExchanges{
      *this, "split-exchanges",
      llvm::cl::desc("Parts of experts' rows, of which one is multiplied while "
                     "another travels"),
      llvm::cl::init(0)};
  Option<std::string> quantize{
      *this, "quantize-collectives",
      llvm::cl::desc("Axes over which large sums travel as bytes"),
      llvm::cl::init("")};
  Option<std::string> compress{
      *this, "compress-gradients",
      llvm::cl::desc("How gradients' sums over which axes are compressed"),
      llvm::cl::init("")};
  Option<std::string> splitAllReduces{
      *this, "split-all-reduces",
      llvm::cl::desc("Groups whose all_reduces go in halves, what is between "
                     "them on shards: tp,dp+tp; *: all"),
      llvm::cl::init("")};
  Option<bool> splitLevels{
      *this, "split-levels",
      llvm::cl::desc("Reductions over several levels of links go in parts"),
      llvm::cl::init(false)};
  Option<bool> remarks{*this, "remarks",
                       llvm::cl::desc("Say what was changed, and the gain"),
                       llvm::cl::init(false)};
};

/// Common subexpressions, among them equal collectives, and dead code go;
/// collectives are simplified and moved out of loops (lib/Collectives).
void buildOptimizePipeline(mlir::OpPassManager &pm,
                           const OptimizeOptions &options);
/// Registers `shoal-optimize-pipeline`.
void registerShoalOptimizePipelines();

} // namespace shoal

#endif // SHOAL_OPTIMIZE_PIPELINES_H
