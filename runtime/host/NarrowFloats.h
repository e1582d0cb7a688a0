// Arrays of narrow floats to f32 and back, in loops that vectorize.
#ifndef SHOAL_RUNTIME_HOST_NARROWFLOATS_H
#define SHOAL_RUNTIME_HOST_NARROWFLOATS_H

#include "shoal/runtime/DType.h"

#include <cstddef>
#include <cstdint>

namespace shoal::rt {

/// to[i] = the i-th of `count` elements, `stride` elements apart. Exact; `type`
/// is a real float of at most 32 bits.
void widenFloats(DType type, const std::byte *from, int64_t stride,
                 int64_t count, float *to);

/// The same to bf16, as which every float of at most 8 bits with a sign is
/// exact and no subnormal (which processors' bf16 units take for zero).
bool isExactInBF16(DType type);
void widenToBF16(DType type, const std::byte *from, int64_t stride,
                 int64_t count, uint16_t *to);

/// The inverse of widenFloats, rounded to the nearest, ties to even.
void narrowFloats(DType type, const float *from, int64_t count, std::byte *to,
                  int64_t stride);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_HOST_NARROWFLOATS_H
