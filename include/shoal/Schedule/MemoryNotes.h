// What shoal-assign-offsets notes on a scheduled program.
#ifndef SHOAL_SCHEDULE_MEMORYNOTES_H
#define SHOAL_SCHEDULE_MEMORYNOTES_H

#include "shoal/Support/Bytes.h"

#include "llvm/ADT/StringRef.h"

namespace shoal {

/// A unit attribute of a plan.view: memory of its own, placed in a result that
/// nothing has been written to yet, not the result's value.
inline constexpr llvm::StringLiteral kTemporaryAttr = "temporary";

/// An attribute of plan.program: the largest temporaries alive when most memory
/// is needed, each as [bytes, buffer type, location].
inline constexpr llvm::StringLiteral kLiveAtPeakAttr = "live_at_peak";

/// A unit attribute of a plan.alloc: in the memory of the host; and one of
/// plan.program: the bytes that these take there.
inline constexpr llvm::StringLiteral kHostAttr = "host";
inline constexpr llvm::StringLiteral kHostBytesAttr = "host_bytes";

} // namespace shoal

#endif // SHOAL_SCHEDULE_MEMORYNOTES_H
