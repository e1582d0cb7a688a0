// One matrix product of a block, on the calling thread.
#ifndef SHOAL_RUNTIME_HOST_GEMM_H
#define SHOAL_RUNTIME_HOST_GEMM_H

#include "shoal/runtime/KernelABI.h"

namespace shoal::rt {

/// out = lhs * rhs as ShoalMatmul says. Any strides of at least 0; what oneDNN
/// would be slow at is packed first.
void gemm(const ShoalMatmul &shape, const void *lhs, const void *rhs,
          void *out);

/// More types, which only libraryProduct takes: beside ShoalMatmulType.
enum : int32_t { MatmulS8 = 16, MatmulU8 = 17, MatmulS32 = 18 };

/// The same by oneDNN, with strides as they are; false if it has no fast way.
bool libraryProduct(const ShoalMatmul &shape, const void *lhs, const void *rhs,
                    void *out);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_HOST_GEMM_H
