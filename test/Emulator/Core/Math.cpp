// Arithmetic of one thread: add, mul, fma, div, sqrt, the approximations,
// minima, roundings; f32, f64 and (packed) f16 and bf16.
#include "Registry.h"

#include "Formats.h"

#include <cfenv>
#include <cmath>
#include <limits>

using namespace shoal::emu;

namespace {
enum class Op {
  Add,
  Sub,
  Mul,
  Div,
  Fma,
  Rcp,
  Sqrt,
  Rsqrt,
  Ex2,
  Lg2,
  Sin,
  Cos,
  Tanh,
  Abs,
  Neg,
  Min,
  Max,
  Floor,
  Ceil,
  Trunc,
  Round,
  Saturate
};
enum class Type { F32, F64, F16, BF16 };

struct Form {
  Op op;
  Type type;
  unsigned count; ///< elements in a value: 1, or 2 in a packed one
  int mode;       ///< of rounding, as fesetround takes it
  bool flush, saturate, relu, nan, abs, xorSign;
};
} // namespace

template <typename T>
static T flush(T x) {
  return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(T(0), x) : x;
}

template <typename T>
static T minMax(const Form &form, T x, T y) {
  bool sign = std::signbit(x) != std::signbit(y);
  if (form.abs)
    x = std::fabs(x), y = std::fabs(y);
  T result;
  if (std::isnan(x) || std::isnan(y))
    result = form.nan || (std::isnan(x) && std::isnan(y))
                 ? std::numeric_limits<T>::quiet_NaN()
                 : (std::isnan(x) ? y : x);
  else if (x == y)
    // -0 is less than +0.
    result = (form.op == Op::Min) == std::signbit(x) ? x : y;
  else
    result = (x < y) == (form.op == Op::Min) ? x : y;
  return form.xorSign && !std::isnan(result)
             ? std::copysign(result, sign ? T(-1) : T(1))
             : result;
}

/// Not inlined, so that the rounding mode in force is the one used.
template <typename T>
__attribute__((noinline)) static T exact(Op op, T first, T second, T third) {
  volatile T x = first, y = second, z = third;
  switch (op) {
  case Op::Add:
    return x + y;
  case Op::Sub:
    return x - y;
  case Op::Mul:
    return x * y;
  case Op::Div:
    return x / y;
  case Op::Rcp:
    return T(1) / x;
  case Op::Sqrt:
    return std::sqrt(x);
  default:
    return std::fma(x, y, z);
  }
}

template <typename T>
static T compute(const Form &form, T x, T y, T z) {
  if (form.flush)
    x = flush(x), y = flush(y), z = flush(z);
  T result;
  switch (form.op) {
  case Op::Add:
  case Op::Sub:
  case Op::Mul:
  case Op::Div:
  case Op::Rcp:
  case Op::Sqrt:
  case Op::Fma:
    if (form.mode != FE_TONEAREST)
      std::fesetround(form.mode);
    result = exact<T>(form.op, x, y, z);
    if (form.mode != FE_TONEAREST)
      std::fesetround(FE_TONEAREST);
    break;
  case Op::Rsqrt:
    result = T(1 / std::sqrt(double(x)));
    break;
  case Op::Ex2:
    result = std::exp2(x);
    break;
  case Op::Lg2:
    result = std::log2(x);
    break;
  case Op::Sin:
    result = std::sin(x);
    break;
  case Op::Cos:
    result = std::cos(x);
    break;
  case Op::Tanh:
    result = std::tanh(x);
    break;
  case Op::Abs:
    result = std::fabs(x);
    break;
  case Op::Neg:
    result = -x;
    break;
  case Op::Min:
  case Op::Max:
    result = minMax(form, x, y);
    break;
  case Op::Floor:
    result = std::floor(x);
    break;
  case Op::Ceil:
    result = std::ceil(x);
    break;
  case Op::Trunc:
    result = std::trunc(x);
    break;
  case Op::Round:
    result = std::nearbyint(x);
    break;
  case Op::Saturate:
    result = x;
    break;
  }
  if (form.saturate || form.op == Op::Saturate)
    result = std::isnan(result) ? 0 : std::fmin(std::fmax(result, T(0)), T(1));
  if (form.relu && result < 0)
    result = 0;
  return form.flush ? flush(result) : result;
}

static void calculate(Thread &, Site &site, const uint64_t *in, uint64_t *out) {
  const Form &form = *static_cast<const Form *>(site.data);
  switch (form.type) {
  case Type::F32:
    out[0] = put(
        compute(form, get<float>(in[0]), get<float>(in[1]), get<float>(in[2])));
    return;
  case Type::F64:
    out[0] = put(compute(form, get<double>(in[0]), get<double>(in[1]),
                         get<double>(in[2])));
    return;
  case Type::F16:
  case Type::BF16: {
    // In f64, which holds a product exactly, and rounded once.
    uint64_t result = 0;
    for (unsigned i = 0; i < form.count; ++i) {
      double values[3];
      for (unsigned j = 0; j < 3; ++j) {
        uint16_t bits = in[j] >> 16 * i;
        values[j] = form.type == Type::F16 ? decodeF16(bits) : decodeBF16(bits);
      }
      double value = compute(form, values[0], values[1], values[2]);
      uint16_t bits =
          form.type == Type::F16 ? encodeF16(value) : encodeBF16(value);
      result |= uint64_t(bits) << 16 * i;
    }
    out[0] = result;
    return;
  }
  }
}

/// f32 with one or two arguments must not read slots that are not there, but
/// the slots of a function are shared and at least as many as any call needs;
/// so the handler for few arguments copies them first.
template <unsigned arguments>
static void calculateFew(Thread &thread, Site &site, const uint64_t *in,
                         uint64_t *out) {
  uint64_t copy[3] = {};
  for (unsigned i = 0; i < arguments; ++i)
    copy[i] = in[i];
  calculate(thread, site, copy, out);
}

static bool parseOp(std::string_view word, Op &op, unsigned &arguments) {
  static constexpr struct {
    const char *name;
    Op op;
    unsigned arguments;
  } names[] = {{"add", Op::Add, 2},          {"sub", Op::Sub, 2},
               {"mul", Op::Mul, 2},          {"div", Op::Div, 2},
               {"fma", Op::Fma, 3},          {"rcp", Op::Rcp, 1},
               {"sqrt", Op::Sqrt, 1},        {"rsqrt", Op::Rsqrt, 1},
               {"ex2", Op::Ex2, 1},          {"lg2", Op::Lg2, 1},
               {"sin", Op::Sin, 1},          {"cos", Op::Cos, 1},
               {"tanh", Op::Tanh, 1},        {"fabs", Op::Abs, 1},
               {"abs", Op::Abs, 1},          {"neg", Op::Neg, 1},
               {"fmin", Op::Min, 2},         {"fmax", Op::Max, 2},
               {"min", Op::Min, 2},          {"max", Op::Max, 2},
               {"floor", Op::Floor, 1},      {"ceil", Op::Ceil, 1},
               {"trunc", Op::Trunc, 1},      {"round", Op::Round, 1},
               {"saturate", Op::Saturate, 1}};
  for (auto &known : names)
    if (word == known.name) {
      op = known.op;
      arguments = known.arguments;
      return true;
    }
  return false;
}

Handler shoal::emu::findMath(std::string_view name, Site &site) {
  auto parts = words(name);
  Form form{};
  unsigned arguments;
  if (!parseOp(parts[0], form.op, arguments))
    return nullptr;
  form.type = Type::F32;
  form.count = 1;
  form.mode = FE_TONEAREST;
  for (std::string_view part : parts) {
    if (part == "d" || part == "f64")
      form.type = Type::F64;
    else if (part == "f16" || part == "f16x2" || part == "v2f16")
      form.type = Type::F16;
    else if (part == "bf16" || part == "bf16x2" || part == "v2bf16")
      form.type = Type::BF16;
    if (part == "f16x2" || part == "bf16x2" || part == "v2f16" ||
        part == "v2bf16")
      form.count = 2;
    form.flush |= part == "ftz";
    form.saturate |= part == "sat";
    form.relu |= part == "relu";
    form.nan |= part == "nan" || part == "NaN";
    form.abs |= part == "abs" && form.op != Op::Abs;
    form.xorSign |= part == "xorsign";
    if (part == "rm")
      form.mode = FE_DOWNWARD;
    else if (part == "rp")
      form.mode = FE_UPWARD;
    else if (part == "rz")
      form.mode = FE_TOWARDZERO;
    else if (part == "s32" || part == "u32" || part == "s64" || part == "u64" ||
             part == "s16" || part == "u16" || part == "i")
      return nullptr;
  }
  site.data = new Form(form);
  return arguments == 1   ? calculateFew<1>
         : arguments == 2 ? calculateFew<2>
                          : calculate;
}
