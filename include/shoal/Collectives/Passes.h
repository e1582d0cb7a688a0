// Passes that merge, move and hide communication; documented in Passes.td.
#ifndef SHOAL_COLLECTIVES_PASSES_H
#define SHOAL_COLLECTIVES_PASSES_H

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace shoal {

#define GEN_PASS_DECL
#include "shoal/Collectives/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "shoal/Collectives/Passes.h.inc"

} // namespace shoal

#endif // SHOAL_COLLECTIVES_PASSES_H
