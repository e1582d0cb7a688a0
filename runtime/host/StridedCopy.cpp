#include "host/StridedCopy.h"

#include "shoal/runtime/Pool.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace shoal::rt {

namespace {

struct Element16 {
  uint64_t parts[2];
};

/// The innermost two dimensions in tiles, so that where one side jumps, the
/// cache lines it touches are used more than once.
template <typename T>
void copyPlane(const T *from, T *to, const CopyDim &a, const CopyDim &b) {
  constexpr int64_t tile = 16;
  for (int64_t i0 = 0; i0 < a.size; i0 += tile)
    for (int64_t j0 = 0; j0 < b.size; j0 += tile) {
      int64_t iEnd = std::min(a.size, i0 + tile),
              jEnd = std::min(b.size, j0 + tile);
      for (int64_t i = i0; i < iEnd; ++i) {
        const T *f = from + i * a.from + j0 * b.from;
        T *t = to + i * a.to + j0 * b.to;
        for (int64_t j = j0; j < jEnd; ++j, f += b.from, t += b.to)
          *t = *f;
      }
    }
}

template <typename T>
void copyDims(const T *from, T *to, std::span<const CopyDim> dims) {
  if (dims.size() > 2) {
    for (int64_t i = 0; i < dims[0].size; ++i)
      copyDims(from + i * dims[0].from, to + i * dims[0].to, dims.subspan(1));
    return;
  }
  CopyDim one{1, 0, 0};
  const CopyDim &a = dims.size() == 2 ? dims[0] : one,
                &b = dims.empty() ? one : dims.back();
  if (b.from == 1 && b.to == 1) {
    for (int64_t i = 0; i < a.size; ++i)
      std::memcpy(to + i * a.to, from + i * a.from,
                  static_cast<size_t>(b.size) * sizeof(T));
    return;
  }
  copyPlane(from, to, a, b);
}

template <typename T>
void run(const std::byte *from, std::byte *to, std::span<const CopyDim> dims,
         int64_t total) {
  const T *f = reinterpret_cast<const T *>(from);
  T *t = reinterpret_cast<T *>(to);
  if (total * static_cast<int64_t>(sizeof(T)) < (1 << 18) || dims.size() < 2)
    return copyDims(f, t, dims);
  Pool::get().parallelFor(dims[0].size, std::max<int64_t>(1, dims[0].size / 16),
                          [&](int64_t begin, int64_t end) {
                            std::vector<CopyDim> part(dims.begin(), dims.end());
                            part[0].size = end - begin;
                            copyDims(f + begin * part[0].from,
                                     t + begin * part[0].to,
                                     std::span<const CopyDim>(part));
                          });
}

} // namespace

void copyStrided(const std::byte *from, std::byte *to,
                 std::vector<CopyDim> dims, int64_t width) {
  int64_t total = 1;
  for (const CopyDim &d : dims)
    total *= d.size;
  if (total == 0)
    return;
  std::erase_if(dims, [](const CopyDim &d) { return d.size == 1; });
  // Written in order as far as possible; neighbours that step as one join.
  std::sort(dims.begin(), dims.end(), [](const CopyDim &a, const CopyDim &b) {
    return a.to != b.to ? a.to > b.to : a.from > b.from;
  });
  std::vector<CopyDim> joined;
  for (const CopyDim &d : dims) {
    if (!joined.empty() && joined.back().from == d.from * d.size &&
        joined.back().to == d.to * d.size)
      joined.back() = {joined.back().size * d.size, d.from, d.to};
    else
      joined.push_back(d);
  }
  // The dimension that is contiguous where it is read comes next to last.
  if (joined.size() > 2 && joined.back().from != 1)
    for (size_t i = 0; i + 2 < joined.size(); ++i)
      if (joined[i].from == 1) {
        std::rotate(joined.begin() + static_cast<int64_t>(i),
                    joined.begin() + static_cast<int64_t>(i) + 1,
                    joined.end() - 1);
        break;
      }
  switch (width) {
  case 1:
    return run<uint8_t>(from, to, joined, total);
  case 2:
    return run<uint16_t>(from, to, joined, total);
  case 4:
    return run<uint32_t>(from, to, joined, total);
  case 8:
    return run<uint64_t>(from, to, joined, total);
  default:
    return run<Element16>(from, to, joined, total);
  }
}

} // namespace shoal::rt
