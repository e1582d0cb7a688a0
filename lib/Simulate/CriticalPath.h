// The longest chain of instructions each of which needs a value of the one
// before, as a rank executes them: what no schedule can shorten.
#ifndef SHOAL_LIB_SIMULATE_CRITICALPATH_H
#define SHOAL_LIB_SIMULATE_CRITICALPATH_H

#include "shoal/runtime/Program.h"

#include <vector>

namespace shoal::simulation {

/// Follows values, not memory: a buffer that is written anew waits for nobody
/// who still reads its old contents, and buffers that share memory are apart.
class CriticalPath {
public:
  explicit CriticalPath(const program::View &program);

  /// The next instruction that the rank executes, besides host scalars and
  /// control flow, and how long it takes alone.
  void add(const program::Instruction &i, double seconds);
  double seconds() const { return longest; }

private:
  /// The slot in whose memory `slot` lies.
  uint32_t base(int64_t slot) const;
  double readyAt(std::span<const int64_t> slots) const;
  void write(std::span<const int64_t> slots, double at);

  const program::View &program;
  std::vector<uint32_t> handles; ///< what a handle's memory is a part of
  std::vector<double> ready;     ///< by base slot: when its value is there
  std::vector<double> events;    ///< when a started collective is done
  std::vector<std::vector<uint32_t>> pending; ///< what it writes, by event
  double hostReady = 0; ///< after the last value that the host read
  double longest = 0;
};

} // namespace shoal::simulation

#endif // SHOAL_LIB_SIMULATE_CRITICALPATH_H
