// Kinds of ops that propagation treats in a special way.
#ifndef LIB_PROPAGATE_OPPROPERTIES_H
#define LIB_PROPAGATE_OPPROPERTIES_H

#include "mlir/IR/Operation.h"

namespace shoal::propagate {

/// One element of each result from one of each operand.
bool isElementwise(mlir::Operation *op);

/// A constant, or iota.
bool isConstantLike(mlir::Operation *op);

/// Constant if all its operands are: elementwise, broadcast, reshape, slice.
bool preservesConstants(mlir::Operation *op);

/// A broadcast of a scalar.
bool isScalarBroadcast(mlir::Operation *op);

enum class RegionFlow {
  None,    // Regions hold no sharded values (a reducer's body, a comparator).
  While,   // Operand, condition's and body's argument, yield, result are one.
  Branch,  // Yields and result are one.
  Barrier, // No region: operand and result are one.
  Manual,  // shoal.manual.
};
RegionFlow getRegionFlow(mlir::Operation *op);

} // namespace shoal::propagate

#endif // LIB_PROPAGATE_OPPROPERTIES_H
