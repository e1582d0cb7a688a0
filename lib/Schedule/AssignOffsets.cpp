// shoal-assign-offsets: see Passes.td.
#include "Liveness.h"
#include "shoal/Schedule/MemoryNotes.h"
#include "shoal/Schedule/Passes.h"

#include "llvm/Support/MathExtras.h"

#include <map>

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_ASSIGNOFFSETS
#include "shoal/Schedule/Passes.h.inc"

namespace {

/// Multiples of a cache line, as the kernel ABI promises.
constexpr int64_t kAlignment = 64;

struct Placed {
  plan::AllocOp alloc;
  Liveness::Span span;
  int64_t bytes, offset;
};

/// Memory in which buffers are placed: the arena, or an entry result before
/// anything is written to it.
struct Room {
  plan::ResultOp result; // null: the arena
  int64_t bytes = INT64_MAX;
  int64_t end = INT64_MAX;      // buffers must be dead before
  SmallVector<Placed *> placed; // by offset

  /// The smallest gap that holds the buffer while it lives: its offset and
  /// size; offset -1 if there is none.
  std::pair<int64_t, int64_t> findGap(const Placed &buffer) const {
    int64_t at = 0, best = -1, bestSize = INT64_MAX;
    for (Placed *other : placed) {
      if (!other->span.overlaps(buffer.span))
        continue;
      int64_t size = other->offset - at;
      if (size >= buffer.bytes && size < bestSize) {
        best = at;
        bestSize = size;
      }
      at = std::max(at, other->offset + other->bytes);
    }
    int64_t rest = bytes - at;
    if ((best < 0 || (result && rest < bestSize)) && rest >= buffer.bytes)
      return {at, rest};
    return {best, bestSize};
  }
  void place(Placed &buffer, int64_t offset) {
    buffer.offset = offset;
    placed.insert(llvm::upper_bound(placed, &buffer,
                                    [](const Placed *a, const Placed *b) {
                                      return a->offset < b->offset;
                                    }),
                  &buffer);
  }
};

struct AssignOffsets : impl::AssignOffsetsBase<AssignOffsets> {
  void runOnOperation() override {
    for (auto program : getOperation().getOps<plan::ProgramOp>())
      if (failed(assign(program)))
        return signalPassFailure();
  }

  /// Results that have memory of their own and are written late.
  static SmallVector<Room> resultRooms(plan::ProgramOp program,
                                       const Liveness &liveness) {
    SmallVector<Room> rooms;
    llvm::SmallDenseMap<int64_t, unsigned> count;
    program.walk([&](plan::ResultOp op) { ++count[op.getIndex()]; });
    program.walk([&](plan::ResultOp op) {
      Liveness::Span span = liveness.getSpan(op);
      if (op.getArgument() || span.empty() || count[op.getIndex()] != 1 ||
          op.getType().getBytes() < kAlignment)
        return;
      Room &room = rooms.emplace_back();
      room.result = op;
      room.bytes = op.getType().getBytes();
      room.end = span.begin;
    });
    return rooms;
  }

  LogicalResult assign(plan::ProgramOp program) {
    Liveness liveness(program);
    SmallVector<Placed> buffers;
    program.walk([&](plan::AllocOp alloc) {
      Liveness::Span span = liveness.getSpan(alloc);
      if (span.empty())
        span = {0, 0};
      int64_t bytes = alloc.getType().getBytes();
      buffers.push_back({alloc, span,
                         static_cast<int64_t>(llvm::alignTo(bytes, kAlignment)),
                         0});
    });
    int64_t hostBytes = assignHost(program, buffers);
    llvm::erase_if(buffers, [](const Placed &buffer) {
      return buffer.alloc->hasAttr(kHostAttr);
    });
    if (hostBytes > 0)
      program->setAttr(
          kHostBytesAttr,
          Builder(program.getContext()).getI64IntegerAttr(hostBytes));
    notePeak(program, buffers);
    // Large ones first; among equals those that live longer.
    SmallVector<Placed *> order;
    for (Placed &buffer : buffers)
      order.push_back(&buffer);
    llvm::stable_sort(order, [](const Placed *a, const Placed *b) {
      if (a->bytes != b->bytes)
        return a->bytes > b->bytes;
      return a->span.end - a->span.begin > b->span.end - b->span.begin;
    });
    SmallVector<Room> rooms = resultRooms(program, liveness);
    Room arena;
    int64_t total = 0;
    for (Placed *buffer : order) {
      if (buffer->bytes == 0)
        continue;
      Room *best = nullptr;
      std::pair<int64_t, int64_t> bestGap = {-1, INT64_MAX};
      for (Room &room : rooms) {
        if (room.bytes < buffer->bytes || buffer->span.end >= room.end)
          continue;
        std::pair<int64_t, int64_t> gap = room.findGap(*buffer);
        if (gap.first >= 0 && gap.second < bestGap.second) {
          best = &room;
          bestGap = gap;
        }
      }
      if (best) {
        best->place(*buffer, bestGap.first);
        moveInto(best->result, *buffer);
        continue;
      }
      int64_t offset = arena.findGap(*buffer).first;
      if (offset < 0)
        return program.emitError("needs more memory than 63 bits can count");
      arena.place(*buffer, offset);
      total = std::max(total, offset + buffer->bytes);
    }
    for (Placed &buffer : buffers)
      if (buffer.alloc)
        buffer.alloc.setOffset(buffer.offset);
    program.setArenaBytes(total);
    return success();
  }

  /// Places what is in the memory of the host; the bytes it takes there.
  static int64_t assignHost(plan::ProgramOp program,
                            MutableArrayRef<Placed> buffers) {
    Room room;
    int64_t total = 0;
    for (Placed &buffer : buffers) {
      if (!buffer.alloc->hasAttr(kHostAttr))
        continue;
      int64_t offset = std::max<int64_t>(room.findGap(buffer).first, 0);
      room.place(buffer, offset);
      buffer.alloc.setOffset(offset);
      total = std::max(total, offset + buffer.bytes);
    }
    return total;
  }

  /// The buffer becomes a view of the result.
  static void moveInto(plan::ResultOp result, Placed &buffer) {
    Block &top = result->getParentOfType<plan::ProgramOp>().getBody().front();
    if (result.getOperation() != &top.front())
      result->moveBefore(&top.front());
    OpBuilder b(buffer.alloc);
    auto view = plan::ViewOp::create(
        b, buffer.alloc.getLoc(), buffer.alloc.getType(), result.getBuffer(),
        ValueRange(), buffer.offset, ArrayRef<int64_t>());
    view->setAttr(kTemporaryAttr, b.getUnitAttr());
    buffer.alloc.replaceAllUsesWith(view.getView());
    buffer.alloc.erase();
    buffer.alloc = {};
  }

  /// For the report: which temporaries are alive when they need most, the
  /// largest ones, each as [bytes, type, location].
  static void notePeak(plan::ProgramOp program, ArrayRef<Placed> buffers) {
    std::map<int64_t, int64_t> change;
    for (const Placed &buffer : buffers) {
      change[buffer.span.begin] += buffer.bytes;
      change[buffer.span.end + 1] -= buffer.bytes;
    }
    int64_t held = 0, peak = 0, when = 0;
    for (auto [time, bytes] : change) {
      held += bytes;
      if (held > peak) {
        peak = held;
        when = time;
      }
    }
    SmallVector<const Placed *> alive;
    for (const Placed &buffer : buffers)
      if (buffer.bytes > 0 && buffer.span.begin <= when &&
          when <= buffer.span.end)
        alive.push_back(&buffer);
    llvm::stable_sort(alive, [](const Placed *a, const Placed *b) {
      return a->bytes > b->bytes;
    });
    constexpr size_t most = 20;
    Builder b(program.getContext());
    SmallVector<Attribute> entries;
    for (const Placed *buffer : ArrayRef(alive).take_front(most)) {
      plan::AllocOp alloc = buffer->alloc;
      entries.push_back(
          b.getArrayAttr({b.getI64IntegerAttr(buffer->bytes),
                          TypeAttr::get(alloc.getType()), alloc.getLoc()}));
    }
    if (!entries.empty())
      program->setAttr(kLiveAtPeakAttr, b.getArrayAttr(entries));
  }
};
} // namespace
} // namespace shoal
