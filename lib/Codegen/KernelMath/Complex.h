// Complex functions, from the real ones. No overflow or underflow on the way
// to a result that is representable; branch cuts and their sides (by the sign
// of zero) as C99 and JAX have them.
//
// Error: a few ulp of the larger part; each part by itself where the formula
// gives it (not exp-based powers, whose error grows with the exponent).
#ifndef SHOAL_KERNELMATH_COMPLEX_H
#define SHOAL_KERNELMATH_COMPLEX_H

#include "Exp.h"
#include "Log.h"
#include "Power.h"
#include "Trig.h"

namespace shoal::math {

template <typename T>
struct Complex {
  T re, im;
};

template <typename T>
SHOAL_MATH bool isInfinite(T x) {
  return fabs(x) == infinity<T>;
}
template <typename T>
SHOAL_MATH bool isFinite(T x) {
  return fabs(x) < infinity<T>;
}

template <typename T>
SHOAL_MATH Complex<T> select(bool c, Complex<T> a, Complex<T> b) {
  return {c ? a.re : b.re, c ? a.im : b.im};
}

/// A power of two near 1 / max(|a|, |b|), and its exponent.
template <typename T>
SHOAL_MATH SBitsOf<T> commonExponent(T a, T b) {
  constexpr int bias = FloatTraits<T>::bias;
  SBitsOf<T> ea = bits(fabs(a)) >> FloatTraits<T>::mantissa;
  SBitsOf<T> eb = bits(fabs(b)) >> FloatTraits<T>::mantissa;
  SBitsOf<T> e = (ea > eb ? ea : eb) - bias;
  return e > bias - 1 ? bias - 1 : e < 1 - bias ? 1 - bias : e;
}

template <typename T>
SHOAL_MATH Complex<T> divide(Complex<T> x, Complex<T> y) {
  SBitsOf<T> ex = commonExponent(x.re, x.im), ey = commonExponent(y.re, y.im);
  T sx = powerOfTwo<T>(-ex), sy = powerOfTwo<T>(-ey);
  T a = x.re * sx, b = x.im * sx, c = y.re * sy, d = y.im * sy;
  T denominator = c * c + d * d;
  Complex<T> r = {
      scale(differenceOfProducts(a, c, -b, d) / denominator, ex - ey),
      scale(differenceOfProducts(b, c, a, d) / denominator, ex - ey)};
  bool xInf = isInfinite(x.re) || isInfinite(x.im);
  bool yInf = isInfinite(y.re) || isInfinite(y.im);
  bool xFinite = isFinite(x.re) && isFinite(x.im);
  bool yFinite = isFinite(y.re) && isFinite(y.im);
  // C99 annex G: non-zero / 0 and infinite / finite are infinite, finite /
  // infinite is zero.
  bool byZero = denominator == T(0) && (!isNaN(x.re) || !isNaN(x.im));
  T inf = copysign(infinity<T>, y.re);
  r = select<T>(byZero, {inf * x.re, inf * x.im}, r);
  T a1 = copysign(isInfinite(x.re) ? T(1) : T(0), x.re);
  T b1 = copysign(isInfinite(x.im) ? T(1) : T(0), x.im);
  r = select<T>(xInf && yFinite && !byZero,
                {infinity<T> * (a1 * y.re + b1 * y.im),
                 infinity<T> * (b1 * y.re - a1 * y.im)},
                r);
  T c1 = copysign(isInfinite(y.re) ? T(1) : T(0), y.re);
  T d1 = copysign(isInfinite(y.im) ? T(1) : T(0), y.im);
  r = select<T>(
      yInf && xFinite,
      {T(0) * (x.re * c1 + x.im * d1), T(0) * (x.im * c1 - x.re * d1)}, r);
  return r;
}

/// (1 + p) 2^n with room for a factor that is tiny.
template <typename T>
SHOAL_MATH ExpParts<T> expPartsWide(T x) {
  constexpr T top = ExpConstants<T>::largest * T(2.2);
  constexpr T bottom = ExpConstants<T>::smallest * T(1.4);
  T c = x > top ? top : x;
  c = c < bottom ? bottom : c;
  return expParts(c);
}

/// factor * m * 2^n for n of those parts, without underflow on the way where
/// the factor is tiny and n large.
template <typename T>
SHOAL_MATH T scaleWide(T factor, T m, SBitsOf<T> n) {
  SBitsOf<T> first = n > 0 ? n / 3 : 0, rest = n - first, half = rest >> 1;
  return factor * powerOfTwo<T>(first) * m * powerOfTwo<T>(half) *
         powerOfTwo<T>(rest - half);
}

template <typename T>
SHOAL_MATH Complex<T> exp(Complex<T> z) {
  ExpParts<T> e = expPartsWide(z.re);
  T m = T(1) + e.p;
  Complex<T> r = {scaleWide(cos(z.im), m, e.n), scaleWide(sin(z.im), m, e.n)};
  bool vanishes = z.re == -infinity<T> && !isFinite(z.im);
  r = select<T>(vanishes, {T(0), T(0)}, r);
  r.re = z.re == infinity<T> && !isFinite(z.im) ? infinity<T> : r.re;
  r.im = z.im == T(0) ? z.im : r.im;
  return r;
}

/// log |z|, accurate near |z| = 1, where |z|^2 - 1 is formed without rounding.
template <typename T>
SHOAL_MATH T logAbs(Complex<T> z) {
  T a = fabs(z.re), b = fabs(z.im);
  T l = a > b ? a : b, s = a > b ? b : a;
  // Near one: log1p(l^2 - 1 + s^2) / 2; else log l + log1p((s/l)^2) / 2.
  bool near = l >= T(0.5) && l <= T(1.5);
  Double<T> ll = twoProduct(l, l), ss = twoProduct(s, s);
  Double<T> sum = twoSum(ll.hi - T(1), ss.hi);
  T square = sum.hi + (sum.lo + (ll.lo + ss.lo));
  T q = s / l;
  T half = T(0.5) * log1p(near ? square : q * q);
  T r = near ? half : log(l) + half;
  r = l == T(0) ? -infinity<T> : r;
  r = isInfinite(a) || isInfinite(b) ? infinity<T> : r;
  return !isInfinite(a) && !isInfinite(b) && (isNaN(a) || isNaN(b))
             ? quietNaN<T>
             : r;
}
template <typename T>
SHOAL_MATH Complex<T> log(Complex<T> z) {
  return {logAbs(z), atan2(z.im, z.re)};
}

/// log(1 + z); |1+z|^2 - 1 = 2 re + re^2 + im^2 in double-double for small z.
template <typename T>
SHOAL_MATH Complex<T> log1p(Complex<T> z) {
  bool small = fabs(z.re) < T(0.5) && fabs(z.im) < T(2);
  Double<T> x2 = twoProduct(z.re, z.re), y2 = twoProduct(z.im, z.im);
  Double<T> s1 = twoSum(T(2) * z.re, y2.hi);
  Double<T> s2 = twoSum(s1.hi, x2.hi);
  T square = s2.hi + (s2.lo + s1.lo + x2.lo + y2.lo);
  T re = small ? T(0.5) * log1p(square) : logAbs(Complex<T>{T(1) + z.re, z.im});
  return {re, atan2(z.im, T(1) + z.re)};
}

template <typename T>
SHOAL_MATH Complex<T> expm1(Complex<T> z) {
  Complex<T> e = exp(z);
  T s = sin(T(0.5) * z.im);
  T re = expm1(z.re) * cos(z.im) - T(2) * s * s;
  // Far from 1 there is nothing to cancel, and no inf - inf.
  re = fabs(z.re) > T(2) ? e.re - T(1) : re;
  re = z.im == T(0) ? expm1(z.re) : re;
  return {re, e.im};
}

template <typename T>
SHOAL_MATH Complex<T> squareRoot(Complex<T> z) {
  // Scaled by an even power of two so that the modulus neither overflows nor
  // loses bits.
  SBitsOf<T> e = commonExponent(z.re, z.im) & ~SBitsOf<T>(1);
  T s = powerOfTwo<T>(-e);
  T x = z.re * s, y = z.im * s;
  T t = squareRoot((hypot(x, y) + fabs(x)) * T(0.5)) * powerOfTwo<T>(e >> 1);
  // The other part from the unscaled one, which the scale may have flushed.
  T u = z.im / (T(2) * t);
  bool left = bits(z.re) >> (sizeof(T) * 8 - 1);
  Complex<T> r = {left ? fabs(u) : t, left ? copysign(t, z.im) : u};
  r = select<T>(z.re == T(0) && z.im == T(0), {T(0), z.im}, r);
  r = select<T>(z.re == infinity<T>,
                {infinity<T>, isNaN(z.im) ? z.im : copysign(T(0), z.im)}, r);
  r = select<T>(z.re == -infinity<T>,
                {isNaN(z.im) ? z.im : T(0), copysign(infinity<T>, z.im)}, r);
  return select<T>(isInfinite(z.im), {infinity<T>, z.im}, r);
}
template <typename T>
SHOAL_MATH Complex<T> reciprocalSquareRoot(Complex<T> z) {
  return divide(Complex<T>{T(1), T(0)}, squareRoot(z));
}

/// cosh and sinh of y, each times a factor, without overflow before the
/// factor is in.
template <typename T>
SHOAL_MATH Complex<T> coshSinh(T y, T byCosh, T bySinh) {
  T a = fabs(y);
  ExpParts<T> e = expPartsWide(a);
  T m = T(1) + e.p;
  Complex<T> big = {
      scaleWide(byCosh, m, e.n - 1),
      scaleWide(
          copysign(bySinh, bits(bySinh) >> (sizeof(T) * 8 - 1) ? -T(1) : T(1)),
          m, e.n - 1)};
  T capped = a > T(30) ? T(30) : a;
  T em = expm1(capped);
  T ex = em + T(1);
  T sinh = T(0.5) * (em + em / ex);
  T cosh = T(0.5) * (ex + T(1) / ex);
  Complex<T> r = select<T>(a > T(25), big, {cosh * byCosh, sinh * bySinh});
  bool negative = bits(y) >> (sizeof(T) * 8 - 1);
  r.im = negative ? -r.im : r.im;
  r.re = byCosh == T(0) ? byCosh : r.re; // not infinity times zero
  r.im = bySinh == T(0) ? (negative ? -bySinh : bySinh) : r.im;
  return select<T>(isNaN(y), {y, y}, r);
}
/// sin z = sin x cosh y + i cos x sinh y.
template <typename T>
SHOAL_MATH Complex<T> sin(Complex<T> z) {
  return coshSinh(z.im, sin(z.re), cos(z.re));
}
/// cos z = cos x cosh y - i sin x sinh y.
template <typename T>
SHOAL_MATH Complex<T> cos(Complex<T> z) {
  return coshSinh(z.im, cos(z.re), -sin(z.re));
}

/// Kahan's formula: with t = tan y, s = sinh x, b = 1 + t^2,
/// tanh z = (b s sqrt(1 + s^2) + i t) / (1 + b s^2).
template <typename T>
SHOAL_MATH Complex<T> tanh(Complex<T> z) {
  T a = fabs(z.re);
  T capped = a > T(30) ? T(30) : a;
  T em = expm1(capped);
  T s = copysign(T(0.5) * (em + em / (em + T(1))), z.re);
  T t = tan(z.im);
  T b = fma(t, t, T(1));
  T denominator = fma(b * s, s, T(1));
  Complex<T> r = {b * squareRoot(fma(s, s, T(1))) * s / denominator,
                  t / denominator};
  // im = 4 sin y cos y e^(-2|x|) = 2 sin(2y) e^(-2|x|)
  T e = exp(T(-2) * a);
  T sc = sin(z.im) * cos(z.im);
  sc = isFinite(z.im) ? sc : T(0);
  r = select<T>(a > T(20), {copysign(T(1), z.re), T(4) * sc * e}, r);
  // An infinite angle is none unless it no longer matters.
  r = select<T>(!isFinite(z.im) && a < infinity<T>, {quietNaN<T>, quietNaN<T>},
                r);
  r.im = z.im == T(0) ? z.im : r.im;
  return r;
}
/// tan z = -i tanh(i z).
template <typename T>
SHOAL_MATH Complex<T> tan(Complex<T> z) {
  Complex<T> h = tanh(Complex<T>{-z.im, z.re});
  return {h.im, -h.re};
}

/// 1 / (1 + e^-z), with e^-|re z| so that nothing overflows.
template <typename T>
SHOAL_MATH Complex<T> logistic(Complex<T> z) {
  bool right = z.re >= T(0);
  Complex<T> e = exp(right ? Complex<T>{-z.re, -z.im} : z);
  return divide(right ? Complex<T>{T(1), T(0)} : e,
                Complex<T>{T(1) + e.re, e.im});
}

/// |z|^c e^(-d arg z) at the angle d log|z| + c arg z, for the power c + di.
template <typename T>
SHOAL_MATH Complex<T> pow(Complex<T> z, Complex<T> w) {
  T r = hypot(z.re, z.im), angle = atan2(z.im, z.re);
  T modulus = pow(r, w.re);
  modulus = w.im == T(0) ? modulus : modulus * exp(-w.im * angle);
  T turn = w.re * angle;
  turn = w.im == T(0) ? turn : fma(w.im, logAbs(z), turn);
  Complex<T> result = {modulus * cos(turn), modulus * sin(turn)};
  result.im = turn == T(0) ? turn : result.im;
  bool zero = z.re == T(0) && z.im == T(0);
  T limit = w.re > T(0) ? T(0) : infinity<T>;
  result = select<T>(zero, {limit, T(0)}, result);
  return select<T>(w.re == T(0) && w.im == T(0), {T(1), T(0)}, result);
}
template <typename T>
SHOAL_MATH Complex<T> cbrt(Complex<T> z) {
  T r = cbrt(hypot(z.re, z.im));
  T angle = atan2(z.im, z.re) / T(3);
  Complex<T> result = {r * cos(angle), r * sin(angle)};
  return select<T>(z.re == T(0) && z.im == T(0), z, result);
}

/// -i log((x + i y) / sqrt(x^2 + y^2)).
template <typename T>
SHOAL_MATH Complex<T> atan2(Complex<T> y, Complex<T> x) {
  Complex<T> numerator = {x.re - y.im, x.im + y.re};
  Complex<T> squares = {differenceOfProducts(x.re, x.re, x.im, x.im) +
                            differenceOfProducts(y.re, y.re, y.im, y.im),
                        T(2) * (x.re * x.im + y.re * y.im)};
  Complex<T> l = log(divide(numerator, squareRoot(squares)));
  return {l.im, -l.re};
}

template <typename T>
SHOAL_MATH Complex<T> sign(Complex<T> z) {
  SBitsOf<T> e = commonExponent(z.re, z.im);
  T s = powerOfTwo<T>(-e);
  T x = z.re * s, y = z.im * s, r = hypot(x, y);
  bool zero = z.re == T(0) && z.im == T(0);
  bool nan = isNaN(z.re) || isNaN(z.im);
  Complex<T> result = select<T>(zero, {T(0), T(0)}, {x / r, y / r});
  return select<T>(nan, {quietNaN<T>, quietNaN<T>}, result);
}

} // namespace shoal::math

#endif // SHOAL_KERNELMATH_COMPLEX_H
