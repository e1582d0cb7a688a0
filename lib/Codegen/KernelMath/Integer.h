// Integer functions that need a loop.
#ifndef SHOAL_KERNELMATH_INTEGER_H
#define SHOAL_KERNELMATH_INTEGER_H

#include "Support.h"

namespace shoal::math {

/// x^y modulo 2^64, by squaring; the low bits are the power in any narrower
/// type.
SHOAL_MATH uint64_t powInteger(uint64_t x, uint64_t y) {
  uint64_t result = 1;
  while (y) {
    result = y & 1 ? result * x : result;
    x *= x;
    y >>= 1;
  }
  return result;
}
/// The truncated reciprocal for negative powers.
SHOAL_MATH int64_t powInteger(int64_t x, int64_t y) {
  if (y < 0)
    return x == 1 ? 1 : x == -1 ? (y & 1 ? -1 : 1) : 0;
  return int64_t(powInteger(uint64_t(x), uint64_t(y)));
}

} // namespace shoal::math

#endif // SHOAL_KERNELMATH_INTEGER_H
