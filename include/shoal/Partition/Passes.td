//===- Passes.td - Passes of lib/Partition --------------------------------===//
#ifndef SHOAL_PARTITION_PASSES_TD
#define SHOAL_PARTITION_PASSES_TD

include "mlir/Pass/PassBase.td"

def PartitionPass : Pass<"shoal-partition", "mlir::ModuleOp"> {
  let summary = "Rewrites functions to what one device computes";
  let description = [{
    Takes a module of the phase `sharded`: every value has a sharding, every op
    a form. Types become those of one device's block, padding included; where a
    value's sharding and its use differ, `comm` collectives are inserted as the
    reshard planner finds them, each with a `reason` and the location of the op
    that needed it. Arguments and results of the functions keep their
    `shoal.sharding`, and get `shoal.global_type`.

    An op without a form takes the one that follows from the shardings of its
    results and operands, so the pass works on a propagated module as well.
    Operands of ops that cannot be computed in parts are gathered, with a
    remark that says which, why, and how many bytes.
  }];
  let dependentDialects = ["::shoal::comm::CommDialect",
                           "::mlir::stablehlo::StablehloDialect"];
}

def KeepWithOwnerPass : Pass<"shoal-keep-with-owner", "mlir::ModuleOp"> {
  let summary = "Drops broadcasts of what only the owner needs";
  let description = [{
    A slice of single elements of a cut dimension lies on one device. Where it
    is broadcast, and everything made from it ends in a product with a value
    that is zero but on the same device (a summand of a sum to come), the other
    devices need not have it: the product is masked instead.
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect"];
}

def VerifyPartitionedPass : Pass<"shoal-verify-partitioned", "mlir::ModuleOp"> {
  let summary = "Checks the invariants of the phase `partitioned`";
  let description = [{
    No sharding, constraint, reshard or manual region is left, and the local
    types of arguments and results are the blocks that their shardings make of
    their global types.
  }];
}

def ExportStableHLOPass : Pass<"shoal-export-stablehlo", "mlir::ModuleOp"> {
  let summary = "Writes a partitioned module as plain StableHLO";
  let description = [{
    `comm` collectives become StableHLO's, with replica groups over global
    device ids and channel ids, and `mhlo.num_partitions` is set. Types stay
    local: it is one program per device. Arguments and results carry
    `jax.offsets` (devices x rank: where each device's block starts) and
    `jax.global_shape`, by which a caller cuts and joins arrays.
  }];
  let dependentDialects = ["::mlir::stablehlo::StablehloDialect"];
}

#endif // SHOAL_PARTITION_PASSES_TD
