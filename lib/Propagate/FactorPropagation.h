// One step of propagation: the shardings of an op's operands and results made
// to agree along the factors of its rule.
#ifndef SHOAL_LIB_PROPAGATE_FACTORPROPAGATION_H
#define SHOAL_LIB_PROPAGATE_FACTORPROPAGATION_H

#include "FactorSharding.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace shoal::propagate {

/// Bits: from operands to results, and back.
enum class Direction : uint8_t { None = 0, Forward = 1, Backward = 2, Both = 3 };
inline Direction operator|(Direction a, Direction b) {
  return Direction(uint8_t(a) | uint8_t(b));
}
inline Direction operator&(Direction a, Direction b) {
  return Direction(uint8_t(a) & uint8_t(b));
}

struct Projection {
  llvm::SmallVector<TensorFactors, 4> operands;
  llvm::SmallVector<TensorFactors, 2> results;
};

/// Expands factor shardings in `projection` wherever that undoes nothing.
///
/// Along each factor the longest axes compatible with all tensors are found;
/// `direction(f)` says which side may add axes. Each tensor then takes them
/// factor by factor, the factors that come from the largest tensor first
/// (for `elementwise` ops the most sharded first among equals), as far as they
/// do not conflict with what it has: the *aggressive* strategy of Shardy.
///
/// Returns one bit per tensor, operands first, set where it changed.
llvm::BitVector
propagateFactors(Projection &projection, llvm::ArrayRef<Factor> factors,
                 llvm::function_ref<Direction(int64_t factor)> direction,
                 bool elementwise);

} // namespace shoal::propagate

#endif // SHOAL_LIB_PROPAGATE_FACTORPROPAGATION_H
