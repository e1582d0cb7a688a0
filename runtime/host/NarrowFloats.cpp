#include "host/NarrowFloats.h"

#include <array>
#include <bit>
#include <cstring>

namespace shoal::rt {

namespace {

inline float fromBF16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
inline uint16_t toBF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  uint32_t quiet = bits >> 16 | 0x40;
  return static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? quiet
                                                                : rounded);
}

inline float fromF16(uint16_t half) {
  // The exponent is moved by a product, which makes subnormals right too.
  uint32_t magnitude = static_cast<uint32_t>(half & 0x7fff) << 13;
  uint32_t bits =
      std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  bits |= magnitude >= 0x0f800000 ? 0x7f800000 : 0;
  return std::bit_cast<float>(bits | static_cast<uint32_t>(half & 0x8000)
                                         << 16);
}
inline uint16_t toF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t magnitude = bits & 0x7fffffff, sign = bits >> 16 & 0x8000;
  uint32_t normal =
      (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
  // Beside 0.5 the last place of an f32 is that of a subnormal f16.
  uint32_t small =
      std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) -
      std::bit_cast<uint32_t>(0.5f);
  uint32_t result = magnitude < 0x38800000 ? small : normal;
  result = magnitude >= 0x477ff000 ? 0x7c00 : result;
  result = magnitude > 0x7f800000 ? 0x7e00 : result;
  return static_cast<uint16_t>(result | sign);
}

template <typename From, typename To, To (*convert)(From)>
[[gnu::always_inline]] inline void each(const From *from, int64_t fromStride,
                                        int64_t count, To *to,
                                        int64_t toStride) {
  if (fromStride == 1 && toStride == 1)
    for (int64_t i = 0; i < count; ++i)
      to[i] = convert(from[i]);
  else
    for (int64_t i = 0; i < count; ++i)
      to[i * toStride] = convert(from[i * fromStride]);
}

#define SHOAL_FOR_EACH_MACHINE                                                 \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))

SHOAL_FOR_EACH_MACHINE void widenBF16(const uint16_t *from, int64_t stride,
                                      int64_t count, float *to) {
  each<uint16_t, float, fromBF16>(from, stride, count, to, 1);
}
SHOAL_FOR_EACH_MACHINE void widenF16(const uint16_t *from, int64_t stride,
                                     int64_t count, float *to) {
  each<uint16_t, float, fromF16>(from, stride, count, to, 1);
}
SHOAL_FOR_EACH_MACHINE void narrowBF16(const float *from, int64_t count,
                                       uint16_t *to, int64_t stride) {
  each<float, uint16_t, toBF16>(from, 1, count, to, stride);
}
SHOAL_FOR_EACH_MACHINE void narrowF16(const float *from, int64_t count,
                                      uint16_t *to, int64_t stride) {
  each<float, uint16_t, toF16>(from, 1, count, to, stride);
}
#undef SHOAL_FOR_EACH_MACHINE

/// The values of all bytes of a format.
struct ByteValues {
  std::array<float, 256> f32;
  std::array<uint16_t, 256> bf16; // rounded
};
const ByteValues &valuesOf(DType type) {
  static const auto *tables = [] {
    auto *all = new std::array<ByteValues, numDTypes>();
    for (int type = 0; type < numDTypes; ++type)
      if (DType d = static_cast<DType>(type); isFloat(d) && byteSize(d) == 1)
        for (size_t byte = 0; byte < 256; ++byte) {
          auto bits = static_cast<uint8_t>(byte);
          float value = static_cast<float>(toDouble(d, &bits));
          (*all)[type].f32[byte] = value;
          (*all)[type].bf16[byte] = toBF16(value);
        }
    return all;
  }();
  return (*tables)[static_cast<size_t>(type)];
}

} // namespace

void widenFloats(DType type, const std::byte *from, int64_t stride,
                 int64_t count, float *to) {
  switch (type) {
  case DType::F32:
    for (int64_t i = 0; i < count; ++i)
      to[i] = reinterpret_cast<const float *>(from)[i * stride];
    return;
  case DType::BF16:
    return widenBF16(reinterpret_cast<const uint16_t *>(from), stride, count,
                     to);
  case DType::F16:
    return widenF16(reinterpret_cast<const uint16_t *>(from), stride, count,
                    to);
  default: {
    const std::array<float, 256> &values = valuesOf(type).f32;
    for (int64_t i = 0; i < count; ++i)
      to[i] = values[static_cast<size_t>(from[i * stride])];
  }
  }
}

bool isExactInBF16(DType type) {
  return type == DType::BF16 ||
         (isFloat(type) && byteSize(type) == 1 && type != DType::F8E8M0FNU);
}

void widenToBF16(DType type, const std::byte *from, int64_t stride,
                 int64_t count, uint16_t *to) {
  if (type == DType::BF16) {
    for (int64_t i = 0; i < count; ++i)
      to[i] = reinterpret_cast<const uint16_t *>(from)[i * stride];
    return;
  }
  const std::array<uint16_t, 256> &values = valuesOf(type).bf16;
  for (int64_t i = 0; i < count; ++i)
    to[i] = values[static_cast<size_t>(from[i * stride])];
}

void narrowFloats(DType type, const float *from, int64_t count, std::byte *to,
                  int64_t stride) {
  switch (type) {
  case DType::F32:
    for (int64_t i = 0; i < count; ++i)
      reinterpret_cast<float *>(to)[i * stride] = from[i];
    return;
  case DType::BF16:
    return narrowBF16(from, count, reinterpret_cast<uint16_t *>(to), stride);
  case DType::F16:
    return narrowF16(from, count, reinterpret_cast<uint16_t *>(to), stride);
  default:
    for (int64_t i = 0; i < count; ++i)
      fromDouble(type, static_cast<double>(from[i]), to + i * stride);
  }
}

} // namespace shoal::rt
