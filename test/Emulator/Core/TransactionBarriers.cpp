// mbarrier: a barrier in shared memory that counts arrivals and bytes. The
// object's 64 bits: phase 1, pending arrivals 20, expected arrivals 20, bytes
// still to come 23.
#include "Registry.h"

#include <cstring>

using namespace shoal::emu;

namespace {
struct Barrier {
  bool phase;
  uint32_t pending, expected;
  int32_t bytes;
};

enum class Op { Init, Invalidate, Arrive, Expect, Complete, Wait, AsyncArrive };
struct Form {
  Op op;
  bool drop, expect, noComplete, parity, spin, returnsState;
};
} // namespace

static Barrier unpack(uint64_t bits) {
  return {bool(bits & 1), uint32_t(bits >> 1 & 0xfffff),
          uint32_t(bits >> 21 & 0xfffff), int32_t(int64_t(bits) >> 41)};
}
static uint64_t pack(const Barrier &barrier) {
  return uint64_t(barrier.phase) | uint64_t(barrier.pending) << 1 |
         uint64_t(barrier.expected) << 21 |
         uint64_t(int64_t(barrier.bytes)) << 41;
}

static uint64_t *find(Thread &thread, Site &site, uint64_t address) {
  auto *object = reinterpret_cast<uint64_t *>(address);
  if (address % 8 || !isShared(*thread.block, object))
    fail(&site, format("the mbarrier at %p is not 8 aligned bytes of shared "
                       "memory",
                       (void *)object));
  accessShared(thread, object, 8, AccessWrite | AccessAtomic, &site);
  return object;
}

static void advance(Thread &thread, Barrier &barrier) {
  progress(*thread.block);
  if (barrier.pending || barrier.bytes)
    return;
  barrier.phase = !barrier.phase;
  barrier.pending = barrier.expected;
}

static void arrive(Thread &thread, Site &site, Barrier &barrier,
                   uint32_t count) {
  if (count > barrier.pending)
    fail(&site, format("%u arrivals at an mbarrier that awaits %u", count,
                       barrier.pending));
  barrier.pending -= count;
  advance(thread, barrier);
}

static void operate(Thread &thread, Site &site, const uint64_t *in,
                    uint64_t *out) {
  const Form &form = *static_cast<const Form *>(site.data);
  uint64_t *object = find(thread, site, in[0]);
  Barrier barrier = unpack(*object);
  uint32_t argument = (site.slots & 0xffff) > 1 ? uint32_t(in[1]) : 1;
  Clocks &clocks =
      thread.block->transactions[in[0] - uintptr_t(thread.block->shared)];
  if (form.op != Op::Init && *object == ~uint64_t(0))
    fail(&site, "the mbarrier was not initialised");
  if (site.slots >> 16 && form.op != Op::Wait)
    out[0] = *object;
  switch (form.op) {
  case Op::Init:
    if (argument == 0 || argument > 0xfffff)
      fail(&site, format("an mbarrier of %u arrivals", argument));
    barrier = {false, argument, argument, 0};
    clocks = Clocks();
    break;
  case Op::Invalidate:
    *object = ~uint64_t(0);
    return;
  case Op::Arrive:
    release(thread, clocks);
    if (form.drop)
      --barrier.expected;
    if (form.expect) {
      barrier.bytes += argument;
      argument = 1;
    }
    if (form.noComplete && argument >= barrier.pending)
      fail(&site, "this arrival must not complete the phase, and does");
    arrive(thread, site, barrier, argument);
    break;
  case Op::Expect:
    barrier.bytes += argument;
    break;
  case Op::Complete:
    barrier.bytes -= argument;
    advance(thread, barrier);
    break;
  case Op::AsyncArrive:
    // Arrives when the thread's copies so far are there; they are made now.
    completeCopies(thread, 0);
    if (!thread.copies.empty()) {
      thread.groups.push_back(std::move(thread.copies));
      thread.copies.clear();
      completeCopies(thread, 0);
    }
    release(thread, clocks);
    if (!form.noComplete) // without .noinc it counts itself first
      ++barrier.pending;
    arrive(thread, site, barrier, 1);
    break;
  case Op::Wait: {
    bool before = form.parity ? in[1] & 1 : unpack(in[1]).phase;
    bool done = barrier.phase != before;
    out[0] = done;
    if (done)
      acquire(thread, clocks);
    else
      spin(thread, site, WaitsFor::Block);
    return;
  }
  }
  *object = pack(barrier);
}

Handler shoal::emu::findTransactionBarrier(std::string_view name, Site &site) {
  auto parts = words(name);
  Form form{};
  if (name.substr(0, 24) == "cp.async.mbarrier.arrive") {
    form.op = Op::AsyncArrive;
    form.noComplete = has(parts, "noinc");
  } else if (parts[0] != "mbarrier") {
    return nullptr;
  } else if (has(parts, "init")) {
    form.op = Op::Init;
  } else if (has(parts, "inval")) {
    form.op = Op::Invalidate;
  } else if (has(parts, "arrive")) {
    form.op = Op::Arrive;
    form.drop = has(parts, "drop");
    form.expect = has(parts, "expect");
    form.noComplete = has(parts, "noComplete");
  } else if (has(parts, "expect")) {
    form.op = Op::Expect;
  } else if (has(parts, "complete")) {
    form.op = Op::Complete;
  } else if (has(parts, "wait")) {
    form.op = Op::Wait;
    form.parity = has(parts, "parity");
  } else {
    return nullptr;
  }
  site.data = new Form(form);
  return operate;
}
