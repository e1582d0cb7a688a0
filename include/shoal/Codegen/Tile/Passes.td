// Passes on the tile dialect.
#ifndef SHOAL_CODEGEN_TILE_PASSES_TD
#define SHOAL_CODEGEN_TILE_PASSES_TD

include "mlir/Pass/PassBase.td"

def TileFromKernels : Pass<"tile-from-kernels", "::mlir::ModuleOp"> {
  let summary = "Writes each kernel that a fused strategy takes as tile.func";
  let description = [{
    For looking and for tests: GPU code generation does this kernel by kernel.
    Kernels are `plan.kernel`s, and functions (which get another name). With
    layouts. A kernel that no strategy takes gets a remark.
  }];
  let options = [Option<"chip", "chip", "std::string", "\"sm_80\"", "Chip">];
  let dependentDialects = ["::shoal::tile::TileDialect", "::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect"];
}

def TileAssignLayouts : Pass<"tile-assign-layouts", "::mlir::ModuleOp"> {
  let summary = "Gives every tile a layout";
  let description = [{
    Tiles joined by elementwise ops, broadcasts, reductions, scans and loops are
    one family: they have one layout, restricted to their shapes. A family takes a
    layout that one of its tiles has already; else the coalesced one that most
    bytes of its loads and stores ask for: the widest vectors along the contiguous
    dimension, lanes next, warps over dimensions that nothing reduces. A load or
    store that is contiguous along another dimension keeps its own layout, and
    `tile.convert_layout` stands between.
  }];
  let dependentDialects = ["::shoal::tile::TileDialect"];
}

def TilePrintCode : Pass<"tile-print-code", "::mlir::ModuleOp"> {
  let summary = "Prints the LLVM IR or PTX of every tile.func, for tests";
  let options = [
    Option<"chip", "chip", "std::string", "\"sm_80\"", "Chip">,
    Option<"emit", "emit", "std::string", "\"ptx\"", "llvm, emulator (llvm with the mathematics linked), opt, or ptx">
  ];
}

#endif // SHOAL_CODEGEN_TILE_PASSES_TD
