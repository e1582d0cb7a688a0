// The phase `binary`, which has no pass pipeline.
#ifndef SHOAL_LIB_PIPELINES_BINARY_H
#define SHOAL_LIB_PIPELINES_BINARY_H

#include "shoal/Pipelines/Compile.h"

namespace shoal {

/// Compiles and packages a module in phase `scheduled`.
mlir::LogicalResult makeBinary(mlir::ModuleOp module,
                               const CompileOptions &options,
                               std::vector<char> &binary);

} // namespace shoal

#endif // SHOAL_LIB_PIPELINES_BINARY_H
