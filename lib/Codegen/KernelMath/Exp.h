// exp, expm1, logistic, tanh.
//
// Method: x = n ln2 + r, |r| <= ln2/2, with ln2 in two parts and exact fused
// products; e^r - 1 by a polynomial; 2^n by the exponent bits in two steps, so
// that subnormal results are rounded once. About 1 ulp (tests assert 2).
#ifndef SHOAL_KERNELMATH_EXP_H
#define SHOAL_KERNELMATH_EXP_H

#include "Support.h"

namespace shoal::math {

template <typename T>
struct ExpConstants;
template <>
struct ExpConstants<float> {
  static constexpr float log2e = 0x1.715476p+0f;
  static constexpr float ln2Hi = 0x1.62e43p-1f;
  static constexpr float ln2Lo = -0x1.05c61p-29f;
  static constexpr float largest = 89.0f;    // e^x overflows
  static constexpr float smallest = -104.0f; // e^x rounds to zero
  static constexpr float minusOne = -20.0f;  // e^x - 1 rounds to -1
};
template <>
struct ExpConstants<double> {
  static constexpr double log2e = 0x1.71547652b82fep+0;
  static constexpr double ln2Hi = 0x1.62e42fefa39efp-1;
  static constexpr double ln2Lo = 0x1.abc9e3b39803fp-56;
  static constexpr double largest = 710.0;
  static constexpr double smallest = -746.0;
  static constexpr double minusOne = -40.0;
};

/// e^(x + low) = (1 + p) 2^n, for x within [smallest, largest] or NaN.
template <typename T>
struct ExpParts {
  T p;
  SBitsOf<T> n;
};
template <typename T>
SHOAL_MATH ExpParts<T> expParts(T x, T low = T(0)) {
  using K = ExpConstants<T>;
  // The low mantissa bits of x log2(e) + magic are the nearest integer.
  T shifted = fma(x, K::log2e, FloatTraits<T>::magic);
  T n = shifted - FloatTraits<T>::magic;
  T r = fma(n, -K::ln2Hi, x);
  r = fma(n, -K::ln2Lo, r) + low;
  T p = r + (r * r) * polynomial(r, Coefficients<T>::expm1);
  return {p, SBitsOf<T>(bits(shifted) - bits(FloatTraits<T>::magic))};
}

/// Comparisons are written so that NaN passes through.
template <typename T>
SHOAL_MATH T clampToExpRange(T x) {
  x = x > ExpConstants<T>::largest ? ExpConstants<T>::largest : x;
  return x < ExpConstants<T>::smallest ? ExpConstants<T>::smallest : x;
}

template <typename T>
SHOAL_MATH T exp(T x) {
  ExpParts<T> e = expParts(clampToExpRange(x));
  return scale(T(1) + e.p, e.n);
}

template <typename T>
SHOAL_MATH T expm1(T x) {
  using K = ExpConstants<T>;
  T c = x > K::largest ? K::largest : x;
  c = c < K::minusOne ? K::minusOne : c;
  ExpParts<T> e = expParts(c);
  // 2^n p + (2^n - 1), halved so that 2^n does not overflow first.
  T s = powerOfTwo<T>(e.n - 1);
  T result = fma(s, e.p, s - T(0.5)) * T(2);
  return fabs(x) < T(0x1p-54) ? x : result;
}

/// 1 / (1 + e^-x), with full relative accuracy for very negative x too: with
/// e = e^-|x| it is 1 / (1 + e) or e / (1 + e), the rounding errors of e and of
/// 1 + e carried along.
template <typename T>
SHOAL_MATH T logistic(T x) {
  ExpParts<T> parts = expParts(clampToExpRange(-fabs(x)));
  T m = T(1) + parts.p;
  T e = scale(m, parts.n), eLow = scale(parts.p - (m - T(1)), parts.n);
  T denominator = T(1) + e;
  T low = (e - (denominator - T(1))) + eLow;
  bool right = x >= T(0);
  T q = (right ? T(1) : e) / denominator;
  T correction = (right ? T(0) : eLow) - q * low;
  return q + correction * (right ? q : T(1) - q);
}

template <typename T>
SHOAL_MATH T tanh(T x) {
  T a = fabs(x);
  T z = x * x;
  T small = x + x * z * polynomial(z, Coefficients<T>::tanh);
  T capped = a > T(25) ? T(25) : a;
  T large = T(1) - T(2) / (exp(T(2) * capped) + T(1));
  return copysign(a < T(0.625) ? small : large, x); // of -0 too
}

} // namespace shoal::math

#endif // SHOAL_KERNELMATH_EXP_H
