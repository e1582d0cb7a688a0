// Small floating-point formats, by their bits.
#ifndef SHOAL_TEST_EMULATOR_FORMATS_H
#define SHOAL_TEST_EMULATOR_FORMATS_H

#include <cstdint>
#include <cstring>

namespace shoal::emu {

/// A format of sign, exponent and mantissa. `finite`: no infinities, and only
/// the all-ones pattern is NaN (e4m3fn); `noNan`: every pattern is a number.
struct Format {
  unsigned exponentBits, mantissaBits;
  int bias;
  bool finite, noNan;
};

constexpr Format formatF16{5, 10, 15, false, false};
constexpr Format formatBF16{8, 7, 127, false, false};
constexpr Format formatE4M3{4, 3, 7, true, false};
constexpr Format formatE5M2{5, 2, 15, false, false};
constexpr Format formatE2M3{2, 3, 1, true, true};
constexpr Format formatE3M2{3, 2, 3, true, true};
constexpr Format formatE2M1{2, 1, 1, true, true};

double decode(const Format &format, uint32_t bits);

enum class Round { Nearest, NearestAway, Zero, Up, Down };

/// `saturate`: what is too large becomes the largest number, a NaN stays one
/// (zero-free formats: the largest).
uint32_t encode(const Format &format, double value, Round round, bool saturate);

inline float decodeBF16(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}
float decodeF16(uint16_t bits);
inline uint16_t encodeF16(double value) {
  return encode(formatF16, value, Round::Nearest, false);
}
inline uint16_t encodeBF16(double value) {
  return encode(formatBF16, value, Round::Nearest, false);
}

/// f32 with the mantissa cut to 10 bits, as the tensor cores read tf32.
inline float truncateTF32(uint32_t bits) {
  bits &= ~0x1fffu;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

} // namespace shoal::emu

#endif // SHOAL_TEST_EMULATOR_FORMATS_H
