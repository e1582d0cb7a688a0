// Passes of lib/Package.
#ifndef SHOAL_PACKAGE_PASSES_TD
#define SHOAL_PACKAGE_PASSES_TD

include "mlir/Pass/PassBase.td"

def PrintProgram : Pass<"shoal-print-program", "::mlir::ModuleOp"> {
  let summary = "Prints the program table of a scheduled module to stderr";
  let description = [{
    Encodes the module's `plan.program` as lib/Package does, validates the table
    as the runtime does, and prints it as text.
  }];
}

#endif // SHOAL_PACKAGE_PASSES_TD
