// Narrow floating point formats: rounding to them, their bits and back.
//
// In kernels a value of such a type lives in a float that holds it exactly.
// Rounding is to nearest, ties to even, with gradual underflow; what overflows
// becomes what ml_dtypes and XLA make of it: infinity where the format has it,
// else NaN, else (f6, f4) the largest value.
#ifndef SHOAL_KERNELMATH_FORMATS_H
#define SHOAL_KERNELMATH_FORMATS_H

#include "Support.h"

namespace shoal::math {

/// What a format does with its top codes and with minus zero.
enum class Special {
  IEEE,  // infinities and NaNs in the top exponent
  FN,    // NaN is all ones; no infinity
  FNUZ,  // NaN is the code of minus zero; no infinity, no minus zero
  Finite // neither; NaN becomes minus zero
};

template <int exponentBits, int mantissaBits, int exponentBias, Special kind>
struct Format {
  static constexpr int e = exponentBits, m = mantissaBits, bias = exponentBias;
  static constexpr Special special = kind;
  static constexpr int smallestExponent = 1 - bias;
  static constexpr uint32_t magnitudeMask = (1u << (e + m)) - 1;
  /// Code of the largest finite value.
  static constexpr uint32_t largestCode =
      special == Special::IEEE ? magnitudeMask - (1u << m)
      : special == Special::FN ? magnitudeMask - 1
                               : magnitudeMask;
  static constexpr uint32_t nanCode =
      special == Special::IEEE
          ? magnitudeMask ^ ((1u << m) - 1) ^ (1u << (m - 1))
      : special == Special::FN   ? magnitudeMask
      : special == Special::FNUZ ? 1u << (e + m)
                                 : 1u << (e + m);
  static constexpr uint32_t infinityCode = magnitudeMask ^ ((1u << m) - 1);
};

using F8E5M2 = Format<5, 2, 15, Special::IEEE>;
using F8E4M3 = Format<4, 3, 7, Special::IEEE>;
using F8E3M4 = Format<3, 4, 3, Special::IEEE>;
using F8E4M3FN = Format<4, 3, 7, Special::FN>;
using F8E4M3FNUZ = Format<4, 3, 8, Special::FNUZ>;
using F8E4M3B11FNUZ = Format<4, 3, 11, Special::FNUZ>;
using F8E5M2FNUZ = Format<5, 2, 16, Special::FNUZ>;
using F6E2M3FN = Format<2, 3, 1, Special::Finite>;
using F6E3M2FN = Format<3, 2, 3, Special::Finite>;
using F4E2M1FN = Format<2, 1, 1, Special::Finite>;
struct F8E8M0FNU {}; // powers of two from 2^-127; no sign, no zero

/// The value of a code. The compiler folds what does not occur.
template <typename F>
SHOAL_MATH float decode(uint8_t code) {
  uint32_t c = code & F::magnitudeMask;
  uint32_t sign = uint32_t(code >> (F::e + F::m) & 1) << 31;
  float normal = fromBits<float>((c << (23 - F::m)) + ((127u - F::bias) << 23));
  float subnormal =
      float(int32_t(c)) * powerOfTwo<float>(F::smallestExponent - F::m);
  float result = c < (1u << F::m) ? subnormal : normal;
  if (F::special == Special::IEEE) {
    result = c == F::infinityCode ? infinity<float> : result;
    // NaNs keep their bits, which a bitcast may ask for.
    result = c > F::infinityCode
                 ? fromBits<float>(0x7f800000u | (c - F::infinityCode)
                                                     << (23 - F::m))
                 : result;
  }
  if (F::special == Special::FN)
    result = c == F::nanCode ? quietNaN<float> : result;
  result = fromBits<float>(bits(result) | sign);
  if (F::special == Special::FNUZ)
    result = code == F::nanCode ? quietNaN<float> : result;
  return result;
}

/// The largest finite value; constant in every use.
template <typename F>
SHOAL_MATH float largest() {
  return decode<F>(uint8_t(F::largestCode));
}

/// x rounded to a value of the format.
template <typename F>
SHOAL_MATH float roundTo(float x) {
  float a = fabs(x);
  float top = largest<F>();
  // Adding 1.5 * 2^23 units in the last place rounds to that place. Capped
  // so that the sum stays finite; anything at the cap overflows.
  float capped = a > 4 * top ? 4 * top : a;
  constexpr uint32_t lowest = uint32_t(F::smallestExponent + 127) << 23;
  uint32_t exponent = bits(capped) & 0x7f800000u;
  exponent = exponent < lowest ? lowest : exponent;
  float magic =
      fromBits<float>(exponent + (uint32_t(23 - F::m) << 23) + 0x400000u);
  float rounded = (capped + magic) - magic;
  float beyond = F::special == Special::IEEE     ? infinity<float>
                 : F::special == Special::Finite ? top
                                                 : quietNaN<float>;
  rounded = rounded > top ? beyond : rounded;
  rounded = copysign(rounded, x);
  if (F::special == Special::FNUZ)
    rounded = rounded + 0.0f; // no minus zero
  return isNaN(x) ? (F::special == Special::Finite ? -0.0f : x) : rounded;
}

/// The code of a value of the format.
template <typename F>
SHOAL_MATH uint8_t encode(float x) {
  uint32_t b = bits(x) & 0x7fffffffu;
  float a = fromBits<float>(b);
  uint32_t normal = (b >> (23 - F::m)) - ((127u - F::bias) << F::m);
  // The low bits of a + 2^23 units are a in units of the smallest value.
  float magic = powerOfTwo<float>(F::smallestExponent - F::m + 23);
  uint32_t subnormal = bits(a + magic) - bits(magic);
  uint32_t code =
      a < powerOfTwo<float>(F::smallestExponent) ? subnormal : normal;
  if (F::special == Special::IEEE)
    code = a == infinity<float> ? F::infinityCode : code;
  if (F::special == Special::IEEE) {
    uint32_t nan = F::infinityCode | (b >> (23 - F::m) & ((1u << F::m) - 1));
    nan = nan == F::infinityCode ? F::nanCode : nan;
    code = isNaN(x) ? nan : code;
  }
  if (F::special == Special::FN)
    code = isNaN(x) ? F::nanCode : code;
  code |= bits(x) >> 31 << (F::e + F::m);
  if (F::special == Special::FNUZ)
    code = isNaN(x) ? F::nanCode : code;
  return uint8_t(code);
}

/// Ties away from zero, as ml_dtypes has it; what is not positive is NaN.
template <>
SHOAL_MATH float roundTo<F8E8M0FNU>(float x) {
  uint32_t b = bits(x);
  // 2^-127 is subnormal; below it only what rounds up to it.
  uint32_t up = (b + 0x400000u) & 0x7f800000u;
  uint32_t low = b >= 0x00600000u ? 0x00800000u : 0x00400000u;
  up = b < 0x00800000u ? low : up;
  float result = fromBits<float>(up);
  bool valid = x > 0.0f && up < 0x7f800000u;
  return valid ? result : quietNaN<float>;
}
template <>
SHOAL_MATH uint8_t encode<F8E8M0FNU>(float x) {
  // The code of 2^-127 (bits 0x00400000) is 0, which is what its exponent says.
  return isNaN(x) ? 0xff : uint8_t(bits(x) >> 23);
}
template <>
SHOAL_MATH float decode<F8E8M0FNU>(uint8_t code) {
  float result =
      fromBits<float>(code == 0 ? 0x00400000u : uint32_t(code) << 23);
  return code == 0xff ? quietNaN<float> : result;
}

/// bfloat16, by integer operations: the machine's conversion flushes
/// subnormals.
SHOAL_MATH float roundToBFloat16(float x) {
  uint32_t b = bits(x);
  uint32_t rounded = (b + 0x7fffu + (b >> 16 & 1)) & 0xffff0000u;
  uint32_t nan = (b | 0x400000u) & 0xffff0000u;
  return fromBits<float>(isNaN(x) ? nan : rounded);
}

/// x as a float with the last bit set if it is not exact: rounding that to a
/// format of at most 21 bits is rounding x itself, once.
SHOAL_MATH float roundToOdd(double x) {
  float f = float(x);
  double back = f;
  uint32_t b = bits(f);
  bool inexact = back != x && !isNaN(x);
  bool tooLarge = fabs(back) > fabs(x);
  return fromBits<float>(inexact ? (b - (tooLarge ? 1 : 0)) | 1 : b);
}
/// The same for integers; exact below 2^48.
SHOAL_MATH float signedToOdd(int64_t x) {
  bool small = x >= -(1ll << 48) && x < (1ll << 48);
  int64_t high = x >> 16 | ((x & 0xffff) != 0);
  return roundToOdd(small ? double(x) : double(high) * 0x1p16);
}
SHOAL_MATH float unsignedToOdd(uint64_t x) {
  bool small = x < (1ull << 48);
  uint64_t high = x >> 16 | ((x & 0xffff) != 0);
  return roundToOdd(small ? double(int64_t(x))
                          : double(int64_t(high)) * 0x1p16);
}

/// The value as a format of `exponentBits` and `mantissaBits` would hold it:
/// StableHLO's reduce_precision. Ties to even; subnormals of the smaller
/// format are flushed to zero and what overflows is infinite, as XLA has it.
/// The value is of a type of `ownExponent` and `ownMantissa` bits held in T,
/// whose subnormals are rounded at their own place and, where the exponent is
/// not narrower, kept.
template <typename T>
SHOAL_MATH T reducePrecision(T x, int exponentBits, int mantissaBits,
                             int ownExponent, int ownMantissa) {
  using Bits = BitsOf<T>;
  constexpr int mantissa = FloatTraits<T>::mantissa;
  constexpr int bias = FloatTraits<T>::bias;
  Bits b = bits(x) & ~signBit<T>;
  int ownBias = (1 << (ownExponent - 1)) - 1;
  // In T itself the place of a subnormal's last bit is that of its bits.
  bool wide = ownBias < bias;
  Bits ownSmallest = Bits(bias + 1 - ownBias) << mantissa;
  int drop = mantissa - mantissaBits;
  if (mantissaBits < ownMantissa) {
    Bits last = b >> drop & 1;
    Bits rounded = b + ((Bits(1) << (drop - 1)) - 1) + last;
    rounded &= ~((Bits(1) << drop) - 1);
    // Adding 2^mantissa units of the last place rounds to it.
    T magic =
        wide ? powerOfTwo<T>(1 - ownBias - mantissaBits + mantissa) : T(0);
    Bits subnormal = bits((fromBits<T>(b) + magic) - magic);
    b = wide && b < ownSmallest ? subnormal : rounded;
  }
  int smallBias = (1 << (exponentBits - 1)) - 1;
  Bits largestExponent = Bits(bias + smallBias);
  Bits smallestExponent = Bits(bias - smallBias + 1);
  Bits exponent = b >> mantissa;
  if (exponentBits < ownExponent) {
    b = exponent > largestExponent ? bits(infinity<T>) : b;
    b = exponent < smallestExponent ? 0 : b;
  }
  T result = copysign(fromBits<T>(b), x);
  return isNaN(x) ? x : result;
}

} // namespace shoal::math

#endif // SHOAL_KERNELMATH_FORMATS_H
