// Counter-based random bits (Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3"), a counter at a time.
#ifndef SHOAL_KERNELMATH_RANDOM_H
#define SHOAL_KERNELMATH_RANDOM_H

#include "Support.h"

namespace shoal::math {

SHOAL_MATH uint32_t rotateLeft(uint32_t x, int by) {
  return x << by | x >> (32 - by);
}

/// Both words of a counter, the first in the low half.
SHOAL_MATH uint64_t threeFry(uint64_t key, uint64_t counter) {
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  uint32_t k2 = k0 ^ k1 ^ 0x1bd11bda;
  uint32_t x0 = uint32_t(counter) + k0;
  uint32_t x1 = uint32_t(counter >> 32) + k1;
#define SHOAL_FOUR_ROUNDS(a, b, c, d, key0, key1, n)                           \
  x0 += x1; x1 = rotateLeft(x1, a) ^ x0;                                       \
  x0 += x1; x1 = rotateLeft(x1, b) ^ x0;                                       \
  x0 += x1; x1 = rotateLeft(x1, c) ^ x0;                                       \
  x0 += x1; x1 = rotateLeft(x1, d) ^ x0;                                       \
  x0 += key0; x1 += key1 + n;
  SHOAL_FOUR_ROUNDS(13, 15, 26, 6, k1, k2, 1)
  SHOAL_FOUR_ROUNDS(17, 29, 16, 24, k2, k0, 2)
  SHOAL_FOUR_ROUNDS(13, 15, 26, 6, k0, k1, 3)
  SHOAL_FOUR_ROUNDS(17, 29, 16, 24, k1, k2, 4)
  SHOAL_FOUR_ROUNDS(13, 15, 26, 6, k2, k0, 5)
#undef SHOAL_FOUR_ROUNDS
  return x0 | uint64_t(x1) << 32;
}

/// Words 0 and 1 (half 0) or 2 and 3 (half 1) of a counter of 128 bits.
SHOAL_MATH uint64_t philox(uint64_t key, uint64_t low, uint64_t high,
                           int64_t half) {
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  uint32_t a = uint32_t(low), b = uint32_t(low >> 32);
  uint32_t c = uint32_t(high), d = uint32_t(high >> 32);
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t(a) * 0xd2511f53u, p1 = uint64_t(c) * 0xcd9e8d57u;
    a = uint32_t(p1 >> 32) ^ b ^ k0;
    b = uint32_t(p1);
    c = uint32_t(p0 >> 32) ^ d ^ k1;
    d = uint32_t(p0);
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return half ? c | uint64_t(d) << 32 : a | uint64_t(b) << 32;
}

/// The high half of a product: uniform bits as a number below `range`.
SHOAL_MATH uint64_t scaleBits(uint64_t bits, uint64_t range) {
  return uint64_t((unsigned __int128)(bits)*range >> 64);
}

} // namespace shoal::math

#endif // SHOAL_KERNELMATH_RANDOM_H
