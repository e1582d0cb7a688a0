// atom and red, as shoal_ptx_* functions and the few intrinsics there are:
// {atom,red}.SEMANTICS.SCOPE.SPACE.OP.TYPE[.vN], in any order of the words.
// Always sequentially consistent, stronger than asked for.
#include "Registry.h"

#include "Formats.h"

#include <algorithm>
#include <mutex>

using namespace shoal::emu;

namespace {
enum class Op {
  Add,
  Min,
  Max,
  And,
  Or,
  Xor,
  Exchange,
  Swap,
  Increment,
  Decrement
};
enum class Type { U32, S32, U64, S64, F32, F64, F16, BF16 };
struct Form {
  Op op;
  Type type;
  unsigned bytes;  ///< of one atomic unit
  unsigned halves; ///< 16-bit elements in a unit
  unsigned units;
  bool result;
};
} // namespace

template <typename T>
static T combine(Op op, T old, T value, T third) {
  switch (op) {
  case Op::Add:
    return old + value;
  case Op::Min:
    return value < old ? value : old;
  case Op::Max:
    return value > old ? value : old;
  case Op::Exchange:
    return value;
  case Op::Swap:
    return old == value ? third : old;
  case Op::Increment:
    return old >= value ? T(0) : old + 1;
  case Op::Decrement:
    return old == 0 || old > value ? value : old - 1;
  default:
    if constexpr (std::is_integral_v<T>)
      return op == Op::And  ? old & value
             : op == Op::Or ? old | value
                            : old ^ value;
    return old;
  }
}

static uint64_t combineHalves(const Form &form, uint64_t old, uint64_t value) {
  uint64_t result = 0;
  for (unsigned i = 0; i < form.halves; ++i) {
    uint16_t a = old >> 16 * i, b = value >> 16 * i;
    bool f16 = form.type == Type::F16;
    double x = f16 ? decodeF16(a) : decodeBF16(a);
    double y = f16 ? decodeF16(b) : decodeBF16(b);
    double sum = combine<double>(form.op, x, y, 0);
    result |= uint64_t(f16 ? encodeF16(sum) : encodeBF16(sum)) << 16 * i;
  }
  return result;
}

static uint64_t apply(const Form &form, uint64_t old, uint64_t value,
                      uint64_t third) {
  switch (form.type) {
#define CASE(NAME, T)                                                          \
  case Type::NAME:                                                             \
    return put(combine<T>(form.op, get<T>(old), get<T>(value), get<T>(third)));
    CASE(U32, uint32_t)
    CASE(S32, int32_t)
    CASE(U64, uint64_t)
    CASE(S64, int64_t)
    CASE(F32, float)
    CASE(F64, double)
#undef CASE
  default:
    return combineHalves(form, old, value);
  }
}

template <typename T>
static uint64_t exchange(const Form &form, void *address, uint64_t value,
                         uint64_t third) {
  T *cell = static_cast<T *>(address);
  T old = __atomic_load_n(cell, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(cell, &old,
                                      T(apply(form, old, value, third)), false,
                                      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
    ;
  return old;
}

static void operate(Thread &thread, Site &site, const uint64_t *in,
                    uint64_t *out) {
  const Form &form = *static_cast<const Form *>(site.data);
  if (in[0] % (form.bytes * form.units))
    fail(&site,
         format("address %p is not a multiple of %u",
                reinterpret_cast<void *>(in[0]), form.bytes * form.units));
  access(thread, reinterpret_cast<void *>(in[0]), form.bytes * form.units,
         AccessWrite | AccessAtomic, &site);
  progress(*thread.block);
  for (unsigned i = 0; i < form.units; ++i) {
    void *address = reinterpret_cast<void *>(in[0] + i * form.bytes);
    uint64_t value = in[1 + i], third = form.op == Op::Swap ? in[2] : 0;
    uint64_t old =
        form.bytes == 2   ? exchange<uint16_t>(form, address, value, third)
        : form.bytes == 4 ? exchange<uint32_t>(form, address, value, third)
                          : exchange<uint64_t>(form, address, value, third);
    if (form.result)
      out[i] = old;
  }
}

static bool parseOp(std::string_view word, Op &op) {
  static constexpr struct {
    const char *name;
    Op op;
  } names[] = {{"add", Op::Add},       {"min", Op::Min},
               {"max", Op::Max},       {"and", Op::And},
               {"or", Op::Or},         {"xor", Op::Xor},
               {"exch", Op::Exchange}, {"cas", Op::Swap},
               {"inc", Op::Increment}, {"dec", Op::Decrement}};
  for (auto &known : names)
    if (word == known.name) {
      op = known.op;
      return true;
    }
  return false;
}

static bool parseType(std::string_view word, Form &form) {
  static constexpr struct {
    const char *name;
    Type type;
    unsigned bytes, halves;
  } names[] = {{"u32", Type::U32, 4, 0},     {"s32", Type::S32, 4, 0},
               {"b32", Type::U32, 4, 0},     {"b16", Type::U32, 2, 0},
               {"u64", Type::U64, 8, 0},     {"s64", Type::S64, 8, 0},
               {"b64", Type::U64, 8, 0},     {"f32", Type::F32, 4, 0},
               {"f64", Type::F64, 8, 0},     {"f16", Type::F16, 2, 1},
               {"bf16", Type::BF16, 2, 1},   {"f16x2", Type::F16, 4, 2},
               {"bf16x2", Type::BF16, 4, 2}, {"i", Type::S32, 4, 0},
               {"f", Type::F32, 4, 0}};
  for (auto &known : names)
    if (word == known.name) {
      form.type = known.type;
      form.bytes = known.bytes;
      form.halves = known.halves;
      return true;
    }
  return false;
}

Handler shoal::emu::findAtomic(std::string_view name, Site &site) {
  auto parts = words(name);
  if (parts[0] != "atom" && parts[0] != "red" && parts[0] != "atomic")
    return nullptr;
  Form form{};
  form.units = 1;
  form.result = site.slots >> 16;
  bool haveOp = false, haveType = false;
  for (std::string_view part : parts) {
    haveOp |= parseOp(part, form.op);
    haveType |= parseType(part, form);
    if (part == "v2" || part == "v4" || part == "v8")
      form.units = part[1] - '0';
  }
  if (!haveOp || !haveType)
    return nullptr;
  // "i32", "i64": the intrinsics' overloaded suffix.
  if (has(parts, "i64"))
    form.bytes = 8, form.type = form.type == Type::S32 ? Type::S64 : form.type;
  site.data = new Form(form);
  return operate;
}
