// What shoal-assign-offsets notes on a scheduled program.
#ifndef SHOAL_SCHEDULE_MEMORYNOTES_H
#define SHOAL_SCHEDULE_MEMORYNOTES_H

#include "llvm/ADT/StringRef.h"

namespace shoal {

/// A unit attribute of a plan.view: memory of its own, placed in a result that
/// nothing has been written to yet, not the result's value.
inline constexpr llvm::StringLiteral kTemporaryAttr = "temporary";

/// An attribute of plan.program: the largest temporaries alive when most memory
/// is needed, each as [bytes, buffer type, location].
inline constexpr llvm::StringLiteral kLiveAtPeakAttr = "live_at_peak";

} // namespace shoal

#endif // SHOAL_SCHEDULE_MEMORYNOTES_H
