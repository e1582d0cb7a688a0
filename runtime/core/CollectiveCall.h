// A collective as the program table states it: what its parameters mean, which
// bytes go where, and how many are sent. Nothing here moves data.
#ifndef SHOAL_RUNTIME_CORE_COLLECTIVECALL_H
#define SHOAL_RUNTIME_CORE_COLLECTIVECALL_H

#include "shoal/runtime/Cursor.h"

#include <algorithm>
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

/// The operands of a collective instruction.
struct CollectiveOperands {
  CollectiveCall call;
  uint32_t group = 0;
  /// Slots; `in` is empty for a Recv, `out` for a Send, and an output may be
  /// kNone.
  std::span<const int64_t> in, out;
};

/// Reads them from the operand `kind` on (a CollectiveStart's second). A fill
/// that is in a slot (the twelfth parameter of a Reblock) is left to the
/// caller.
CollectiveOperands readCollective(const program::View &program,
                                  const Cursor &cursor,
                                  std::span<const int64_t> operands);

/// Whether a Reblock's fill is in a slot, params[11].
inline bool hasFillSlot(const CollectiveCall &call) {
  return call.kind == program::CollectiveKind::Reblock &&
         call.params.size() == 12 &&
         static_cast<uint32_t>(call.params[11]) != program::kNone;
}

/// "all_reduce(add, 2 buffers, 4096 bytes)".
std::string describe(const CollectiveCall &call);
const char *toString(program::CollectiveKind kind);

/// "" or why the call makes no sense in a group of `groupSize`.
std::string checkCall(const CollectiveCall &call, int64_t groupSize);

/// Whether the operation exists for the type (no bitwise ones on floats).
bool canReduce(program::DType type, program::Reduction reduction);

/// Whether members' elements are combined on the way.
inline bool isReducing(program::CollectiveKind kind) {
  return kind == program::CollectiveKind::AllReduce ||
         kind == program::CollectiveKind::ReduceScatter;
}

/// Bytes that the member at `position` sends, in ring accounting (DESIGN.md
/// section 4).
double bytesSent(const CollectiveCall &call, int64_t groupSize,
                 int64_t position);

/// The (source, target) pairs of a Permute, Send or Recv, flat.
std::span<const int64_t> pairsOf(const CollectiveCall &call);

/// A run of rows that one member gets from another (or from a fill).
struct RowRun {
  int64_t from;   // member, or -1: fill
  int64_t source; // first row in its block
  int64_t target, count;
};

/// Where the rows of member `to` come from in a reblock.
template <typename Visit>
void forEachRun(const std::vector<int64_t> &v, int64_t p, int64_t to,
                const Visit &visit) {
  int64_t inRows = v[2], outRows = v[3], size = v[4];
  bool wrap = v[7] != 0;
  int64_t first = v[5] + to * v[6];
  for (int64_t r = 0; r < outRows;) {
    int64_t global = first + r;
    if (wrap && size > 0)
      global = (global % size + size) % size;
    RowRun run{-1, 0, r, 0};
    if (global < 0) {
      run.count = std::min(outRows - r, -global);
    } else if (global >= size || inRows == 0 || global / inRows >= p) {
      run.count = outRows - r;
    } else {
      run.from = global / inRows;
      run.source = global % inRows;
      run.count = std::min({outRows - r, inRows - run.source, size - global});
    }
    visit(run);
    r += run.count;
  }
}

/// Rows [offset, offset + count) of `from` that go to rows [target, …) of
/// `to`, clamped to both buffers: the offsets are data.
struct RaggedPiece {
  int64_t source, target, count;
};
/// `headers` are the inputs of the member that sends, of which only the offsets
/// and sizes (2, 3 and 4) are read.
RaggedPiece raggedPiece(const CollectiveCall &call,
                        std::span<const std::byte *const> headers, int64_t to);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_CORE_COLLECTIVECALL_H
