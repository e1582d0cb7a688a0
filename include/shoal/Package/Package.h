// From a module in phase `scheduled`, with compiled kernels, to one shared
// object.
#ifndef SHOAL_PACKAGE_PACKAGE_H
#define SHOAL_PACKAGE_PACKAGE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <string>
#include <vector>

namespace shoal {

struct PackageOptions {
  std::string target = "cpu";
  std::string chip;     ///< what kernels were compiled for
  std::string features; ///< CPU features that they need, comma-separated
  std::string producer; ///< name and version of the compiler
  std::string report;   ///< report.json
};

/// The program table (runtime/include/shoal/runtime/Program.h) of the module's
/// one `plan.program`, and the contents of the constants section. Depends on
/// the module and the options only. For target cuda every kernel has attribute
/// `plan.gpu` and the module the `gpu.binary` ops that they name. Fails with a diagnostic at the op that has
/// no form in the table.
struct ProgramTable {
  std::vector<char> table;
  std::vector<char> constants;
  std::vector<char> images; ///< device code, target cuda
};
mlir::FailureOr<ProgramTable> buildProgramTable(mlir::ModuleOp module,
                                                const PackageOptions &options);

/// Links kernel objects (ELF relocatable, position independent) with the table
/// and the constants, and appends the footer. Undefined symbols are the
/// runtime's. Fails with a diagnostic at the module's location if the
/// linker (lld, in this process) reports errors. The
/// same module and objects give the same bytes.
mlir::FailureOr<std::vector<char>>
packageModule(mlir::ModuleOp module,
              llvm::ArrayRef<llvm::SmallVector<char, 0>> objects,
              const PackageOptions &options);

} // namespace shoal

#endif // SHOAL_PACKAGE_PACKAGE_H
