// Passes from `fused` to `scheduled`; documented in Passes.td.
#ifndef SHOAL_SCHEDULE_PASSES_H
#define SHOAL_SCHEDULE_PASSES_H

#include "dialects/Comm/Comm.h"
#include "dialects/Plan/Plan.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

namespace shoal {

#define GEN_PASS_DECL
#include "shoal/Schedule/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "shoal/Schedule/Passes.h.inc"

/// Adds the passes of the phase `scheduled`, its verifier last. `entry` is the
/// function that becomes the program; `hardware` (Analysis/Hardware.h) is what
/// times are modelled on, `memoryLimit` the bytes a device may hold (0: as many
/// as without overlap). `overlap`: "none" leaves collectives where they are,
/// "blocks" lets them run beside what stands around them, "loops" beside other
/// iterations as well. `part`: "order" ends where the order of kernels and
/// collectives is known, "rest" goes on from there, "all" does both.
/// `fitTarget`: bytes to keep within by computing values again; 0: none is.
/// `saveStacks`: bytes of stacks of scans to compute again, row by row. `offload`,
/// `offloadStacks`: whether values may go to the memory of the host for
/// `fitTarget`, and stacks for `saveStacks`.
void buildSchedulePipeline(mlir::OpPassManager &pm,
                           llvm::StringRef entry = "main",
                           llvm::StringRef hardware = "",
                           int64_t memoryLimit = 0,
                           llvm::StringRef overlap = "loops",
                           bool remarks = false,
                           bool combineCollectives = true,
                           llvm::StringRef part = "all",
                           int64_t fitTarget = 0,
                           int64_t saveStacks = 0, bool offload = false,
                           bool offloadStacks = false);

/// Registers `--shoal-schedule-pipeline`.
void registerSchedulePipelines();

} // namespace shoal

#endif // SHOAL_SCHEDULE_PASSES_H
