// The longest chain of instructions each of which needs a value of the one
// before, as a rank executes them: what no schedule can shorten.
#ifndef SHOAL_LIB_SIMULATE_CRITICALPATH_H
#define SHOAL_LIB_SIMULATE_CRITICALPATH_H

#include "SlotFlow.h"

namespace shoal::simulation {

/// Follows values, not memory: a buffer that is written anew waits for nobody
/// who still reads its old contents, and buffers that share memory are apart.
class CriticalPath {
public:
  CriticalPath(const program::View &program, const SlotFlow &flow);

  /// The next instruction that the rank executes, besides host scalars and
  /// control flow, what it reads and writes, and how long it takes alone.
  void add(const program::Instruction &i, const Accesses &accesses,
           double seconds);
  double seconds() const { return longest; }

private:
  double readyAt(llvm::ArrayRef<int64_t> slots) const;
  void write(llvm::ArrayRef<int64_t> slots, double at);

  const program::View &program;
  const SlotFlow &flow;
  std::vector<double> ready;  ///< by base slot: when its value is there
  std::vector<double> events; ///< when a started collective is done
  std::vector<std::vector<uint32_t>> pending; ///< what it writes, by event
  double hostReady = 0; ///< after the last value that the host read
  double longest = 0;
};

} // namespace shoal::simulation

#endif // SHOAL_LIB_SIMULATE_CRITICALPATH_H
