// log, log1p.
//
// Method: x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2);
// log(1 + f) = f - (f^2/2 - s (f^2/2 + R(s^2))), s = f / (2 + f), where R is
// the tail of 2 atanh(s) (the arrangement of W. J. Cody and fdlibm, which loses
// nothing near f = 0). About 1 ulp (tests assert 2).
#ifndef SHOAL_KERNELMATH_LOG_H
#define SHOAL_KERNELMATH_LOG_H

#include "Support.h"

namespace shoal::math {

template <typename T>
struct LogConstants;
template <>
struct LogConstants<float> {
  static constexpr uint32_t sqrtHalf = 0x3f3504f3;
  // k * ln2Hi is exact for every exponent k.
  static constexpr float ln2Hi = 0x1.62e4p-1f;
  static constexpr float ln2Lo = 0x1.7f7d1cp-20f;
};
template <>
struct LogConstants<double> {
  static constexpr uint64_t sqrtHalf = 0x3fe6a09e667f3bcd;
  static constexpr double ln2Hi = 0x1.62e42feep-1;
  static constexpr double ln2Lo = 0x1.a39ef35793c76p-33;
};

/// x = 2^k m with sqrt(1/2) <= m < sqrt(2), for positive finite x.
template <typename T>
struct Split {
  T m;
  SBitsOf<T> k;
};
template <typename T>
SHOAL_MATH Split<T> splitNormal(T x) {
  constexpr int mantissa = FloatTraits<T>::mantissa;
  SBitsOf<T> k = SBitsOf<T>(bits(x) - LogConstants<T>::sqrtHalf) >> mantissa;
  return {fromBits<T>(bits(x) - (BitsOf<T>(k) << mantissa)), k};
}
template <typename T>
SHOAL_MATH Split<T> split(T x) {
  constexpr int mantissa = FloatTraits<T>::mantissa;
  bool subnormal = x < FloatTraits<T>::minNormal;
  T up = x * T(BitsOf<T>(1) << (mantissa + 1));
  Split<T> s = splitNormal(subnormal ? up : x);
  return {s.m, s.k - (subnormal ? mantissa + 1 : 0)};
}

/// k as a float, without a conversion that has no vector form for 64 bits.
template <typename T>
SHOAL_MATH T smallIntToFloat(SBitsOf<T> k) {
  constexpr T magic = FloatTraits<T>::magic;
  return fromBits<T>(bits(magic) + BitsOf<T>(k)) - magic;
}

/// k ln2 + log(1 + f).
template <typename T>
SHOAL_MATH T logReduced(T f, SBitsOf<T> exponent) {
  using K = LogConstants<T>;
  T k = smallIntToFloat<T>(exponent);
  T s = f / (T(2) + f);
  T z = s * s;
  T r = z * polynomial(z, Coefficients<T>::log);
  T half = T(0.5) * f * f;
  T tail = s * (half + r) + k * K::ln2Lo;
  return k * K::ln2Hi - ((half - tail) - f);
}

/// What every logarithm does at the ends of its domain, u = 0, < 0, inf, NaN.
template <typename T>
SHOAL_MATH T logSpecial(T u, T result) {
  result = u == infinity<T> ? u : result;
  result = u == T(0) ? -infinity<T> : result;
  return u >= T(0) ? result : quietNaN<T>;
}

template <typename T>
SHOAL_MATH T log(T x) {
  Split<T> s = split(x);
  return logSpecial(x, logReduced(s.m - T(1), s.k));
}

template <typename T>
SHOAL_MATH T log1p(T x) {
  T u = T(1) + x;
  SBitsOf<T> k = splitNormal(u).k;
  // 2^-k (1 + x) - 1, rounded once.
  SBitsOf<T> half = k >> 1;
  T s = powerOfTwo<T>(-half) * powerOfTwo<T>(half - k);
  T result = logSpecial(u, logReduced(fma(s, x, s - T(1)), k));
  return fabs(x) < T(0x1p-54) ? x : result;
}

} // namespace shoal::math

#endif // SHOAL_KERNELMATH_LOG_H
