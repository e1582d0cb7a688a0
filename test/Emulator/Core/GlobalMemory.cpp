// Device memory: which addresses a kernel may touch.
#include "Machine.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <shared_mutex>

using namespace shoal::emu;

namespace {
struct Allocation {
  uintptr_t begin, end;
  std::string tag;
};
struct Range {
  uintptr_t begin = 0, end = 0;
  bool readOnly = false;
};
} // namespace

static std::shared_mutex lock;
static std::map<uintptr_t, Allocation> &allocations() {
  static auto *all = new std::map<uintptr_t, Allocation>;
  return *all;
}
/// Counts changes, so that remembered look-ups go stale.
static std::atomic<uint64_t> generation{1};

static thread_local struct {
  uint64_t generation = 0;
  Range last[4];
  unsigned next = 0;
  /// The launch's own buffers, if the kernel says how large all of them are.
  bool bounded = false;
  std::vector<Range> buffers;
} known;

extern "C" void shoal_emu_add_memory(const void *base, uint64_t bytes,
                                     const char *tag) {
  std::unique_lock guard(lock);
  auto begin = reinterpret_cast<uintptr_t>(base);
  allocations()[begin] = {begin, begin + bytes, tag ? tag : ""};
  ++generation;
}

extern "C" void shoal_emu_remove_memory(const void *base) {
  std::unique_lock guard(lock);
  allocations().erase(reinterpret_cast<uintptr_t>(base));
  ++generation;
}

static bool find(uintptr_t begin, uintptr_t end, Range &range) {
  std::shared_lock guard(lock);
  auto after = allocations().upper_bound(begin);
  if (after == allocations().begin())
    return false;
  const Allocation &allocation = std::prev(after)->second;
  if (end > allocation.end)
    return false;
  range.begin = allocation.begin, range.end = allocation.end;
  return true;
}

extern "C" int shoal_emu_is_memory(const void *address, uint64_t bytes) {
  Range range;
  auto begin = reinterpret_cast<uintptr_t>(address);
  return find(begin, begin + bytes, range);
}

void shoal::emu::setLaunchBuffers(const ShoalEmuLaunch *launch, void **params) {
  known.buffers.clear();
  known.bounded = launch->params != nullptr;
  if (!launch->params)
    return;
  for (unsigned i = 0; launch->params[i].bytes; ++i) {
    const ShoalEmuParam &param = launch->params[i];
    if (!(param.flags & 1))
      continue;
    uintptr_t begin;
    __builtin_memcpy(&begin, params[i], sizeof begin);
    if (!param.bufferBytes)
      known.bounded = false;
    known.buffers.push_back(
        {begin, begin + param.bufferBytes, (param.flags & 2) != 0});
  }
  // A buffer that is an input and an output at once may be written.
  for (Range &a : known.buffers)
    for (const Range &b : known.buffers)
      if (!b.readOnly && a.begin < b.end && b.begin < a.end)
        a.readOnly = false;
}

void shoal::emu::failOutOfBuffer(const void *address, uint64_t bytes,
                                 const Site *site) {
  auto begin = reinterpret_cast<uintptr_t>(address);
  std::string text = format("%llu bytes at %p, in none of the kernel's "
                            "buffers, or not in the one it was reached from:",
                            (unsigned long long)bytes, address);
  for (const Range &buffer : known.buffers)
    text += format(" [%p, +%llu) distance %lld;", (void *)buffer.begin,
                   (unsigned long long)(buffer.end - buffer.begin),
                   (long long)(begin - buffer.begin));
  fail(site, text);
}

void shoal::emu::accessGlobal(const void *address, uint64_t bytes,
                              uint32_t flags, const Site *site) {
  auto begin = reinterpret_cast<uintptr_t>(address), end = begin + bytes;
  if (known.bounded) {
    for (const Range &buffer : known.buffers)
      if (begin >= buffer.begin && end <= buffer.end) {
        if (flags & AccessWrite && buffer.readOnly)
          fail(site, format("writes to a read-only buffer, byte %llu",
                            (unsigned long long)(begin - buffer.begin)));
        return;
      }
    failOutOfBuffer(address, bytes, site);
  }
  uint64_t now = generation.load(std::memory_order_acquire);
  if (known.generation != now) {
    known.generation = now;
    for (Range &range : known.last)
      range = Range();
  }
  for (const Range &range : known.last)
    if (begin >= range.begin && end <= range.end)
      return;
  Range range;
  if (!find(begin, end, range))
    fail(site, format("%s %llu bytes at %p, which is in no allocation",
                      flags & AccessWrite ? "writes" : "reads",
                      (unsigned long long)bytes, address));
  known.last[known.next++ % 4] = range;
}
