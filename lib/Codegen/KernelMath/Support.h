// What all scalar functions share: bits of floats, polynomials, powers of two.
//
// The files of this folder are compiled twice: to LLVM bitcode that is inlined
// into kernels (Entries.cpp), and natively in test/Unit/Math. They must stay
// free of branches, loops, tables and calls where they are to be vectorized:
// write `c ? a : b` on values that are safe to compute both ways.
//
// Contraction a*b+c into one instruction is allowed within an expression
// (-ffp-contract=on); where exactness depends on it, `fma` is written out.
#ifndef SHOAL_KERNELMATH_SUPPORT_H
#define SHOAL_KERNELMATH_SUPPORT_H

#include "Coefficients.h"

#include <stdint.h>

#define SHOAL_MATH [[gnu::always_inline]] inline

namespace shoal::math {

template <typename T>
struct FloatTraits;
template <>
struct FloatTraits<float> {
  using Bits = uint32_t;
  using SBits = int32_t;
  static constexpr int mantissa = 23;
  static constexpr int bias = 127;
  static constexpr float magic = 0x1.8p23f; // adding it rounds to integer
  static constexpr float minNormal = 0x1p-126f;
};
template <>
struct FloatTraits<double> {
  using Bits = uint64_t;
  using SBits = int64_t;
  static constexpr int mantissa = 52;
  static constexpr int bias = 1023;
  static constexpr double magic = 0x1.8p52;
  static constexpr double minNormal = 0x1p-1022;
};

template <typename T>
using BitsOf = typename FloatTraits<T>::Bits;
template <typename T>
using SBitsOf = typename FloatTraits<T>::SBits;

template <typename T>
SHOAL_MATH BitsOf<T> bits(T x) {
  return __builtin_bit_cast(BitsOf<T>, x);
}
template <typename T>
SHOAL_MATH T fromBits(BitsOf<T> b) {
  return __builtin_bit_cast(T, b);
}
template <typename T>
constexpr BitsOf<T> signBit = BitsOf<T>(1) << (sizeof(T) * 8 - 1);

SHOAL_MATH float fma(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
SHOAL_MATH double fma(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}
SHOAL_MATH float squareRoot(float x) { return __builtin_sqrtf(x); }
SHOAL_MATH double squareRoot(double x) { return __builtin_sqrt(x); }
template <typename T>
SHOAL_MATH T fabs(T x) {
  return fromBits<T>(bits(x) & ~signBit<T>);
}
template <typename T>
SHOAL_MATH T copysign(T magnitude, T sign) {
  return fromBits<T>((bits(magnitude) & ~signBit<T>) |
                     (bits(sign) & signBit<T>));
}
/// x with its sign flipped where `flip` is odd.
template <typename T>
SHOAL_MATH T negateIf(T x, BitsOf<T> flip) {
  return fromBits<T>(bits(x) ^ (flip << (sizeof(T) * 8 - 1)));
}
template <typename T>
constexpr T infinity = T(__builtin_inff());
template <typename T>
constexpr T quietNaN = T(__builtin_nanf(""));
template <typename T>
SHOAL_MATH bool isNaN(T x) {
  return x != x;
}

/// c[0] + c[1] x + … by Horner's rule.
template <typename T, typename C, int n>
SHOAL_MATH T polynomial(T x, const C (&c)[n]) {
  T result = T(c[n - 1]);
#pragma clang loop unroll(full)
  for (int i = n - 2; i >= 0; --i)
    result = result * x + T(c[i]);
  return result;
}

/// 2^n for n in the range of normal exponents.
template <typename T>
SHOAL_MATH T powerOfTwo(SBitsOf<T> n) {
  return fromBits<T>(BitsOf<T>(n + FloatTraits<T>::bias)
                     << FloatTraits<T>::mantissa);
}

/// x * 2^n, rounded once, for x of moderate size and |n| below twice the
/// range of exponents: overflows and gradual underflow come out right.
template <typename T>
SHOAL_MATH T scale(T x, SBitsOf<T> n) {
  SBitsOf<T> half = n >> 1;
  return x * powerOfTwo<T>(half) * powerOfTwo<T>(n - half);
}

/// An unevaluated sum hi + lo, |lo| <= ulp(hi)/2.
template <typename T>
struct Double {
  T hi, lo;
};
/// a + b exactly (Knuth).
template <typename T>
SHOAL_MATH Double<T> twoSum(T a, T b) {
  T s = a + b;
  T bb = s - a;
  return {s, (a - (s - bb)) + (b - bb)};
}
/// a + b exactly if |a| >= |b| (Dekker).
template <typename T>
SHOAL_MATH Double<T> fastTwoSum(T a, T b) {
  T s = a + b;
  return {s, b - (s - a)};
}
/// a * b exactly.
template <typename T>
SHOAL_MATH Double<T> twoProduct(T a, T b) {
  T p = a * b;
  return {p, fma(a, b, -p)};
}
/// a * b - c * d with an error of at most 1.5 ulp (Kahan; Jeannerod et al.).
template <typename T>
SHOAL_MATH T differenceOfProducts(T a, T b, T c, T d) {
  T cd = c * d;
  T error = fma(-c, d, cd);
  T difference = fma(a, b, -cd);
  return difference + error;
}

} // namespace shoal::math

#endif // SHOAL_KERNELMATH_SUPPORT_H
