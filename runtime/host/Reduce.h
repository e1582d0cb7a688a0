// Element-wise folding of several buffers, the arithmetic of collectives.
#ifndef SHOAL_RUNTIME_HOST_REDUCE_H
#define SHOAL_RUNTIME_HOST_REDUCE_H

#include "core/CollectiveCall.h"

#include <cstdint>
#include <span>

namespace shoal::rt {

/// out[i] = ((in0[i] op in1[i]) op in2[i]) … for `count` elements, always in
/// this order. Floats below 32 bits are summed in f32 and rounded once;
/// integers wrap; minimum and maximum hand on NaN and take -0 below +0; complex
/// numbers are ordered by real, then imaginary part. `out` may be one of the
/// inputs.
void reduceElements(program::DType type, program::Reduction reduction,
                    std::span<const std::byte *const> in, std::byte *out,
                    int64_t count);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_HOST_REDUCE_H
