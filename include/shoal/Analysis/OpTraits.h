// What fusion and code generation have to know about an op.
#ifndef SHOAL_ANALYSIS_OPTRAITS_H
#define SHOAL_ANALYSIS_OPTRAITS_H

#include "mlir/IR/Operation.h"

namespace shoal {

enum class OpClass {
  /// Not code for a device, or with a form of its own: never in a group.
  Opaque,
  /// A constant small enough to be part of code, or a splat.
  Constant,
  /// Made from nothing or from one value: iota.
  Iota,
  Elementwise,
  /// Each element of the result is one element of an operand, or a constant.
  IndexMap,
  Reduce,
  Dot,
  /// dynamic_update_slice, scatter.
  Update,
  /// Anything else with a kernel of its own.
  Single,
};

OpClass classify(mlir::Operation *op);

/// Relative cost of an element: 0 free, 1 cheap, 4 medium, 16 costly.
int elementCostOf(mlir::Operation *op);

/// A scatter body's or reducer's form does not matter; the element count does.
int64_t elementsOf(mlir::Value value);

/// True if the fastest dimension of more than one element stays the fastest.
bool keepsMinorDimension(mlir::Operation *op);

} // namespace shoal

#endif // SHOAL_ANALYSIS_OPTRAITS_H
