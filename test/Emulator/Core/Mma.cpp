// mma.sync: the warp's fragments are put together to matrices, multiplied, and
// taken apart again. One formula gives the fragments of all shapes (PTX ISA,
// "Matrix fragments for mma"): with e elements in a register, g = lane / 4 and
// t = lane % 4,
//   A's register r holds row g + 8 (r % 2), columns t e + 4 e (r / 2) + i,
//   B's register r holds rows t e + 4 e r + i, column g,
//   C's element  r holds row g + 8 (r / 2), column 2 t + r % 2,
// and with 8 rows A has no second half: register r holds columns 4 e r + ….
#include "Registry.h"

#include "Formats.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

using namespace shoal::emu;

namespace {
enum class Type { F16, BF16, TF32, F64, S8, U8, S4, U4, E4M3, E5M2 };

struct Form {
  unsigned m, k;
  Type a, b;
  bool halfC, halfD, saturate;
};

template <Type type>
struct Elements;

#define ELEMENTS(NAME, VALUE, PER_REGISTER, EXPRESSION)                        \
  template <>                                                                  \
  struct Elements<Type::NAME> {                                                \
    using Value = VALUE;                                                       \
    static constexpr unsigned perRegister = PER_REGISTER;                      \
    static Value read(uint64_t bits, unsigned i) { return EXPRESSION; }        \
  };
ELEMENTS(F16, float, 2, decodeF16(uint16_t(bits >> 16 * i)))
ELEMENTS(BF16, float, 2, decodeBF16(uint16_t(bits >> 16 * i)))
ELEMENTS(TF32, float, 1, truncateTF32(uint32_t(bits)))
ELEMENTS(F64, double, 1, get<double>(bits))
ELEMENTS(S8, int32_t, 4, int8_t(bits >> 8 * i))
ELEMENTS(U8, int32_t, 4, uint8_t(bits >> 8 * i))
ELEMENTS(S4, int32_t, 8, int8_t(uint8_t(bits >> 4 * i) << 4) >> 4)
ELEMENTS(U4, int32_t, 8, int32_t(bits >> 4 * i & 15))
#undef ELEMENTS

template <const Format &format>
float small(uint8_t bits) {
  static const float *table = [] {
    float *values = new float[256];
    for (unsigned i = 0; i < 256; ++i)
      values[i] = decode(format, i);
    return values;
  }();
  return table[bits];
}
template <>
struct Elements<Type::E4M3> {
  using Value = float;
  static constexpr unsigned perRegister = 4;
  static float read(uint64_t bits, unsigned i) {
    return small<formatE4M3>(uint8_t(bits >> 8 * i));
  }
};
template <>
struct Elements<Type::E5M2> {
  using Value = float;
  static constexpr unsigned perRegister = 4;
  static float read(uint64_t bits, unsigned i) {
    return small<formatE5M2>(uint8_t(bits >> 8 * i));
  }
};
} // namespace

/// d[m][8] += a[m][k] b[k][8], the inner loop over a vector of 8.
template <typename V>
__attribute__((always_inline)) static inline void
multiplyHere(unsigned m, unsigned k, const V *a, const V *b, V *d) {
  for (unsigned row = 0; row < m; ++row) {
    V sum[8];
    std::memcpy(sum, d + row * 8, sizeof sum);
    for (unsigned i = 0; i < k; ++i) {
      V factor = a[row * k + i];
      for (unsigned column = 0; column < 8; ++column)
        if constexpr (std::is_integral_v<V>)
          sum[column] = int32_t(uint32_t(sum[column]) +
                                uint32_t(factor * b[i * 8 + column]));
        else
          sum[column] += factor * b[i * 8 + column];
    }
    std::memcpy(d + row * 8, sum, sizeof sum);
  }
}

#define MULTIPLY(V)                                                            \
  __attribute__((target_clones("arch=x86-64-v3", "default"))) static void      \
  multiply(unsigned m, unsigned k, const V *a, const V *b, V *d) {             \
    multiplyHere<V>(m, k, a, b, d);                                            \
  }
MULTIPLY(float)
MULTIPLY(double)
MULTIPLY(int32_t)
#undef MULTIPLY

template <typename V>
static V readC(const uint64_t *c, unsigned i, bool half) {
  if constexpr (std::is_same_v<V, float>)
    if (half)
      return decodeF16(uint16_t(c[i / 2] >> 16 * (i % 2)));
  return get<V>(c[i]);
}

/// Saturated integers: the exact sum, cut once.
template <Type typeA, Type typeB>
static void saturated(const Form &form, const int32_t *a, const int32_t *b,
                      int32_t *d) {
  for (unsigned row = 0; row < form.m; ++row)
    for (unsigned column = 0; column < 8; ++column) {
      int64_t sum = d[row * 8 + column];
      for (unsigned i = 0; i < form.k; ++i)
        sum += int64_t(a[row * form.k + i]) * b[i * 8 + column];
      sum = std::min<int64_t>(sum, std::numeric_limits<int32_t>::max());
      sum = std::max<int64_t>(sum, std::numeric_limits<int32_t>::min());
      d[row * 8 + column] = sum;
    }
}

template <Type typeA, Type typeB>
static void act(Site &site, Thread *const *lanes, uint32_t mask) {
  using A = Elements<typeA>;
  using B = Elements<typeB>;
  using V = typename A::Value;
  const Form &form = *static_cast<const Form *>(site.data);
  if (mask != ~0u)
    fail(&site, format("takes the whole warp, not lanes 0x%08x", mask));
  constexpr unsigned e = A::perRegister;
  alignas(32) V a[16 * 64], b[64 * 8], d[16 * 8];
  unsigned halves = form.m / 8, k = form.k;
  unsigned aRegisters = halves * k / (4 * e), bRegisters = k / (4 * e);
  unsigned cElements = form.m / 4;
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    const uint64_t *in = lanes[lane]->in;
    unsigned g = lane / 4, t = lane % 4;
    for (unsigned r = 0; r < aRegisters; ++r)
      for (unsigned i = 0; i < e; ++i)
        a[(g + 8 * (r % halves)) * k + t * e + 4 * e * (r / halves) + i] =
            A::read(in[r], i);
    for (unsigned r = 0; r < bRegisters; ++r)
      for (unsigned i = 0; i < e; ++i)
        b[(t * e + 4 * e * r + i) * 8 + g] = B::read(in[aRegisters + r], i);
    const uint64_t *c = in + aRegisters + bRegisters;
    for (unsigned r = 0; r < cElements; ++r)
      d[(g + 8 * (r / 2)) * 8 + 2 * t + r % 2] = readC<V>(c, r, form.halfC);
  }
  if constexpr (std::is_integral_v<V>) {
    if (form.saturate)
      saturated<typeA, typeB>(form, a, b, d);
    else
      multiply(form.m, k, a, b, d);
  } else {
    multiply(form.m, k, a, b, d);
  }
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    uint64_t *out = lanes[lane]->out;
    unsigned g = lane / 4, t = lane % 4;
    for (unsigned r = 0; r < cElements; ++r) {
      V value = d[(g + 8 * (r / 2)) * 8 + 2 * t + r % 2];
      if (!form.halfD)
        out[r] = put(value);
      else if (r % 2 == 0)
        out[r / 2] = encodeF16(value);
      else
        out[r / 2] |= uint64_t(encodeF16(value)) << 16;
    }
  }
}

template <Type a, Type b>
static void mma(Thread &thread, Site &site, const uint64_t *in, uint64_t *out) {
  meetWarp(thread, site, ~0u, in, out, act<a, b>);
}

static bool parseType(std::string_view word, Type &type) {
  static constexpr struct {
    const char *name;
    Type type;
  } names[] = {{"f16", Type::F16},  {"bf16", Type::BF16}, {"tf32", Type::TF32},
               {"f64", Type::F64},  {"s8", Type::S8},     {"u8", Type::U8},
               {"s4", Type::S4},    {"u4", Type::U4},     {"e4m3", Type::E4M3},
               {"e5m2", Type::E5M2}};
  for (auto &known : names)
    if (word == known.name) {
      type = known.type;
      return true;
    }
  return false;
}

static Handler pick(Type a, Type b) {
  switch (a) {
  case Type::F16:
    return mma<Type::F16, Type::F16>;
  case Type::BF16:
    return mma<Type::BF16, Type::BF16>;
  case Type::TF32:
    return mma<Type::TF32, Type::TF32>;
  case Type::F64:
    return mma<Type::F64, Type::F64>;
  case Type::S8:
    return b == Type::S8 ? mma<Type::S8, Type::S8> : mma<Type::S8, Type::U8>;
  case Type::U8:
    return b == Type::S8 ? mma<Type::U8, Type::S8> : mma<Type::U8, Type::U8>;
  case Type::S4:
    return b == Type::S4 ? mma<Type::S4, Type::S4> : mma<Type::S4, Type::U4>;
  case Type::U4:
    return b == Type::S4 ? mma<Type::U4, Type::S4> : mma<Type::U4, Type::U4>;
  case Type::E4M3:
    return b == Type::E4M3 ? mma<Type::E4M3, Type::E4M3>
                           : mma<Type::E4M3, Type::E5M2>;
  case Type::E5M2:
    return b == Type::E4M3 ? mma<Type::E5M2, Type::E4M3>
                           : mma<Type::E5M2, Type::E5M2>;
  }
  return nullptr;
}

static bool isAccumulator(std::string_view type) {
  return type == "f32" || type == "s32" || type == "f16" || type == "f64";
}

/// mma.SHAPE.row.col[.satfinite].TYPES, where TYPES of an intrinsic are
/// `d.a.b.c`, or `d.c` with halves as inputs, or those of the inputs alone,
/// and of a shoal_ptx_ function `d.a` or `d.a.b`.
Handler shoal::emu::findMma(std::string_view name, Site &site) {
  auto parts = words(name);
  if (parts[0] != "mma" || has(parts, "sp") || has(parts, "scale") ||
      has(parts, "popc"))
    return nullptr;
  Form form{};
  std::vector<std::string_view> types;
  for (std::string_view part : parts) {
    unsigned n;
    if (std::sscanf(std::string(part).c_str(), "m%un%uk%u", &form.m, &n,
                    &form.k) == 3) {
      if (n != 8 || (form.m != 8 && form.m != 16))
        return nullptr;
      continue;
    }
    Type type;
    if (part == "satfinite")
      form.saturate = true;
    else if (parseType(part, type) || part == "f32" || part == "s32")
      types.push_back(part);
  }
  std::string_view a, b, c = "f32", d = "f32";
  if (types.size() == 4)
    d = types[0], a = types[1], b = types[2], c = types[3];
  else if (types.size() == 3)
    d = c = types[0], a = types[1], b = types[2];
  else if (types.size() == 2 && isAccumulator(types[0])) {
    // `d.c` of halves, or `d.a`.
    d = types[0];
    c = types[1] == "f32" ? types[1] : d;
    a = b = types[1] == "f32" ? "f16" : types[1];
  } else if (types.size() == 2)
    a = types[0], b = types[1];
  else if (types.size() == 1)
    a = b = types[0];
  if (!form.m || !parseType(a, form.a) || !parseType(b, form.b))
    return nullptr;
  // Volta's layout is another.
  if (form.a == Type::F16 && form.m == 8)
    return nullptr;
  form.halfC = c == "f16";
  form.halfD = d == "f16";
  site.data = new Form(form);
  return pick(form.a, form.b);
}
