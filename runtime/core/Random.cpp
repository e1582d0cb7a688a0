#include "shoal/runtime/Random.h"

#include <cmath>

namespace shoal::rt {

namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): enough for test values.
struct Generator {
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// The sum of twelve uniform numbers, less 6, has variance 1 and, unlike
  /// Box-Muller, needs no library functions that differ between machines.
  double normal() {
    double sum = -6;
    for (int i = 0; i < 6; ++i) {
      uint64_t bits = next();
      sum += static_cast<double>(bits >> 32) * 0x1p-32 +
             static_cast<double>(bits & 0xffffffff) * 0x1p-32;
    }
    return sum;
  }
};

} // namespace

void fillRandom(HostTensor &t, uint64_t seed, uint64_t stream) {
  Generator g{seed * 0x2545f4914f6cdd1d + stream * 0x9e3779b97f4a7c15 + 1};
  g.next();
  int64_t n = t.elements(), size = byteSize(t.type);
  std::byte *p = t.data();
  DType part = t.type == DType::C64    ? DType::F32
               : t.type == DType::C128 ? DType::F64
                                       : t.type;
  if (isComplex(t.type)) {
    n *= 2;
    size /= 2;
  }
  uint64_t mask = t.type == DType::I1    ? 1
                  : t.type == DType::I2  ? 1
                  : t.type == DType::UI2 ? 3
                                         : 7;
  for (int64_t i = 0; i < n; ++i, p += size)
    fromDouble(part,
               isInteger(part) ? static_cast<double>(g.next() >> 32 & mask)
                               : 0.1 * g.normal(),
               p);
}

} // namespace shoal::rt
