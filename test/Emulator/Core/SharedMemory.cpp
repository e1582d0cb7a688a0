// A block's shared memory and its shadow: bounds, races between threads that
// nothing orders, copies that are still under way.
#include "Machine.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <utility>

using namespace shoal::emu;

namespace {
/// A read or write of some bytes of a word: who, and when by its warp's
/// clocks. `thread` is noThread where there was none.
struct Touch {
  uint32_t clock, epoch;
  uint16_t thread;
  uint8_t mask, several; ///< bytes; whether several lanes of the warp did it
};

struct Word {
  Touch write, reads[2];
  uint32_t pending; ///< 1 + thread whose asynchronous copy will write it
};

/// One for each thread of the operating system that runs blocks.
struct Memory {
  uint8_t *bytes = nullptr;
  Word *words = nullptr;
};
} // namespace

constexpr uint16_t noThread = 0xffff;
static thread_local Memory memory;

/// Below 4 GiB, so that addresses survive as 32 bits, as on the GPU; the pages
/// around are not mapped.
static void allocate() {
  size_t size = (maxSharedBytes + 4095) / 4096 * 4096, guard = 64 << 10;
  void *region =
      mmap(nullptr, size + 2 * guard, PROT_NONE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_32BIT, -1, 0);
  void *words =
      mmap(nullptr, maxSharedBytes / 4 * sizeof(Word), PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (region == MAP_FAILED || words == MAP_FAILED) {
    std::perror("shoal-emulator: no memory for shared memory");
    std::abort();
  }
  memory.bytes = static_cast<uint8_t *>(region) + guard;
  mprotect(memory.bytes, size, PROT_READ | PROT_WRITE);
  memory.words = static_cast<Word *>(words);
}

void shoal::emu::resetShared(Block &block) {
  if (!memory.bytes)
    allocate();
  block.shared = memory.bytes;
  uint32_t bytes = block.launch->sharedBytes;
  // All ones: a NaN in every float type, an index out of every bound.
  std::memset(memory.bytes, 0xff, bytes);
  uint32_t words = (bytes + 3) / 4;
  std::memset(memory.words, 0, words * sizeof(Word));
  for (uint32_t i = 0; i < words; ++i) {
    Word &word = memory.words[i];
    word.write.thread = word.reads[0].thread = word.reads[1].thread = noThread;
  }
}

bool shoal::emu::isShared(const Block &block, const void *address) {
  auto offset = static_cast<const uint8_t *>(address) - block.shared;
  // The guard pages count, so that what is just outside is said to be so.
  return offset >= -(64 << 10) && offset < int64_t(maxSharedBytes + (64 << 10));
}

static bool ordered(const Touch &before, const Thread &now) {
  if (before.thread == now.index && !before.several)
    return true;
  unsigned warp = before.thread / warpSize;
  // Lanes that share a word byte by byte cannot be told apart.
  if (warp == now.warp && before.several == 2)
    return true;
  const Warp &mine = now.block->warps[now.warp];
  return warp == now.warp ? before.epoch < mine.epoch
                          : mine.clocks.at[warp] > before.clock;
}

static Touch touchOf(const Thread &thread, uint8_t mask) {
  const Warp &warp = thread.block->warps[thread.warp];
  return {warp.clocks.at[thread.warp], warp.epoch, uint16_t(thread.index), mask,
          0};
}

static void race(const Thread &thread, const char *kind, const Touch &before,
                 uint32_t offset, const Site *site) {
  fail(site, format("%s of shared memory at byte %u, %s by thread %u with "
                    "nothing between that orders the two",
                    kind[0] == 'r' ? "read" : "write", offset,
                    kind[1] == 'r' ? "read" : "written", before.thread));
}

static void check(Thread &thread, Word &word, uint8_t mask, bool write,
                  uint32_t offset, const Site *site) {
  if (word.pending)
    fail(site, format("%s of shared memory at byte %u, which thread %u's "
                      "asynchronous copy may not have written yet",
                      write ? "write" : "read", offset, word.pending - 1));
  Touch &last = word.write;
  if (last.thread != noThread && last.mask & mask && !ordered(last, thread))
    race(thread, write ? "ww" : "rw", last, offset, site);
  Touch now = touchOf(thread, mask);
  if (!write) {
    Touch &r0 = word.reads[0];
    bool sameTime = r0.clock == now.clock && r0.epoch == now.epoch;
    // The two slots keep readers of different warps where there are such.
    if (r0.thread != noThread && r0.thread / warpSize != thread.warp) {
      word.reads[1] = r0;
    } else if (r0.thread != noThread && sameTime) {
      if (r0.thread != thread.index)
        now.several = r0.mask & mask ? 1 : 2;
      now.several = std::max(now.several, r0.several);
      now.mask |= r0.mask;
    }
    r0 = now;
    return;
  }
  for (Touch &read : word.reads)
    if (read.thread != noThread && read.mask & mask && !ordered(read, thread))
      race(thread, "wr", read, offset, site);
  // Bytes written by others and not ordered after remain theirs: they are
  // forgotten rather than mistaken for this thread's.
  if (last.thread == thread.index && last.clock == now.clock &&
      last.epoch == now.epoch)
    now.mask |= last.mask;
  last = now;
}

void shoal::emu::accessShared(Thread &thread, const void *address,
                              uint64_t bytes, uint32_t flags,
                              const Site *site) {
  auto offset = static_cast<const uint8_t *>(address) - thread.block->shared;
  int64_t size = thread.block->launch->sharedBytes;
  if (offset < 0 || offset + int64_t(bytes) > size)
    fail(site,
         format("%llu bytes at byte %lld of shared memory, which has "
                "%lld",
                (unsigned long long)bytes, (long long)offset, (long long)size));
  if (flags & AccessAtomic)
    return;
  for (int64_t at = offset, end = offset + bytes; at < end;) {
    int64_t word = at / 4, stop = std::min(end, word * 4 + 4);
    uint8_t mask = ((1u << (stop - at)) - 1) << (at % 4);
    check(thread, memory.words[word], mask, flags & AccessWrite, at, site);
    at = stop;
  }
}

void shoal::emu::pendShared(Thread &thread, void *address, uint32_t bytes,
                            bool pending, const Site *site) {
  auto *to = static_cast<uint8_t *>(address);
  int64_t offset = to - thread.block->shared;
  if (pending)
    accessShared(thread, address, bytes, AccessWrite, site);
  for (int64_t word = offset / 4; word * 4 < offset + int64_t(bytes); ++word)
    memory.words[word].pending = pending ? thread.index + 1 : 0;
  if (pending)
    std::memset(to, 0xff, bytes);
  else
    accessShared(thread, address, bytes, AccessWrite, site);
}

void shoal::emu::orderWarp(Thread &thread) {
  ++thread.block->warps[thread.warp].epoch;
}

void shoal::emu::release(Thread &thread, Clocks &clocks) {
  Warp &warp = thread.block->warps[thread.warp];
  ++warp.clocks.at[thread.warp];
  clocks.join(warp.clocks);
}

void shoal::emu::acquire(Thread &thread, const Clocks &clocks) {
  Warp &warp = thread.block->warps[thread.warp];
  warp.clocks.join(clocks);
}
