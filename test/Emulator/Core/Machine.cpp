// Runs blocks: which fiber runs, when they meet, how errors end a launch.
#include "Machine.h"

#include "Fibers.h"
#include "Registry.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

using namespace shoal::emu;

namespace {
struct Runner {
  void *mainStackPointer = nullptr;
  Thread *current = nullptr;
  void (*function)(void **) = nullptr;
  void **params = nullptr;
  ShoalEmuLaunch *launch = nullptr;
  Stacks stacks;
  Block block{};
  std::mt19937_64 random;
  bool failed = false;
};
} // namespace

static Runner &runner() {
  static thread_local std::unique_ptr<Runner> instance;
  if (!instance)
    instance = std::make_unique<Runner>();
  return *instance;
}

/// The one thing the fibers read often. The emulator never moves a fiber to
/// another thread of the operating system.
static thread_local Runner *running __attribute__((tls_model("initial-exec"))) =
    nullptr;

Thread &shoal::emu::self() { return *running->current; }

std::string shoal::emu::format(const char *pattern, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

static void recordFailure(Runner &run, const std::string &text) {
  run.failed = true;
  run.launch->failed = 1;
  std::fprintf(stderr, "shoal-emulator: %s\n", text.c_str());
  if (run.launch->error && run.launch->errorBytes)
    std::snprintf(run.launch->error, run.launch->errorBytes, "%s",
                  text.c_str());
}

void shoal::emu::fail(const Site *site, const std::string &what) {
  Runner &run = *running;
  const Thread &thread = *run.current;
  const Block &block = *thread.block;
  recordFailure(
      run, format("kernel %s, block (%u, %u, %u), thread %u: ",
                  run.launch->kernel ? run.launch->kernel : "?", block.id[0],
                  block.id[1], block.id[2], thread.index) +
               what +
               (site ? std::string("; in ") + site->where : std::string()));
  void *abandoned;
  shoal_emu_switch(&abandoned, run.mainStackPointer);
  __builtin_unreachable();
}

//===--- Which fiber runs -------------------------------------------------===//

/// The next thread that may run, after `from`; -1: none.
static int pick(Runner &run, unsigned from) {
  Block &block = run.block;
  unsigned start = from + 1;
  if (run.launch->seed)
    start = run.random() % block.threadCount;
  constexpr unsigned wordCount = maxThreads / 64;
  start %= maxThreads;
  unsigned word = start / 64;
  uint64_t bits = block.ready[word] & (~uint64_t(0) << (start % 64));
  for (unsigned i = 0; i <= wordCount; ++i) {
    if (bits)
      return word * 64 + __builtin_ctzll(bits);
    word = (word + 1) % wordCount;
    bits = block.ready[word];
  }
  return -1;
}

static void setReady(Block &block, const Thread &thread, bool ready) {
  uint64_t bit = uint64_t(1) << (thread.index % 64);
  uint64_t &word = block.ready[thread.index / 64];
  word = ready ? word | bit : word & ~bit;
}

static void fiberMain();

/// Gives the processor to thread `next` and comes back when it is this one's
/// turn.
static void switchTo(Runner &run, Thread &from, int next) {
  if (next < 0) {
    shoal_emu_switch(&from.stackPointer, run.mainStackPointer);
    return;
  }
  Thread &to = run.block.threads[next];
  if (&to == &from)
    return;
  if (to.state == Thread::Unstarted) {
    to.stack = run.stacks.take();
    to.stackPointer = Stacks::prepare(to.stack, fiberMain, to.index);
    to.state = Thread::Ready;
  }
  run.current = &to;
  shoal_emu_switch(&from.stackPointer, to.stackPointer);
}

void shoal::emu::block(Thread &thread) {
  Runner &run = *running;
  thread.state = Thread::Waiting;
  setReady(run.block, thread, false);
  switchTo(run, thread, pick(run, thread.index));
}

void shoal::emu::wake(Thread &thread) {
  thread.state = Thread::Ready;
  thread.site = nullptr;
  setReady(*thread.block, thread, true);
}

void shoal::emu::spin(Thread &thread, Site &site, WaitsFor what) {
  constexpr std::chrono::seconds patience(30);
  Runner &run = *running;
  Block &block = run.block;
  const uint64_t many = 200000 + uint64_t(4000) * block.threadCount;
  if (++block.spins > many) {
    auto now = std::chrono::steady_clock::now();
    if (block.spins == many + 1)
      block.stuckSince = now;
    if (what == WaitsFor::Block || now - block.stuckSince > patience)
      fail(&site, "waits for ever: no thread of the block moves");
    std::this_thread::yield();
  }
  thread.site = &site;
  switchTo(run, thread, pick(run, thread.index));
}

static void finish(Runner &run, Thread &thread) {
  Warp &warp = run.block.warps[thread.warp];
  thread.state = Thread::Done;
  warp.exited |= 1u << thread.lane;
  ++run.block.exited;
  setReady(run.block, thread, false);
  thread.copies.clear();
  thread.groups.clear();
  progress(run.block);
}

/// What a fiber runs: a thread of the kernel, then, on the same stack, the
/// next one that has not begun. Without barriers one fiber does for a block.
static void fiberMain() {
  Runner &run = *running;
  for (;;) {
    run.function(run.params);
    Thread &done = *run.current;
    finish(run, done);
    int next = pick(run, done.index);
    if (next >= 0 && run.block.threads[next].state == Thread::Unstarted) {
      Thread &to = run.block.threads[next];
      to.stack = done.stack;
      done.stack = nullptr;
      to.state = Thread::Ready;
      run.current = &to;
      continue;
    }
    run.stacks.giveBack(done.stack);
    done.stack = nullptr;
    switchTo(run, done, next);
  }
}

//===--- Blocks -----------------------------------------------------------===//

static void describe(std::string &text, const Block &block, unsigned from,
                     unsigned to) {
  const Thread &thread = block.threads[from];
  text += from == to ? format("thread %u ", from)
                     : format("threads %u to %u ", from, to);
  if (thread.state == Thread::Done)
    text += "have ended";
  else
    text += std::string("wait in ") +
            (thread.site ? thread.site->where : "(unknown)");
  text += "; ";
}

static void reportDeadlock(Runner &run) {
  Block &block = run.block;
  std::string text =
      format("kernel %s, block (%u, %u, %u): threads wait for each other: ",
             run.launch->kernel ? run.launch->kernel : "?", block.id[0],
             block.id[1], block.id[2]);
  for (unsigned from = 0; from < block.threadCount;) {
    unsigned to = from;
    while (to + 1 < block.threadCount &&
           block.threads[to + 1].state == block.threads[from].state &&
           block.threads[to + 1].site == block.threads[from].site)
      ++to;
    if (text.size() < 1500)
      describe(text, block, from, to);
    from = to + 1;
  }
  recordFailure(run, text);
}

static void startBlock(Runner &run, uint32_t x, uint32_t y, uint32_t z) {
  const ShoalEmuLaunch &launch = *run.launch;
  Block &block = run.block;
  block.launch = &launch;
  block.id[0] = x, block.id[1] = y, block.id[2] = z;
  block.exited = 0;
  block.spins = 0;
  block.threadCount = launch.block[0] * launch.block[1] * launch.block[2];
  block.warpCount = (block.threadCount + warpSize - 1) / warpSize;
  std::memset(block.ready, 0, sizeof block.ready);
  for (unsigned w = 0; w < block.warpCount; ++w) {
    unsigned lanes = std::min(warpSize, block.threadCount - w * warpSize);
    block.warps[w] = Warp();
    block.warps[w].exists = lanes == 32 ? ~0u : (1u << lanes) - 1;
    block.warps[w].clocks.at[w] = 1;
  }
  for (NamedBarrier &barrier : block.barriers)
    barrier = NamedBarrier();
  block.transactions.clear();
  for (unsigned t = 0; t < block.threadCount; ++t) {
    Thread &thread = block.threads[t];
    thread.block = &block;
    thread.index = t;
    thread.id[0] = t % launch.block[0];
    thread.id[1] = t / launch.block[0] % launch.block[1];
    thread.id[2] = t / launch.block[0] / launch.block[1];
    thread.lane = t % warpSize;
    thread.warp = t / warpSize;
    thread.state = Thread::Unstarted;
    thread.stack = nullptr;
    thread.site = nullptr;
    thread.copies.clear();
    thread.groups.clear();
    setReady(block, thread, true);
  }
  resetShared(block);
}

static void runBlock(Runner &run) {
  Block &block = run.block;
  Thread &first = block.threads[pick(run, block.threadCount - 1)];
  first.stack = run.stacks.take();
  first.stackPointer = Stacks::prepare(first.stack, fiberMain, first.index);
  first.state = Thread::Ready;
  run.current = &first;
  shoal_emu_switch(&run.mainStackPointer, first.stackPointer);
  if (!run.failed && block.exited != block.threadCount)
    reportDeadlock(run);
  if (run.failed)
    for (unsigned t = 0; t < block.threadCount; ++t)
      if (void *stack = std::exchange(block.threads[t].stack, nullptr))
        run.stacks.giveBack(stack);
}

extern "C" void shoal_emu_run(ShoalEmuLaunch *launch, void (*thread)(void **),
                              void **params) {
  Runner &run = runner();
  running = &run;
  run.launch = launch;
  run.function = thread;
  run.params = params;
  run.failed = false;
  launch->failed = 0;
  run.random.seed(launch->seed);
  uint64_t threads =
      uint64_t(launch->block[0]) * launch->block[1] * launch->block[2];
  if (threads == 0 || threads > maxThreads ||
      launch->sharedBytes > maxSharedBytes) {
    recordFailure(run, format("kernel %s: %llu threads a block and %u bytes "
                              "of shared memory cannot be launched",
                              launch->kernel, (unsigned long long)threads,
                              launch->sharedBytes));
    return;
  }
  setLaunchBuffers(launch, params);
  // An odd seed runs the blocks backwards.
  uint64_t x = launch->grid[0], y = launch->grid[1];
  uint64_t blocks = x * y * launch->grid[2];
  for (uint64_t i = 0; i < blocks && !run.failed; ++i) {
    uint64_t number = launch->seed % 2 ? blocks - 1 - i : i;
    startBlock(run, number % x, number / x % y, number / x / y);
    runBlock(run);
  }
}

//===--- What kernels call ------------------------------------------------===//

extern "C" void *shoal_emu_shared(void) { return running->block.shared; }

extern "C" uint32_t shoal_emu_register(uint32_t code) {
  const Thread &thread = *running->current;
  const ShoalEmuLaunch &launch = *running->launch;
  if (code < 3)
    return thread.id[code];
  if (code < 6)
    return launch.block[code - 3];
  if (code < 9)
    return thread.block->id[code - 6];
  if (code < 12)
    return launch.grid[code - 9];
  return code == 12 ? thread.lane : code == 13 ? warpSize : thread.warp;
}

extern "C" void shoal_emu_op(ShoalEmuSite *site, const uint64_t *in,
                             uint64_t *out) {
  auto handler = reinterpret_cast<Handler>(
      __atomic_load_n(&site->handler, __ATOMIC_ACQUIRE));
  if (!handler) {
    handler = findInstruction(site->name, *site);
    if (!handler)
      fail(site, std::string("the emulator does not know ") + site->name);
    __atomic_store_n(&site->handler, reinterpret_cast<void *>(handler),
                     __ATOMIC_RELEASE);
  }
  handler(self(), *site, in, out);
}

extern "C" void shoal_emu_access(const void *address, uint64_t bytes,
                                 uint32_t flags, ShoalEmuSite *site) {
  Thread &thread = self();
  uintptr_t align = uintptr_t(1) << (flags >> 8 & 31);
  if (reinterpret_cast<uintptr_t>(address) & (align - 1))
    fail(site,
         format("address %p is not a multiple of %zu", address, size_t(align)));
  if (bytes == 0)
    return;
  if (flags & 4)
    failOutOfBuffer(address, bytes, site);
  unsigned space = flags >> 4 & 15;
  if (space == 3 && !isShared(*thread.block, address))
    fail(site, format("address %p is not in shared memory (%u bytes at %p)",
                      address, thread.block->launch->sharedBytes,
                      (void *)thread.block->shared));
  access(thread, address, bytes, flags & 3, site);
  // Who polls memory lets the others run.
  if (flags & AccessAtomic && !(flags & AccessWrite))
    spin(thread, *site);
  else if (flags & AccessWrite)
    progress(*thread.block);
}

void shoal::emu::access(Thread &thread, const void *address, uint64_t bytes,
                        uint32_t flags, const Site *site) {
  if (isShared(*thread.block, address))
    return accessShared(thread, address, bytes, flags, site);
  auto at = reinterpret_cast<uintptr_t>(address);
  auto stack = reinterpret_cast<uintptr_t>(thread.stack);
  if (at >= stack && at + bytes <= stack + Stacks::bytes)
    return;
  accessGlobal(address, bytes, flags, site);
}
