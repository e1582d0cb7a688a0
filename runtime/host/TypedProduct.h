// One block of a matrix product in any element types, on the calling thread.
#ifndef SHOAL_RUNTIME_HOST_TYPEDPRODUCT_H
#define SHOAL_RUNTIME_HOST_TYPEDPRODUCT_H

#include "host/BlockedProduct.h"

namespace shoal::rt {

/// out (m by n) = or += lhs (m by k) * rhs (k by n); strides in elements.
struct ProductBlock {
  int64_t m, n, k;
  ConstMatrix lhs, rhs;
  std::byte *out;
  DType outType;
  int64_t outRow, outColumn;
  bool accumulate;
};

/// True if columns of the result must be neighbours (n > 1) for typedProduct to
/// be fast: products that are written by the library itself.
bool wantsContiguousRows(DType lhs, DType rhs, DType out, bool accumulate);

/// Sums of f32 and narrower floats are kept in f32, of others in the widest
/// type of their kind or modulo the width of the result, and rounded once.
void typedProduct(const ProductBlock &block);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_HOST_TYPEDPRODUCT_H
