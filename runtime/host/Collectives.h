// What each collective does to the buffers of its group, and what it sends.
#ifndef SHOAL_RUNTIME_HOST_COLLECTIVES_H
#define SHOAL_RUNTIME_HOST_COLLECTIVES_H

#include "core/CollectiveCall.h"

#include <functional>
#include <span>
#include <vector>

namespace shoal::rt {

/// The buffers of one member.
struct MemberBuffers {
  std::vector<const std::byte *> in;
  std::vector<std::byte *> out;
};

/// Moves and folds the data of a whole group; members in order of position.
/// Splits itself over idle threads of the pool; the result does not depend on
/// how. Members with null outputs (those of other processes) get nothing. Not
/// for Send and Recv.
void executeCollective(const CollectiveCall &call,
                       std::span<const MemberBuffers> members);

/// Visits the ranges (offset, bytes) of the input buffer `b` of the member at
/// position `from`, whose buffers are given, that the one at `to` needs.
void forEachNeeded(const CollectiveCall &call, int64_t groupSize,
                   const MemberBuffers &fromBuffers, int64_t from, int64_t to,
                   size_t b,
                   const std::function<void(int64_t, int64_t)> &visit);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_HOST_COLLECTIVES_H
