// Element types of tensors at run time: their layout in memory, their names,
// and conversion of single elements to and from double.
#ifndef SHOAL_RUNTIME_DTYPE_H
#define SHOAL_RUNTIME_DTYPE_H

#include <complex>
#include <cstdint>
#include <string_view>

namespace shoal::rt {

/// The numbers are part of the package format: append, never renumber.
/// In memory: i1 is one byte, 0 or 1; integers below 8 bits are one byte each,
/// sign or zero extended; floats below 8 bits are one byte each, the unused
/// high bits zero; complex numbers are two consecutive reals.
enum class DType : uint8_t {
  Invalid = 0,
  I1 = 1,
  I2 = 2,
  I4 = 3,
  I8 = 4,
  I16 = 5,
  I32 = 6,
  I64 = 7,
  UI2 = 8,
  UI4 = 9,
  UI8 = 10,
  UI16 = 11,
  UI32 = 12,
  UI64 = 13,
  F4E2M1FN = 14,
  F6E2M3FN = 15,
  F6E3M2FN = 16,
  F8E3M4 = 17,
  F8E4M3 = 18,
  F8E4M3FN = 19,
  F8E4M3FNUZ = 20,
  F8E4M3B11FNUZ = 21,
  F8E5M2 = 22,
  F8E5M2FNUZ = 23,
  F8E8M0FNU = 24,
  BF16 = 25,
  F16 = 26,
  F32 = 27,
  F64 = 28,
  C64 = 29,  // complex<f32>
  C128 = 30, // complex<f64>
};
inline constexpr int numDTypes = 31;

/// Bytes that one element takes in a buffer; 0 for Invalid.
int64_t byteSize(DType type);

/// The name as MLIR prints it ("bf16", "complex<f32>", "ui8").
std::string_view name(DType type);

/// The inverse of `name`; Invalid when there is no such type.
DType parseDType(std::string_view text);

bool isFloat(DType type); // real floating point
bool isComplex(DType type);
bool isSignedInt(DType type);
bool isUnsignedInt(DType type); // not I1
inline bool isInteger(DType type) {
  return type == DType::I1 || isSignedInt(type) || isUnsignedInt(type);
}
inline bool isValid(DType type) {
  return type != DType::Invalid && static_cast<int>(type) < numDTypes;
}

/// The layout of a real floating point format.
struct FloatFormat {
  int bits, exponentBits, mantissaBits, bias;
  bool hasInf;  // an all-ones exponent with zero mantissa is infinity
  bool hasNaN;  // some pattern is NaN
  bool fnuz;    // NaN is what would be negative zero
  bool hasSign; // false for f8E8M0FNU
};
FloatFormat floatFormat(DType type); // type must be isFloat

/// One element as a double; exact for all real floats; integers beyond 2^53
/// are rounded. For complex types the real part.
double toDouble(DType type, const void *element);
/// One element as a complex number.
std::complex<double> toComplex(DType type, const void *element);
/// One integer or i1 element as int64 (ui64 wraps).
int64_t toInt64(DType type, const void *element);

/// Writes `value` rounded to nearest even (saturating for formats without
/// infinity, truncating for integers) as one element.
void fromDouble(DType type, double value, void *element);

/// How many representable values of `type` lie between two finite values;
/// INT64_MAX if either is NaN. Used for tolerances in units in the last place.
int64_t ulpDistance(DType type, const void *a, const void *b);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_DTYPE_H
