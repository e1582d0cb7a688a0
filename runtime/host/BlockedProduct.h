// Matrix products in f64 and in integers, which the library has no fast ones
// of.
#ifndef SHOAL_RUNTIME_HOST_BLOCKEDPRODUCT_H
#define SHOAL_RUNTIME_HOST_BLOCKEDPRODUCT_H

#include "shoal/runtime/DType.h"

#include <cstddef>
#include <cstdint>

namespace shoal::rt {

/// A strided matrix in memory; strides in elements.
struct ConstMatrix {
  const std::byte *data;
  DType type;
  int64_t rowStride, columnStride;
};

/// True for f64 and for integers (not i1) whose result has 8 to 64 bits.
bool takesBlockedProduct(DType lhs, DType rhs, DType out);

/// out (m by n, strides in elements) = or += lhs (m by k) * rhs (k by n). Sums
/// are f64; of integers, modulo the width of `out`. One thread; each sum is
/// over k in order.
void blockedProduct(int64_t m, int64_t n, int64_t k, const ConstMatrix &lhs,
                    const ConstMatrix &rhs, std::byte *out, DType outType,
                    int64_t outRow, int64_t outColumn, bool accumulate);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_HOST_BLOCKEDPRODUCT_H
