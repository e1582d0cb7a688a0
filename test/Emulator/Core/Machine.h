// The emulated multiprocessor: a block's threads as fibers of one thread of the
// operating system, which meet at barriers and at the warp's instructions.
#ifndef SHOAL_TEST_EMULATOR_MACHINE_H
#define SHOAL_TEST_EMULATOR_MACHINE_H

#include "Abi.h"

#include <chrono>
#include <cstddef>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace shoal::emu {

constexpr unsigned warpSize = 32, maxWarps = 32, maxThreads = 1024;
/// The largest shared memory of a block on any chip we compile for.
constexpr uint32_t maxSharedBytes = 227 << 10;

struct Thread;
struct Block;
using Site = ShoalEmuSite;
/// An instruction: arguments and results as shoal_emu_op has them.
using Handler = void (*)(Thread &, Site &, const uint64_t *in, uint64_t *out);

/// One clock for each warp: what of it has been ordered before here.
struct Clocks {
  uint32_t at[maxWarps] = {};
  void join(const Clocks &other) {
    for (unsigned w = 0; w < maxWarps; ++w)
      at[w] = at[w] > other.at[w] ? at[w] : other.at[w];
  }
};

struct AsyncCopy {
  uint8_t *to;
  const uint8_t *from;
  uint32_t bytes, fromBytes;
  Site *site;
};

struct Thread {
  Block *block;
  uint32_t index; ///< in the block, x fastest
  uint32_t id[3];
  uint32_t lane, warp;
  enum State : uint8_t { Unstarted, Ready, Waiting, Done } state;
  void *stackPointer;
  void *stack;
  /// What it waits for: the instruction and its arguments.
  Site *site;
  uint32_t mask;
  const uint64_t *in;
  uint64_t *out;
  /// Copies not committed, and committed groups, oldest first.
  std::vector<AsyncCopy> copies;
  std::vector<std::vector<AsyncCopy>> groups;
};

struct Warp {
  uint32_t exists = 0; ///< lanes the block has
  uint32_t exited = 0;
  uint32_t arrived = 0; ///< lanes that wait in an instruction of the warp
  uint32_t epoch = 0;   ///< times the warp's memory was ordered
  Clocks clocks;
};

struct NamedBarrier {
  uint32_t expected = 0, arrived = 0;
  std::vector<Thread *> waiting;
  uint32_t aligned = 0;
  Clocks clocks;
  uint32_t reduced = 0;
};

struct Block {
  const ShoalEmuLaunch *launch;
  uint32_t id[3];
  uint32_t threadCount, warpCount, exited;
  Thread threads[maxThreads];
  Warp warps[maxWarps];
  NamedBarrier barriers[16];
  uint64_t ready[maxThreads / 64]; ///< threads that may run
  uint64_t spins;                  ///< failed polls since something moved
  std::chrono::steady_clock::time_point stuckSince; ///< since they were many
  uint8_t *shared;
  /// What the arrivals at each mbarrier have released, by its offset.
  std::map<ptrdiff_t, Clocks> transactions;
};

/// The running thread.
Thread &self();

/// Stops the launch: `what` with kernel, block, thread and place. Does not
/// return to the fiber.
[[noreturn]] void fail(const Site *site, const std::string &what);
std::string format(const char *pattern, ...)
    __attribute__((format(printf, 1, 2)));

/// The fiber waits until wake() is called for it; its state must say so.
void block(Thread &thread);
void wake(Thread &thread);
/// Lets others run; too many without any progress are an error. What is waited
/// for is of this block alone, or may come from other blocks and devices as
/// well: they are threads of the host, which may not have had a turn.
enum class WaitsFor { Block, Anyone };
void spin(Thread &thread, Site &site, WaitsFor what = WaitsFor::Anyone);
inline void progress(Block &block) { block.spins = 0; }

/// Meets the lanes of `mask` in this instruction; the last one calls `act`,
/// which gives each lane its results (thread.out). `in` and `out` stay valid.
using WarpAction = void (*)(Site &site, Thread *const *lanes, uint32_t mask);
void meetWarp(Thread &thread, Site &site, uint32_t mask, const uint64_t *in,
              uint64_t *out, WarpAction act);

// Shared memory (SharedMemory.cpp). Offsets are checked by the callers below.
bool isShared(const Block &block, const void *address);
void resetShared(Block &block);
enum : uint32_t { AccessWrite = 1, AccessAtomic = 2 };
void accessShared(Thread &thread, const void *address, uint64_t bytes,
                  uint32_t flags, const Site *site);
/// Marks the destination of an asynchronous copy as not yet there, or as there.
void pendShared(Thread &thread, void *address, uint32_t bytes, bool pending,
                const Site *site);
/// A warp's memory is ordered among its lanes.
void orderWarp(Thread &thread);
/// What the warp did so far is visible to who acquires `clocks`, and back.
void release(Thread &thread, Clocks &clocks);
void acquire(Thread &thread, const Clocks &clocks);

// Device memory (GlobalMemory.cpp).
void accessGlobal(const void *address, uint64_t bytes, uint32_t flags,
                  const Site *site);
/// The launch's buffers and where the address is, as an error.
[[noreturn]] void failOutOfBuffer(const void *address, uint64_t bytes,
                                  const Site *site);
/// Buffers of this launch, where the kernel says how large they are.
void setLaunchBuffers(const ShoalEmuLaunch *launch, void **params);

/// Access of an instruction: finds the space by the address.
void access(Thread &thread, const void *address, uint64_t bytes, uint32_t flags,
            const Site *site);

/// Completes the thread's copies, all but the `keep` newest groups.
void completeCopies(Thread &thread, size_t keep);

} // namespace shoal::emu

#endif // SHOAL_TEST_EMULATOR_MACHINE_H
