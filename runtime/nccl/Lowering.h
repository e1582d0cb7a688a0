// What NCCL does for each collective of the program table, and what is done
// around it: which reductions it has, and which bytes are sent to whom.
#ifndef SHOAL_RUNTIME_NCCL_LOWERING_H
#define SHOAL_RUNTIME_NCCL_LOWERING_H

#include "core/CollectiveMoves.h"
#include "cuda/kernels/Kernels.h"
#include "nccl/Nccl.h"

namespace shoal::nccl {

/// How a reduction is done.
struct Reducing {
  enum class Way {
    Native, ///< by NCCL, on the type itself
    Widen,  ///< by NCCL, on elements converted to another type
    Gather, ///< all inputs are sent, and a kernel folds them
  } way = Way::Gather;
  ncclDataType_t type = ncclUint8;
  ncclRedOp_t op = ncclSum;
  int64_t perElement = 1; ///< numbers of `type` for each element: 2 for complex
  int64_t wideBytes = 0;  ///< of a converted element
  cuda::Convert to = cuda::Convert::ToInt32, from = cuda::Convert::FromInt32;
};

/// NCCL has no types of 16-bit or narrower integers but bytes, no bitwise
/// reductions, and minimum and maximum that lose NaN and the order of zeros;
/// narrow floats would be rounded at each step.
Reducing reducingOf(program::DType type, program::Reduction reduction);

/// What one rank sends another, dense, move by move.
struct Piece {
  int64_t peer = 0;
  std::vector<rt::Move> moves;
  int64_t bytes = 0;
  /// Offset in the workspace, or -1: it lies as it is in the buffer, from the
  /// moves' first offset on.
  int64_t packed = -1;
};

/// One buffer of a collective that is not NCCL's own, at one position.
struct Exchange {
  std::vector<Piece> sends, receives; ///< without the rank itself
  std::vector<rt::Move> own;          ///< from the rank to itself
  std::vector<rt::FillRows> fills;
  int64_t ownPacked = -1; ///< with packAll: a place for the own piece
};

/// Device memory handed out from the workspace, in the order of the calls.
struct WorkspaceUse {
  int64_t size = 0;
  int64_t take(int64_t bytes) {
    int64_t at = size;
    size += (bytes + 255) / 256 * 256;
    return at;
  }
};

/// The messages of buffer `b` at `position`, with their places in the
/// workspace. `packAll`: also those that could be received in place (they are
/// to be folded).
Exchange exchangeOf(const rt::CollectiveCall &call, int64_t groupSize,
                    int64_t position, size_t b, bool packAll,
                    WorkspaceUse &workspace);

/// Whether NCCL's own all-gather or reduce-scatter has this layout.
bool isDense(const rt::CollectiveCall &call, int64_t groupSize);

} // namespace shoal::nccl

#endif // SHOAL_RUNTIME_NCCL_LOWERING_H
