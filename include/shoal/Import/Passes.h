// The phase `imported`: from what a front end prints to StableHLO with shoal
// annotations only, in one function.
#ifndef SHOAL_IMPORT_PASSES_H
#define SHOAL_IMPORT_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include <memory>
#include <string>

namespace shoal {

#define GEN_PASS_DECL
#include "shoal/Import/Passes.h.inc"

/// Erases all functions that the entry does not reach. `entry` empty: see the
/// pass shoal-prune-to-entry. Fails with a diagnostic if there is no such
/// function. Works on modules that have not been verified, so that functions
/// that are not compiled need only parse.
mlir::LogicalResult pruneToEntry(mlir::ModuleOp module, llvm::StringRef entry);

/// All passes of the phase, in order, with the check of its invariants at the
/// end. With `singleDevice`, shoal-strip-shardings is one of them. The pass
/// pipeline --shoal-import-pipeline{entry=… single-device=… argument-shapes=…}.
void buildImportPipeline(mlir::OpPassManager &pm, llvm::StringRef entry = "",
                         bool singleDevice = false,
                         llvm::StringRef argumentShapes = "");

/// Registers the passes and the pipeline by name.
void registerImportPasses();

#define GEN_PASS_REGISTRATION
#include "shoal/Import/Passes.h.inc"

} // namespace shoal

#endif // SHOAL_IMPORT_PASSES_H
