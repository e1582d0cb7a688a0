// The best order of a small block: all orders, but for those that cannot be
// better than another one of the same ops.
#ifndef SHOAL_LIB_SCHEDULE_ORDERSEARCH_H
#define SHOAL_LIB_SCHEDULE_ORDERSEARCH_H

#include "BlockGraph.h"
#include "OpTimes.h"

namespace shoal {

/// An order of the block's ops that takes less than `best` seconds and holds at
/// most `limit` bytes; empty if none is found. Streams run as BlockSchedule
/// (Overlap.cpp) says. Beyond so many ways at each length only those that may
/// become the shortest are followed; below that the result is the best there
/// is. For blocks of at most kMaxSearched ops.
inline constexpr size_t kMaxSearched = 64;
llvm::SmallVector<unsigned> searchOrder(const BlockGraph &graph,
                                        llvm::ArrayRef<OpTimes::Time> times,
                                        int64_t limit, double best);

} // namespace shoal

#endif // SHOAL_LIB_SCHEDULE_ORDERSEARCH_H
