// The scalar ops of linalg bodies, as StableHLO on whole tensors.
#ifndef SHOAL_LIB_IMPORT_LINALGBODY_H
#define SHOAL_LIB_IMPORT_LINALGBODY_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"

namespace shoal {

/// The elementwise StableHLO op for an op of arith or math, on tensors of the
/// operands' shape; `sizes` is the shape where there are no operands. Null if
/// there is none.
mlir::Value createElementwise(mlir::Operation *scalarOp, mlir::ValueRange operands,
                              mlir::OpBuilder &builder,
                              llvm::ArrayRef<int64_t> sizes = {});

/// A value as a tensor: tensors as they are, arith constants (scalar or dense)
/// as stablehlo.constant, tensor.empty as zeros. Null for other scalars.
mlir::Value asTensor(mlir::Value value, mlir::OpBuilder &builder);

mlir::Value broadcastScalar(mlir::Value scalar, llvm::ArrayRef<int64_t> sizes,
                            mlir::OpBuilder &builder);

/// The value that changes nothing under a combining op; null if unknown.
mlir::TypedAttr getNeutral(mlir::Operation *combine, mlir::Type element);

} // namespace shoal

#endif // SHOAL_LIB_IMPORT_LINALGBODY_H
