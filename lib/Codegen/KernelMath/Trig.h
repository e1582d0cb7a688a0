// sin, cos, tan, atan2, for arguments of any size.
//
// float: the argument is reduced in double. x = a 2^K with K chosen by size so
// that a is an integer below 2^46 (or K = 0); 2^K 2/pi mod 4 is a constant of
// two doubles, so a 2^K 2/pi mod 4 comes from one exact product. Selects, no
// branches: it vectorizes.
// double: Cody and Waite's reduction with pi/2 in three parts and fused
// products up to 2^30; above it the exact product of the mantissa with the
// right 192 bits of 2/pi (Payne and Hanek), behind a branch.
#ifndef SHOAL_KERNELMATH_TRIG_H
#define SHOAL_KERNELMATH_TRIG_H

#include "Support.h"

namespace shoal::math {

/// x = quadrant pi/2 + r + low, |r| <= pi/4 (and a little), quadrant mod 4.
template <typename T>
struct Reduced {
  T r, low;
  uint32_t quadrant;
};

/// As Reduced, r in double: relative error below 2^-27 for all floats.
SHOAL_MATH Reduced<double> reduceFloat(float x) {
  double d = x;
  double size = fabs(d);
  // 2^-K and 2^K 2/pi mod 4 for K = 0, 23, 45, 67, 89.
  double down = 1, hi = 0x1.45f306dc9c883p-1, lo = -0x1.6b01ec5417056p-55;
  bool c1 = size >= 0x1p46, c2 = size >= 0x1p68, c3 = size >= 0x1p90,
       c4 = size >= 0x1p112;
  down = c1 ? 0x1p-23 : down;
  hi = c1 ? 0x1.b727220a94fe1p+0 : hi;
  lo = c1 ? 0x1.d5f47d4d37703p-55 : lo;
  down = c2 ? 0x1p-45 : down;
  hi = c2 ? 0x1.054a7f09d5f48p-1 : hi;
  lo = c2 ? -0x1.596447e493ad5p-56 : lo;
  down = c3 ? 0x1p-67 : down;
  hi = c3 ? -0x1.ec54170565912p-4 : hi;
  lo = c3 ? 0x1.b6c52b3278872p-62 : lo;
  down = c4 ? 0x1p-89 : down;
  hi = c4 ? -0x1.70565911f924fp-2 : hi;
  lo = c4 ? 0x1.2b32788720840p-56 : lo;
  double a = d * down;
  Double<double> product = twoProduct(a, hi);
  double shifted = product.hi + FloatTraits<double>::magic;
  double n = shifted - FloatTraits<double>::magic;
  double fraction = (product.hi - n) + fma(a, lo, product.lo);
  return {fraction * 0x1.921fb54442d18p+0, 0, uint32_t(bits(shifted)) & 3};
}

// 2/pi, most significant bit first, after 64 zero bits.
inline constexpr uint64_t twoOverPi[21] = {0,
                                           0xa2f9836e4e441529,
                                           0xfc2757d1f534ddc0,
                                           0xdb6295993c439041,
                                           0xfe5163abdebbc561,
                                           0xb7246e3a424dd2e0,
                                           0x06492eea09d1921c,
                                           0xfe1deb1cb129a73e,
                                           0xe88235f52ebb4484,
                                           0xe99c7026b45f7e41,
                                           0x3991d639835339f4,
                                           0x9c845f8bbdf9283b,
                                           0x1ff897ffde05980f,
                                           0xef2f118b5a0a6d1f,
                                           0x6d367ecf27cb09b7,
                                           0x4f463f669e5fea2d,
                                           0x7527bac7ebe5f17b,
                                           0x3d0739f78a5292ea,
                                           0x6bfb5fb11f8d5d08,
                                           0x56033046fc7b6bab,
                                           0xf0cfbc209af4361d};

/// For finite |x| >= 2^30.
[[gnu::noinline]] inline Reduced<double> reduceHuge(double x) {
  using U128 = unsigned __int128;
  uint64_t b = bits(x) & ~signBit<double>;
  uint64_t mantissa = (b & ((1ull << 52) - 1)) | 1ull << 52;
  int exponent = int(b >> 52) - 1075; // |x| = mantissa 2^exponent
  // Bits of 2/pi that weigh 4 or more times mantissa 2^exponent give multiples
  // of 4: the 192 bits after them decide. Bit i (from 1) weighs 2^-i; the
  // first that counts is i = exponent - 1, at offset exponent - 2 + 64.
  int offset = exponent + 62;
  int word = offset >> 6, shift = offset & 63;
  uint64_t w[3];
  for (int i = 0; i < 3; ++i)
    w[i] = shift ? twoOverPi[word + i] << shift |
                       twoOverPi[word + i + 1] >> (64 - shift)
                 : twoOverPi[word + i];
  // product = mantissa * w mod 2^192, in units of 2^-190.
  U128 low = U128(mantissa) * w[2];
  U128 middle = U128(mantissa) * w[1] + (low >> 64);
  uint64_t p0 = uint64_t(low), p1 = uint64_t(middle);
  uint64_t p2 = mantissa * w[0] + uint64_t(middle >> 64);
  uint32_t quadrant = uint32_t(p2 >> 62);
  // The fraction, as 190 bits shifted up to 192; above a half, minus one.
  U128 top = U128(p2 << 2 | p1 >> 62) << 64 | (p1 << 2 | p0 >> 62);
  uint64_t rest = p0 << 2;
  bool negative = top >> 127;
  if (negative) {
    ++quadrant;
    top = ~top + (rest == 0);
    rest = -rest;
  }
  int zeros = top >> 64 ? __builtin_clzll(uint64_t(top >> 64))
                        : 64 + __builtin_clzll(uint64_t(top) | 1);
  if (zeros >= 64) {
    top = top << 64 | rest;
    rest = 0;
    if (zeros > 64) {
      top <<= zeros - 64;
    }
  } else if (zeros) {
    top = top << zeros | rest >> (64 - zeros);
  }
  // top = 1.xxx: 53 bits for hi, the next 53 for lo.
  double unit = powerOfTwo<double>(-1 - zeros);
  double hi = double(uint64_t(top >> 75)) * 0x1p-52 * unit;
  double lo =
      double(uint64_t(top >> 22) & ((1ull << 53) - 1)) * 0x1p-105 * unit;
  // Times pi/2.
  Double<double> r = twoProduct(hi, 0x1.921fb54442d18p+0);
  r.lo += hi * 0x1.1a62633145c07p-54 + lo * 0x1.921fb54442d18p+0;
  r = fastTwoSum(r.hi, r.lo);
  uint64_t flip = negative ^ (bits(x) >> 63);
  quadrant = bits(x) >> 63 ? -quadrant : quadrant;
  return {negateIf(r.hi, flip), negateIf(r.lo, flip), quadrant & 3};
}

SHOAL_MATH Reduced<double> reduceDouble(double x) {
  if (__builtin_expect(fabs(x) >= 0x1p30 && fabs(x) < infinity<double>, 0))
    return reduceHuge(x);
  double shifted = fma(x, 0x1.45f306dc9c883p-1, FloatTraits<double>::magic);
  double n = shifted - FloatTraits<double>::magic;
  double a = fma(n, -0x1.921fb54442d18p+0, x); // exact
  // a - n (second + third part), with what rounding loses.
  Double<double> p = twoProduct(n, 0x1.1a62633145c07p-54);
  Double<double> s = twoSum(a, -p.hi);
  double low = (s.lo - p.lo) - n * -0x1.f1976b7ed8fbcp-110;
  s = fastTwoSum(s.hi, low);
  // An infinite x has made NaN by now: inf - inf.
  return {s.hi, s.lo, uint32_t(bits(shifted)) & 3};
}

/// sin(r + low) for |r| <= pi/4.
template <typename C, typename T>
SHOAL_MATH T sinReduced(T r, T low) {
  T z = r * r;
  return r + (r * z * polynomial(z, Coefficients<C>::sin) +
              low * (T(1) - T(0.5) * z));
}
/// cos(r + low) for |r| <= pi/4.
template <typename C, typename T>
SHOAL_MATH T cosReduced(T r, T low) {
  T z = r * r;
  T half = T(0.5) * z;
  T one = T(1) - half;
  return one + (((T(1) - one) - half) +
                (z * z * polynomial(z, Coefficients<C>::cos) - r * low));
}

/// sin of x moved by `turn` quadrants: sin(x + turn pi/2).
SHOAL_MATH float sinTurned(float x, uint32_t turn) {
  Reduced<double> d = reduceFloat(x);
  float r = float(d.r);
  uint32_t q = d.quadrant + turn;
  float s = sinReduced<float>(r, 0.0f), c = cosReduced<float>(r, 0.0f);
  return negateIf(q & 1 ? c : s, (q >> 1) & 1);
}
SHOAL_MATH double sinTurned(double x, uint32_t turn) {
  Reduced<double> d = reduceDouble(x);
  uint32_t q = d.quadrant + turn;
  double s = sinReduced<double>(d.r, d.low), c = cosReduced<double>(d.r, d.low);
  return negateIf(q & 1 ? c : s, (q >> 1) & 1);
}

template <typename T>
SHOAL_MATH T sin(T x) {
  T result = sinTurned(x, 0);
  return fabs(x) < T(0x1p-28) ? x : result; // also keeps -0
}
template <typename T>
SHOAL_MATH T cos(T x) {
  return sinTurned(x, 1);
}

SHOAL_MATH float tan(float x) {
  Reduced<double> d = reduceFloat(x);
  double s = sinReduced<float>(d.r, 0.0), c = cosReduced<float>(d.r, 0.0);
  bool odd = d.quadrant & 1;
  float result = float((odd ? -c : s) / (odd ? s : c));
  return fabs(x) < 0x1p-28f ? x : result;
}
/// The quotient of sin and cos, each as the sum of two doubles.
SHOAL_MATH double tan(double x) {
  Reduced<double> d = reduceDouble(x);
  double z = d.r * d.r, half = 0.5 * z;
  Double<double> s =
      fastTwoSum(d.r, d.r * z * polynomial(z, Coefficients<double>::sin) +
                          d.low * (1 - half));
  double halfLow = fma(d.r, d.r, -z) * 0.5; // z = r^2 - 2 halfLow
  Double<double> c = fastTwoSum(1.0, -half);
  c = fastTwoSum(c.hi,
                 c.lo + (z * z * polynomial(z, Coefficients<double>::cos) -
                         d.r * d.low - halfLow));
  bool odd = d.quadrant & 1;
  Double<double> num = {odd ? -c.hi : s.hi, odd ? -c.lo : s.lo};
  Double<double> den = {odd ? s.hi : c.hi, odd ? s.lo : c.lo};
  double q = num.hi / den.hi;
  double correction = (fma(-q, den.hi, num.hi) + num.lo - q * den.lo) / den.hi;
  return fabs(x) < 0x1p-28 ? x : q + correction;
}

template <typename T>
struct PiConstants;
template <>
struct PiConstants<float> {
  static constexpr float pi = 0x1.921fb6p+1f, piLow = -0x1.777a5cp-24f;
};
template <>
struct PiConstants<double> {
  static constexpr double pi = 0x1.921fb54442d18p+1,
                          piLow = 0x1.1a62633145c07p-53;
};

/// The angle of the point (x, y), by atan of the smaller over the larger
/// coordinate, brought below tan(pi/8) by atan(q) = pi/4 - atan((1-q)/(1+q)).
template <typename T>
SHOAL_MATH T atan2(T y, T x) {
  using K = PiConstants<T>;
  T ax = fabs(x), ay = fabs(y);
  bool steep = ay > ax;
  T large = steep ? ay : ax, small = steep ? ax : ay;
  // Equal infinities have the angle of equal finite coordinates.
  bool bothInfinite = small == infinity<T>;
  large = bothInfinite ? T(1) : large;
  small = bothInfinite ? T(1) : small;
  // So that small + large cannot overflow.
  T down = large > T(0x1p100) ? T(0.25) : T(1);
  large *= down;
  small *= down;
  bool past = small > T(0.41421356237309503) * large;
  T numerator = past ? small - large : small;
  T denominator = past ? small + large : large;
  T q = denominator == T(0) ? T(0) : numerator / denominator;
  T z = q * q;
  T angle = q * z * polynomial(z, Coefficients<T>::atan);
  // base + q + angle, base a multiple of pi/4, then mirrored where needed.
  T base = past ? K::pi * T(0.25) : T(0);
  T baseLow = past ? K::piLow * T(0.25) : T(0);
  base = steep ? K::pi * T(0.5) - base : base;
  baseLow = steep ? K::piLow * T(0.5) - baseLow : baseLow;
  bool left = bits(x) >> (sizeof(T) * 8 - 1);
  base = left ? K::pi - base : base;
  baseLow = left ? K::piLow - baseLow : baseLow;
  bool flip = steep != left;
  q = flip ? -q : q;
  angle = flip ? -angle : angle;
  Double<T> sum = twoSum(base, q);
  T result = copysign(sum.hi + (sum.lo + (baseLow + angle)), y);
  return isNaN(x) || isNaN(y) ? x + y : result;
}

} // namespace shoal::math

#endif // SHOAL_KERNELMATH_TRIG_H
