// Which buffers of a rank's arena hold something, over the time of a step.
#ifndef SHOAL_LIB_SIMULATE_MEMORYTIMELINE_H
#define SHOAL_LIB_SIMULATE_MEMORYTIMELINE_H

#include "SlotFlow.h"

#include <utility>

namespace shoal::simulation {

/// A buffer lives from the start of what writes it whole to the end of the last
/// that reads or writes it before it is written whole again. Parts that are
/// written keep the rest alive.
class MemoryTimeline {
public:
  MemoryTimeline(const program::View &program, const SlotFlow &flow);

  /// The next instruction in the order of the host. Returns a number for
  /// begin() and end(), or kNothing if it touches no buffer of the arena.
  static constexpr uint32_t kNothing = UINT32_MAX;
  uint32_t add(const Accesses &accesses);
  void begin(uint32_t number, double now);
  void end(uint32_t number, double now);

  /// Times, ascending, and the bytes that are alive from then on: those of
  /// arguments and results always, and what lives in the arena.
  std::vector<std::pair<double, int64_t>> timeline() const;

private:
  struct Life {
    int64_t bytes;
    double begin, end;
  };
  const program::View &program;
  const SlotFlow &flow;
  std::vector<Life> lives;
  std::vector<uint32_t> current; ///< by slot: its last life
  /// By instruction: the first of `touched` that are its.
  std::vector<uint32_t> first{0}, touched;
};

} // namespace shoal::simulation

#endif // SHOAL_LIB_SIMULATE_MEMORYTIMELINE_H
