// Types of values that are tensors.
#ifndef SHOAL_SUPPORT_TENSORTYPES_H
#define SHOAL_SUPPORT_TENSORTYPES_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"

namespace shoal {

/// The type of a value that is known to be a ranked tensor.
inline mlir::RankedTensorType typeOf(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType());
}

/// The same, or null where the value is none.
inline mlir::RankedTensorType typeOrNull(mlir::Value value) {
  return mlir::dyn_cast<mlir::RankedTensorType>(value.getType());
}

} // namespace shoal

#endif // SHOAL_SUPPORT_TENSORTYPES_H
