// What the collectives compute.
#include "Communicator.h"

#include "Formats.h"

#include <cstring>

using namespace shoal::standin;
namespace emu = shoal::emu;

namespace {
// Elements of 16 bits are added up in f32 and rounded once.
template <int type>
struct Half {
  using Wide = float;
  static float get(const void *at, size_t i) {
    uint16_t bits = static_cast<const uint16_t *>(at)[i];
    return type == ncclFloat16 ? emu::decodeF16(bits) : emu::decodeBF16(bits);
  }
  static void put(void *at, size_t i, float value) {
    static_cast<uint16_t *>(at)[i] =
        type == ncclFloat16 ? emu::encodeF16(value) : emu::encodeBF16(value);
  }
};
template <typename T>
struct Plain {
  using Wide = T;
  static T get(const void *at, size_t i) {
    return static_cast<const T *>(at)[i];
  }
  static void put(void *at, size_t i, T value) {
    static_cast<T *>(at)[i] = value;
  }
};
} // namespace

template <typename E>
static void reduceAs(void *out, const std::vector<const void *> &ins,
                     size_t count, int op) {
  using W = typename E::Wide;
  for (size_t i = 0; i < count; ++i) {
    W value = E::get(ins[0], i);
    for (size_t r = 1; r < ins.size(); ++r) {
      W next = E::get(ins[r], i);
      value = op == ncclSum    ? W(value + next)
              : op == ncclProd ? W(value * next)
              : op == ncclMax  ? (next > value ? next : value)
                               : (next < value ? next : value);
    }
    E::put(out, i, value);
  }
}

void shoal::standin::reduce(void *out, const std::vector<const void *> &ins,
                            size_t count, int type, int op) {
  switch (type) {
  case ncclInt8:
    return reduceAs<Plain<int8_t>>(out, ins, count, op);
  case ncclUint8:
    return reduceAs<Plain<uint8_t>>(out, ins, count, op);
  case ncclInt32:
    return reduceAs<Plain<int32_t>>(out, ins, count, op);
  case ncclUint32:
    return reduceAs<Plain<uint32_t>>(out, ins, count, op);
  case ncclInt64:
    return reduceAs<Plain<int64_t>>(out, ins, count, op);
  case ncclUint64:
    return reduceAs<Plain<uint64_t>>(out, ins, count, op);
  case ncclFloat32:
    return reduceAs<Plain<float>>(out, ins, count, op);
  case ncclFloat64:
    return reduceAs<Plain<double>>(out, ins, count, op);
  case ncclFloat16:
    return reduceAs<Half<ncclFloat16>>(out, ins, count, op);
  default:
    return reduceAs<Half<ncclBfloat16>>(out, ins, count, op);
  }
}

static const void *offset(const void *base, size_t bytes) {
  return static_cast<const char *>(base) + bytes;
}

void shoal::standin::perform(const std::vector<const Call *> &calls) {
  const Call &first = *calls[0];
  size_t bytes = first.count * typeBytes(first.type);
  std::vector<const void *> ins;
  for (const Call *call : calls)
    ins.push_back(call->in);
  switch (first.kind) {
  case CallKind::AllReduce:
  case CallKind::Reduce: {
    std::vector<char> result(bytes);
    reduce(result.data(), ins, first.count, first.type, first.op);
    for (size_t r = 0; r < calls.size(); ++r)
      if (first.kind == CallKind::AllReduce || int(r) == first.peer)
        std::memcpy(calls[r]->out, result.data(), bytes);
    break;
  }
  case CallKind::ReduceScatter: {
    std::vector<char> results(bytes * calls.size());
    for (size_t r = 0; r < calls.size(); ++r) {
      std::vector<const void *> parts;
      for (const void *in : ins)
        parts.push_back(offset(in, r * bytes));
      reduce(results.data() + r * bytes, parts, first.count, first.type,
             first.op);
    }
    for (size_t r = 0; r < calls.size(); ++r)
      std::memcpy(calls[r]->out, results.data() + r * bytes, bytes);
    break;
  }
  case CallKind::AllGather: {
    std::vector<char> all(bytes * calls.size());
    for (size_t r = 0; r < calls.size(); ++r)
      std::memcpy(all.data() + r * bytes, ins[r], bytes);
    for (const Call *call : calls)
      std::memcpy(call->out, all.data(), all.size());
    break;
  }
  case CallKind::Broadcast:
    for (const Call *call : calls)
      std::memmove(call->out, ins[first.peer], bytes);
    break;
  default:
    break;
  }
}

const char *shoal::standin::nameOf(CallKind kind) {
  static constexpr const char *names[] = {
      "ncclAllReduce", "ncclReduceScatter", "ncclAllGather", "ncclBroadcast",
      "ncclReduce",    "ncclSend",          "ncclRecv"};
  return names[int(kind)];
}

static std::string describe(const Call &call) {
  std::string text = nameOf(call.kind);
  text += "(" + std::to_string(call.count) + " of type " +
          std::to_string(call.type) + ", op " + std::to_string(call.op) +
          ", root " + std::to_string(call.peer) + ")";
  return text;
}

std::string shoal::standin::compare(const std::vector<const Call *> &calls) {
  for (size_t r = 1; r < calls.size(); ++r) {
    const Call &a = *calls[0], &b = *calls[r];
    if (a.kind != b.kind || a.count != b.count || a.type != b.type ||
        a.op != b.op || a.peer != b.peer)
      return "rank 0 calls " + describe(a) + ", rank " + std::to_string(r) +
             " calls " + describe(b);
  }
  return "";
}
