// Passes of lib/Fuse: from partitioned tensors to kernels and launches.
#ifndef SHOAL_FUSE_PASSES_TD
#define SHOAL_FUSE_PASSES_TD

include "mlir/Pass/PassBase.td"

def Fuse : Pass<"shoal-fuse", "::mlir::ModuleOp"> {
  let summary = "Groups ops into kernels";
  let description = [{
    Applies the groups of `FusionGroups` in every block of every function: each
    becomes a `plan.kernel` of the module and a `plan.launch` where the group's
    last op stood. Kernels of the same text are one kernel. Products for the
    library become `plan.matmul`, with transposes of operands and of the result
    folded into its dimension lists. Control flow, collectives, host scalars,
    large constants and views stay.

    ```mlir
    %0 = stablehlo.add %a, %b : tensor<8xf32>
    %1 = stablehlo.tanh %0 : tensor<8xf32>
    // becomes
    %1 = plan.launch @kernel_0_tanh(%a, %b) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    ```
  }];
  let dependentDialects = ["::shoal::plan::PlanDialect"];
  let options = [
    Option<"maxOps", "max-ops", "unsigned", "160", "Most ops in a kernel">,
    Option<"maxInputs", "max-inputs", "unsigned", "24", "Most inputs of a kernel">,
    Option<"library", "library", "bool", "true",
           "Products are calls of a library; without one each is a kernel, with "
           "what comes before and after it (target cuda)">
  ];
}

def FuseAttention : Pass<"shoal-fuse-attention", "::mlir::ModuleOp"> {
  let summary = "softmax(queries · keys) · values becomes one kernel";
  let description = [{
    For target cuda, before shoal-fuse: two products with a softmax between them,
    of which nothing else needs a value, are one `plan.kernel`, if the strategy
    for attention takes it. The scores are never in memory then.
  }];
  let dependentDialects = ["::shoal::plan::PlanDialect", "::shoal::tile::TileDialect",
                           "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def FuseAttentionGradient : Pass<"shoal-fuse-attention-gradient", "::mlir::ModuleOp"> {
  let summary = "attention and its gradient become two kernels";
  let description = [{
    For target cuda, before shoal-fuse-attention. The first kernel computes
    softmax(queries · keys) · values and two numbers a row, the scores' maximum
    and one over the exponentials' sum; the second one the gradients of queries,
    keys and values from those, computing the probabilities again. So scores,
    probabilities and their gradients are never in memory. The pattern is found
    by what the values are, as polynomials of exponentials, their rows' sums and
    the cotangents' product, not by how they are computed. If something else
    needs the scores or what is made of them, nothing is fused, with a remark.
  }];
  let dependentDialects = ["::shoal::plan::PlanDialect", "::shoal::tile::TileDialect",
                           "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

#endif // SHOAL_FUSE_PASSES_TD
