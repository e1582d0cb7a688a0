// Decompositions of chlo operations that are not plain functions of elements.
#ifndef SHOAL_LIB_IMPORT_DECOMPOSECHLO_H
#define SHOAL_LIB_IMPORT_DECOMPOSECHLO_H

#include "mlir/IR/Builders.h"

namespace shoal {

/// chlo.broadcast_*: both operands to the result's shape, then the plain op. No
/// results if `op` is none of these; failure after a diagnostic.
llvm::LogicalResult
decomposeBroadcasting(mlir::Operation *op, mlir::OpBuilder &builder,
                      llvm::SmallVectorImpl<mlir::Value> &results);

/// chlo.top_k, ragged_dot, scan, dynamic_reshape, in the same manner.
llvm::LogicalResult
decomposeComposite(mlir::Operation *op, mlir::OpBuilder &builder,
                   llvm::SmallVectorImpl<mlir::Value> &results);

} // namespace shoal

#endif // SHOAL_LIB_IMPORT_DECOMPOSECHLO_H
