// Reading of StableHLO's portable artifacts; see README.md.

#ifndef SHOAL_DIALECTS_VHLO_VHLO_H
#define SHOAL_DIALECTS_VHLO_VHLO_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ExtensibleDialect.h"
#include "mlir/Pass/Pass.h"

namespace mlir::vhlo {

/// The versioned ops. They exist between the bytecode reader and the pass
/// below, with attributes and types that are already those of StableHLO.
class VhloDialect : public ExtensibleDialect {
public:
  explicit VhloDialect(MLIRContext *context);
  static StringRef getDialectNamespace() { return "vhlo"; }

  /// Adds the decoder of attributes and types (VHLOBytecode.cpp).
  void registerBytecode();
};

/// Replaces all vhlo ops in `module` by what they stand for. A module without
/// any is left alone. Fails, with an error, on an op that is not known.
LogicalResult legalizeToStablehlo(ModuleOp module);

/// `--vhlo-legalize-to-stablehlo`
std::unique_ptr<Pass> createVhloLegalizeToStablehloPass();
void registerVhloPasses();

} // namespace mlir::vhlo

MLIR_DECLARE_EXPLICIT_TYPE_ID(mlir::vhlo::VhloDialect)

#endif // SHOAL_DIALECTS_VHLO_VHLO_H
