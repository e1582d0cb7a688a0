// Instructions in which the lanes of a warp meet: shuffles, votes, matches,
// reductions, elections.
#include "Registry.h"

#include <cstring>

using namespace shoal::emu;

void shoal::emu::meetWarp(Thread &thread, Site &site, uint32_t mask,
                          const uint64_t *in, uint64_t *out, WarpAction act) {
  Block &block = *thread.block;
  Warp &warp = block.warps[thread.warp];
  uint32_t bit = 1u << thread.lane;
  if (!(mask & bit))
    fail(&site, format("lane %u is not in the mask 0x%08x", thread.lane, mask));
  mask &= warp.exists;
  if (uint32_t gone = mask & warp.exited)
    fail(&site, format("lane %d, which the mask 0x%08x names, has ended",
                       __builtin_ctz(gone), mask));
  thread.site = &site;
  thread.mask = mask;
  thread.in = in;
  thread.out = out;
  Thread *lanes[warpSize];
  Thread *first = &block.threads[thread.warp * warpSize];
  // Lanes here already must wait in this very instruction.
  warp.arrived |= bit;
  for (uint32_t rest = warp.arrived & mask & ~bit; rest; rest &= rest - 1) {
    Thread &other = first[__builtin_ctz(rest)];
    if (other.site->id != site.id || other.mask != mask)
      fail(&site,
           format("lane %u is here with mask 0x%08x, lane %u waits with mask "
                  "0x%08x in %s",
                  thread.lane, mask, other.lane, other.mask,
                  other.site->where));
    if ((warp.arrived & mask) != mask)
      break; // The last one looks at all of them.
  }
  if ((warp.arrived & mask) != mask)
    return shoal::emu::block(thread);
  for (uint32_t rest = mask; rest; rest &= rest - 1) {
    unsigned lane = __builtin_ctz(rest);
    lanes[lane] = &first[lane];
  }
  act(site, lanes, mask);
  warp.arrived &= ~mask;
  progress(block);
  for (uint32_t rest = mask & ~bit; rest; rest &= rest - 1)
    wake(first[__builtin_ctz(rest)]);
  thread.site = nullptr;
}

/// act(lane, its in, its out, value of any lane in the mask).
template <typename F>
static void forLanes(Thread *const *lanes, uint32_t mask, F act) {
  for (uint32_t rest = mask; rest; rest &= rest - 1) {
    unsigned lane = __builtin_ctz(rest);
    act(lane, *lanes[lane]);
  }
}

//===--- Shuffles: (mask, value, b, c) -> value [, predicate] -------------===//

enum class Shuffle { Down, Up, Butterfly, Index };

template <Shuffle mode>
static void actShuffle(Site &site, Thread *const *lanes, uint32_t mask) {
  forLanes(lanes, mask, [&](unsigned lane, Thread &thread) {
    uint32_t b = thread.in[2] & 31, c = thread.in[3];
    uint32_t clamp = c & 31, segment = c >> 8 & 31;
    int maxLane = (lane & segment) | (clamp & ~segment);
    int minLane = lane & segment;
    int from = mode == Shuffle::Up          ? int(lane) - int(b)
               : mode == Shuffle::Down      ? int(lane) + int(b)
               : mode == Shuffle::Butterfly ? int(lane ^ b)
                                            : minLane | int(b & ~segment);
    bool valid = mode == Shuffle::Up ? from >= maxLane : from <= maxLane;
    if (!valid)
      from = lane;
    if (!(mask >> from & 1)) {
      // The value of a lane that takes no part is not defined.
      if (thread.block->warps[thread.warp].exists >> from & 1)
        return (void)(thread.site = &site,
                      fail(&site, format("lane %u shuffles from lane %d, which "
                                         "is not in the mask 0x%08x",
                                         lane, from, mask)));
      from = lane;
    }
    thread.out[0] = lanes[from]->in[1];
    thread.out[1] = valid;
  });
}

template <Shuffle mode>
static void shuffle(Thread &thread, Site &site, const uint64_t *in,
                    uint64_t *out) {
  // Results go through a buffer of our own: a predicate is not always wanted.
  uint64_t results[2];
  meetWarp(thread, site, in[0], in, results, actShuffle<mode>);
  out[0] = results[0];
  if (site.data)
    out[1] = results[1];
}

//===--- Votes: (mask, predicate) -> result -------------------------------===//

enum class Vote { All, Any, Uniform, Ballot };

template <Vote mode>
static void actVote(Site &, Thread *const *lanes, uint32_t mask) {
  uint32_t ballot = 0;
  forLanes(lanes, mask, [&](unsigned lane, Thread &thread) {
    ballot |= uint32_t(thread.in[1] & 1) << lane;
  });
  uint64_t result = mode == Vote::All       ? ballot == mask
                    : mode == Vote::Any     ? ballot != 0
                    : mode == Vote::Uniform ? ballot == mask || ballot == 0
                                            : ballot;
  forLanes(lanes, mask,
           [&](unsigned, Thread &thread) { thread.out[0] = result; });
}

template <Vote mode>
static void vote(Thread &thread, Site &site, const uint64_t *in,
                 uint64_t *out) {
  meetWarp(thread, site, in[0], in, out, actVote<mode>);
}

//===--- match.any, match.all ---------------------------------------------===//

static void actMatchAny(Site &, Thread *const *lanes, uint32_t mask) {
  forLanes(lanes, mask, [&](unsigned, Thread &thread) {
    uint32_t same = 0;
    forLanes(lanes, mask, [&](unsigned lane, Thread &other) {
      same |= uint32_t(other.in[1] == thread.in[1]) << lane;
    });
    thread.out[0] = same;
  });
}

static void actMatchAll(Site &, Thread *const *lanes, uint32_t mask) {
  bool same = true;
  uint64_t value = lanes[__builtin_ctz(mask)]->in[1];
  forLanes(lanes, mask,
           [&](unsigned, Thread &thread) { same &= thread.in[1] == value; });
  forLanes(lanes, mask, [&](unsigned, Thread &thread) {
    thread.out[0] = same ? mask : 0;
    thread.out[1] = same;
  });
}

//===--- redux: (value, mask) -> value ------------------------------------===//

using Combine = uint64_t (*)(uint64_t, uint64_t);

template <Combine combine>
static void actRedux(Site &, Thread *const *lanes, uint32_t mask) {
  unsigned first = __builtin_ctz(mask);
  uint64_t result = lanes[first]->in[0];
  for (uint32_t rest = mask & (mask - 1); rest; rest &= rest - 1)
    result = combine(result, lanes[__builtin_ctz(rest)]->in[0]);
  forLanes(lanes, mask,
           [&](unsigned, Thread &thread) { thread.out[0] = result; });
}

template <Combine combine>
static void redux(Thread &thread, Site &site, const uint64_t *in,
                  uint64_t *out) {
  meetWarp(thread, site, in[1], in, out, actRedux<combine>);
}

template <typename T, char op>
static uint64_t combine(uint64_t a, uint64_t b) {
  T x = get<T>(a), y = get<T>(b);
  if constexpr (op == '+')
    return put<T>(x + y);
  else if constexpr (op == '<')
    return put<T>(y < x ? y : x);
  else if constexpr (op == '>')
    return put<T>(y > x ? y : x);
  else if constexpr (op == '&')
    return put<T>(x & y);
  else if constexpr (op == '|')
    return put<T>(x | y);
  else
    return put<T>(x ^ y);
}

/// Floats: a NaN gives way to a number; `nan`: it wins; `abs`: of magnitudes.
template <bool max, bool nan, bool abs>
static uint64_t combineFloat(uint64_t a, uint64_t b) {
  float x = get<float>(a), y = get<float>(b);
  if (abs)
    x = __builtin_fabsf(x), y = __builtin_fabsf(y);
  if (x != x || y != y)
    return put(nan == (x != x) ? x : y);
  return put(max == (x > y) ? x : y);
}

//===--- The rest ---------------------------------------------------------===//

static void actNothing(Site &, Thread *const *, uint32_t) {}

static void actSync(Site &, Thread *const *lanes, uint32_t mask) {
  orderWarp(*lanes[__builtin_ctz(mask)]);
}

static void actElect(Site &, Thread *const *lanes, uint32_t mask) {
  unsigned leader = __builtin_ctz(mask);
  forLanes(lanes, mask, [&](unsigned lane, Thread &thread) {
    thread.out[0] = leader;
    thread.out[1] = lane == leader;
  });
}

template <WarpAction act>
static void meet(Thread &thread, Site &site, const uint64_t *in,
                 uint64_t *out) {
  meetWarp(thread, site, in[0], in, out, act);
}

/// All lanes that have not ended take part, as after reconvergence.
static void activeMask(Thread &thread, Site &site, const uint64_t *in,
                       uint64_t *out) {
  const Warp &warp = thread.block->warps[thread.warp];
  uint32_t mask = warp.exists & ~warp.exited;
  meetWarp(thread, site, mask, in, out, actNothing);
  out[0] = mask;
}

static constexpr Instruction table[] = {
    {"vote.all.sync", vote<Vote::All>},
    {"vote.any.sync", vote<Vote::Any>},
    {"vote.uni.sync", vote<Vote::Uniform>},
    {"vote.ballot.sync", vote<Vote::Ballot>},
    {"match.any.sync.i32", meet<actMatchAny>},
    {"match.any.sync.i64", meet<actMatchAny>},
    {"match.all.sync.i32p", meet<actMatchAll>},
    {"match.all.sync.i64p", meet<actMatchAll>},
    {"redux.sync.add", redux<combine<uint32_t, '+'>>},
    {"redux.sync.min", redux<combine<int32_t, '<'>>},
    {"redux.sync.max", redux<combine<int32_t, '>'>>},
    {"redux.sync.umin", redux<combine<uint32_t, '<'>>},
    {"redux.sync.umax", redux<combine<uint32_t, '>'>>},
    {"redux.sync.and", redux<combine<uint32_t, '&'>>},
    {"redux.sync.or", redux<combine<uint32_t, '|'>>},
    {"redux.sync.xor", redux<combine<uint32_t, '^'>>},
    {"redux.sync.fmin", redux<combineFloat<false, false, false>>},
    {"redux.sync.fmax", redux<combineFloat<true, false, false>>},
    {"redux.sync.fmin.NaN", redux<combineFloat<false, true, false>>},
    {"redux.sync.fmax.NaN", redux<combineFloat<true, true, false>>},
    {"redux.sync.fmin.abs", redux<combineFloat<false, false, true>>},
    {"redux.sync.fmax.abs", redux<combineFloat<true, false, true>>},
    {"redux.sync.fmin.abs.NaN", redux<combineFloat<false, true, true>>},
    {"redux.sync.fmax.abs.NaN", redux<combineFloat<true, true, true>>},
    {"bar.warp.sync", meet<actSync>},
    {"elect.sync", meet<actElect>},
    {"activemask", activeMask},
};

Handler shoal::emu::findWarp(std::string_view name, Site &site) {
  if (name.substr(0, 10) == "shfl.sync.") {
    auto parts = words(name);
    if (parts.size() < 4)
      return nullptr;
    site.data = parts[3].back() == 'p' ? &site : nullptr;
    return parts[2] == "down"   ? shuffle<Shuffle::Down>
           : parts[2] == "up"   ? shuffle<Shuffle::Up>
           : parts[2] == "bfly" ? shuffle<Shuffle::Butterfly>
           : parts[2] == "idx"  ? shuffle<Shuffle::Index>
                                : nullptr;
  }
  return lookUp(table, name);
}
