// Counter-based random bits (Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3"), laid out over tensors as XLA lays them out.
#include "shoal/runtime/DType.h"
#include "shoal/runtime/Support.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace {

struct Words2 {
  uint32_t w[2];
};
struct Words4 {
  uint32_t w[4];
};

Words2 threeFry2x32(uint64_t key, uint64_t counter) {
  static constexpr int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  uint32_t keys[3] = {k0, k1, k0 ^ k1 ^ 0x1bd11bda};
  uint32_t x0 = uint32_t(counter) + keys[0];
  uint32_t x1 = uint32_t(counter >> 32) + keys[1];
  for (uint32_t round = 0; round < 5; ++round) {
    for (int rotation : rotations[round % 2]) {
      x0 += x1;
      x1 = std::rotl(x1, rotation) ^ x0;
    }
    x0 += keys[(round + 1) % 3];
    x1 += keys[(round + 2) % 3] + round + 1;
  }
  return {{x0, x1}};
}

Words4 philox4x32(uint64_t key, uint64_t low, uint64_t high) {
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  uint32_t x[4] = {uint32_t(low), uint32_t(low >> 32), uint32_t(high),
                   uint32_t(high >> 32)};
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t(x[0]) * 0xd2511f53u;
    uint64_t p1 = uint64_t(x[2]) * 0xcd9e8d57u;
    uint32_t next[4] = {uint32_t(p1 >> 32) ^ x[1] ^ k0, uint32_t(p1),
                        uint32_t(p0 >> 32) ^ x[3] ^ k1, uint32_t(p0)};
    std::memcpy(x, next, sizeof(x));
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return {{x[0], x[1], x[2], x[3]}};
}

/// Element `at` of `out`: the low bytes of the value.
void put(void *out, int64_t at, uint64_t value, int64_t bytes) {
  std::memcpy(static_cast<char *>(out) + at * bytes, &value, bytes);
}

/// Elements of 32 bits or less take both words of a counter: the shape is cut
/// in halves along its first even dimension (else its largest), which are
/// interleaved in the result.
uint64_t threeFry(uint64_t key, uint64_t counter, int64_t bytes, int64_t rank,
                  const int64_t *dims, void *out) {
  int64_t count = 1;
  for (int64_t d = 0; d < rank; ++d)
    count *= dims[d];
  if (bytes == 8) {
    for (int64_t i = 0; i < count; ++i) {
      Words2 r = threeFry2x32(key, counter + i);
      put(out, i, r.w[0] | uint64_t(r.w[1]) << 32, bytes);
    }
    return counter + count;
  }
  int64_t split = -1;
  for (int64_t d = 0; d < rank && split < 0; ++d)
    if (dims[d] % 2 == 0)
      split = d;
  if (split < 0)
    for (int64_t d = 0; d < rank; ++d)
      if (split < 0 || dims[d] > dims[split])
        split = d;
  int64_t length = rank ? dims[split] : 1, outer = 1, inner = 1;
  for (int64_t d = 0; d < split; ++d)
    outer *= dims[d];
  for (int64_t d = split + 1; d < rank; ++d)
    inner *= dims[d];
  int64_t half = (length + 1) / 2;
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t h = 0; h < half; ++h)
      for (int64_t i = 0; i < inner; ++i) {
        Words2 r = threeFry2x32(key, counter + (o * half + h) * inner + i);
        for (int64_t which = 0; which < 2; ++which)
          if (2 * h + which < length)
            put(out, (o * length + 2 * h + which) * inner + i, r.w[which],
                bytes);
      }
  return counter + outer * half * inner;
}

/// Fills `count` elements from consecutive counters; returns how many counters
/// were used.
uint64_t philox(uint64_t key, uint64_t low, uint64_t high, int64_t bytes,
                int64_t count, void *out) {
  int64_t perBlock = bytes == 8 ? 2 : 4;
  int64_t blocks = (count + perBlock - 1) / perBlock;
  for (int64_t b = 0; b < blocks; ++b) {
    uint64_t l = low + b;
    Words4 r = philox4x32(key, l, high + (l < low));
    for (int64_t j = 0; j < perBlock && b * perBlock + j < count; ++j) {
      uint64_t value =
          bytes == 8 ? r.w[2 * j] | uint64_t(r.w[2 * j + 1]) << 32 : r.w[j];
      put(out, b * perBlock + j, value, bytes);
    }
  }
  return blocks;
}

/// 53 random bits as a number in [0, 1).
double unit(uint32_t a, uint32_t b) {
  return ((uint64_t(a) << 32 | b) >> 11) * 0x1p-53;
}

} // namespace

extern "C" __attribute__((visibility("default"))) void
shoal_rt_random_bits(int32_t algorithm, const void *state, int64_t stateBytes,
                     void *newState, int64_t elementBytes, int64_t rank,
                     const int64_t *dims, void *out) {
  uint64_t words[3] = {0, 0, 0};
  std::memcpy(words, state, stateBytes < 24 ? stateBytes : 24);
  if (algorithm == ShoalThreeFry) {
    words[1] = threeFry(words[0], words[1], elementBytes, rank, dims, out);
  } else {
    int64_t count = 1;
    for (int64_t d = 0; d < rank; ++d)
      count *= dims[d];
    // A state of 16 bytes has its key as the counter's high half.
    uint64_t high = stateBytes < 24 ? words[0] : words[2];
    uint64_t used = philox(words[0], words[1], high, elementBytes, count, out);
    uint64_t low = words[1] + used;
    words[2] += low < words[1];
    words[1] = low;
  }
  std::memcpy(newState, words, stateBytes < 24 ? stateBytes : 24);
}

extern "C" __attribute__((visibility("default"))) void
shoal_rt_random(int32_t distribution, int32_t dtype, const void *a,
                const void *b, uint64_t seed, int64_t count, void *out) {
  using namespace shoal::rt;
  DType type = static_cast<DType>(dtype);
  int64_t bytes = byteSize(type);
  char *at = static_cast<char *>(out);
  double low = toDouble(type, a), high = toDouble(type, b);
  int64_t lowInt = isInteger(type) ? toInt64(type, a) : 0;
  uint64_t range = isInteger(type) ? uint64_t(toInt64(type, b)) - lowInt : 0;
  for (int64_t i = 0; i < count; ++i, at += bytes) {
    Words4 r = philox4x32(seed, i, 0);
    if (isInteger(type)) {
      uint64_t bits = r.w[0] | uint64_t(r.w[1]) << 32;
      // High part of the product: uniform up to 2^-64 of the range.
      uint64_t offset = uint64_t((unsigned __int128)(bits)*range >> 64);
      uint64_t value = uint64_t(lowInt) + offset;
      std::memcpy(at, &value, bytes);
      continue;
    }
    double u = unit(r.w[0], r.w[1]);
    double value = low + (high - low) * u;
    if (distribution == ShoalNormal) {
      // Box and Muller; 1 - u is never zero.
      double v = unit(r.w[2], r.w[3]);
      value = low + high * std::sqrt(-2 * std::log(1 - u)) *
                        std::cos(6.283185307179586 * v);
    }
    fromDouble(type, value, at);
    // Rounding must not reach the open end.
    if (distribution == ShoalUniform && low < high &&
        toDouble(type, at) >= high)
      fromDouble(type, low, at);
  }
}
