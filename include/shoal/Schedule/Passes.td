// Passes of lib/Schedule: from kernels and launches on tensors (`fused`) to the
// host program on buffers (`scheduled`).
#ifndef SHOAL_SCHEDULE_PASSES_TD
#define SHOAL_SCHEDULE_PASSES_TD

include "mlir/Pass/PassBase.td"

def OutlineLoneOps : Pass<"shoal-outline-lone-ops", "::mlir::ModuleOp"> {
  let summary = "Gives every op that is left outside kernels a kernel of its own";
  let description = [{
    What lib/Schedule understands itself stays: control flow, collectives, host
    scalars, constants, and ops that are views (reshape, contiguous slices,
    dynamic_slice and dynamic_update_slice at host scalars). Checks and custom
    calls become `plan.check` and `plan.custom_call`. All else is outlined.
  }];
  let dependentDialects = ["::shoal::plan::PlanDialect", "::shoal::comm::CommDialect",
                           "::mlir::stablehlo::StablehloDialect"];
}

def BindHostScalars : Pass<"shoal-bind-host-scalars", "::mlir::ModuleOp"> {
  let summary = "Passes host scalars to kernels by value";
  let description = [{
    Marks kernel arguments that are host scalars at a launch with `plan.scalar`;
    a kernel that is launched in several ways is cloned. What a kernel computes
    from host scalars alone and returns as a rank-0 integer is computed on the
    host instead, so that loop counters never go through device memory.
  }];
  let dependentDialects = ["::shoal::plan::PlanDialect"];
}

def Order : Pass<"shoal-order", "::mlir::ModuleOp"> {
  let summary = "Chooses the order of execution";
  let description = [{
    Topological; of the order as written and one that frees memory early, block by
    block the one whose modelled peak is lower. Ops with effects keep their order
    among each other.
  }];
}

def RecomputeStacks : Pass<"shoal-recompute-stacks", "::mlir::ModuleOp"> {
  let summary = "Stacks of a scan are computed again in its gradient's loop";
  let description = [{
    A scan without checkpoints stacks in every iteration what its gradient needs,
    and the gradient's loop walks over these stacks the other way. This pass
    finds two such loops (as `shoal-keep-recomputed`, whose inverse it is) and
    drops stacks until `save` bytes less are held: the ops that made a row are
    cloned into the second loop, as far back as to rows that are still stacked,
    what does not change, and the counter. Where a value that the first loop
    carries (a layer's input) is needed and nowhere stacked, it is, if that saves
    more than it takes. Stacks go in the order of modelled seconds, for the whole
    loop, per byte; collectives are weighed twice. A chain that two stacks share
    is paid for once.

    With `offload`, stacks first go to the memory of the host, those first that
    take most time per byte to compute again, as long as an iteration's
    computation, of both loops, leaves time for the copies of its rows. The first
    loop writes each row there (`plan.offload_row`) while it goes on, or at the
    start of the next iteration where the row is made too late; the second one
    fetches each an iteration ahead (`plan.fetch_row`). Of each such stack the
    device holds two rows. Layers' inputs that a checkpointed scan keeps may go,
    too.

    Works on kernels and launches, where these times are known. Whether the
    program fits then, compileModule finds out, and asks for more if it must.
  }];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine for the modelled times (a preset or a .json file)">,
    Option<"save", "save", "int64_t", "0", "Bytes of stacks to do without">,
    Option<"offload", "offload", "bool", "false",
           "Stacks may go to the memory of the host and back, too">,
    Option<"remarks", "remarks", "bool", "false",
           "Say what is computed again, the bytes saved and the time added">
  ];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect", "::shoal::plan::PlanDialect"];
}

def FitMemory : Pass<"shoal-fit-memory", "::mlir::ModuleOp"> {
  let summary = "Computes values again instead of holding them, within a bound";
  let description = [{
    Where more than `memory-limit` would be held at once, values that live across
    the peak and are not used there are computed again right before they are used
    next: by a clone of their launch, with what leads to it as far as that is no
    longer there. Of all such values the one that takes least modelled time for
    each byte saved goes first (of the same price, the one that is held longest
    above the limit), and so on until the block fits or nothing helps. What is
    held longer for it counts; so do siblings that come with it. Collectives are
    repeated, too, but weighed twice.

    With `offload`, a value may also be copied to the memory of the host right
    after it is made (`plan.offload`) and back before it is needed
    (`plan.fetch`), each way on a link of the machine. Such copies run beside the
    computation, and are made only as long as they take well less time than
    there is on either side of the peak; so they cost next to nothing, but
    arrive early and leave late. Whether that is better, the simulator says.

    Nothing changes where the block fits as it is, and no step makes the peak
    higher. What is held is estimated as `shoal-order` does, results in the memory
    of dead operands apart; what a program really takes, the arena says, so
    compileModule measures it and asks again with another limit.
  }];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine for the modelled times (a preset or a .json file)">,
    Option<"memoryLimit", "memory-limit", "int64_t", "0",
           "Bytes that a device may hold; 0: no limit">,
    Option<"offload", "offload", "bool", "false",
           "Values may go to the memory of the host and back, too">,
    Option<"remarks", "remarks", "bool", "false",
           "Say what is computed again, the bytes saved and the time added">
  ];
}

def Overlap : Pass<"shoal-overlap", "::mlir::ModuleOp"> {
  let summary = "Orders computation and collectives so that they run at once";
  let description = [{
    List scheduling, block by block, on one stream of computation and one for
    each level of links, with the modelled seconds of kernels and collectives: a
    collective goes where its operands are there, and what does not need its
    result between it and what does. The best of several rules is improved by
    moving single ops, as long as that helps. Kept only if the modelled time is lower
    than that of the order as it is, within the memory that this order takes, or
    `memory-limit`.
  }];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine for the modelled times (a preset or a .json file)">,
    Option<"memoryLimit", "memory-limit", "int64_t", "0",
           "Bytes that a device may hold; 0: as much as without this pass">,
    Option<"remarks", "remarks", "bool", "false",
           "Say where the order changed and what that is modelled to save">
  ];
}

def Bufferize : Pass<"shoal-bufferize", "::mlir::ModuleOp"> {
  let summary = "Turns the entry function into a plan.program on buffers";
  let description = [{
    Decides which values share memory (BufferPlan.h): views; in-place updates;
    carried values with their initial and next values, by exchange of handles
    where both live at once; kernels that may overwrite an operand; results in
    donated arguments; producers that write right into the slice of a larger
    buffer. Whatever cannot share is copied, and counted in `copied_bytes`.
  }];
  let options = [
    Option<"entry", "entry", "std::string", "\"main\"", "The entry function">
  ];
  let dependentDialects = ["::shoal::plan::PlanDialect"];
}

def CombineCollectives : Pass<"shoal-combine-collectives", "::mlir::ModuleOp"> {
  let summary = "Collectives of one kind and group become one, in buckets";
  let description = [{
    Every collective costs a start and its steps' latencies, however small it is;
    but one that waits for others starts later, and what could have run beside
    computation no longer does. Of the collectives of a block that reduce (or
    gather, or scatter) over the same group and could as well run later, this
    pass finds the buckets with which the block's modelled time is least, by
    dynamic programming over the order in which they are ready: a bucket starts
    when its last member is ready and the one before is done, and stalls the
    computation that needs it earlier. No size is a threshold.

    Members keep their buffers: nothing is packed. all_reduces combine whatever
    their shapes, all_gathers and reduce_scatters those of one type. Where a
    member's input would have to be kept longer than without, its bytes must fit
    into `memory-limit`; without a limit there are none to spare.
  }];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine for the modelled times (a preset or a .json file)">,
    Option<"memoryLimit", "memory-limit", "int64_t", "0",
           "Bytes that a device may hold; 0: as few as can be">,
    Option<"remarks", "remarks", "bool", "false",
           "Say what was combined and what it is modelled to save">
  ];
  let dependentDialects = ["::shoal::plan::PlanDialect"];
}

def SplitCollectives : Pass<"shoal-split-collectives", "::mlir::ModuleOp"> {
  let summary = "Lets collectives run beside what follows them";
  let description = [{
    A `plan.collective` becomes `plan.collective_start` at its place, on a stream
    for the level of links that it uses, and `plan.collective_done` before the
    first op that touches its buffers. Copies to and from the memory of the host
    (`plan.copy`) go to streams of their own, one for each way, between events
    (`plan.record`, `plan.wait`) likewise; memory that has been copied to the host
    is given back after twice the time that this should take. Where nothing would run in between it stays
    as it is.
  }];
  let options = [
    Option<"hardware", "hardware", "std::string", "\"\"",
           "Machine that says which links a group uses">
  ];
  let dependentDialects = ["::shoal::plan::PlanDialect"];
}

def AssignOffsets : Pass<"shoal-assign-offsets", "::mlir::ModuleOp"> {
  let summary = "Places every buffer in the arena";
  let description = [{
    Buffers that are never alive at once may overlap. Largest first, each at the
    lowest offset that is free (best fit).
  }];
}

def VerifySchedule : Pass<"shoal-verify-schedule", "::mlir::ModuleOp"> {
  let summary = "Checks the invariants of the phase `scheduled`";
  let description = [{
    No two live buffers overlap; arguments are written only if donated, constants
    never; each kernel exists; collectives stand where all ranks of their group
    reach them in the same order; every started collective is awaited.
  }];
}

#endif // SHOAL_SCHEDULE_PASSES_TD
