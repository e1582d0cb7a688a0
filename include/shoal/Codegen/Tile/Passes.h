// Passes on the tile dialect.
#ifndef SHOAL_CODEGEN_TILE_PASSES_H
#define SHOAL_CODEGEN_TILE_PASSES_H

#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace shoal {

#define GEN_PASS_DECL
#include "shoal/Codegen/Tile/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "shoal/Codegen/Tile/Passes.h.inc"

} // namespace shoal

#endif // SHOAL_CODEGEN_TILE_PASSES_H
