// Copying between two layouts of the same elements.
#ifndef SHOAL_RUNTIME_HOST_STRIDEDCOPY_H
#define SHOAL_RUNTIME_HOST_STRIDEDCOPY_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace shoal::rt {

/// A dimension with its strides, in elements, on both sides.
struct CopyDim {
  int64_t size, from, to;
};

/// Copies every element of the index space `dims`, in any order; elements are
/// `width` bytes (1, 2, 4, 8 or 16). Large ones are split over idle threads.
void copyStrided(const std::byte *from, std::byte *to,
                 std::vector<CopyDim> dims, int64_t width);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_HOST_STRIDEDCOPY_H
