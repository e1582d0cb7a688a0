// multimem: one address that stands for the same place in the memory of every
// member. Loads add the members up, stores and reductions go to all of them.
#include "Registry.h"

#include "Formats.h"

#include <map>
#include <mutex>

using namespace shoal::emu;

namespace {
struct Multicast {
  uintptr_t bytes;
  std::vector<uintptr_t> members;
};
enum class Op { LoadAdd, Store, Add };
enum class Type { U32, F32, BF16x2, F16x2 };
struct Form {
  Op op;
  Type type;
  unsigned count;
};
} // namespace

static std::mutex lock;
static std::map<uintptr_t, Multicast> &multicasts() {
  static auto *all = new std::map<uintptr_t, Multicast>;
  return *all;
}

extern "C" void shoal_emu_add_multicast(const void *base, uint64_t bytes,
                                        void *const *members, uint32_t count) {
  std::lock_guard guard(lock);
  Multicast &multicast = multicasts()[reinterpret_cast<uintptr_t>(base)];
  multicast.bytes = bytes;
  multicast.members.clear();
  for (uint32_t i = 0; i < count; ++i)
    multicast.members.push_back(reinterpret_cast<uintptr_t>(members[i]));
}

extern "C" void shoal_emu_remove_multicast(const void *base) {
  std::lock_guard guard(lock);
  multicasts().erase(reinterpret_cast<uintptr_t>(base));
}

/// For kernels that run as host code (runtime/cuda/kernels/MultimemKernels.cpp).
extern "C" unsigned shoal_emu_multicast_places(uint64_t address, uint64_t bytes,
                                               uint64_t *places,
                                               unsigned most) {
  std::lock_guard guard(lock);
  auto after = multicasts().upper_bound(address);
  if (after == multicasts().begin())
    return 0;
  const auto &[base, multicast] = *std::prev(after);
  if (address + bytes > base + multicast.bytes)
    return 0;
  unsigned count = 0;
  for (uintptr_t member : multicast.members)
    if (count < most)
      places[count++] = member + (address - base);
  return count;
}

static std::vector<uintptr_t> find(Site &site, uintptr_t address,
                                   uint64_t bytes) {
  {
    std::lock_guard guard(lock);
    auto after = multicasts().upper_bound(address);
    if (after != multicasts().begin()) {
      const auto &[base, multicast] = *std::prev(after);
      if (address + bytes <= base + multicast.bytes) {
        std::vector<uintptr_t> places;
        for (uintptr_t member : multicast.members)
          places.push_back(member + (address - base));
        return places;
      }
    }
  }
  fail(&site,
       format("%p is no multicast address", reinterpret_cast<void *>(address)));
}

static uint32_t add(Type type, uint32_t a, uint32_t b) {
  switch (type) {
  case Type::U32:
    return a + b;
  case Type::F32:
    return put(get<float>(a) + get<float>(b));
  case Type::BF16x2:
    return encodeBF16(double(decodeBF16(a)) + decodeBF16(b)) |
           uint32_t(
               encodeBF16(double(decodeBF16(a >> 16)) + decodeBF16(b >> 16)))
               << 16;
  case Type::F16x2:
    return encodeF16(double(decodeF16(a)) + decodeF16(b)) |
           uint32_t(encodeF16(double(decodeF16(a >> 16)) + decodeF16(b >> 16)))
               << 16;
  }
  return 0;
}

/// The sum of one word of all members; halves are added up in f32.
static uint32_t sum(Type type, const std::vector<uintptr_t> &places,
                    unsigned word) {
  float low = 0, high = 0, single = 0;
  uint32_t whole = 0;
  for (uintptr_t place : places) {
    uint32_t bits = __atomic_load_n(reinterpret_cast<uint32_t *>(place) + word,
                                    __ATOMIC_SEQ_CST);
    bool bf16 = type == Type::BF16x2;
    whole += bits;
    single += get<float>(bits);
    low += bf16 ? decodeBF16(bits) : decodeF16(bits);
    high += bf16 ? decodeBF16(bits >> 16) : decodeF16(bits >> 16);
  }
  switch (type) {
  case Type::U32:
    return whole;
  case Type::F32:
    return put(single);
  case Type::BF16x2:
    return encodeBF16(low) | uint32_t(encodeBF16(high)) << 16;
  case Type::F16x2:
    return encodeF16(low) | uint32_t(encodeF16(high)) << 16;
  }
  return 0;
}

static void operate(Thread &thread, Site &site, const uint64_t *in,
                    uint64_t *out) {
  const Form &form = *static_cast<const Form *>(site.data);
  auto places = find(site, in[0], 4 * form.count);
  if (in[0] % (4 * form.count))
    fail(&site, format("address %p is not a multiple of %u",
                       reinterpret_cast<void *>(in[0]), 4 * form.count));
  for (unsigned i = 0; i < form.count; ++i) {
    if (form.op == Op::LoadAdd) {
      out[i] = sum(form.type, places, i);
      continue;
    }
    for (uintptr_t place : places) {
      auto *cell = reinterpret_cast<uint32_t *>(place) + i;
      uint32_t value = in[1 + i];
      uint32_t old = __atomic_load_n(cell, __ATOMIC_RELAXED);
      while (!__atomic_compare_exchange_n(
          cell, &old, form.op == Op::Store ? value : add(form.type, old, value),
          false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        ;
    }
  }
  if (form.op == Op::LoadAdd)
    spin(thread, site);
  else
    progress(*thread.block);
}

Handler shoal::emu::findMultimem(std::string_view name, Site &site) {
  auto parts = words(name);
  if (parts[0] != "multimem" || parts.size() < 3)
    return nullptr;
  Form form{parts[1] == "ld"   ? Op::LoadAdd
            : parts[1] == "st" ? Op::Store
                               : Op::Add,
            Type::U32, has(parts, "v4") ? 4u : 1u};
  if (has(parts, "f32"))
    form.type = Type::F32;
  else if (has(parts, "bf16x2"))
    form.type = Type::BF16x2;
  else if (has(parts, "f16x2"))
    form.type = Type::F16x2;
  else if (!has(parts, "u32"))
    return nullptr;
  site.data = new Form(form);
  return operate;
}
