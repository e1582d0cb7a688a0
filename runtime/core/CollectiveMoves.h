// Where the bytes of a collective go, as strided copies: for backends that move
// data by copy engines and messages instead of loops over memory.
#ifndef SHOAL_RUNTIME_CORE_COLLECTIVEMOVES_H
#define SHOAL_RUNTIME_CORE_COLLECTIVEMOVES_H

#include "core/CollectiveCall.h"

namespace shoal::rt {

/// Planes of rows of bytes: byte x of row r of plane q is at
/// offset + q*plane + r*pitch + x.
struct Strided {
  int64_t offset = 0, pitch = 0, plane = 0;
};

/// Bytes that go from the input of one member to the output of another.
struct Move {
  int64_t from = 0, to = 0; ///< positions in the group
  int64_t bytes = 0, rows = 1, planes = 1;
  Strided source, target;
  int64_t total() const { return bytes * rows * planes; }
};

/// Rows of an output that get the fill pattern of a Reblock, or zeros.
struct FillRows {
  int64_t bytes = 0, rows = 1;
  Strided target;
};

struct Moves {
  std::vector<Move> moves;
  std::vector<FillRows> fills;
};

/// What the output of the member at `to` is made of, for buffer `b` of a kind
/// that does not reduce and does not depend on data: AllGather, AllToAll,
/// Permute (and the halves Send and Recv), Broadcast, Reblock. Of a
/// ReduceScatter: the pieces that are to be folded, all to the same place.
/// Moves are in order of their sender.
Moves movesTo(const CollectiveCall &call, int64_t groupSize, int64_t to,
              size_t b);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_CORE_COLLECTIVEMOVES_H
