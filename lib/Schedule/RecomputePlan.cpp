#include "RecomputePlan.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>
#include <set>

using llvm::ArrayRef;
using llvm::SmallVector;

namespace shoal {

/// Copies to and from the host take this share of the time that there is for
/// them at most; one takes this much longer than it should, as the schedule
/// allows for (SplitCollectives), and is begun this much earlier; and it costs
/// this share of its time, for the memory that it keeps busy.
static constexpr double kHostShare = 0.8, kHostSlack = 2, kHostLead = 1.5,
                        kHostPrice = 0.05;

/// The longest way back to what is still there, and the most steps on it.
static constexpr int kMaxDepth = 16;
static constexpr size_t kMaxChain = 24;
/// How many values are made again at most, and how many ways are tried in vain
/// before the peak is taken for the least there is.
static constexpr int kMaxApplied = 5000, kMaxRefused = 48;
/// The share of what is saved that may go into holding operands longer, before
/// they are made again, too.
static constexpr double kMostHeldLonger = 0.4;

void RecomputePlan::addStep(Step step) {
  unsigned id = steps.size();
  step.origin = step.before = id;
  for (unsigned memory : step.reads)
    memories[memory].readers.push_back(id);
  for (auto [i, memory] : llvm::enumerate(step.makes)) {
    memories[memory].maker = static_cast<int>(id);
    memories[memory].result = i;
  }
  steps.push_back(std::move(step));
  order.push_back(id);
}

void RecomputePlan::start() {
  number();
  measure();
}

void RecomputePlan::number() {
  place.resize(steps.size());
  clock.assign(order.size() + 1, 0);
  for (auto [i, id] : llvm::enumerate(order)) {
    place[id] = i;
    clock[i + 1] = clock[i] + (steps[id].isOnLinks ? 0 : steps[id].seconds);
  }
}

unsigned RecomputePlan::placeAt(double time) const {
  return std::min<size_t>(llvm::lower_bound(clock, time) - clock.begin(),
                          order.size() - 1);
}

/// The place of the last step that reads, or makes, the memory.
unsigned RecomputePlan::lastUse(unsigned id) const {
  const Memory &memory = memories[id];
  unsigned last = memory.maker < 0 ? 0 : place[memory.maker];
  for (unsigned reader : memory.readers)
    last = std::max(last, place[reader]);
  return last;
}

/// The same of those before a place; -1 if there is none.
int RecomputePlan::lastUseBefore(unsigned id, unsigned at) const {
  const Memory &memory = memories[id];
  int last = -1;
  if (memory.maker >= 0 && place[memory.maker] < at)
    last = static_cast<int>(place[memory.maker]);
  for (unsigned reader : memory.readers)
    if (place[reader] < at)
      last = std::max(last, static_cast<int>(place[reader]));
  return last;
}

bool RecomputePlan::endNeeds(unsigned memory) const {
  return llvm::any_of(memories[memory].readers,
                      [&](unsigned reader) { return steps[reader].isEnd; });
}

void RecomputePlan::measure() {
  SmallVector<unsigned> last(memories.size());
  for (unsigned id = 0; id < memories.size(); ++id)
    last[id] = lastUse(id);
  SmallVector<int64_t> takes(memories.size(), 0);
  SmallVector<bool> isGiven(memories.size(), false);
  held.assign(order.size(), 0);
  over.assign(order.size() + 1, 0);
  int64_t now = 0;
  peak = INT64_MIN;
  excess = 0;
  for (auto [at, id] : llvm::enumerate(order)) {
    const Step &step = steps[id];
    for (unsigned made : step.makes) {
      takes[made] = memories[made].bytes;
      bool isNew = true;
      for (auto [read, result] : step.inPlace) {
        const Memory &from = memories[read];
        if (result != made || last[read] != at || isGiven[read] ||
            from.bytes < memories[made].bytes ||
            (from.maker < 0 && from.isLasting))
          continue;
        // What is made in outside memory takes none.
        takes[made] = takes[read];
        takes[read] = 0;
        isGiven[read] = true;
        isNew = false;
        break;
      }
      if (isNew)
        now += takes[made];
    }
    held[at] = now;
    int64_t all = now + step.inner;
    if (all > peak) {
      peak = all;
      top = at;
    }
    if (all > target)
      excess += static_cast<double>(all - target);
    over[at + 1] = over[at] + (all > target);
    auto release = [&](unsigned memory) {
      if (last[memory] == at) {
        now -= takes[memory];
        takes[memory] = 0;
      }
    };
    llvm::for_each(step.reads, release);
    llvm::for_each(step.holds, release);
    llvm::for_each(step.makes, release);
  }
}

template <typename Visit>
void RecomputePlan::forEachCopy(unsigned origin, Visit visit) const {
  visit(origin);
  if (auto it = copies.find(origin); it != copies.end())
    for (unsigned copy : it->second)
      visit(copy);
}

/// Memory with the value of `origin` that is there at a place anyway, or costs
/// little to be.
bool RecomputePlan::findSource(unsigned origin, unsigned at,
                               Candidate &c) const {
  const Memory &memory = memories[origin];
  if (memory.maker >= 0 &&
      llvm::is_contained(c.chain, static_cast<unsigned>(memory.maker)))
    return false;
  if (c.sources.contains(origin))
    return true;
  if (memory.bytes == 0 || (memory.maker < 0 && memory.isLasting)) {
    c.sources[origin] = origin;
    return true;
  }
  int best = -1;
  unsigned bestLast = 0;
  forEachCopy(origin, [&](unsigned id) {
    if (memories[id].maker >= 0 && place[memories[id].maker] >= at)
      return;
    unsigned last = lastUse(id);
    if (best < 0 || last > bestLast) {
      best = static_cast<int>(id);
      bestLast = last;
    }
  });
  if (best < 0)
    return false;
  if (bestLast < at) {
    // What is carried is overwritten after its last use.
    if (memories[best].maker < 0)
      return false;
    double loss = static_cast<double>(memory.bytes) * overBetween(bestLast, at);
    if (loss > kMostHeldLonger * c.gain)
      return false;
    c.gain -= loss;
  }
  c.sources[origin] = static_cast<unsigned>(best);
  return true;
}

bool RecomputePlan::findChain(unsigned origin, unsigned at, Candidate &c,
                              int depth) const {
  int maker = memories[origin].maker;
  if (maker < 0 || depth > kMaxDepth || c.chain.size() >= kMaxChain)
    return false;
  const Step &step = steps[maker];
  if (!step.isRepeatable)
    return false;
  if (llvm::is_contained(c.chain, static_cast<unsigned>(maker)))
    return true;
  c.chain.push_back(maker);
  c.price += step.price;
  for (unsigned read : step.reads)
    if (!findSource(read, at, c) && !findChain(read, at, c, depth + 1))
      return false;
  return true;
}

/// What is held across the peak, not used there, and how it can be made again
/// before it is used next; the best first.
SmallVector<RecomputePlan::Candidate> RecomputePlan::candidates() const {
  SmallVector<Candidate> found;
  for (unsigned id = 0; id < memories.size(); ++id) {
    const Memory &memory = memories[id];
    if (memory.bytes == 0 || memory.maker < 0 || place[memory.maker] >= top)
      continue;
    int next = -1;
    bool readNow = false;
    for (unsigned reader : memory.readers) {
      readNow |= place[reader] == top;
      if (place[reader] > top &&
          (next < 0 || place[reader] < place[static_cast<unsigned>(next)]))
        next = static_cast<int>(reader);
    }
    if (readNow || next < 0 || endNeeds(id))
      continue;
    Candidate c;
    c.memory = id;
    c.reader = next;
    unsigned at = place[next];
    if (auto fetch = findFetch(id, at))
      found.push_back(std::move(*fetch));
    double width = overBetween(lastUseBefore(id, at), at);
    c.gain = static_cast<double>(memory.bytes) * width;
    if (c.gain <= 0 || !findChain(memory.origin, at, c, 0))
      continue;
    llvm::sort(c.chain);
    // Other results that come with it.
    for (unsigned step : c.chain)
      for (unsigned made : steps[step].makes)
        if (made != memory.origin)
          forEachCopy(made, [&](unsigned copy) {
            if (memories[copy].bytes > 0 && !endNeeds(copy) &&
                lastUse(copy) >= at && place[memories[copy].maker] < at)
              c.gain += static_cast<double>(memories[copy].bytes) *
                        overBetween(lastUseBefore(copy, at), at);
          });
    if (c.gain <= 0)
      continue;
    // Bytes at the peak count, and that there are many peaks half as much.
    c.score = c.price / c.gain * std::sqrt(width);
    found.push_back(std::move(c));
  }
  llvm::stable_sort(found, [](const Candidate &a, const Candidate &b) {
    return a.score < b.score;
  });
  return found;
}

/// The way over the host, if there is time for it.
std::optional<RecomputePlan::Candidate>
RecomputePlan::findFetch(unsigned id, unsigned at) const {
  const Memory &memory = memories[id];
  if (hostSecondsPerByte == 0 || memory.origin != id)
    return std::nullopt;
  double seconds = hostSeconds(memory.bytes);
  bool isThere = offloaded.contains(id);
  if ((!isThere && outSeconds + seconds > kHostShare * clock[top]) ||
      inSeconds + seconds > kHostShare * (clock.back() - clock[top]))
    return std::nullopt;
  unsigned away =
      isThere ? place[memory.maker]
              : placeAt(clock[place[memory.maker] + 1] + kHostSlack * seconds);
  away = std::max<unsigned>(away, lastUseBefore(id, top + 1));
  unsigned back = placeAt(clock[at] - kHostLead * seconds);
  // (The last that is early enough.)
  while (back > 0 &&
         (back > at || clock[back] > clock[at] - kHostLead * seconds))
    --back;
  if (away >= top || back <= top)
    return std::nullopt;
  Candidate c;
  c.memory = id;
  c.reader = order[at];
  c.fetchAt = static_cast<int>(back);
  double width = overBetween(away, back);
  c.gain = static_cast<double>(memory.bytes) * width;
  c.price = kHostPrice * seconds * (isThere ? 1 : 2);
  if (c.gain <= 0)
    return std::nullopt;
  c.score = c.price / c.gain * std::sqrt(width);
  return c;
}

/// The last that the device computes before a place, so that no order has
/// earlier what is put there.
int RecomputePlan::anchorBefore(unsigned at) const {
  for (unsigned i = at; i-- > 0;) {
    const Step &before = steps[order[i]];
    if (before.kind == Step::Op && before.origin == order[i] &&
        before.seconds > 0 && !before.isOnLinks)
      return static_cast<int>(order[i]);
  }
  return -1;
}

void RecomputePlan::applyFetch(const Candidate &c) {
  double seconds = hostSeconds(memories[c.memory].bytes);
  unsigned back = c.fetchAt, at = place[c.reader];
  auto [host, isNew] = offloaded.try_emplace(c.memory, 0);
  auto copy = [&](Step::Kind kind, unsigned from, unsigned to, unsigned where) {
    Step step;
    step.kind = kind;
    step.seconds = step.price = seconds;
    step.isOnLinks = true;
    step.origin = steps.size();
    step.before = steps[order[where]].before;
    step.after = kind == Step::Fetch ? anchorBefore(where) : -1;
    step.reads.push_back(from);
    step.makes.push_back(to);
    memories[from].readers.push_back(steps.size());
    memories[to].maker = static_cast<int>(steps.size());
    memories[to].result = 0;
    order.insert(order.begin() + where, steps.size());
    steps.push_back(std::move(step));
  };
  Memory fetched = memories[c.memory];
  fetched.readers.clear();
  memories.push_back(fetched);
  unsigned target = memories.size() - 1;
  // Readers from there on.
  SmallVector<unsigned> stay;
  for (unsigned reader : memories[c.memory].readers) {
    if (place[reader] < at) {
      stay.push_back(reader);
      continue;
    }
    for (unsigned &read : steps[reader].reads)
      if (read == c.memory)
        read = target;
    for (auto &[read, result] : steps[reader].inPlace)
      if (read == c.memory)
        read = target;
    memories[target].readers.push_back(reader);
  }
  memories[c.memory].readers = std::move(stay);
  copies[c.memory].push_back(target);
  applied.push_back({c.memory, static_cast<unsigned>(steps.size()), 1,
                     memories[c.memory].bytes, isNew ? 2 * seconds : seconds,
                     true});
  unsigned away = place[memories[c.memory].maker] + 1;
  if (isNew) {
    Memory memory;
    memory.origin = memories.size();
    host->second = memories.size();
    memories.push_back(memory);
    // It is held until it has been copied.
    unsigned until = placeAt(clock[away] + kHostSlack * seconds);
    memories[c.memory].readers.push_back(order[until]);
    steps[order[until]].holds.push_back(c.memory);
    outSeconds += seconds;
  }
  inSeconds += seconds;
  unsigned kept = host->second;
  copy(Step::Fetch, kept, target, back);
  if (isNew)
    copy(Step::Offload, c.memory, kept, away);
  number();
}

void RecomputePlan::apply(const Candidate &c) {
  if (c.fetchAt >= 0)
    return applyFetch(c);
  unsigned at = place[c.reader];
  llvm::DenseMap<unsigned, unsigned> made;
  SmallVector<unsigned> fresh;
  Applied done{
      memories[c.memory].origin, 0, static_cast<unsigned>(c.chain.size()),
      memories[c.memory].bytes,  0, false};
  int anchor = anchorBefore(at);
  for (unsigned origin : c.chain) {
    unsigned id = steps.size();
    Step step = steps[origin];
    step.holds.clear();
    step.before = steps[c.reader].before;
    step.after = anchor;
    done.seconds += step.seconds;
    auto now = [&](unsigned memory) {
      auto again = made.find(memory);
      return again != made.end() ? again->second : c.sources.lookup(memory);
    };
    for (unsigned &read : step.reads) {
      read = now(read);
      memories[read].readers.push_back(id);
    }
    SmallVector<unsigned> makes;
    for (auto [i, memory] : llvm::enumerate(step.makes)) {
      Memory copy = memories[memory];
      copy.maker = static_cast<int>(id);
      copy.readers.clear();
      memories.push_back(copy);
      makes.push_back(memories.size() - 1);
      made[memory] = memories.size() - 1;
      copies[memory].push_back(memories.size() - 1);
    }
    step.makes = std::move(makes);
    for (auto &[read, result] : step.inPlace) {
      read = now(read);
      result = made.lookup(result);
    }
    if (made.contains(done.memory) && done.step == 0)
      done.step = id;
    steps.push_back(std::move(step));
    fresh.push_back(id);
  }
  // Whoever needs one of the values from here on takes the new one.
  for (auto [origin, copy] : made) {
    unsigned target = copy;
    forEachCopy(origin, [&](unsigned old) {
      if (old == target || endNeeds(old))
        return;
      SmallVector<unsigned> stay;
      for (unsigned reader : memories[old].readers) {
        bool isFresh = reader >= fresh.front();
        if (isFresh || place[reader] < at) {
          stay.push_back(reader);
          continue;
        }
        for (unsigned &read : steps[reader].reads)
          if (read == old)
            read = target;
        for (auto &[read, result] : steps[reader].inPlace)
          if (read == old)
            read = target;
        memories[target].readers.push_back(reader);
      }
      memories[old].readers = std::move(stay);
    });
  }
  order.insert(order.begin() + at, fresh.begin(), fresh.end());
  applied.push_back(done);
  number();
}

void RecomputePlan::reduce(int64_t wanted) {
  target = wanted;
  measure();
  std::set<std::tuple<unsigned, unsigned, bool>> refused;
  while (peak > target && applied.size() < kMaxApplied) {
    bool better = false;
    int tried = 0;
    for (const Candidate &c : candidates()) {
      if (refused.contains({c.memory, c.reader, c.fetchAt >= 0}))
        continue;
      if (++tried > kMaxRefused)
        break;
      RecomputePlan before = *this;
      apply(c);
      measure();
      if (peak <= before.peak && excess < before.excess) {
        better = true;
        break;
      }
      *this = std::move(before);
      refused.insert({c.memory, c.reader, c.fetchAt >= 0});
    }
    if (!better)
      return;
  }
}

} // namespace shoal
