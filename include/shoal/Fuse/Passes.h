// Passes of lib/Fuse.
#ifndef SHOAL_FUSE_PASSES_H
#define SHOAL_FUSE_PASSES_H

#include "mlir/Pass/Pass.h"

namespace shoal {
#define GEN_PASS_DECL
#include "shoal/Fuse/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "shoal/Fuse/Passes.h.inc"

/// Registers `shoal-fuse-pipeline`.
void registerShoalFusePipelines();
} // namespace shoal

#endif // SHOAL_FUSE_PASSES_H
