// Moves whose places are known at run time only, while all shapes are known.
#ifndef SHOAL_LIB_IMPORT_RUNTIMEPLACES_H
#define SHOAL_LIB_IMPORT_RUNTIMEPLACES_H

#include "mlir/IR/Builders.h"

namespace shoal {

/// Element `index` of a vector of integers, as a scalar i64.
mlir::Value takeInteger(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value vector, int64_t index);

/// Element i of the result along `dim`, of `size` elements, is the value's
/// element start + i·stride (scalars of i64; null stride: 1), clamped.
mlir::Value takeStrided(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value value, int64_t dim, mlir::Value start,
                        mlir::Value stride, int64_t size);

/// Pads `dim` to `size` elements: `low` before the first, which may be
/// negative, and `interior` (null: none) between any two; `fill` is a scalar.
mlir::Value padAtRuntime(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value value, int64_t dim, mlir::Value low,
                         mlir::Value interior, int64_t size, mlir::Value fill);

} // namespace shoal

#endif // SHOAL_LIB_IMPORT_RUNTIMEPLACES_H
