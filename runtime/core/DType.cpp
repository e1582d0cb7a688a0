#include "shoal/runtime/DType.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace shoal::rt {

namespace {

struct Info {
  std::string_view name;
  int8_t bytes;
};

constexpr Info infos[numDTypes] = {
    {"invalid", 0},
    {"i1", 1},
    {"i2", 1},
    {"i4", 1},
    {"i8", 1},
    {"i16", 2},
    {"i32", 4},
    {"i64", 8},
    {"ui2", 1},
    {"ui4", 1},
    {"ui8", 1},
    {"ui16", 2},
    {"ui32", 4},
    {"ui64", 8},
    {"f4E2M1FN", 1},
    {"f6E2M3FN", 1},
    {"f6E3M2FN", 1},
    {"f8E3M4", 1},
    {"f8E4M3", 1},
    {"f8E4M3FN", 1},
    {"f8E4M3FNUZ", 1},
    {"f8E4M3B11FNUZ", 1},
    {"f8E5M2", 1},
    {"f8E5M2FNUZ", 1},
    {"f8E8M0FNU", 1},
    {"bf16", 2},
    {"f16", 2},
    {"f32", 4},
    {"f64", 8},
    {"complex<f32>", 8},
    {"complex<f64>", 16},
};

template <typename T>
T load(const void *p) {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}

template <typename T>
void store(void *p, T value) {
  std::memcpy(p, &value, sizeof(T));
}

uint32_t loadBits(DType type, const void *p) {
  return byteSize(type) == 2 ? load<uint16_t>(p) : load<uint8_t>(p);
}

/// Decodes the small formats (up to 16 bits).
double decodeSmall(DType type, uint32_t bits) {
  FloatFormat f = floatFormat(type);
  if (type == DType::F8E8M0FNU)
    return bits == 0xff ? std::numeric_limits<double>::quiet_NaN()
                        : std::ldexp(1.0, static_cast<int>(bits) - 127);
  bits &= (1u << f.bits) - 1;
  uint32_t mantissa = bits & ((1u << f.mantissaBits) - 1);
  uint32_t exponent = (bits >> f.mantissaBits) & ((1u << f.exponentBits) - 1);
  bool negative = (bits >> (f.bits - 1)) & 1;
  uint32_t maxExponent = (1u << f.exponentBits) - 1;
  if (f.fnuz) {
    if (bits == 1u << (f.bits - 1))
      return std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == maxExponent && f.hasInf) {
    if (mantissa)
      return std::numeric_limits<double>::quiet_NaN();
    double inf = std::numeric_limits<double>::infinity();
    return negative ? -inf : inf;
  } else if (f.hasNaN && exponent == maxExponent &&
             mantissa == (1u << f.mantissaBits) - 1) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  double magnitude =
      exponent == 0
          ? std::ldexp(mantissa, 1 - f.bias - f.mantissaBits)
          : std::ldexp(mantissa + (1u << f.mantissaBits),
                       static_cast<int>(exponent) - f.bias - f.mantissaBits);
  return negative ? -magnitude : magnitude;
}

/// The largest finite bit pattern (sign cleared) of a small format.
uint32_t maxFinite(const FloatFormat &f) {
  uint32_t all = (1u << (f.exponentBits + f.mantissaBits)) - 1;
  if (f.fnuz || !f.hasNaN)
    return all;
  if (f.hasInf) // below the infinity pattern
    return (((1u << f.exponentBits) - 1) << f.mantissaBits) - 1;
  return all - 1;
}

uint32_t encodeSmall(DType type, double value) {
  FloatFormat f = floatFormat(type);
  uint32_t signBit = f.hasSign ? 1u << (f.bits - 1) : 0;
  uint32_t infinity = ((1u << f.exponentBits) - 1) << f.mantissaBits;
  if (std::isnan(value)) {
    if (type == DType::F8E8M0FNU)
      return 0xff;
    if (f.fnuz)
      return signBit;
    if (f.hasInf)
      return infinity | (1u << (f.mantissaBits - 1));
    return f.hasNaN ? infinity | ((1u << f.mantissaBits) - 1) : 0;
  }
  if (type == DType::F8E8M0FNU) {
    if (!(value > 0))
      return 0;
    int e = static_cast<int>(std::nearbyint(std::log2(value))) + 127;
    return static_cast<uint32_t>(e < 0 ? 0 : e > 254 ? 254 : e);
  }
  bool negative = std::signbit(value);
  double magnitude = std::fabs(value);
  uint32_t limit = maxFinite(f);
  uint32_t bits;
  if (std::isinf(magnitude)) {
    bits = f.hasInf ? infinity : limit;
  } else if (magnitude == 0) {
    bits = 0;
  } else {
    int exponent;
    std::frexp(magnitude, &exponent); // magnitude = m * 2^exponent, m in [.5,1)
    int biased = exponent - 1 + f.bias;
    if (biased < 1)
      biased = 1; // subnormal: fixed quantum
    double quantum = std::ldexp(1.0, biased - f.bias - f.mantissaBits);
    // The scaled value fits 53 bits, so rounding to nearest even is exact.
    double scaled = std::nearbyint(magnitude / quantum);
    double mantissa = scaled + std::ldexp(biased - 1, f.mantissaBits);
    bits = mantissa > limit ? (f.hasInf ? infinity : limit)
                            : static_cast<uint32_t>(mantissa);
  }
  if (negative && !(f.fnuz && bits == 0))
    bits |= signBit;
  return bits;
}

/// A monotone integer for a bit pattern in sign-magnitude form.
int64_t monotone(uint64_t bits, int width) {
  uint64_t sign = uint64_t{1} << (width - 1);
  if (bits & sign)
    return -static_cast<int64_t>(bits & (sign - 1));
  return static_cast<int64_t>(bits);
}

} // namespace

int64_t byteSize(DType type) {
  return static_cast<int>(type) < numDTypes
             ? infos[static_cast<int>(type)].bytes
             : 0;
}

std::string_view name(DType type) {
  return static_cast<int>(type) < numDTypes ? infos[static_cast<int>(type)].name
                                            : "invalid";
}

DType parseDType(std::string_view text) {
  for (int i = 1; i < numDTypes; ++i)
    if (infos[i].name == text)
      return static_cast<DType>(i);
  return DType::Invalid;
}

bool isFloat(DType type) {
  return type >= DType::F4E2M1FN && type <= DType::F64;
}
bool isComplex(DType type) { return type == DType::C64 || type == DType::C128; }
bool isSignedInt(DType type) { return type >= DType::I2 && type <= DType::I64; }
bool isUnsignedInt(DType type) {
  return type >= DType::UI2 && type <= DType::UI64;
}

FloatFormat floatFormat(DType type) {
  switch (type) {
  case DType::F4E2M1FN:
    return {4, 2, 1, 1, false, false, false, true};
  case DType::F6E2M3FN:
    return {6, 2, 3, 1, false, false, false, true};
  case DType::F6E3M2FN:
    return {6, 3, 2, 3, false, false, false, true};
  case DType::F8E3M4:
    return {8, 3, 4, 3, true, true, false, true};
  case DType::F8E4M3:
    return {8, 4, 3, 7, true, true, false, true};
  case DType::F8E4M3FN:
    return {8, 4, 3, 7, false, true, false, true};
  case DType::F8E4M3FNUZ:
    return {8, 4, 3, 8, false, true, true, true};
  case DType::F8E4M3B11FNUZ:
    return {8, 4, 3, 11, false, true, true, true};
  case DType::F8E5M2:
    return {8, 5, 2, 15, true, true, false, true};
  case DType::F8E5M2FNUZ:
    return {8, 5, 2, 16, false, true, true, true};
  case DType::F8E8M0FNU:
    return {8, 8, 0, 127, false, true, false, false};
  case DType::BF16:
    return {16, 8, 7, 127, true, true, false, true};
  case DType::F16:
    return {16, 5, 10, 15, true, true, false, true};
  case DType::F32:
    return {32, 8, 23, 127, true, true, false, true};
  default:
    return {64, 11, 52, 1023, true, true, false, true};
  }
}

double toDouble(DType type, const void *p) {
  switch (type) {
  case DType::F64:
  case DType::C128:
    return load<double>(p);
  case DType::F32:
  case DType::C64:
    return load<float>(p);
  case DType::BF16:
    return std::bit_cast<float>(static_cast<uint32_t>(load<uint16_t>(p)) << 16);
  case DType::UI64:
    return static_cast<double>(load<uint64_t>(p));
  default:
    if (isFloat(type))
      return decodeSmall(type, loadBits(type, p));
    return static_cast<double>(toInt64(type, p));
  }
}

std::complex<double> toComplex(DType type, const void *p) {
  if (type == DType::C64)
    return {load<float>(p), load<float>(static_cast<const char *>(p) + 4)};
  if (type == DType::C128)
    return {load<double>(p), load<double>(static_cast<const char *>(p) + 8)};
  return toDouble(type, p);
}

int64_t toInt64(DType type, const void *p) {
  switch (type) {
  case DType::I1:
    return load<uint8_t>(p) != 0;
  case DType::I2:
  case DType::I4:
  case DType::I8:
    return load<int8_t>(p);
  case DType::UI2:
  case DType::UI4:
  case DType::UI8:
    return load<uint8_t>(p);
  case DType::I16:
    return load<int16_t>(p);
  case DType::UI16:
    return load<uint16_t>(p);
  case DType::I32:
    return load<int32_t>(p);
  case DType::UI32:
    return load<uint32_t>(p);
  case DType::I64:
  case DType::UI64:
    return load<int64_t>(p);
  default:
    return 0;
  }
}

void fromDouble(DType type, double value, void *p) {
  switch (type) {
  case DType::F64:
    return store(p, value);
  case DType::F32:
    return store(p, static_cast<float>(value));
  case DType::C64: {
    float parts[2] = {static_cast<float>(value), 0};
    return store(p, std::bit_cast<uint64_t>(parts));
  }
  case DType::C128: {
    store(p, value);
    return store(static_cast<char *>(p) + 8, 0.0);
  }
  case DType::I1:
    return store<uint8_t>(p, value != 0);
  case DType::UI64:
    return store(p, value >= 0 && value < 0x1p64 ? static_cast<uint64_t>(value)
                                                 : uint64_t{0});
  default:
    break;
  }
  if (isFloat(type)) {
    uint32_t bits = encodeSmall(type, value);
    return byteSize(type) == 2 ? store(p, static_cast<uint16_t>(bits))
                               : store(p, static_cast<uint8_t>(bits));
  }
  int64_t integer =
      value > -0x1p63 && value < 0x1p63 ? static_cast<int64_t>(value) : 0;
  switch (byteSize(type)) {
  case 1:
    return store(p, static_cast<int8_t>(integer));
  case 2:
    return store(p, static_cast<int16_t>(integer));
  case 4:
    return store(p, static_cast<int32_t>(integer));
  case 8:
    return store(p, integer);
  default:
    return;
  }
}

int64_t ulpDistance(DType type, const void *a, const void *b) {
  double x = toDouble(type, a), y = toDouble(type, b);
  if (std::isnan(x) || std::isnan(y))
    return std::numeric_limits<int64_t>::max();
  int64_t i, j;
  switch (byteSize(type)) {
  case 8:
    i = monotone(load<uint64_t>(a), 64);
    j = monotone(load<uint64_t>(b), 64);
    break;
  case 4:
    i = monotone(load<uint32_t>(a), 32);
    j = monotone(load<uint32_t>(b), 32);
    break;
  default: {
    FloatFormat f = floatFormat(type);
    i = f.hasSign ? monotone(loadBits(type, a), f.bits) : loadBits(type, a);
    j = f.hasSign ? monotone(loadBits(type, b), f.bits) : loadBits(type, b);
  }
  }
  // The difference of two doubles' ranks may overflow.
  int64_t difference;
  if (__builtin_sub_overflow(i, j, &difference) ||
      difference == std::numeric_limits<int64_t>::min())
    return std::numeric_limits<int64_t>::max();
  return difference < 0 ? -difference : difference;
}

} // namespace shoal::rt
