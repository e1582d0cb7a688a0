// Programs that repeat themselves: unrolled layers.
#ifndef SHOAL_ANALYSIS_REPETITION_H
#define SHOAL_ANALYSIS_REPETITION_H

#include "mlir/IR/Block.h"

#include <optional>

namespace shoal {

/// Ops number `start` to `end` (from 0) of a block: each is like the one
/// `period` before it, from the second part on. Parts begin where the fewest
/// bytes are alive.
struct Repetition {
  unsigned start = 0, end = 0, period = 0;

  bool contains(unsigned position) const {
    return start <= position && position < end;
  }
  /// Which part an op is in; numbers go on before the first and after the last.
  int partOf(unsigned position) const {
    int distance = int(position) - int(start);
    return distance >= 0 ? distance / int(period)
                         : -1 - (-1 - distance) / int(period);
  }
};

/// The longest repetition of at least three parts, if there is one.
std::optional<Repetition> findRepetition(mlir::Block &block);

} // namespace shoal

#endif // SHOAL_ANALYSIS_REPETITION_H
