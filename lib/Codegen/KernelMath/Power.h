// pow, cbrt, hypot, rsqrt.
#ifndef SHOAL_KERNELMATH_POWER_H
#define SHOAL_KERNELMATH_POWER_H

#include "Exp.h"
#include "Log.h"

namespace shoal::math {

/// log(x) as the sum of two doubles, relative error about 2^-64, for positive
/// finite x. log(m) = 2 atanh(s), s = (m-1)/(m+1), whose first two terms are
/// computed in double-double.
SHOAL_MATH Double<double> logAccurate(double x) {
  Split<double> parts = split(x);
  double f = parts.m - 1;
  Double<double> t = fastTwoSum(2.0, f);
  double s = f / t.hi;
  double sLow = (fma(-s, t.hi, f) - s * t.lo) / t.hi;
  // z = (s + sLow)^2, w = z (s + sLow)
  Double<double> z = twoProduct(s, s);
  z.lo += 2 * s * sLow;
  // tail = 2/3 + z Q(z), the factor of s^3
  double q = z.hi * polynomial(z.hi, Coefficients<double>::log5);
  Double<double> tail = fastTwoSum(0x1.5555555555555p-1, q);
  tail.lo += 0x1.5555555555555p-55;
  Double<double> zt = twoProduct(z.hi, tail.hi);
  zt.lo += z.hi * tail.lo + z.lo * tail.hi;
  Double<double> w = twoProduct(s, zt.hi);
  w.lo += s * zt.lo + sLow * zt.hi;
  // k ln2 + 2 s + w
  double k = smallIntToFloat<double>(parts.k);
  Double<double> sum = fastTwoSum(2 * s, w.hi);
  sum.lo += 2 * sLow + w.lo;
  Double<double> kln2 = {k * LogConstants<double>::ln2Hi, 0};
  // ln2 - ln2Hi in two parts
  double kLow = k * 0x1.a39ef35793c76p-33;
  Double<double> total = twoSum(kln2.hi, sum.hi);
  Double<double> next = twoSum(sum.lo, kLow);
  next.lo += fma(k, 0x1.a39ef35793c76p-33, -kLow) + k * 0x1.cc01f97b57a08p-87;
  total.lo += next.hi;
  total = fastTwoSum(total.hi, total.lo);
  total.lo += next.lo;
  return total;
}

/// |x|^y for finite non-zero x.
SHOAL_MATH double powMagnitude(double x, double y) {
  Double<double> l = logAccurate(x);
  // A huge y would make an infinity minus an infinity below.
  double cut = fabs(y) > 0x1p70 ? copysign(0x1p70, y) : y;
  Double<double> p = twoProduct(l.hi, cut);
  p.lo += l.lo * cut;
  bool inside = fabs(p.hi) < 800;
  ExpParts<double> e = expParts(clampToExpRange(p.hi), inside ? p.lo : 0.0);
  return scale(1 + e.p, e.n);
}
/// In double: log and exp of 2^-40 accuracy leave float correctly rounded but
/// for ties.
SHOAL_MATH float powMagnitude(float x, float y) {
  double d = x;
  Split<double> parts = splitNormal(d); // a float is never subnormal in double
  double f = parts.m - 1;
  double s = f / (2 + f), z = s * s;
  constexpr auto &c = Coefficients<double>::log;
  // The first five terms of the double polynomial are good to 2^-38.
  double tail =
      z * (c[0] + z * (c[1] + z * (c[2] + z * (c[3] + z * (c[4] + z * c[5])))));
  double l = smallIntToFloat<double>(parts.k) * 0x1.62e42fefa39efp-1 +
             (2 * s + s * tail);
  double p = l * y;
  p = p > 200 ? 200 : p;
  p = p < -200 ? -200 : p;
  // e^p, n within the exponents of double: a single scaling.
  double shifted = fma(p, 0x1.71547652b82fep+0, FloatTraits<double>::magic);
  double n = shifted - FloatTraits<double>::magic;
  double r = fma(n, -0x1.62e42fefa39efp-1, p);
  double e = r + r * r * polynomial(r, Coefficients<float>::expm1);
  return float((1 + e) *
               powerOfTwo<double>(
                   int64_t(bits(shifted) - bits(FloatTraits<double>::magic))));
}

template <typename T>
struct Parity {
  bool integer, odd;
};
/// Whether y is an integer, and an odd one. Large values are even.
template <typename T>
SHOAL_MATH Parity<T> parity(T y) {
  T half = T(0.5) * y;
  T whole = __builtin_elementwise_trunc(y);
  bool integer = whole == y;
  return {integer, integer && __builtin_elementwise_trunc(half) != half};
}

/// IEEE 754 pow, special cases as in C.
template <typename T>
SHOAL_MATH T pow(T x, T y) {
  T a = fabs(x);
  Parity<T> p = parity(y);
  bool negative = bits(x) >> (sizeof(T) * 8 - 1);
  bool yNegative = y < T(0);
  T result = powMagnitude(a, y);
  // Zero and infinite bases: 0 or infinity by the sign of y.
  bool zero = a == T(0), infinite = a == infinity<T>;
  T limit = (zero != yNegative) ? T(0) : infinity<T>;
  result = zero || infinite ? limit : result;
  // Infinite exponents.
  bool yInfinite = fabs(y) == infinity<T>;
  T limitY = ((a < T(1)) != yNegative) ? T(0) : infinity<T>;
  result = yInfinite ? (a == T(1) ? T(1) : limitY) : result;
  result = negative && p.odd ? -result : result;
  bool undefined = x < T(0) && !p.integer && !infinite;
  result = undefined || isNaN(x) || isNaN(y) ? quietNaN<T> : result;
  return x == T(1) || y == T(0) ? T(1) : result;
}

/// Cube root: a first guess by a third of the exponent bits, Halley's
/// iterations, and a last correction with the exact residual.
template <typename T>
SHOAL_MATH T cbrt(T x) {
  T a = fabs(x);
  bool subnormal = a < FloatTraits<T>::minNormal;
  // 2 g^3 + m must not overflow either.
  bool large = a > T(0x1p120);
  T scaled = subnormal ? a * T(0x1p60) : large ? a * T(0x1p-60) : a;
  double m = scaled; // float: iterate in double, so the last rounding is final
  uint32_t high = uint32_t(bits(m) >> 32);
  // 0x2a9f7893: (1 - 1/3) 1023 2^20, less the mean error of the line.
  double g = fromBits<double>(uint64_t(high / 3 + 0x2a9f7893u) << 32);
  for (int i = 0; i < (sizeof(T) == 4 ? 2 : 3); ++i) {
    double g3 = g * g * g;
    g = g - g * ((g3 - m) / (2 * g3 + m));
  }
  if constexpr (sizeof(T) == 8) {
    // Residual m - g^3 with g^2 and g^3 as sums of two doubles.
    Double<double> g2 = twoProduct(g, g);
    Double<double> g3 = twoProduct(g2.hi, g);
    double residual = (m - g3.hi) - (g3.lo + g2.lo * g);
    g += residual / (3 * g2.hi);
  }
  T result = T(subnormal ? g * 0x1p-20 : large ? g * 0x1p20 : g);
  bool special = a == T(0) || !(a < infinity<T>);
  return special ? x : copysign(result, x);
}

template <typename T>
SHOAL_MATH T reciprocalSquareRoot(T x) {
  return T(1) / squareRoot(x);
}

/// sqrt(x^2 + y^2) without overflow or underflow on the way; infinite if
/// either is infinite, even beside a NaN.
SHOAL_MATH float hypot(float x, float y) {
  double a = x, b = y;
  float result = float(squareRoot(a * a + b * b));
  bool infinite = fabs(x) == infinity<float> || fabs(y) == infinity<float>;
  return infinite ? infinity<float> : result;
}
SHOAL_MATH double hypot(double x, double y) {
  double a = fabs(x), b = fabs(y);
  double large = a > b ? a : b, small = a > b ? b : a;
  double up = large > 0x1p500 ? 0x1p-600 : large < 0x1p-500 ? 0x1p600 : 1.0;
  double down = large > 0x1p500 ? 0x1p600 : large < 0x1p-500 ? 0x1p-600 : 1.0;
  double l = large * up, s = small * up;
  double h = squareRoot(fma(l, l, s * s));
  // One correction by the exact residual l^2 + s^2 - h^2.
  Double<double> ll = twoProduct(l, l), ss = twoProduct(s, s),
                 hh = twoProduct(h, h);
  double residual = ((ll.hi - hh.hi) + ss.hi) + (ll.lo + ss.lo - hh.lo);
  h = h == 0 ? h : h + residual / (2 * h);
  bool infinite = a == infinity<double> || b == infinity<double>;
  return infinite ? infinity<double> : isNaN(x) || isNaN(y) ? x + y : h * down;
}

} // namespace shoal::math

#endif // SHOAL_KERNELMATH_POWER_H
