// Loops that keep a row of something in each iteration.
#ifndef SHOAL_SUPPORT_STACKVALUES_H
#define SHOAL_SUPPORT_STACKVALUES_H

#include "dialects/StableHLO/StableHLO.h"

namespace shoal {

/// The loop with a stack of `rows` rows for each of the values, which are of
/// its body, as its last results: zeros, of which each iteration writes the row
/// that `index`, a value of the body, says. Takes the loop's place.
mlir::stablehlo::WhileOp stackValues(mlir::stablehlo::WhileOp loop,
                                     mlir::ValueRange values, mlir::Value index,
                                     int64_t rows);

/// The loop with more carried values, which begin as `values`. Takes the loop's
/// place; what its body yields for them, the caller appends.
mlir::stablehlo::WhileOp withMoreCarried(mlir::stablehlo::WhileOp loop,
                                         mlir::ValueRange values);

/// Zeros.
mlir::Value zeroOf(mlir::OpBuilder &b, mlir::Location loc,
                   mlir::RankedTensorType type);

/// A row of a stack, reshaped to `type`.
mlir::Value readRow(mlir::OpBuilder &b, mlir::Location loc, mlir::Value stack,
                    mlir::Value index, mlir::Type type);

} // namespace shoal

#endif // SHOAL_SUPPORT_STACKVALUES_H
