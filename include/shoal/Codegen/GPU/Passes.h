// Passes of lib/Codegen/GPU; documented in Passes.td.
#ifndef SHOAL_CODEGEN_GPU_PASSES_H
#define SHOAL_CODEGEN_GPU_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace shoal {
#define GEN_PASS_DECL
#include "shoal/Codegen/GPU/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "shoal/Codegen/GPU/Passes.h.inc"
} // namespace shoal

#endif // SHOAL_CODEGEN_GPU_PASSES_H
