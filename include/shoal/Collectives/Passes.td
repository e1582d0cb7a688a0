// Passes of lib/Collectives: communication merged, moved and hidden.
#ifndef SHOAL_COLLECTIVES_PASSES_TD
#define SHOAL_COLLECTIVES_PASSES_TD

include "mlir/Pass/PassBase.td"

class CollectivePass<string name> : Pass<name, "::mlir::ModuleOp"> {
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect",
                           "::shoal::comm::CommDialect"];
}

def RecognizeSlices : CollectivePass<"shoal-recognize-slices"> {
  let summary = "A device's own block, cut out at its index, is an all_slice";
  let description = [{
    In shard_map users write `dynamic_slice(psum(x), axis_index * k, k)` for a
    reduce_scatter, and the same of an all_gather for what they had. Where the
    start, evaluated for each position in the group, is the start of the block of
    that position, and all devices of the group hold the same tensor, the slice is
    a comm.all_slice, which other passes know. The index may go through integer
    arithmetic, comparisons and choices (JAX's treatment of negative indices), over
    one axis or several.
  }];
}

def MoveReductions : CollectivePass<"shoal-move-reductions"> {
  let summary = "Reductions move along linear ops to where they meet others";
  let description = [{
    An all_reduce may stand anywhere between what it sums and the first op that
    is not linear. Where it stands behind more of them, it may meet another
    collective:

    - of a sum (or difference) of several all_reduces over the same axes, and of
      other terms, what each device adds is summed up first, in any order, and
      reduced once;
    - before an all_reduce over other axes it becomes part of that, and before an
      all_slice or a sum over dimensions shoal-simplify-collectives will find it;
    - a reduce_scatter over other axes goes first, and leaves less to reduce;
    - of what has been gathered over other axes, the part that each device has
      is reduced, and the sums gathered.

    Linear are changes of shape, signs, and, for sums of floats, products with
    constants of at most one (or division by at least one: means), so that no
    summand becomes larger than it was.
  }];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine for the modelled times (a preset or a .json file)">,
    Option<"remarks", "remarks", "bool", "false",
           "Say what was changed and what it is modelled to save">
  ];
}

def SimplifyCollectives : CollectivePass<"shoal-simplify-collectives"> {
  let summary = "Collectives of collectives become fewer, or send less";
  let description = [{
    Partitioning takes op by op, and users write collectives themselves
    (shard_map): what stands next to each other is often more than is needed.
    Rewrites, each only where the model does not find it slower:

    - all_gather of a reduce_scatter is an all_reduce; a slice of an all_reduce
      is a reduce_scatter (and an all_reduce over the axes that are left);
    - a slice of an all_gather is its operand, or an all_to_all; an all_gather
      of a slice is the sliced tensor;
    - nested all_gathers, reduce_scatters and all_reduces over several axes are
      one over all of them; permutes of permutes are one; an all_to_all and its
      reverse are nothing;
    - less is sent: slices and narrowing conversions before the collective,
      widening ones after it, sums over dimensions before sums over devices;
    - sums (differences, extrema) of two reductions are one reduction.

    Equal collectives are shared by CSE, which runs before and after.
  }];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine for the modelled times (a preset or a .json file)">,
    Option<"remarks", "remarks", "bool", "false",
           "Say what was changed and what it is modelled to save">
  ];
}

def MoveOutOfLoops : CollectivePass<"shoal-move-out-of-loops"> {
  let summary = "Collectives that a loop repeats are done once";
  let description = [{
    - What an iteration communicates of values that never change is communicated
      before the loop, if the result fits into `memory-limit`.
    - A carried value to which each iteration adds an all_reduce (gradients
      accumulated over microbatches) is accumulated on each device and reduced
      once, after the loop; likewise for maxima and minima. Through conversions
      to wider floats and changes of shape.
    - One to which each iteration adds a reduce_scatter is accumulated whole, if
      `memory-limit` is given and leaves room for it, and scattered once.

    Bytes shrink by the number of iterations. An unknown number counts as two.
  }];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine for the modelled times (a preset or a .json file)">,
    Option<"memoryLimit", "memory-limit", "int64_t", "0",
           "Bytes that a device may hold; 0: no limit">,
    Option<"remarks", "remarks", "bool", "false",
           "Say what was changed and what it is modelled to save">
  ];
}

def SplitLevels : CollectivePass<"shoal-split-levels"> {
  let summary = "Large reductions over fast and slow links go in parts over both";
  let description = [{
    An all_reduce whose group spans nodes becomes, for each of several parts of
    the tensor, a reduce_scatter within the node, an all_reduce of the share
    between nodes, and an all_gather within the node: one part uses the slow
    links while another uses the fast ones. Axes that go beyond a node are cut
    where it ends. The number of parts (1, 2, 4, 8 or 16) is that with the
    least modelled time, the copy that puts parts together included; where one
    all_reduce is as fast, it stays.
  }];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine for the modelled times (a preset or a .json file)">,
    Option<"remarks", "remarks", "bool", "false",
           "Say what was changed and what it is modelled to save">
  ];
}

def KeepRecomputed : CollectivePass<"shoal-keep-recomputed"> {
  let summary = "What a rematerialized layer computes again is kept instead";
  let description = [{
    Users checkpoint layers to save memory on the smallest machine they know:
    the loop of the backward pass computes again what the forward one has
    computed, collectives included. On whole tensors (phase `imported`, so that
    propagation and form choice see the program that is run), this pass finds two
    counted loops of which the second walks over what the first one stacks, and
    by value numbering across both (slices of the same row of the same tensor are
    equal, so are pure ops of equal operands) the products that are computed
    twice. Those whose numbers, in program order, are in `keep` are stacked by
    the first loop and read by the second; what led to them there goes.

    Which are worth their memory is found by trial: compileModule compiles the
    program with each, and keeps those that the simulator finds faster, those
    that save most first, while the schedule's peak fits the memory limit.
  }];
  let options = [
    ListOption<"keep", "keep", "int64_t", "Numbers of products to keep">,
    Option<"all", "all", "bool", "false", "Keep all">
  ];
}

def ChunkProducts : CollectivePass<"shoal-chunk-products"> {
  let summary = "Collective matmul: products work while their parts travel";
  let description = [{
    A product whose operand is gathered can begin with the block that the device
    has, and one whose result is scattered can send what it has summed up. With a
    group of n:

    - all_gather, then products (all of them, where several read it): blocks go
      around by permutes; each is multiplied while the next ones travel. Along a
      free or batch dimension the results are blocks of the result, along a
      contracting one they are summed (in f32).
    - product, then reduce_scatter: each device adds its part of a block to the
      sum that comes by, and sends it on.

    Blocks travel both ways around the ring, so that it takes n/2 steps (rounded
    up, less one block) of two permutes. Bytes are the same; time is
    C/n + (n-1) max(C/n, M/(n-1)) instead of C + M. A product stays as it is where
    that is modelled to be slower alone: small blocks take latencies, less
    efficient kernels, or more memory traffic. Whether overlap with something
    else would have been better, the simulator says: compileModule makes both
    programs.
  }];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine for the modelled times (a preset or a .json file)">,
    Option<"axes", "axes", "std::string", "\"*\"",
           "Only groups over these axes: tp+sp; *: all">,
    Option<"always", "always", "bool", "false",
           "Even where it is not modelled to be faster (for tests)">,
    Option<"remarks", "remarks", "bool", "false",
           "Say what was changed and what it is modelled to save">
  ];
}

def SplitBatch : CollectivePass<"shoal-split-batch"> {
  let summary = "Independent rows in parts: one computes while another communicates";
  let description = [{
    Where a layer's collectives wait for its products and its next products wait
    for them (tensor parallelism), nothing of one batch can run beside them, but
    another batch can (Domino, NanoFlow). The op's sharding rules say which
    dimensions of a function's values are one index, through loops and branches
    and back to the gradients. Of the indices along which products and
    collectives both go, the one with the most to gain is cut into `parts`: each
    op along it becomes `parts` ops on contiguous rows, which share nothing, so
    that scheduling can run one beside the other's collectives. Sums over the
    index (gradients of weights, in f32; losses) are sums of the parts' sums.
    What is not computed along the index reads the parts joined; where those are
    the outer rows, that is a copy at most.

    With `exchanges`, the index is one along which all_to_alls go to an expert's
    products and back (its capacity), and the parts meet again after each pair:
    a part travels while another is multiplied.

    Bytes that collectives send are the same, in more messages. A function stays
    as it is where that is not modelled to be faster; compileModule tries 2 and
    4 parts, where times are modelled, and keeps what the simulator finds
    fastest, since parts also take launches, and weights are read once for each.
  }];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine for the modelled times (a preset or a .json file)">,
    Option<"parts", "parts", "int64_t", "2", "Into how many parts">,
    Option<"exchanges", "exchanges", "bool", "false",
           "Along an index of all_to_alls and what they stand around">,
    Option<"always", "always", "bool", "false",
           "Even where it is not modelled to be faster (for tests)">,
    Option<"remarks", "remarks", "bool", "false",
           "Say what was changed and what it is modelled to save">
  ];
}

def SplitAllReduces : CollectivePass<"shoal-split-all-reduces"> {
  let summary = "all_reduces in halves, and what is between them on shards";
  let description = [{
    After an all_reduce every device holds and computes the same, until values
    part again (a product with a weight of which each has columns). An
    all_reduce is a reduce_scatter and an all_gather, and what works row by row
    may stand between the two, on a shard: the all_gather goes to where something
    whole is needed, or is nothing where what follows takes a shard. Sequence
    parallelism arises from tensor parallelism, ZeRO's update of a shard from
    data parallelism, a carried shard that is gathered where an iteration begins
    from one that is reduced where it ends. Both halves are then next to products,
    which shoal-chunk-products, shoal-split-batch and the scheduler hide them
    behind.

    For each group (over mesh axes; tables are left alone) an analysis finds what
    its devices hold alike; only that can be computed on shards. The ops' rules
    say which dimensions are one index (IndexClasses), connected through such ops
    alone, and through loops, branches and barriers that the group's devices take
    together. Of each index that an all_reduce has, the cheapest cut of the data
    flow says what is computed on shards: cut edges are gathers (of loops' bodies
    as often as they run; several uses share one), reductions along the index are
    all_reduces of what they give, and what stays whole takes the device's time
    for it, as the fused kernel's memory traffic. all_gathers over the group move
    likewise. Dimensions that the group does not divide are padded, if nothing is
    reduced along them.

    A function stays as it is where that is not modelled to be faster;
    compileModule tries it, where times are modelled, and keeps it if the
    simulator finds the whole program faster.
  }];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine for the modelled times (a preset or a .json file)">,
    Option<"groups", "groups", "std::string", "\"*\"",
           "Only all_reduces over these axes: tp,dp+tp; *: all">,
    Option<"always", "always", "bool", "false",
           "By bytes instead of times, on shards where it can be (for tests)">,
    Option<"remarks", "remarks", "bool", "false",
           "Say what was changed and what it is modelled to save">
  ];
}

def QuantizeCollectives : CollectivePass<"shoal-quantize-collectives"> {
  let summary = "Sums over devices travel as bytes, with a bounded error";
  let description = [{
    Only where the user asks for it: sums of large floats over the named axes are
    no longer exact up to rounding. A reduce_scatter becomes an all_to_all of
    bytes: blocks of `block` elements are divided by their largest magnitude over
    127 (sent beside them) and rounded, and what arrives is summed in f32. An
    all_reduce gathers that sum in the same form. Bytes sent are (1 + 4/block)
    an element and way instead of 2 or 4.

    With n devices, an element of the sum is off by at most n/254 of the largest
    magnitude among the summands of its block, of an all_reduce by twice that.
    With `axes=…:f8` the bytes are f8E4M3FN: all elements keep three bits of
    mantissa, so that each summand, and the sum that an all_reduce gathers, is off
    by at most a sixteenth of itself (or 2^-18 of the largest of its block): worse
    for large elements than whole numbers, better for small ones. A block with an infinite or undefined element is undefined. Where it is not
    modelled to be faster, a reduction stays as it is.
  }];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine for the modelled times (a preset or a .json file)">,
    Option<"axes", "axes", "std::string", "\"\"",
           "Groups over these axes: data+fsdp; *: all; nothing: none; in whole "
           "numbers, or with :f8 behind them as small floats">,
    Option<"block", "block", "int64_t", "256", "Elements that share a scale">,
    Option<"minBytes", "min-bytes", "int64_t", "1048576",
           "Tensors below this are left alone">,
    Option<"always", "always", "bool", "false",
           "Even where it is not modelled to be faster (for tests)">,
    Option<"remarks", "remarks", "bool", "false",
           "Say what was changed, the error, and what it is modelled to save">
  ];
}

def CompressGradients : CollectivePass<"shoal-compress-gradients"> {
  let summary = "Gradients are summed up in part, with error feedback";
  let description = [{
    Only where the user asks for it: sums of gradients over the named axes are no
    longer complete. An all_reduce of floats at the top of the entry, whose result
    goes into a result of the entry element by element, sends less, and what it
    leaves out is added to the next step's gradient. That error is state of the
    program: the entry gets an argument and a result more for each such sum
    (f32, donated; zeros in the first step, which shoal-run assumes where --input
    has none), of each device its own: a leading dimension has the devices of the
    mesh. `role` in report.json names them.

    - `topk:RATIO@AXES`: of each block of `block` elements, each device sends
      those with the largest magnitudes to all others, with 16 bits for where
      they are. Bytes: (n-1) RATIO S (1 + 2/w), w bytes an element, instead of
      2 (n-1)/n S: less where RATIO is well below 2/n.
    - `lowrank:R@AXES` (PowerSGD, arXiv 1905.13727): the gradient as a matrix of
      a rows and b columns travels as R columns of each: 2 (n-1)/n R (a+b) 4
      bytes. The basis of the last step is a second piece of state.

    On every device what was sent and its error add up to its gradient and its
    last error, exactly for topk of f32. What is not finite goes through once and
    is not kept. Sums that would not send less stay as they are, and so do those
    in loops, which have no state of their own.
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect",
                           "::mlir::chlo::ChloDialect",
                           "::shoal::comm::CommDialect"];
  let options = [
    Option<"how", "how", "std::string", "\"\"",
           "topk:RATIO@AXES or lowrank:RANK@AXES, axes like data+fsdp, or *">,
    Option<"block", "block", "int64_t", "1024",
           "Elements of which the largest are sent">,
    Option<"minBytes", "min-bytes", "int64_t", "65536",
           "Tensors below this are left alone">,
    Option<"remarks", "remarks", "bool", "false",
           "Say what was changed, and which arguments and results are new">
  ];
}

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
           "Bytes that a device may hold; 0: none to spare">,
    Option<"remarks", "remarks", "bool", "false",
           "Say what runs beside another iteration">
  ];
}

#endif // SHOAL_COLLECTIVES_PASSES_TD
