// The k largest elements of a row.
#include "shoal/runtime/DType.h"
#include "shoal/runtime/Support.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace {

/// An unsigned integer that orders like the element (floats: total order).
struct KeyOf {
  explicit KeyOf(shoal::rt::DType type)
      : type(type), bytes(shoal::rt::byteSize(type)),
        top(uint64_t(1) << (8 * bytes - 1)),
        mask(bytes == 8 ? ~uint64_t(0) : (uint64_t(1) << (8 * bytes)) - 1) {
    if (shoal::rt::isFloat(type)) {
      // Formats of less than a byte have their sign bit lower.
      shoal::rt::FloatFormat format = shoal::rt::floatFormat(type);
      isSignMagnitude = format.hasSign;
      top = uint64_t(1) << (format.bits - 1);
      mask =
          format.bits == 64 ? ~uint64_t(0) : (uint64_t(1) << format.bits) - 1;
    } else {
      isSigned = shoal::rt::isSignedInt(type);
    }
  }
  uint64_t operator()(const void *in, int64_t index) const {
    uint64_t bits = 0;
    std::memcpy(&bits, static_cast<const char *>(in) + index * bytes, bytes);
    bits &= mask;
    if (isSignMagnitude)
      return bits & top ? ~bits & mask : bits | top;
    return isSigned ? bits ^ top : bits;
  }
  shoal::rt::DType type;
  int64_t bytes;
  uint64_t top, mask;
  bool isSigned = false, isSignMagnitude = false;
};

struct Entry {
  uint64_t key;
  int32_t index;
  bool operator<(const Entry &o) const { // "before": larger, then earlier
    return key != o.key ? key > o.key : index < o.index;
  }
};

} // namespace

extern "C" __attribute__((visibility("default"))) void
shoal_rt_top_k(int32_t dtype, int64_t n, int64_t k, const void *in,
               void *values, int32_t *indices) {
  KeyOf keyOf(static_cast<shoal::rt::DType>(dtype));
  std::vector<Entry> entries(n);
  for (int64_t i = 0; i < n; ++i)
    entries[i] = {keyOf(in, i), int32_t(i)};
  std::partial_sort(entries.begin(), entries.begin() + k, entries.end());
  for (int64_t i = 0; i < k; ++i) {
    std::memcpy(static_cast<char *>(values) + i * keyOf.bytes,
                static_cast<const char *>(in) + entries[i].index * keyOf.bytes,
                keyOf.bytes);
    indices[i] = entries[i].index;
  }
}
