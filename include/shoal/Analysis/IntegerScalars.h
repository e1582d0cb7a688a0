// Integers that scalars are, computed as their ops would.
#ifndef SHOAL_ANALYSIS_INTEGERSCALARS_H
#define SHOAL_ANALYSIS_INTEGERSCALARS_H

#include "mlir/IR/Value.h"
#include "llvm/ADT/APInt.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <optional>

namespace shoal {

/// What a value is that is not computed from others by arithmetic, of its
/// type's width; none if that is not known.
using IntegerLeaf = llvm::function_ref<std::optional<llvm::APInt>(mlir::Value)>;

/// The integer that a tensor of one element is, in the arithmetic of its type
/// (StableHLO: it wraps around). None where something is not known, divides by
/// zero, or depends on very much. Branches of selects are all looked at.
std::optional<llvm::APInt> evaluateInteger(mlir::Value value, IntegerLeaf leaf);

/// The number of an element of that type, if it fits.
std::optional<int64_t> asInt64(const llvm::APInt &number, mlir::Type element);

} // namespace shoal

#endif // SHOAL_ANALYSIS_INTEGERSCALARS_H
