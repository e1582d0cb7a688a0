// Integers and bits of one thread: prmt, dp4a, high products, funnel shifts, ….
#include "Registry.h"

#include <algorithm>

using namespace shoal::emu;

/// A selector's low 3 bits choose a byte of {b, a}; bit 3 spreads its sign.
static uint32_t permute(uint32_t a, uint32_t b, uint32_t selectors) {
  uint64_t bytes = uint64_t(b) << 32 | a;
  uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    uint32_t selector = selectors >> 4 * i & 15;
    uint8_t byte = bytes >> 8 * (selector & 7);
    if (selector & 8)
      byte = byte & 0x80 ? 0xff : 0;
    result |= uint32_t(byte) << 8 * i;
  }
  return result;
}

static void prmt(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  out[0] = permute(in[0], in[1], in[2]);
}
/// The modes f4e and b4e: four bytes from byte c on, upwards or downwards.
template <int step>
static void prmtExtract(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  uint32_t selectors = 0, c = in[2] & 3;
  for (unsigned i = 0; i < 4; ++i)
    selectors |= (c + step * int(i) & 7) << 4 * i;
  out[0] = permute(in[0], in[1], selectors);
}
/// One byte or half in all places, or clamped to the edges: (a, c).
template <int mode>
static void prmtOne(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  uint32_t c = in[1] & 3, selectors = 0;
  for (uint32_t i = 0; i < 4; ++i) {
    uint32_t from = mode == 0   ? c                     // rc8
                    : mode == 1 ? (c & 1) * 2 + (i & 1) // rc16
                    : mode == 2 ? std::max(i, c)        // ecl
                                : std::min(i, c);       // ecr
    selectors |= from << 4 * i;
  }
  out[0] = permute(in[0], 0, selectors);
}

template <bool signedA, bool signedB>
static void dp4a(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  uint32_t sum = in[2];
  for (unsigned i = 0; i < 4; ++i) {
    uint8_t a = in[0] >> 8 * i, b = in[1] >> 8 * i;
    sum += uint32_t((signedA ? int8_t(a) : int(a)) *
                    (signedB ? int8_t(b) : int(b)));
  }
  out[0] = sum;
}

/// (a, b, whether the upper bytes of b, c).
template <bool signedA, bool signedB>
static void dp2a(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  uint32_t sum = in[3];
  for (unsigned i = 0; i < 2; ++i) {
    uint16_t a = in[0] >> 16 * i;
    uint8_t b = in[1] >> 8 * (i + (in[2] & 1 ? 2 : 0));
    sum += uint32_t((signedA ? int16_t(a) : int(a)) *
                    (signedB ? int8_t(b) : int(b)));
  }
  out[0] = sum;
}

template <typename T, typename Wide>
static void mulHigh(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  out[0] = put(T(Wide(get<T>(in[0])) * Wide(get<T>(in[1])) >> sizeof(T) * 8));
}
template <typename T>
static void absDifference(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  T a = get<T>(in[0]), b = get<T>(in[1]);
  out[0] = put(T((a > b ? a - b : b - a) + get<T>(in[2])));
}
template <bool isSigned>
static void mul24(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  uint32_t a = in[0] << 8, b = in[1] << 8;
  out[0] = isSigned ? uint32_t((int64_t(int32_t(a)) >> 8) * (int32_t(b) >> 8))
                    : (a >> 8) * (b >> 8);
}

static void shiftLeft(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  uint64_t both = in[0] << 32 | uint32_t(in[1]);
  uint32_t by = std::min<uint32_t>(in[2], 32);
  out[0] = uint32_t(both >> (32 - by));
}
static void shiftRight(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  uint64_t both = in[0] << 32 | uint32_t(in[1]);
  out[0] = uint32_t(both >> std::min<uint32_t>(in[2], 32));
}
template <bool clamp>
static void mask(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  uint32_t from = in[0], width = in[1];
  if (!clamp)
    from &= 31, width &= 31;
  width = std::min(width, 32u);
  out[0] = from >= 32 ? 0 : uint32_t(((uint64_t(1) << width) - 1) << from);
}

static void low(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  out[0] = uint32_t(in[0]);
}
static void high(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  out[0] = in[0] >> 32;
}
static void join(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  out[0] = uint32_t(in[0]) | in[1] << 32;
}
static void same(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  out[0] = in[0];
}
/// The place of the highest bit that differs from the sign; none: all ones.
template <bool isSigned>
static void findLeading(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  uint32_t x = in[0];
  if (isSigned && int32_t(x) < 0)
    x = ~x;
  out[0] = x ? 31 - __builtin_clz(x) : 0xffffffff;
}
/// The lowest b bits of a, extended.
template <bool isSigned, bool clamp>
static void extend(Thread &, Site &, const uint64_t *in, uint64_t *out) {
  uint32_t width = clamp ? std::min<uint32_t>(in[1], 32) : in[1] & 31;
  uint32_t x = width ? uint32_t(in[0]) << (32 - width) : 0;
  out[0] = !width     ? 0
           : isSigned ? uint32_t(int32_t(x) >> (32 - width))
                      : x >> (32 - width);
}
static void zero(Thread &, Site &, const uint64_t *, uint64_t *out) {
  out[0] = 0;
}
static void isInShared(Thread &thread, Site &, const uint64_t *in,
                       uint64_t *out) {
  out[0] = isShared(*thread.block, reinterpret_cast<void *>(in[0]));
}
static void isInGlobal(Thread &thread, Site &, const uint64_t *in,
                       uint64_t *out) {
  out[0] = !isShared(*thread.block, reinterpret_cast<void *>(in[0]));
}

static constexpr Instruction table[] = {
    {"prmt", prmt},
    {"prmt.f4e", prmtExtract<1>},
    {"prmt.b4e", prmtExtract<-1>},
    {"prmt.rc8", prmtOne<0>},
    {"prmt.rc16", prmtOne<1>},
    {"prmt.ecl", prmtOne<2>},
    {"prmt.ecr", prmtOne<3>},
    {"idp4a.s.s", dp4a<true, true>},
    {"idp4a.s.u", dp4a<true, false>},
    {"idp4a.u.s", dp4a<false, true>},
    {"idp4a.u.u", dp4a<false, false>},
    {"idp2a.s.s", dp2a<true, true>},
    {"idp2a.s.u", dp2a<true, false>},
    {"idp2a.u.s", dp2a<false, true>},
    {"idp2a.u.u", dp2a<false, false>},
    {"mulhi.s", mulHigh<int16_t, int32_t>},
    {"mulhi.us", mulHigh<uint16_t, uint32_t>},
    {"mulhi.i", mulHigh<int32_t, int64_t>},
    {"mulhi.ui", mulHigh<uint32_t, uint64_t>},
    {"mulhi.ll", mulHigh<int64_t, __int128>},
    {"mulhi.ull", mulHigh<uint64_t, unsigned __int128>},
    {"sad.s", absDifference<int16_t>},
    {"sad.us", absDifference<uint16_t>},
    {"sad.i", absDifference<int32_t>},
    {"sad.ui", absDifference<uint32_t>},
    {"sad.ll", absDifference<int64_t>},
    {"sad.ull", absDifference<uint64_t>},
    {"mul24.i", mul24<true>},
    {"mul24.ui", mul24<false>},
    {"fshl.clamp", shiftLeft},
    {"fshr.clamp", shiftRight},
    {"bmsk.clamp", mask<true>},
    {"bmsk.wrap", mask<false>},
    {"d2i.lo", low},
    {"d2i.hi", high},
    {"lohi.i2d", join},
    {"flo.u", findLeading<false>},
    {"flo.s", findLeading<true>},
    {"sext.clamp", extend<true, true>},
    {"sext.wrap", extend<true, false>},
    {"zext.clamp", extend<false, true>},
    {"zext.wrap", extend<false, false>},
    {"move.i16", same},
    {"move.i32", same},
    {"move.i64", same},
    {"move.float", same},
    {"move.double", same},
    {"isspacep.shared", isInShared},
    {"isspacep.shared.cluster", isInShared},
    {"isspacep.global", isInGlobal},
    {"isspacep.local", zero},
    {"isspacep.const", zero},
    // A cluster of one block.
    {"getctarank", zero},
    {"getctarank.shared.cluster", zero},
    {"mapa", same},
    {"mapa.shared.cluster", same},
};

Handler shoal::emu::findInteger(std::string_view name, Site &) {
  return lookUp(table, name);
}
