// Passes of lib/Collectives: communication merged, moved and hidden.
#ifndef SHOAL_COLLECTIVES_PASSES_TD
#define SHOAL_COLLECTIVES_PASSES_TD

include "mlir/Pass/PassBase.td"

def PipelineLoops : Pass<"shoal-pipeline-loops", "::mlir::ModuleOp"> {
  let summary = "Communicates for the next iteration of a loop during this one";
  let description = [{
    In a counted loop over layers, what an iteration gathers at its beginning
    depends on the loop counter alone, and what it reduces at its end is only
    stored. Both can run beside the computation of another iteration:

    - *prefetch*: values that collectives make from invariants and the counter
      are computed one iteration ahead and carried; the last iteration is peeled.
    - *delay*: collectives whose results only go into values that the loop
      collects are done one iteration later, on operands that are carried; the
      first iteration is peeled.

    No collective runs more often than before. Each takes memory: a second copy
    of what is carried. Only as many as fit into `memory-limit` are moved, those
    that save most time per byte first; without a limit none are. Works on
    tensors with kernels, so that peeled iterations share the loop's kernels and
    kernels' times are known.
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect"];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine for the modelled times (a preset or a .json file)">,
    Option<"memoryLimit", "memory-limit", "int64_t", "0",
           "Bytes that a device may hold; 0: none to spare">
  ];
}

#endif // SHOAL_COLLECTIVES_PASSES_TD
