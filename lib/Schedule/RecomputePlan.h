// What of a block is to be computed again, or to be brought to the memory of
// the host and back, so that less is held at once: a plan over steps and pieces
// of memory, without changing the IR.
#ifndef SHOAL_LIB_SCHEDULE_RECOMPUTEPLAN_H
#define SHOAL_LIB_SCHEDULE_RECOMPUTEPLAN_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <optional>

namespace shoal {

class RecomputePlan {
public:
  /// A piece of memory, made by a step or there from the start.
  struct Memory {
    int64_t bytes = 0; ///< 0: costs nothing to hold
    int maker = -1;    ///< step
    unsigned result = 0;
    unsigned origin = 0; ///< the memory of the block that it has the value of
    /// Of what is there from the start: may be needed longer than it is now.
    bool isLasting = false;
    llvm::SmallVector<unsigned> readers; ///< steps
  };
  /// An op of the block, or (`origin` is another step) one that is done again.
  struct Step {
    double seconds = 0;
    /// What doing it again is weighed with, at least its seconds.
    double price = 0;
    bool isRepeatable = false;
    bool isOnLinks = false;
    /// Copies to and from the memory of the host; they stand for no op yet.
    enum Kind { Op, Offload, Fetch } kind = Op;
    bool isEnd = false; ///< the terminator: nothing is computed again for it
    unsigned origin = 0;
    int64_t inner = 0; ///< bytes that its regions hold
    llvm::SmallVector<unsigned> reads, makes;
    /// Held until it runs, though it does not read them.
    llvm::SmallVector<unsigned> holds;
    /// (read, made): made in the memory that is read, if that is its last read.
    llvm::SmallVector<std::pair<unsigned, unsigned>> inPlace;
    /// Of a step done again: the step of the block for which it was first, and
    /// the one before which it must not run.
    unsigned before = 0;
    int after = -1;
  };

  /// What was done: one value (and what leads to it) is computed again.
  struct Applied {
    unsigned memory; ///< origin
    unsigned step;   ///< done again: what makes it
    unsigned numSteps;
    int64_t bytes;
    double seconds;
    bool isFetched; ///< not computed, but brought back from the host
  };

  /// The link to the memory of the host, each way; none without a call.
  void setHost(double secondsPerByte, double latency) {
    hostSecondsPerByte = secondsPerByte;
    hostLatency = latency;
  }

  /// Add all memories and steps, in order, then `start`.
  unsigned addMemory(Memory memory) {
    memories.push_back(std::move(memory));
    memories.back().origin = memories.size() - 1;
    return memories.size() - 1;
  }
  void addStep(Step step);
  void start();

  /// Computes values again until no more than `target` bytes are held at once
  /// or nothing helps. Never makes the peak higher.
  void reduce(int64_t target);

  int64_t getPeak() const { return peak; }
  llvm::ArrayRef<unsigned> getOrder() const { return order; }
  const Step &getStep(unsigned id) const { return steps[id]; }
  const Memory &getMemory(unsigned id) const { return memories[id]; }
  llvm::ArrayRef<Applied> getApplied() const { return applied; }
  /// Bytes held while each step runs, without its `inner`, by place in order.
  llvm::ArrayRef<int64_t> getHeld() const { return held; }
  unsigned getPlace(unsigned step) const { return place[step]; }

private:
  struct Candidate {
    unsigned memory = 0, reader = 0;   ///< made again right before the reader
    llvm::SmallVector<unsigned> chain; ///< steps to do again, in order
    /// Memories (origins) that the chain reads from outside -> those to take.
    llvm::DenseMap<unsigned, unsigned> sources;
    double price = 0, gain = 0, score = 0;
    /// Not a chain, but brought to the host and back: fetched at this place.
    int fetchAt = -1;
  };
  void number();
  void measure();
  unsigned lastUse(unsigned memory) const;
  int lastUseBefore(unsigned memory, unsigned at) const;
  bool endNeeds(unsigned memory) const;
  double overBetween(unsigned from, unsigned to) const {
    return from + 1 < to ? over[to] - over[from + 1] : 0;
  }
  bool findChain(unsigned origin, unsigned at, Candidate &c, int depth) const;
  bool findSource(unsigned origin, unsigned at, Candidate &c) const;
  template <typename Visit>
  void forEachCopy(unsigned origin, Visit visit) const;
  llvm::SmallVector<Candidate> candidates() const;
  void apply(const Candidate &candidate);
  void applyFetch(const Candidate &candidate);
  std::optional<Candidate> findFetch(unsigned memory, unsigned at) const;
  double hostSeconds(int64_t bytes) const {
    return hostLatency + hostSecondsPerByte * static_cast<double>(bytes);
  }
  /// The first place that begins at a time of the device's computation or
  /// later.
  unsigned placeAt(double time) const;
  int anchorBefore(unsigned at) const;

  llvm::SmallVector<Memory, 0> memories;
  llvm::SmallVector<Step, 0> steps;
  llvm::SmallVector<unsigned> order, place;
  llvm::SmallVector<int64_t> held;
  llvm::SmallVector<unsigned> over; ///< places before, with more than target
  llvm::DenseMap<unsigned, llvm::SmallVector<unsigned, 1>>
      copies; ///< by origin
  llvm::SmallVector<Applied> applied;
  int64_t peak = 0, target = INT64_MAX;
  double excess = 0;
  double hostSecondsPerByte = 0, hostLatency = 0;
  llvm::SmallVector<double> clock;              ///< computed before each place
  double outSeconds = 0, inSeconds = 0;         ///< of copies so far
  llvm::DenseMap<unsigned, unsigned> offloaded; ///< by memory: the host's
  unsigned top = 0;
};

} // namespace shoal

#endif // SHOAL_LIB_SCHEDULE_RECOMPUTEPLAN_H
