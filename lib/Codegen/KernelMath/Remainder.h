// The remainder of a division that truncates (C's fmod): exact.
#ifndef SHOAL_KERNELMATH_REMAINDER_H
#define SHOAL_KERNELMATH_REMAINDER_H

#include "Support.h"

namespace shoal::math {

/// `Bits` is the unsigned integer of T's size, `mantissa` its stored bits.
template <typename T, typename Bits, int mantissa>
SHOAL_MATH T remainderOf(T x, T y) {
  constexpr int width = 8 * sizeof(T);
  constexpr Bits sign = Bits(1) << (width - 1);
  constexpr Bits infinity = ((Bits(1) << (width - 1 - mantissa)) - 1)
                            << mantissa;
  Bits a = __builtin_bit_cast(Bits, x), b = __builtin_bit_cast(Bits, y);
  Bits signOfX = a & sign;
  a &= ~sign;
  b &= ~sign;
  if (a >= infinity || b > infinity || b == 0)
    return (x * y) / (x * y); // NaN
  if (a < b)
    return x;
  // Both as mantissa * 2^exponent with equal handling of small ones.
  auto split = [](Bits v, int &exponent) {
    exponent = int(v >> mantissa);
    Bits m = v & ((Bits(1) << mantissa) - 1);
    if (exponent == 0)
      exponent = 1;
    else
      m |= Bits(1) << mantissa;
    return m;
  };
  int ea, eb;
  Bits ma = split(a, ea), mb = split(b, eb);
  // As many bits of the quotient a step as there is room above the mantissa.
  constexpr int room = width - mantissa - 2;
  ma %= mb;
  while (ea > eb && ma) {
    int step = ea - eb < room ? ea - eb : room;
    ma = (ma << step) % mb;
    ea -= step;
  }
  if (ma == 0)
    return __builtin_bit_cast(T, signOfX);
  // Back to a normal number, as far as the exponent allows.
  int e = eb;
  while (ma < Bits(1) << mantissa && e > 1) {
    ma <<= 1;
    --e;
  }
  Bits result = ma < Bits(1) << mantissa
                    ? ma
                    : (ma & ((Bits(1) << mantissa) - 1)) | Bits(e) << mantissa;
  return __builtin_bit_cast(T, result | signOfX);
}
SHOAL_MATH float remainderOf(float x, float y) {
  return remainderOf<float, uint32_t, 23>(x, y);
}
SHOAL_MATH double remainderOf(double x, double y) {
  return remainderOf<double, uint64_t, 52>(x, y);
}

} // namespace shoal::math

#endif // SHOAL_KERNELMATH_REMAINDER_H
