// Collectives of one device: those outside manual regions.
#ifndef SHOAL_LIB_IMPORT_LONECOLLECTIVES_H
#define SHOAL_LIB_IMPORT_LONECOLLECTIVES_H

#include "mlir/IR/Builders.h"

namespace shoal {

/// Replaces a StableHLO collective by its operand, by zeros if it is a permute
/// that sends nothing, and device ids by 0 where the program is for one device.
/// Fails with a diagnostic if it names more devices.
llvm::LogicalResult importLoneCollective(mlir::Operation *op);

/// A constant of zeros; null for element types that have none.
mlir::Value createZeros(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Type type);

/// Puts what async_start runs in line; the scheduler makes collectives
/// asynchronous again where that pays. Fails if a future is passed around.
llvm::LogicalResult inlineAsyncOps(mlir::Operation *root);

} // namespace shoal

#endif // SHOAL_LIB_IMPORT_LONECOLLECTIVES_H
