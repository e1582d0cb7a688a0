// Conversions between number formats, by the names of the intrinsics (f2i.rz,
// ff2bf16x2.rn, ff.to.e4m3x2.rn, …) and of PTX (cvt_rn_bf16x2_f32, …).
#include "Registry.h"

#include "Formats.h"

#include <cmath>
#include <limits>

using namespace shoal::emu;

namespace {
/// Where a value comes from or goes to.
struct Kind {
  enum { Float, Double, Signed, Unsigned, Small, TF32 } what;
  unsigned bits = 32;
  const Format *format = nullptr;
};

struct Form {
  Kind from, to;
  /// One: a value. Two: two values from two slots or from the halves of one.
  unsigned count;
  bool unpack, pack;
  Round round;
  bool flush, saturate, relu;
};
} // namespace

static double readValue(const Kind &kind, uint64_t bits) {
  switch (kind.what) {
  case Kind::Float:
    return get<float>(bits);
  case Kind::TF32:
    return truncateTF32(bits);
  case Kind::Double:
    return get<double>(bits);
  case Kind::Small:
    return decode(*kind.format, bits & ((uint64_t(1) << kind.bits) - 1));
  default:
    return 0;
  }
}

static double roundWhole(double value, Round round) {
  switch (round) {
  case Round::Zero:
    return std::trunc(value);
  case Round::Up:
    return std::ceil(value);
  case Round::Down:
    return std::floor(value);
  default:
    return std::nearbyint(value);
  }
}

static constexpr Format formatF32{8, 23, 127, false, false};
static constexpr Format formatTF32{8, 10, 127, false, false};

static uint64_t writeValue(const Form &form, double value) {
  const Kind &to = form.to;
  if (form.relu && !(value > 0) && !std::isnan(value))
    value = 0;
  switch (to.what) {
  case Kind::Float:
    return encode(formatF32, value, form.round, false);
  case Kind::TF32:
    return uint64_t(encode(formatTF32, value, form.round, form.saturate)) << 13;
  case Kind::Double:
    return put(value);
  case Kind::Small:
    return encode(*to.format, value, form.round, form.saturate);
  case Kind::Signed:
  case Kind::Unsigned: {
    // Out of range: the nearest integer; NaN: 0 (in 64 bits the top bit).
    if (std::isnan(value))
      return to.bits == 64 ? uint64_t(1) << 63 : 0;
    double whole = roundWhole(value, form.round);
    bool isSigned = to.what == Kind::Signed;
    double limit = std::ldexp(1.0, to.bits - isSigned);
    uint64_t all = ~uint64_t(0) >> (64 - to.bits);
    if (whole >= limit)
      return isSigned ? all >> 1 : all;
    if (isSigned)
      return whole < -limit ? uint64_t(1) << (to.bits - 1)
                            : uint64_t(int64_t(whole)) & all;
    return whole <= 0 ? 0 : uint64_t(whole);
  }
  }
  return 0;
}

/// From integers: exact in long double, rounded once.
static uint64_t fromInteger(const Form &form, uint64_t bits) {
  long double value =
      form.from.what == Kind::Signed
          ? (form.from.bits == 64 ? (long double)int64_t(bits)
                                  : (long double)int32_t(bits))
          : (form.from.bits == 64 ? (long double)bits
                                  : (long double)uint32_t(bits));
  // f64 would round a 64-bit integer once more: a sticky bit keeps the sense.
  double high = double(value);
  if (form.to.what == Kind::Double) {
    long double error = value - (long double)high;
    if (form.round == Round::Zero   ? (value > 0 ? error < 0 : error > 0)
        : form.round == Round::Down ? error < 0
                                    : false)
      high = std::nextafter(high, form.round == Round::Zero ? 0.0 : -INFINITY);
    if (form.round == Round::Up && error > 0)
      high = std::nextafter(high, INFINITY);
    return put(high);
  }
  long double error = value - (long double)high;
  if (error != 0) {
    // Towards the odd neighbour.
    uint64_t raw = put(high);
    bool outward = (error > 0) == (high > 0);
    if (!outward)
      --raw;
    high = get<double>(raw | 1);
  }
  return writeValue(form, high);
}

static void convert(Thread &, Site &site, const uint64_t *in, uint64_t *out) {
  const Form &form = *static_cast<const Form *>(site.data);
  if (form.from.what == Kind::Signed || form.from.what == Kind::Unsigned) {
    out[0] = fromInteger(form, in[0]);
    return;
  }
  uint64_t result = 0;
  for (unsigned i = 0; i < form.count; ++i) {
    // Of two values the first goes to the upper half.
    double value = form.unpack
                       ? readValue(form.from, in[0] >> form.from.bits * i)
                       : readValue(form.from, in[form.count - 1 - i]);
    if (form.flush && std::fabs(value) < 0x1p-126)
      value = std::copysign(0.0, value);
    uint64_t bits = writeValue(form, value);
    result |= form.pack ? bits << form.to.bits * i : bits;
  }
  out[0] = result;
}

static bool parseKind(std::string_view name, Kind &kind) {
  static const struct {
    const char *name;
    Kind kind;
  } names[] = {{"f", {Kind::Float}},
               {"f32", {Kind::Float}},
               {"d", {Kind::Double, 64}},
               {"f64", {Kind::Double, 64}},
               {"i", {Kind::Signed}},
               {"s32", {Kind::Signed}},
               {"ui", {Kind::Unsigned}},
               {"u32", {Kind::Unsigned}},
               {"ll", {Kind::Signed, 64}},
               {"s64", {Kind::Signed, 64}},
               {"ull", {Kind::Unsigned, 64}},
               {"u64", {Kind::Unsigned, 64}},
               {"h", {Kind::Small, 16, &formatF16}},
               {"f16", {Kind::Small, 16, &formatF16}},
               {"bf", {Kind::Small, 16, &formatBF16}},
               {"bf16", {Kind::Small, 16, &formatBF16}},
               {"tf32", {Kind::TF32}},
               {"e4m3", {Kind::Small, 8, &formatE4M3}},
               {"e5m2", {Kind::Small, 8, &formatE5M2}},
               {"e2m3", {Kind::Small, 8, &formatE2M3}},
               {"e3m2", {Kind::Small, 8, &formatE3M2}},
               {"e2m1", {Kind::Small, 4, &formatE2M1}}};
  for (auto &known : names)
    if (name == known.name) {
      kind = known.kind;
      return true;
    }
  return false;
}

/// A format, or two of it packed ("bf16x2").
static bool parsePacked(std::string_view name, Kind &kind, bool &packed) {
  packed = name.size() > 2 && name.substr(name.size() - 2) == "x2";
  return parseKind(packed ? name.substr(0, name.size() - 2) : name, kind);
}

Handler shoal::emu::findConvert(std::string_view name, Site &site) {
  auto parts = words(name);
  Form form{};
  std::string_view from, to;
  size_t two = parts[0].find('2');
  if (parts[0] == "cvt") {
    // cvt.MODIFIERS.TO.FROM: the last two formats.
    std::vector<std::string_view> kinds;
    for (std::string_view part : parts) {
      Kind kind;
      bool packed;
      if (parsePacked(part, kind, packed))
        kinds.push_back(part);
    }
    if (kinds.size() != 2)
      return nullptr;
    to = kinds[0], from = kinds[1];
  } else if (parts.size() >= 3 && parts[1] == "to") {
    from = parts[0], to = parts[2];
  } else if (two != parts[0].npos && two > 0) {
    from = parts[0].substr(0, two), to = parts[0].substr(two + 1);
  } else {
    return nullptr;
  }
  if (from == "ff")
    from = "f", form.count = 2;
  bool fromPacked, toPacked;
  if (!parsePacked(from, form.from, fromPacked) ||
      !parsePacked(to, form.to, toPacked))
    return nullptr;
  form.unpack = fromPacked;
  form.pack = toPacked;
  form.count = toPacked ? 2 : 1;
  form.saturate = form.to.what == Kind::Small && form.to.bits == 8;
  form.round = Round::Nearest;
  for (std::string_view part : parts) {
    if (part == "rna")
      form.round = Round::NearestAway;
    else if (part == "rz" || part == "rzi")
      form.round = Round::Zero;
    else if (part == "rp" || part == "rpi")
      form.round = Round::Up;
    else if (part == "rm" || part == "rmi")
      form.round = Round::Down;
    else if (part == "rs")
      return nullptr;
    form.flush |= part == "ftz";
    form.relu |= part == "relu";
    form.saturate |= part == "satfinite";
  }
  site.data = new Form(form);
  return convert;
}
