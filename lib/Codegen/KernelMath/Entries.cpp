// What kernels call: the functions of this folder by name. Compiled to bitcode
// (see CMakeLists.txt); KernelMath.cpp links and inlines what a module uses.
//
//   shoal_<function>_f32 / _f64            reals
//   shoal_<function>_c64 / _c128           complex; parts as two arguments,
//                                          the result's through two pointers
//   shoal_round_<format>, shoal_encode_<format>, shoal_decode_<format>
#include "Complex.h"
#include "Formats.h"
#include "Integer.h"
#include "Random.h"
#include "Remainder.h"

using namespace shoal;

#define UNARY(name, function)                                                  \
  extern "C" float shoal_##name##_f32(float x) { return math::function(x); }   \
  extern "C" double shoal_##name##_f64(double x) { return math::function(x); }
#define BINARY(name, function)                                                 \
  extern "C" float shoal_##name##_f32(float x, float y) {                      \
    return math::function(x, y);                                               \
  }                                                                            \
  extern "C" double shoal_##name##_f64(double x, double y) {                   \
    return math::function(x, y);                                               \
  }

UNARY(exp, exp)
UNARY(expm1, expm1)
UNARY(log, log)
UNARY(log1p, log1p)
UNARY(logistic, logistic)
UNARY(tanh, tanh)
UNARY(sin, sin)
UNARY(cos, cos)
UNARY(tan, tan)
UNARY(cbrt, cbrt)
UNARY(rsqrt, reciprocalSquareRoot)
BINARY(pow, pow)
BINARY(atan2, atan2)
BINARY(hypot, hypot)

#define COMPLEX_UNARY_OF(name, function, T, suffix)                            \
  extern "C" void shoal_##name##_##suffix(T re, T im, T *outRe, T *outIm) {    \
    math::Complex<T> r = math::function(math::Complex<T>{re, im});             \
    *outRe = r.re;                                                             \
    *outIm = r.im;                                                             \
  }
#define COMPLEX_UNARY(name, function)                                          \
  COMPLEX_UNARY_OF(name, function, float, c64)                                 \
  COMPLEX_UNARY_OF(name, function, double, c128)
#define COMPLEX_BINARY_OF(name, function, T, suffix)                           \
  extern "C" void shoal_##name##_##suffix(T xRe, T xIm, T yRe, T yIm,          \
                                          T *outRe, T *outIm) {                \
    math::Complex<T> r = math::function(math::Complex<T>{xRe, xIm},            \
                                        math::Complex<T>{yRe, yIm});           \
    *outRe = r.re;                                                             \
    *outIm = r.im;                                                             \
  }
#define COMPLEX_BINARY(name, function)                                         \
  COMPLEX_BINARY_OF(name, function, float, c64)                                \
  COMPLEX_BINARY_OF(name, function, double, c128)

COMPLEX_UNARY(exp, exp)
COMPLEX_UNARY(expm1, expm1)
COMPLEX_UNARY(log, log)
COMPLEX_UNARY(log1p, log1p)
COMPLEX_UNARY(logistic, logistic)
COMPLEX_UNARY(tanh, tanh)
COMPLEX_UNARY(sin, sin)
COMPLEX_UNARY(cos, cos)
COMPLEX_UNARY(tan, tan)
COMPLEX_UNARY(cbrt, cbrt)
COMPLEX_UNARY(sqrt, squareRoot)
COMPLEX_UNARY(rsqrt, reciprocalSquareRoot)
COMPLEX_UNARY(sign, sign)
COMPLEX_BINARY(pow, pow)
COMPLEX_BINARY(atan2, atan2)
COMPLEX_BINARY(divide, divide)

#define FORMAT(Name)                                                           \
  extern "C" float shoal_round_f##Name(float x) {                              \
    return math::roundTo<math::F##Name>(x);                                    \
  }                                                                            \
  extern "C" uint8_t shoal_encode_f##Name(float x) {                           \
    return math::encode<math::F##Name>(x);                                     \
  }                                                                            \
  extern "C" float shoal_decode_f##Name(uint8_t x) {                           \
    return math::decode<math::F##Name>(x);                                     \
  }

FORMAT(8E5M2)
FORMAT(8E4M3)
FORMAT(8E3M4)
FORMAT(8E4M3FN)
FORMAT(8E4M3FNUZ)
FORMAT(8E4M3B11FNUZ)
FORMAT(8E5M2FNUZ)
FORMAT(8E8M0FNU)
FORMAT(6E2M3FN)
FORMAT(6E3M2FN)
FORMAT(4E2M1FN)

extern "C" float shoal_round_bf16(float x) { return math::roundToBFloat16(x); }
extern "C" float shoal_toodd_f64(double x) { return math::roundToOdd(x); }
extern "C" float shoal_toodd_i64(int64_t x) { return math::signedToOdd(x); }
extern "C" float shoal_toodd_ui64(uint64_t x) { return math::unsignedToOdd(x); }
extern "C" float shoal_reduce_precision_f32(float x, int32_t e, int32_t m,
                                            int32_t ownE, int32_t ownM) {
  return math::reducePrecision(x, e, m, ownE, ownM);
}
extern "C" double shoal_reduce_precision_f64(double x, int32_t e, int32_t m,
                                             int32_t ownE, int32_t ownM) {
  return math::reducePrecision(x, e, m, ownE, ownM);
}

extern "C" int64_t shoal_pow_i64(int64_t x, int64_t y) {
  return math::powInteger(x, y);
}
extern "C" uint64_t shoal_pow_ui64(uint64_t x, uint64_t y) {
  return math::powInteger(x, y);
}

extern "C" float shoal_fmod_f32(float x, float y) {
  return math::remainderOf(x, y);
}
extern "C" double shoal_fmod_f64(double x, double y) {
  return math::remainderOf(x, y);
}

extern "C" uint64_t shoal_threefry(uint64_t key, uint64_t counter) {
  return math::threeFry(key, counter);
}
extern "C" uint64_t shoal_philox(uint64_t key, uint64_t low, uint64_t high,
                                 int64_t half) {
  return math::philox(key, low, high, half);
}
extern "C" uint64_t shoal_scale_bits(uint64_t bits, uint64_t range) {
  return math::scaleBits(bits, range);
}
