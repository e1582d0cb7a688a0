// What each collective does to the buffers of its group, and what it sends.
#ifndef SHOAL_RUNTIME_HOST_COLLECTIVES_H
#define SHOAL_RUNTIME_HOST_COLLECTIVES_H

#include "shoal/runtime/Program.h"
#include "shoal/runtime/Status.h"

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace shoal::rt {

/// A collective as one member issues it; what all must agree on.
struct CollectiveCall {
  program::CollectiveKind kind = program::CollectiveKind::Barrier;
  program::Reduction reduction = program::Reduction::None;
  /// Params of the kind (Program.h), after the slots; a Broadcast's root, which
  /// is a register there, is its value here.
  std::vector<int64_t> params;
  struct Buffer {
    program::DType type;
    int64_t inBytes, outBytes;
    bool operator==(const Buffer &) const = default;
  };
  std::vector<Buffer> buffers;
  bool operator==(const CollectiveCall &) const = default;
};

/// The buffers of one member.
struct MemberBuffers {
  std::vector<const std::byte *> in;
  std::vector<std::byte *> out;
};

/// "all_reduce(add, 2 buffers, 4096 bytes)".
std::string describe(const CollectiveCall &call);
const char *toString(program::CollectiveKind kind);

/// "" or why the call makes no sense in a group of `groupSize`.
std::string checkCall(const CollectiveCall &call, int64_t groupSize);

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

/// Bytes that the member at `position` sends, in ring accounting (DESIGN.md
/// section 4).
double bytesSent(const CollectiveCall &call, int64_t groupSize,
                 int64_t position);

/// The (source, target) pairs of a Permute, Send or Recv, flat.
std::span<const int64_t> pairsOf(const CollectiveCall &call);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_HOST_COLLECTIVES_H
