// Passes that make tile kernels of contractions.
#ifndef SHOAL_CODEGEN_CONTRACTION_PASSES_TD
#define SHOAL_CODEGEN_CONTRACTION_PASSES_TD

include "mlir/Pass/PassBase.td"

def TileFromContractions : Pass<"tile-from-contractions", "::mlir::ModuleOp"> {
  let summary = "Replaces functions of one dot_general, convolution or attention by tile.func";
  let description = [{
    For tests and for looking: each func.func is taken as the body of a kernel
    (arguments are inputs, returned values outputs). Functions that the strategy
    does not take stay.
  }];
  let options = [
    Option<"chip", "chip", "std::string", "\"sm_80\"", "Chip">
  ];
  let dependentDialects = ["::shoal::tile::TileDialect", "::mlir::scf::SCFDialect",
    "::mlir::arith::ArithDialect"];
}

#endif // SHOAL_CODEGEN_CONTRACTION_PASSES_TD
