// Passes over the program table; documented in Passes.td.
#ifndef SHOAL_PACKAGE_PASSES_H
#define SHOAL_PACKAGE_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace shoal {

#define GEN_PASS_DECL
#include "shoal/Package/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "shoal/Package/Passes.h.inc"

} // namespace shoal

#endif // SHOAL_PACKAGE_PASSES_H
