// Which slots an instruction reads and writes, while a rank's program runs.
#ifndef SHOAL_LIB_SIMULATE_SLOTFLOW_H
#define SHOAL_LIB_SIMULATE_SLOTFLOW_H

#include "shoal/runtime/Program.h"

#include "llvm/ADT/SmallVector.h"

#include <span>
#include <vector>

namespace shoal::simulation {

struct Accesses {
  /// Slot numbers; kNone where an operand is left out.
  llvm::SmallVector<int64_t, 8> in, out;
};

/// Follows views and handles in the order in which the rank executes.
class SlotFlow {
public:
  explicit SlotFlow(const program::View &program);

  /// The next instruction that the rank executes. What a started collective
  /// writes is there when it is done; this says it at its start.
  Accesses next(const program::Instruction &i);
  /// The slot in whose memory `slot` lies now.
  uint32_t base(int64_t slot) const;

private:
  const program::View &program;
  std::vector<uint32_t> handles; ///< what a handle's memory is a part of
};

} // namespace shoal::simulation

#endif // SHOAL_LIB_SIMULATE_SLOTFLOW_H
