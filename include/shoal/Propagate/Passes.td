#ifndef SHOAL_PROPAGATE_PASSES_TD
#define SHOAL_PROPAGATE_PASSES_TD

include "mlir/Pass/PassBase.td"

def Propagate : Pass<"shoal-propagate", "mlir::ModuleOp"> {
  let summary = "Gives every value a sharding, from those the user gave";
  let description = [{
    Factor-based propagation, forward and backward to a fixed point, as Shardy
    documents it: for each op the shardings of operands and results are
    projected to the factors of its sharding rule, made to agree along each
    factor as far as nothing given is undone, and projected back. Rounds, from
    the outermost: user priorities p0, p1, …; classes of ops (elementwise,
    reshape and transpose with single uses, the same with several uses, then
    pass-through factors of all ops with broadcasts backward only, then all
    factors, then broadcasts forward); a worklist in program order.

    Closed dimensions and `replicated` axes are kept; closed constraints hold
    for their input where it has no other demand; values of a group, and what
    a loop or branch carries, share one sharding; barriers limit the direction;
    inside `shoal.manual` manual axes do not exist. Uses of cheap values
    (constants, iota, scalar broadcasts) are independent of each other.

    Results are attributes: `shoal.sharding` of function arguments and results,
    `shoal.shardings` of ops, in and out shardings of manual regions. A value
    without any stays without an attribute, which means fully open.
  }];
  let dependentDialects = ["::shoal::ShoalDialect"];
}

def WidenSumsPass : Pass<"shoal-widen-sums", "::mlir::ModuleOp"> {
  let summary = "Sums of 8-bit and narrower floats are f32 until complete";
  let description = [{
    On one device reductions, products and convolutions whose result has fewer
    than 16 bits add up in f32 and round once. Devices that share such a sum
    would each round their part, so the sum is written in f32, and converted
    when it is complete.
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect"];
}

def RecognizeTopK : Pass<"shoal-recognize-top-k", "mlir::ModuleOp"> {
  let summary = "Stable descending sorts of which only the beginning is used "
                "become chlo.top_k";
  let description = [{
    A sort of values together with their indices, and slices of both, as front
    ends write it that have no top_k, or expand it. Forms and kernels of
    `chlo.top_k` move and sort no more than it gives: of a cut dimension the
    best of each part.

    ```mlir
    %i = stablehlo.iota dim = 0 : tensor<1000xi32>
    %s:2 = "stablehlo.sort"(%x, %i) <{dimension = 0, is_stable = true}> ({… GT …})
    %v = stablehlo.slice %s#0 [0:8] : (tensor<1000xf32>) -> tensor<8xf32>
    // becomes
    %v, %w = chlo.top_k(%x, k = 8) : tensor<1000xf32> -> (tensor<8xf32>, tensor<8xi32>)
    ```
  }];
  let dependentDialects = ["::mlir::chlo::ChloDialect"];
}

def RecognizeBatchedIndices
    : Pass<"shoal-recognize-batched-indices", "mlir::ModuleOp"> {
  let summary = "Index components that are their own position become batch "
                "dimensions";
  let description = [{
    `x[arange(n), i]` and `x.at[arange(n), i].set(v)` address a dimension by
    the position in the batch. As a batch dimension of gather and scatter it is
    one with that of the indices: cut, it needs nothing from other devices.

    ```mlir
    %p = stablehlo.iota dim = 0 : tensor<8x1xi32>
    %j = stablehlo.concatenate %p, %i, dim = 1
    // … collapsed_slice_dims = [0, 1], start_index_map = [0, 1] … (%x, %j)
    // becomes
    // … collapsed_slice_dims = [1], operand_batching_dims = [0],
    //   start_indices_batching_dims = [0], start_index_map = [1] … (%x, %i)
    ```
  }];
}

def PlaceMesh : Pass<"shoal-place-mesh", "mlir::ModuleOp"> {
  let summary = "States what links a machine has along each axis of the mesh";
  let description = [{
    Of an axis without a topology, bandwidth and latency are those of the line
    through the collective model's times of a small and a large all_gather along
    it, with the mesh's devices placed on the machine in their order: an axis
    within a node gets NVLink, one across nodes the network. Form choice and
    resharding then count seconds instead of bytes.
  }];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine that the mesh lies on (a preset or a .json file)">
  ];
}

def Choose : Pass<"shoal-choose", "mlir::ModuleOp"> {
  let summary = "Chooses one form per op by modelled cost over the graph";
  let description = [{
    A form says along which mesh axes the devices share each factor of an op,
    and which operands come in as partial values. The cost of a choice is what
    it takes to bring every value from the placement its maker gives into those
    its users want, by the reshard planner and each distinct one once, plus the
    local computation; loop bodies count by their trip counts.

    Candidates are the forms that the placements of an op's operands and results
    suggest, starting from what propagation found and passed on along and
    against the flow. What the user fixed (arguments, results, constraints,
    manual regions) stays. The search is exact on trees and local elsewhere; see
    `FormProblem.h`. It starts from propagation's own forms, and the result
    costs no more than these.

    With a memory limit, holding bytes is priced as long as the modelled peak
    (values and their copies, from first to last use) is above it: gathers then
    stay inside loops, sums are reduced before they are carried. A remark says
    what that costs. Without a limit the same is tried, at low prices, where the
    choice would hold more than propagation's own forms, and kept where a larger
    part of the memory is saved than is added to the cost.

    Sets `shoal.form` and `shoal.shardings` of all ops.

    With a number in the environment variable SHOAL_TEST_FORMS, candidates are
    drawn at random instead: fuzzers try forms that no cost model would choose.
  }];
  let options = [Option<"search", "search", "bool", "true",
      "Improve on the forms that follow from propagation">,
    Option<"memoryLimit", "memory-limit", "int64_t", "0",
      "Bytes a device should hold at most; 0: no limit">];
  let dependentDialects = ["::shoal::ShoalDialect"];
}

def InsertReshards : Pass<"shoal-insert-reshards", "mlir::ModuleOp"> {
  let summary = "Makes the differences between shardings and forms explicit";
  let description = [{
    A `shoal.reshard` before the first use of a value in each sharding other
    than its own; further uses share it. One copy may be made from another where
    that is cheaper. Cheap values (constants, iota, scalar broadcasts and short
    chains of these) are made anew for each sharding instead.
  }];
  let dependentDialects = ["::shoal::ShoalDialect"];
}

def VerifySharded : Pass<"shoal-verify-sharded", "mlir::ModuleOp"> {
  let summary = "Checks the invariants of the phase `sharded`";
  let description = [{
    Every operand is sharded as its op's form needs it (else a `shoal.reshard`
    is missing), and no entry argument is partial.
  }];
}

def ExportSdy : Pass<"shoal-export-sdy", "mlir::ModuleOp"> {
  let summary = "Prints shardings and annotations in Shardy's dialect";
  let description = [{
    Meshes, constraints, manual regions, groups and barriers become their sdy
    counterparts, shardings of values `sdy.sharding` attributes, on the program
    as it stands. After `--shoal-import-pipeline --shoal-propagate` that is what
    propagation found; after the phase `sharded`, what was chosen.
  }];
  let dependentDialects = ["::mlir::sdy::SdyDialect"];
}

#endif // SHOAL_PROPAGATE_PASSES_TD
