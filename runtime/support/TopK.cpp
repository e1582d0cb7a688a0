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
  uint64_t fromBits(uint64_t bits) const {
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

/// The k first entries, sorted. Few elements of a long row come among them, so
/// the rest is one comparison each.
template <typename Bits>
void select(const KeyOf &keyOf, int64_t n, int64_t k, const void *in,
            std::vector<Entry> &best) {
  const char *data = static_cast<const char *>(in);
  auto entry = [&](int64_t i) {
    Bits bits;
    std::memcpy(&bits, data + i * sizeof(Bits), sizeof(Bits));
    return Entry{keyOf.fromBits(bits), int32_t(i)};
  };
  best.reserve(k);
  for (int64_t i = 0; i < k; ++i)
    best.push_back(entry(i));
  std::make_heap(best.begin(), best.end()); // the last of them on top
  for (int64_t i = k; i < n; ++i) {
    Entry next = entry(i);
    if (next.key <= best.front().key)
      continue;
    std::pop_heap(best.begin(), best.end());
    best.back() = next;
    std::push_heap(best.begin(), best.end());
  }
  std::sort_heap(best.begin(), best.end());
}

} // namespace

extern "C" __attribute__((visibility("default"))) void
shoal_rt_top_k(int32_t dtype, int64_t n, int64_t k, const void *in,
               void *values, int32_t *indices) {
  if (k == 0)
    return;
  KeyOf keyOf(static_cast<shoal::rt::DType>(dtype));
  std::vector<Entry> best;
  if (keyOf.bytes == 1)
    select<uint8_t>(keyOf, n, k, in, best);
  else if (keyOf.bytes == 2)
    select<uint16_t>(keyOf, n, k, in, best);
  else if (keyOf.bytes == 4)
    select<uint32_t>(keyOf, n, k, in, best);
  else
    select<uint64_t>(keyOf, n, k, in, best);
  for (int64_t i = 0; i < k; ++i) {
    std::memcpy(static_cast<char *>(values) + i * keyOf.bytes,
                static_cast<const char *>(in) + best[i].index * keyOf.bytes,
                keyOf.bytes);
    indices[i] = best[i].index;
  }
}
