// The phases of compilation, and the pass pipeline that makes each.
#ifndef SHOAL_PIPELINES_PHASES_H
#define SHOAL_PIPELINES_PHASES_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Support/LLVM.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace shoal {

/// In the order in which a module passes through them. What a module holds in
/// each: docs/architecture.md.
enum class Phase {
  Input,
  Imported,
  Sharded,
  Partitioned,
  Optimized,
  Fused,
  Scheduled,
  Binary,
};
inline constexpr std::array<Phase, 8> allPhases = {
    Phase::Input,     Phase::Imported, Phase::Sharded,   Phase::Partitioned,
    Phase::Optimized, Phase::Fused,    Phase::Scheduled, Phase::Binary};

llvm::StringRef stringifyPhase(Phase phase);
std::optional<Phase> parsePhase(llvm::StringRef name);
/// "input, imported, …": for messages.
std::string phaseList();

/// How far communication is hidden behind computation.
enum class Overlap {
  None,   ///< collectives one after the other, where the program has them
  Blocks, ///< beside what stands around them
  Loops,  ///< and beside other iterations of a loop, where that is faster
};

/// What the user chose that pipelines must know.
struct PipelineOptions {
  /// The function to compile; empty: main, or the only one.
  std::string entry;
  bool singleDevice = false;
  std::string target = "cpu"; ///< "cpu" or "cuda"
  std::string chip;           ///< empty: this machine's, or the default
  /// Shapes of arguments whose types leave sizes open: "arg0:4x8,arg2:16".
  std::string argumentShapes;
  /// Name or file of a hardware description; empty: the default.
  std::string hardware;
  /// Mesh axes over which large sums travel as bytes, with a bounded error
  /// (shoal-quantize-collectives): "data+fsdp", "*", "" for none.
  std::string quantizeCollectives;
  /// How, and over which axes, sums of gradients are compressed
  /// (shoal-compress-gradients): "topk:0.01@data", "lowrank:4@*", "" for none.
  std::string compressGradients;
  /// Forms are chosen by the hardware's times along each axis of the mesh, not
  /// by bytes. compileModule tries it where times are modelled.
  bool axisTimes = false;
  /// Bytes a device should hold at most; 0: the hardware's where one was
  /// named, else no limit.
  int64_t memoryLimit = 0;
  /// Forms are chosen as if there were no memory limit, since what a program
  /// does not fit by can be computed again. compileModule tries it where times
  /// are modelled.
  bool freeForms = false;
  /// Bytes that scheduling is to keep within by computing values again
  /// (shoal-fit-memory); 0: nothing is. compileModule sets it where a program
  /// takes more than memoryLimit; it may be less, since it is compared with what
  /// scheduling estimates.
  int64_t fitTarget = 0;
  /// Bytes of the stacks between a scan and its gradient that are computed again
  /// row by row (shoal-recompute-stacks), set likewise.
  int64_t saveStacks = 0;
  /// Whether values, or stacks, go to the memory of the host and back, to the
  /// same end; compileModule tries both, unless mayOffload is false.
  bool offload = false, offloadStacks = false;
  bool mayOffload = true;
  Overlap overlap = Overlap::Loops;
  /// Collectives become one where that is modelled to be faster.
  bool combine = true;
  /// Of scheduling, only what comes "order" and what is the "rest" of it, so
  /// that several rests can be tried on one order; or "all".
  std::string schedulePart = "all";
  /// Remarks say what was changed about collectives, and the modelled gain.
  bool remarks = false;
  /// Groups ("tp", "dp+tp"; separated by commas; "*" for all) whose all_reduces
  /// are reduce_scatters and all_gathers, and what can be between the two is
  /// computed on shards. compileModule tries some where times are modelled.
  std::string splitAllReduces;
  /// Large reductions over fast and slow links go in parts over both.
  /// compileModule tries it where times are modelled.
  bool splitLevels = false;
  /// Parts of a batch, one of which computes while another communicates; 0:
  /// the batch is not split. compileModule tries some where times are modelled.
  int64_t splitBatch = 0;
  /// The same of the rows that experts exchange.
  int64_t splitExchanges = 0;
  /// Numbers of the products that are kept for a loop that would compute them
  /// again (shoal-keep-recomputed). compileModule tries them where times are
  /// modelled and a memory limit is known.
  std::vector<int64_t> keep;
  /// Mesh axes over which products whose operand is gathered, or whose result
  /// is scattered, work chunk by chunk (collective matmul): "tp+sp", "*" for
  /// all, "" for none. compileModule tries some where times are modelled.
  std::string chunkProducts;
};

/// Adds the passes that take a module from the phase before `phase` to it, its
/// verifier last. `Input` and `Binary` have none. Fails, with a diagnostic at
/// an unknown location, if a pass it names is not part of this build.
mlir::LogicalResult buildPhasePipeline(mlir::OpPassManager &pm, Phase phase,
                                       const PipelineOptions &options);

/// Adds the pass that turns a module into the form that --emit names: "sdy" in
/// phase sharded, "stablehlo" in phases partitioned and optimized.
mlir::LogicalResult buildExportPipeline(mlir::OpPassManager &pm,
                                        llvm::StringRef form);

/// The passes that may run in a phase, by their command line names.
llvm::ArrayRef<llvm::StringRef> passesOfPhase(Phase phase);

} // namespace shoal

#endif // SHOAL_PIPELINES_PHASES_H
