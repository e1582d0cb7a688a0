// Barriers of the block, fences and the registers that are not read often.
#include "Registry.h"

#include <chrono>

using namespace shoal::emu;

namespace {
enum class Reduce : uint8_t { None, And, Or, Popcount };

/// What the name says; kept in site.data.
struct Form {
  bool sync, aligned, counted;
  Reduce reduce;
};
} // namespace

/// An aligned barrier is for whole warps, all lanes in the same instruction.
static void checkWarps(const Block &block, const NamedBarrier &barrier,
                       const Site &site) {
  uint32_t lanes[maxWarps] = {};
  const Site *sites[maxWarps] = {};
  for (const Thread *thread : barrier.waiting) {
    lanes[thread->warp] |= 1u << thread->lane;
    const Site *&first = sites[thread->warp];
    if (first && first->id != thread->site->id)
      fail(&site, format("lanes of warp %u wait at different barriers; the "
                         "other is %s",
                         thread->warp, first->where));
    first = thread->site;
  }
  for (unsigned w = 0; w < block.warpCount; ++w)
    if (lanes[w] && lanes[w] != block.warps[w].exists)
      fail(&site, format("an aligned barrier is reached by the lanes 0x%08x of "
                         "warp %u only",
                         lanes[w], w));
}

static void complete(Block &block, NamedBarrier &barrier, Thread &last,
                     Site &site, uint32_t result) {
  if (barrier.aligned)
    checkWarps(block, barrier, site);
  bool warps[maxWarps] = {};
  for (Thread *thread : barrier.waiting)
    warps[thread->warp] = true;
  for (unsigned w = 0; w < block.warpCount; ++w)
    if (warps[w]) {
      block.warps[w].clocks.join(barrier.clocks);
      ++block.warps[w].epoch;
    }
  for (Thread *thread : barrier.waiting) {
    if (thread->out)
      thread->out[0] = result;
    if (thread != &last)
      wake(*thread);
  }
  last.site = nullptr;
  barrier = NamedBarrier();
  progress(block);
}

static void barrier(Thread &thread, Site &site, const uint64_t *in,
                    uint64_t *out) {
  Block &block = *thread.block;
  const Form &form = *static_cast<const Form *>(site.data);
  uint32_t number = in[0];
  if (number >= 16)
    fail(&site, format("there is no barrier %u", number));
  // Without a count: all threads of the block.
  uint32_t expected = form.counted ? uint32_t(in[1]) : block.threadCount;
  if (form.counted && (expected == 0 || expected % warpSize ||
                       expected > (block.threadCount + 31) / 32 * 32))
    fail(&site, format("%u threads at a barrier of a block of %u", expected,
                       block.threadCount));
  expected = std::min(expected, block.threadCount);
  if (!form.counted && block.exited)
    fail(&site, format("%u threads of the block have ended before this "
                       "barrier",
                       block.exited));
  NamedBarrier &barrier = block.barriers[number];
  if (barrier.arrived && barrier.expected != expected)
    fail(&site, format("barrier %u is used for %u threads here, for %u by "
                       "others",
                       number, expected, barrier.expected));
  barrier.expected = expected;
  barrier.aligned |= form.aligned && form.sync;
  release(thread, barrier.clocks);
  if (form.reduce != Reduce::None) {
    bool predicate = in[form.counted ? 2 : 1] & 1;
    if (form.reduce == Reduce::And)
      barrier.reduced += !predicate; // how many said no
    else
      barrier.reduced += predicate;
  }
  ++barrier.arrived;
  if (form.sync) {
    thread.site = &site;
    thread.out = form.reduce == Reduce::None ? nullptr : out;
    barrier.waiting.push_back(&thread);
  }
  if (barrier.arrived < barrier.expected)
    return form.sync ? shoal::emu::block(thread) : void();
  uint32_t result = form.reduce == Reduce::And  ? barrier.reduced == 0
                    : form.reduce == Reduce::Or ? barrier.reduced != 0
                                                : barrier.reduced;
  complete(block, barrier, thread, site, result);
}

static void fence(Thread &, Site &, const uint64_t *, uint64_t *) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
static void nothing(Thread &, Site &, const uint64_t *, uint64_t *) {}

static void pause(Thread &thread, Site &site, const uint64_t *, uint64_t *) {
  spin(thread, site);
}

static void leave(Thread &thread, Site &site, const uint64_t *, uint64_t *) {
  fail(&site, "the kernel stops itself (trap)");
}

static void readTime(Thread &, Site &, const uint64_t *, uint64_t *out) {
  out[0] = std::chrono::steady_clock::now().time_since_epoch().count();
}

Handler shoal::emu::findBarrier(std::string_view name, Site &site) {
  auto parts = words(name);
  if (parts.size() > 2 && parts[0] == "barrier" && parts[1] == "cta") {
    bool reduce = parts[2] == "red";
    site.data = new Form{parts[2] != "arrive", has(parts, "aligned"),
                         has(parts, "count"),
                         !reduce             ? Reduce::None
                         : has(parts, "and") ? Reduce::And
                         : has(parts, "or")  ? Reduce::Or
                                             : Reduce::Popcount};
    return barrier;
  }
  if (name == "bar_sync" || name == "bar_arrive") {
    site.data =
        new Form{name == "bar_sync", name == "bar_sync", true, Reduce::None};
    return barrier;
  }
  if (name == "globaltimer")
    return readTime;
  // A cluster is one block here.
  if (name.substr(0, 16) == "barrier.cluster.")
    return nothing;
  if (parts[0] == "membar" || parts[0] == "fence")
    return fence;
  if (parts[0] == "nanosleep")
    return pause;
  if (parts[0] == "exit" || parts[0] == "trap")
    return leave;
  if (parts[0] == "prefetch" || parts[0] == "applypriority" ||
      parts[0] == "discard" || parts[0] == "griddepcontrol" ||
      parts[0] == "pm" || parts[0] == "setmaxnreg")
    return nothing;
  return nullptr;
}

//===--- Registers --------------------------------------------------------===//

template <int what>
static void readLanes(Thread &thread, Site &, const uint64_t *, uint64_t *out) {
  uint32_t bit = 1u << thread.lane;
  out[0] = what == 0   ? bit
           : what == 1 ? bit - 1
           : what == 2 ? (bit - 1) | bit
           : what == 3 ? ~((bit - 1) | bit)
                       : ~(bit - 1);
}
static void readZero(Thread &, Site &, const uint64_t *, uint64_t *out) {
  out[0] = 0;
}
static void readOne(Thread &, Site &, const uint64_t *, uint64_t *out) {
  out[0] = 1;
}
static void readWarps(Thread &thread, Site &, const uint64_t *, uint64_t *out) {
  out[0] = thread.block->warpCount;
}
static void readShared(Thread &thread, Site &, const uint64_t *,
                       uint64_t *out) {
  out[0] = thread.block->launch->sharedBytes;
}
template <int axis>
static void readBlock(Thread &thread, Site &, const uint64_t *, uint64_t *out) {
  out[0] = thread.block->id[axis];
}
template <int axis>
static void readGrid(Thread &thread, Site &, const uint64_t *, uint64_t *out) {
  out[0] = thread.block->launch->grid[axis];
}

static constexpr Instruction registers[] = {
    {"lanemask.eq", readLanes<0>},
    {"lanemask.lt", readLanes<1>},
    {"lanemask.le", readLanes<2>},
    {"lanemask.gt", readLanes<3>},
    {"lanemask.ge", readLanes<4>},
    {"clock", readTime},
    {"clock64", readTime},
    {"globaltimer", readTime},
    {"globaltimer.lo", readTime},
    {"nwarpid", readWarps},
    {"smid", readZero},
    {"nsmid", readOne},
    {"gridid", readZero},
    {"dynamic_smem_size", readShared},
    {"dynamic.smem.size", readShared},
    {"total_smem_size", readShared},
    // Clusters of one block.
    {"clusterid.x", readBlock<0>},
    {"clusterid.y", readBlock<1>},
    {"clusterid.z", readBlock<2>},
    {"nclusterid.x", readGrid<0>},
    {"nclusterid.y", readGrid<1>},
    {"nclusterid.z", readGrid<2>},
    {"cluster.ctaid.x", readZero},
    {"cluster.ctaid.y", readZero},
    {"cluster.ctaid.z", readZero},
    {"cluster.nctaid.x", readOne},
    {"cluster.nctaid.y", readOne},
    {"cluster.nctaid.z", readOne},
    {"cluster.ctarank", readZero},
    {"cluster.nctarank", readOne},
};

Handler shoal::emu::findRegister(std::string_view name, Site &) {
  std::string_view prefix = "read.ptx.sreg.";
  if (name.substr(0, prefix.size()) != prefix)
    return nullptr;
  return lookUp(registers, name.substr(prefix.size()));
}
