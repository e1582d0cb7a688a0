// See Formats.h.
#include "Formats.h"

#include <cmath>
#include <limits>

using namespace shoal::emu;

double shoal::emu::decode(const Format &format, uint32_t bits) {
  unsigned m = format.mantissaBits, e = format.exponentBits;
  uint32_t mantissa = bits & ((1u << m) - 1);
  uint32_t exponent = bits >> m & ((1u << e) - 1), top = (1u << e) - 1;
  double sign = bits >> (m + e) & 1 ? -1 : 1;
  if (exponent == top && !format.noNan) {
    if (!format.finite)
      return mantissa ? std::numeric_limits<double>::quiet_NaN()
                      : sign * std::numeric_limits<double>::infinity();
    if (mantissa == (1u << m) - 1)
      return std::numeric_limits<double>::quiet_NaN();
  }
  double fraction = std::ldexp(double(mantissa), -int(m));
  return exponent == 0
             ? sign * std::ldexp(fraction, 1 - format.bias)
             : sign * std::ldexp(1 + fraction, int(exponent) - format.bias);
}

/// An integer from a value >= 0, rounded in the mode; `negative`: its sign.
static double roundInteger(double value, Round round, bool negative) {
  switch (round) {
  case Round::Nearest:
    return std::nearbyint(value);
  case Round::NearestAway:
    return std::floor(value + 0.5);
  case Round::Zero:
    return std::floor(value);
  case Round::Up:
    return negative ? std::floor(value) : std::ceil(value);
  case Round::Down:
    return negative ? std::ceil(value) : std::floor(value);
  }
  return value;
}

uint32_t shoal::emu::encode(const Format &format, double value, Round round,
                            bool saturate) {
  unsigned m = format.mantissaBits, e = format.exponentBits;
  uint32_t top = (1u << e) - 1, ones = (1u << m) - 1;
  uint32_t sign = std::signbit(value) ? 1u << (m + e) : 0;
  uint32_t nan =
      format.finite ? top << m | ones : top << m | (ones ? 1u << (m - 1) : 0);
  uint32_t largest = format.noNan    ? top << m | ones
                     : format.finite ? top << m | (ones - 1)
                                     : (top - 1) << m | ones;
  uint32_t over = saturate        ? largest
                  : format.finite ? (format.noNan ? largest : nan)
                                  : top << m;
  if (std::isnan(value))
    return format.noNan ? largest : nan;
  double magnitude = std::fabs(value);
  if (std::isinf(value))
    return sign | over;
  if (magnitude == 0)
    return sign;
  int exponent;
  std::frexp(magnitude, &exponent); // magnitude in [2^(exponent-1), 2^exponent)
  exponent = std::max(exponent - 1, 1 - format.bias);
  double scaled = roundInteger(std::ldexp(magnitude, int(m) - exponent), round,
                               std::signbit(value));
  if (scaled >= std::ldexp(1.0, m + 1)) {
    scaled /= 2;
    ++exponent;
  }
  double rounded = std::ldexp(scaled, exponent - int(m));
  if (rounded > decode(format, largest)) {
    bool away = round == Round::Nearest || round == Round::NearestAway ||
                (round == Round::Up) == !std::signbit(value);
    return sign | (round == Round::Zero || !away ? largest : over);
  }
  if (scaled < std::ldexp(1.0, m)) // subnormal
    return sign | uint32_t(scaled);
  return sign | uint32_t(exponent + format.bias) << m |
         (uint32_t(scaled) & ones);
}

float shoal::emu::decodeF16(uint16_t bits) {
  // Kept as a table: matrices of halves are decoded all the time.
  static const float *table = [] {
    float *values = new float[65536];
    for (uint32_t i = 0; i < 65536; ++i)
      values[i] = decode(formatF16, i);
    return values;
  }();
  return table[bits];
}
