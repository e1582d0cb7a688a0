// shoal-assign-offsets: see Passes.td.
#include "Liveness.h"
#include "shoal/Schedule/Passes.h"

#include "llvm/Support/MathExtras.h"

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

struct AssignOffsets : impl::AssignOffsetsBase<AssignOffsets> {
  void runOnOperation() override {
    for (auto program : getOperation().getOps<plan::ProgramOp>())
      if (failed(assign(program)))
        return signalPassFailure();
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
    // Large ones first; among equals those that live longer.
    SmallVector<Placed *> order;
    for (Placed &buffer : buffers)
      order.push_back(&buffer);
    llvm::stable_sort(order, [](const Placed *a, const Placed *b) {
      if (a->bytes != b->bytes)
        return a->bytes > b->bytes;
      return a->span.end - a->span.begin > b->span.end - b->span.begin;
    });
    int64_t total = 0;
    SmallVector<Placed *> done; // sorted by offset
    for (Placed *buffer : order) {
      // The smallest gap between buffers alive at the same time that holds it.
      int64_t at = 0, best = -1, bestRoom = INT64_MAX;
      for (Placed *other : done) {
        if (!other->span.overlaps(buffer->span))
          continue;
        int64_t room = other->offset - at;
        if (room >= buffer->bytes && room < bestRoom) {
          best = at;
          bestRoom = room;
        }
        at = std::max(at, other->offset + other->bytes);
      }
      if (best < 0)
        best = at;
      if (best > INT64_MAX - buffer->bytes)
        return program.emitError("needs more memory than 63 bits can count");
      buffer->offset = best;
      total = std::max(total, best + buffer->bytes);
      done.insert(llvm::upper_bound(done, buffer,
                                    [](const Placed *a, const Placed *b) {
                                      return a->offset < b->offset;
                                    }),
                  buffer);
    }
    for (Placed &buffer : buffers)
      buffer.alloc.setOffset(buffer.offset);
    program.setArenaBytes(total);
    return success();
  }
};
} // namespace
} // namespace shoal
