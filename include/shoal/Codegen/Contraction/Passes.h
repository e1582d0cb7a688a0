// Passes that make tile kernels of contractions.
#ifndef SHOAL_CODEGEN_CONTRACTION_PASSES_H
#define SHOAL_CODEGEN_CONTRACTION_PASSES_H

#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace shoal {

#define GEN_PASS_DECL
#include "shoal/Codegen/Contraction/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "shoal/Codegen/Contraction/Passes.h.inc"

} // namespace shoal

#endif // SHOAL_CODEGEN_CONTRACTION_PASSES_H
