#include "shoal/runtime/Shards.h"

#include <algorithm>
#include <cstring>

namespace shoal::rt {

Block blockOf(const program::View &p, uint32_t sharding, uint32_t globalType,
              uint32_t localType, int64_t rank) {
  Block b;
  auto global = p.shape(globalType), local = p.shape(localType);
  b.global.assign(global.begin(), global.end());
  b.local.assign(local.begin(), local.end());
  b.start.assign(global.size(), 0);
  b.extent = b.global;
  if (sharding != program::kNone) {
    const program::Sharding &s =
        p.section<program::Sharding>(program::Section::Shardings)[sharding];
    if (s.onlyRank != program::kNone) {
      b.held = s.onlyRank == static_cast<uint64_t>(rank);
      b.first = b.held;
    } else {
      // The lowest rank with the same parts has zero in all other digits.
      int64_t lowest = 0;
      auto dims = p.dims(s);
      for (size_t d = 0; d < dims.size() && d < global.size(); ++d) {
        int64_t n = b.global[d];
        int64_t begin = std::min(n, p.part(dims[d], rank) * dims[d].block);
        b.start[d] = begin;
        b.extent[d] = std::min(n - begin, dims[d].block);
        for (const program::Digit &digit :
             p.digits(dims[d].firstDigit, dims[d].numDigits))
          lowest += rank / digit.stride % digit.size * digit.stride;
      }
      b.first = lowest == rank;
    }
  } else {
    b.first = rank == 0;
  }
  // A table from elsewhere may say local shapes that are too small.
  for (size_t d = 0; d < b.extent.size(); ++d)
    b.extent[d] = std::min(b.extent[d], b.local[d]);
  b.whole = b.extent == b.local;
  return b;
}

int64_t contiguousOffset(const Block &b) {
  if (!b.held || !b.whole)
    return -1;
  // Outermost dimensions of extent 1, then one cut dimension, then full ones.
  size_t d = 0, rank = b.local.size();
  while (d < rank && b.local[d] == 1)
    ++d;
  for (size_t i = d + 1; i < rank; ++i)
    if (b.local[i] != b.global[i])
      return -1;
  int64_t offset = 0;
  for (size_t i = 0; i < rank; ++i)
    offset = offset * b.global[i] + b.start[i];
  return offset;
}

/// Calls row(globalElement, localElement, count) for each run of elements.
template <typename Row>
static void forEachRow(const Block &b, const Row &row) {
  size_t rank = b.local.size();
  if (!b.held)
    return;
  for (int64_t e : b.extent)
    if (e <= 0)
      return;
  if (rank == 0)
    return row(0, 0, 1);
  // Dimensions that are whole on both sides run together.
  size_t inner = rank - 1;
  int64_t run = b.extent[inner];
  int64_t scale = 1; // elements per index of dimension `inner`
  while (inner > 0 && b.extent[inner] == b.local[inner] &&
         b.local[inner] == b.global[inner]) {
    scale *= b.local[inner];
    --inner;
    run = b.extent[inner] * scale;
  }
  std::vector<int64_t> index(inner, 0);
  for (;;) {
    int64_t g = 0, l = 0;
    for (size_t d = 0; d < inner; ++d) {
      g = g * b.global[d] + b.start[d] + index[d];
      l = l * b.local[d] + index[d];
    }
    g = (g * b.global[inner] + b.start[inner]) * scale;
    l = l * b.local[inner] * scale;
    row(g, l, run);
    size_t d = inner;
    while (d > 0 && ++index[d - 1] == b.extent[d - 1])
      index[--d] = 0;
    if (d == 0)
      return;
  }
}

void cutBlock(const Block &b, const void *global, void *local, int64_t size) {
  forEachRow(b, [&](int64_t g, int64_t l, int64_t n) {
    std::memcpy(static_cast<char *>(local) + l * size,
                static_cast<const char *>(global) + g * size,
                static_cast<size_t>(n * size));
  });
}

void placeBlock(const Block &b, const void *local, void *global, int64_t size) {
  forEachRow(b, [&](int64_t g, int64_t l, int64_t n) {
    std::memcpy(static_cast<char *>(global) + g * size,
                static_cast<const char *>(local) + l * size,
                static_cast<size_t>(n * size));
  });
}

} // namespace shoal::rt
