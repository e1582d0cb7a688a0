// Passes of the phase `imported`, in the order in which the pipeline runs them.
#ifndef SHOAL_IMPORT_PASSES_TD
#define SHOAL_IMPORT_PASSES_TD

include "mlir/Pass/PassBase.td"

def PruneToEntryPass : Pass<"shoal-prune-to-entry", "::mlir::ModuleOp"> {
  let summary = "Keeps the entry function and what it reaches";
  let description = [{
    The entry is the function named by `entry`; without a name it is `main`, or
    the only public function, or the only function. It becomes public. All
    functions it does not reach, by calls or by symbol references from its
    operations, are erased.

    ```mlir
    func.func @main() { return }       // kept
    func.func @unused() { return }     // erased
    ```
  }];
  let options = [Option<"entry", "entry", "std::string", "\"\"",
                        "Function to compile">];
}

def InlineCallsPass : Pass<"shoal-inline-calls", "::mlir::ModuleOp"> {
  let summary = "Puts called functions and named computations in line";
  let description = [{
    `func.call` and `sdy.named_computation` are replaced by what they call;
    locations become call-site locations. Shardings on the arguments and results
    of a callee become constraints. Recursion is an error. Functions that
    nothing refers to any more are erased; functions that a composite or a
    custom call refers to stay, with their own calls in line.

    ```mlir
    func.func @main(%a: tensor<f32>) -> tensor<f32> {
      %0 = call @f(%a) : (tensor<f32>) -> tensor<f32>
      return %0 : tensor<f32>
    }
    ```
  }];
  let dependentDialects = ["::mlir::sdy::SdyDialect"];
}

def FlattenTuplesPass : Pass<"shoal-flatten-tuples", "::mlir::ModuleOp"> {
  let summary = "Replaces tuples by their elements";
  let description = [{
    Tuples may occur as arguments and results of the entry, and around custom
    calls; each becomes its elements, in order. An argument's attributes go to
    its first element only where they cannot be split.
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect"];
}

def ImportTokensPass : Pass<"shoal-import-tokens", "::mlir::ModuleOp"> {
  let summary = "Turns tokens of the entry into empty tensors";
  let description = [{
    A token that the entry takes or gives, as JAX prints them for ordered
    effects, becomes a `tensor<0xi1>`, which is what JAX's runtime passes for
    it. Inside the function tokens stay.
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect"];
}

def RefineShapesPass : Pass<"shoal-refine-shapes", "::mlir::ModuleOp"> {
  let summary = "Makes sizes static that follow from constants and arguments";
  let description = [{
    The entry's arguments take the shapes that `argument-shapes` gives. From
    there types are inferred forward, through loops, branches and composites;
    integers that sizes depend on are computed exactly, and operations that take
    shapes as values become their static forms: `dynamic_broadcast_in_dim`,
    `dynamic_reshape`, `real_dynamic_slice`, `get_dimension_size`, the custom
    calls of JAX's shape polymorphism, …. A conditional whose predicate follows
    from sizes becomes the branch it takes. A shape assertion that does not hold
    is an error with the assertion's message, and so is a size that depends on
    the program's data. Programs without unknown sizes are left alone.

    ```mlir
    func.func @main(%a: tensor<?x4xf32>) -> tensor<?xf32> {   // arg0:3x4
      %c4 = stablehlo.constant dense<4> : tensor<i32>
      %n = stablehlo.get_dimension_size %a, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
      %m = stablehlo.multiply %n, %c4 : tensor<i32>
      %s = stablehlo.reshape %m : (tensor<i32>) -> tensor<1xi32>
      %0 = stablehlo.dynamic_reshape %a, %s : (tensor<?x4xf32>, tensor<1xi32>) -> tensor<?xf32>
    // becomes
    func.func @main(%a: tensor<3x4xf32>) -> tensor<12xf32> {
      %0 = stablehlo.reshape %a : (tensor<3x4xf32>) -> tensor<12xf32>
    ```
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect", "::mlir::chlo::ChloDialect"];
  let options = [Option<"argumentShapes", "argument-shapes", "std::string", "\"\"",
                        "Shapes of dynamic arguments: arg0:4x8,arg1:16,arg2:scalar">];
}

def ExpandCustomCallsPass : Pass<"shoal-expand-custom-calls", "::mlir::ModuleOp"> {
  let summary = "Expresses custom calls that stand for plain operations";
  let description = [{
    `ApproxTopK` becomes a sort by its comparator and a slice, which is what it
    means off TPUs; `mhlo.topk` and `mhlo.erf` their chlo counterparts; hints
    on where a value lies (`annotate_device_placement`, `LayoutConstraint`, …)
    their operand. Factorizations as programs for TPUs (`Qr`,
    `ProductOfElementaryHouseholderReflectors`, `LuDecomposition`, `Eigh`) and
    GPUs (`cusolver_getrf_ffi`, …) call them become the `lapack_*` calls that
    JAX prints for CPUs.

    ```mlir
    %0 = stablehlo.custom_call @mhlo.erf(%a) : (tensor<8xf32>) -> tensor<8xf32>
    // becomes
    %0 = chlo.erf %a : tensor<8xf32> -> tensor<8xf32>
    ```
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect",
                           "::mlir::chlo::ChloDialect"];
}

def ImportLinalgPass : Pass<"shoal-import-linalg", "::mlir::ModuleOp"> {
  let summary = "Turns linalg on tensors into StableHLO";
  let description = [{
    Named and generic ops whose indexing maps select dimensions: operands are
    broadcast over the iteration space, the body becomes elementwise ops, and
    reduction iterators a `reduce`; a sum of products of two inputs becomes
    `dot_general`. `tensor.expand_shape`, `collapse_shape` and `extract_slice`
    at constant offsets become `reshape` and `slice`. Sharding rules,
    device-local forms and kernels are thereby those of StableHLO.

    ```mlir
    %0 = linalg.matmul ins(%a, %b : tensor<8x4xf32>, tensor<4x2xf32>) outs(%z : tensor<8x2xf32>) -> tensor<8x2xf32>
    // becomes
    %1 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<8x4xf32>, tensor<4x2xf32>) -> tensor<8x2xf32>
    %0 = stablehlo.add %z, %1 : tensor<8x2xf32>
    ```
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect", "::mlir::chlo::ChloDialect"];
}

def ExpandCompositesPass : Pass<"shoal-expand-composites", "::mlir::ModuleOp"> {
  let summary = "Replaces composites that have no sharding rule";
  let description = [{
    A `stablehlo.composite` without a `shoal.sharding_rule`, and without a
    `shoal.rule` for its name, becomes the body of its decomposition. The others
    are kept until they are partitioned: by their rule, with what the
    decomposition says as the device-local computation.
  }];
  let options = [Option<"all", "all", "bool", "false",
      "Replace those with a rule as well">];
}

def NormalizeReductionsPass
    : Pass<"shoal-normalize-reductions", "::mlir::ModuleOp"> {
  let summary = "Gives reductions operands of their body's type, and windows "
                "padding that counts for nothing";
  let description = [{
    Bodies of `reduce`, `reduce_window`, `scatter`, `select_and_scatter` and of
    the collectives may compute in a wider type than the operands have; these
    are converted. `reduce_window` pads with its initial values: where they are
    not neutral, the padding becomes a `pad`.

    ```mlir
    %0 = stablehlo.reduce(%a init: %i) … : (tensor<8xbf16>, tensor<f32>) -> tensor<f32>
    // becomes
    %w = stablehlo.convert %a : (tensor<8xbf16>) -> tensor<8xf32>
    %0 = stablehlo.reduce(%w init: %i) … : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
    ```
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect"];
}

def IsolateBodiesPass : Pass<"shoal-isolate-bodies", "::mlir::ModuleOp"> {
  let summary = "Gives scalar bodies all they use as arguments";
  let description = [{
    Bodies of reductions, sorts, scatters and maps may use values from outside.
    Constants, and what a few operations make of them, are repeated inside; any
    other scalar becomes one more operand, repeated to the operands' shape.

    ```mlir
    %0 = "stablehlo.reduce"(%x, %zero) ({
      %1 = stablehlo.multiply %b, %scale : tensor<f32>   // %scale from outside
    // becomes
    %s = stablehlo.broadcast_in_dim %scale, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %0:2 = "stablehlo.reduce"(%x, %s, %zero, %scale) ({
    ^bb0(%a, %sa, %b, %sb):
      %1 = stablehlo.multiply %b, %sa : tensor<f32>
      …
      stablehlo.return %2, %sa : tensor<f32>, tensor<f32>
    ```
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect"];
}

def ModernizeOpsPass : Pass<"shoal-modernize-ops", "::mlir::ModuleOp"> {
  let summary = "Rewrites deprecated operations into current ones";
  let description = [{
    `dot`, `einsum`, `unary_einsum`, `broadcast`, `map`, `torch_index_select`,
    `cross-replica-sum`.

    ```mlir
    %0 = stablehlo.broadcast %a, sizes = [4] : (tensor<8xf32>) -> tensor<4x8xf32>
    // becomes
    %0 = stablehlo.broadcast_in_dim %a, dims = [1] : (tensor<8xf32>) -> tensor<4x8xf32>
    ```
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect"];
}

def DecomposeChloPass : Pass<"shoal-decompose-chlo", "::mlir::ModuleOp"> {
  let summary = "Expresses chlo operations in StableHLO";
  let description = [{
    Special functions become polynomial and rational approximations that agree
    with JAX within a few units in the last place; types narrower than f32 are
    computed in f32. `ragged_dot` becomes masked products, `scan` a counted
    loop; `top_k` stays (of element types that it has no kernel for it becomes
    a stable sort and a slice).
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect"];
}

def LowerQuantizedPass : Pass<"shoal-lower-quantized", "::mlir::ModuleOp"> {
  let summary = "Turns quantized types into storage types and arithmetic";
  let description = [{
    A quantized value becomes its storage: function arguments and results,
    constants, and everything that only moves values. Arithmetic is done as the
    specification defines it, dequantize, compute, quantize, with these forms of
    it, which are the reference interpreter's:

    - from one quantized type to another: one multiplication by the ratio of
      the scales, in f32;
    - `add`: both operands are brought to the result's type, then added as
      integers;
    - `dot_general` and `convolution` whose result has the product of the
      operands' scales: integer sums, exactly;
    - comparisons, `maximum`, `minimum`, `clamp` and `select` of one type look
      at the storage.

    ```mlir
    %0 = stablehlo.uniform_dequantize %a
        : (tensor<4x!quant.uniform<i8:f32, 0.5:-3>>) -> tensor<4xf32>
    // becomes
    %1 = stablehlo.convert %a : (tensor<4xi8>) -> tensor<4xi32>
    %2 = stablehlo.subtract %1, %zero_point : tensor<4xi32>
    %3 = stablehlo.convert %2 : (tensor<4xi32>) -> tensor<4xf32>
    %4 = stablehlo.multiply %3, %scale : tensor<4xf32>
    ```
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect",
                           "::mlir::quant::QuantDialect"];
}

def DecomposeBatchNormPass : Pass<"shoal-decompose-batch-norm", "::mlir::ModuleOp"> {
  let summary = "Writes batch normalisation as elementwise operations and sums";
  let description = [{
    `batch_norm_inference`, `batch_norm_training` and `batch_norm_grad` by the
    formulas of the StableHLO specification. Before propagation, so that a batch
    cut over devices gives partial sums like any other reduction.

    ```mlir
    %y, %mean, %var = "stablehlo.batch_norm_training"(%x, %scale, %offset) …
    // becomes
    %sum = stablehlo.reduce(%x init: %zero) applies stablehlo.add across dimensions = [0, 1, 2] …
    %mean = stablehlo.divide %sum, %count : tensor<3xf32>
    …
    ```
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect"];
}

def ImportGspmdPass : Pass<"shoal-import-gspmd", "::mlir::ModuleOp"> {
  let summary = "Turns GSPMD's sharding strings into shoal annotations";
  let description = [{
    Reads `mhlo.sharding` on arguments, results and operations, and the custom
    calls `@Sharding`, `@SPMDFullToShardShape` and `@SPMDShardToFullShape`; a
    pair of the latter becomes a `shoal.manual` around what lies between. Each
    sharding stands on a mesh of its own, made from its tile shape;
    `shoal-unify-meshes` relates them.

    ```mlir
    func.func @main(%a: tensor<8x8xf32> {mhlo.sharding = "{devices=[2,4]<=[8]}"})
    // becomes
    func.func @main(%a: tensor<8x8xf32> {shoal.sharding = #shoal.sharding<mesh<["d0"=2, "d1"=4]>, [{"d0"}, {"d1"} ]>})
    ```
  }];
  let dependentDialects = ["::shoal::ShoalDialect"];
}

def ImportSdyPass : Pass<"shoal-import-sdy", "::mlir::ModuleOp"> {
  let summary = "Turns Shardy's annotations into shoal ones";
  let description = [{
    Meshes, argument and result shardings, constraints, manual computations,
    reshards, groups, barriers and custom sharding rules, one for one. Shardings
    over the empty mesh say nothing and are dropped, as are constraints inside
    the scalar regions of reductions.
  }];
  let dependentDialects = ["::shoal::ShoalDialect"];
}

def UnifyMeshesPass : Pass<"shoal-unify-meshes", "::mlir::ModuleOp"> {
  let summary = "Expresses all shardings over one mesh where possible";
  let description = [{
    The module's first named mesh is the one all others are related to, if there
    is one; otherwise a mesh that refines all tile shapes in use is made. An axis
    of another mesh of as many devices becomes the (sub-)axes of the common mesh
    that enumerate the same devices in the same order. Meshes that cannot be
    expressed so stay as they are. Unused meshes are erased.
  }];
  let dependentDialects = ["::shoal::ShoalDialect"];
}

def ImportCollectivesPass : Pass<"shoal-import-collectives", "::mlir::ModuleOp"> {
  let summary = "Turns collectives into comm operations";
  let description = [{
    Replica groups of device ids become mesh axes where they are the groups of
    some axes, a table otherwise. `partition_id`, and the quotients and
    remainders of it that JAX's `axis_index` lowers to, become
    `comm.axis_index`. Outside manual regions a collective is among one device,
    and so its operand; one that names more is an error.
  }];
  let dependentDialects = ["::shoal::ShoalDialect", "::shoal::comm::CommDialect",
                           "::mlir::stablehlo::StablehloDialect"];
}

def MarkLoopsPass : Pass<"shoal-mark-loops", "::mlir::ModuleOp"> {
  let summary = "Marks counted loops";
  let description = [{
    A `stablehlo.while` that counts one carried integer up or down by a constant
    to a bound that the loop does not change gets `shoal.counted_loop`: the
    carried value's index, its step, and start, bound and trip count where they
    are constants. For reading; passes that need it to be true compute it anew.

    ```mlir
    stablehlo.while(%i = %c0) : tensor<i32> attributes {shoal.counted_loop =
        {index = 0 : i64, start = 0 : i64, step = 1 : i64, trip_count = 9 : i64}}
    ```
  }];
}

def ExternalizeConstantsPass
    : Pass<"shoal-externalize-constants", "::mlir::ModuleOp"> {
  let summary = "Moves large constants into resources";
  let description = [{
    Constants of more than `threshold` bytes that are no splats become
    `dense_resource`s, which passes copy and hash by name. Elements of fewer
    than 8 bits take one byte each.
  }];
  let options = [Option<"threshold", "threshold", "int64_t", "4096",
                        "Largest constant, in bytes, that stays in line">];
}

def TagOriginsPass : Pass<"shoal-tag-origins", "::mlir::ModuleOp"> {
  let summary = "Gives every operation a location";
  let description = [{
    Operations without a location (built by programs) are named after their
    function and their number in it, so that reports can point at them.
  }];
}

def VerifyImportedPass : Pass<"shoal-verify-imported", "::mlir::ModuleOp"> {
  let summary = "Checks what the phase `imported` promises";
  let description = [{
    No operation or attribute of `sdy`, no `mhlo.sharding`, no calls, no tuples,
    no chlo; one entry function.
  }];
}

def StripShardingsPass : Pass<"shoal-strip-shardings", "::mlir::ModuleOp"> {
  let summary = "Makes a program for one device out of a sharded one";
  let description = [{
    Annotations go. A `shoal.manual` keeps its meaning: every value in its
    region becomes one value per shard, every operation one per shard, and
    collectives become slices, concatenations and sums among the shards. Loops
    and conditionals take all shards' values at once, in lockstep; a predicate
    that differs between shards turns an `if` into a choice between both
    results, and is an error for a loop.
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect"];
}

#endif // SHOAL_IMPORT_PASSES_TD
