// shoal-verify-schedule: see Passes.td.
#include "Liveness.h"
#include "shoal/Schedule/MemoryNotes.h"
#include "shoal/Schedule/Passes.h"

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_VERIFYSCHEDULE
#include "shoal/Schedule/Passes.h.inc"

namespace {
struct VerifySchedule : impl::VerifyScheduleBase<VerifySchedule> {
  void runOnOperation() override {
    for (auto program : getOperation().getOps<plan::ProgramOp>())
      if (failed(verifyMemory(program)) || failed(verifyWrites(program)) ||
          failed(verifyEvents(program)))
        return signalPassFailure();
  }

  /// Buffers that are alive at once lie apart, and all inside the arena or the
  /// result that they are placed in.
  LogicalResult verifyMemory(plan::ProgramOp program) {
    Liveness liveness(program);
    SmallVector<Item> arena, host;
    llvm::MapVector<Operation *, SmallVector<Item>> results;
    for (Operation &op : program.getBody().front()) {
      if (auto alloc = dyn_cast<plan::AllocOp>(op)) {
        if (!alloc.getOffset() || !program.getArenaBytes())
          return alloc.emitOpError("has no place in the arena");
        int64_t begin = *alloc.getOffset(),
                end = begin + alloc.getType().getBytes();
        bool isHost = alloc->hasAttr(kHostAttr);
        auto hostBytes = program->getAttrOfType<IntegerAttr>(kHostBytesAttr);
        int64_t size = !isHost ? static_cast<int64_t>(*program.getArenaBytes())
                       : hostBytes ? hostBytes.getInt()
                                   : 0;
        if (begin < 0 || end > size)
          return alloc.emitOpError("reaches outside the arena");
        (isHost ? host : arena)
            .push_back({alloc, liveness.getSpan(alloc), begin, end});
      } else if (auto view = dyn_cast<plan::ViewOp>(op);
                 view && view->hasAttr(kTemporaryAttr)) {
        auto result = view.getBase().getDefiningOp<plan::ResultOp>();
        if (!result || result.getArgument() || !view.getIndices().empty())
          return view.emitOpError("is temporary, but not a fixed part of a "
                                  "result with memory of its own");
        SmallVector<Item> &items = results[result];
        if (items.empty()) {
          Liveness::Span span = liveness.getSpan(result);
          span.end = INT64_MAX; // the caller reads it
          items.push_back({result, span, 0, result.getType().getBytes()});
        }
        int64_t begin = view.getOffset();
        items.push_back({view, liveness.getSpan(view), begin,
                         begin + view.getView().getType().getBytes()});
      }
    }
    LogicalResult verdict = verifyApart(arena);
    if (succeeded(verdict))
      verdict = verifyApart(host);
    for (auto &[result, items] : results)
      if (succeeded(verdict))
        verdict = verifyApart(items);
    return verdict;
  }

  struct Item {
    Operation *op;
    Liveness::Span span;
    int64_t begin, end;
  };
  static LogicalResult verifyApart(SmallVectorImpl<Item> &items) {
    llvm::erase_if(items, [](const Item &item) {
      return item.span.empty() || item.begin == item.end;
    });
    // Sweep over addresses: compare with what still reaches past the start.
    llvm::stable_sort(
        items, [](const Item &a, const Item &b) { return a.begin < b.begin; });
    SmallVector<Item *> open;
    for (Item &item : items) {
      llvm::erase_if(open, [&](Item *o) { return o->end <= item.begin; });
      for (Item *other : open)
        if (other->span.overlaps(item.span)) {
          InFlightDiagnostic error = item.op->emitOpError(
              "overlaps another buffer while both are alive");
          error.attachNote(other->op->getLoc()) << "the other buffer";
          return error;
        }
      open.push_back(&item);
    }
    return success();
  }

  /// Constants are never written, arguments only if they are donated.
  LogicalResult verifyWrites(plan::ProgramOp program) {
    Liveness liveness(program);
    for (const Access &access : liveness.getAccesses()) {
      if (!access.isWrite)
        continue;
      for (Operation *root : liveness.getRoots(access.buffer)) {
        if (isa<plan::ConstantOp>(root))
          return access.op->emitOpError("writes to a constant");
        if (auto argument = dyn_cast<plan::ArgumentOp>(root)) {
          auto attrs = program.getArgAttrs();
          auto dict = attrs
                          ? cast<DictionaryAttr>((*attrs)[argument.getIndex()])
                          : DictionaryAttr();
          if (!dict ||
              !(dict.get("tf.aliasing_output") || dict.get("jax.buffer_donor")))
            return access.op->emitOpError("writes to argument ")
                   << argument.getIndex() << ", which is not donated";
        }
      }
    }
    return success();
  }

  /// Every started collective is awaited once, in its own block: then the order
  /// in which ranks meet is that of the program, the same on all of them.
  LogicalResult verifyEvents(plan::ProgramOp program) {
    WalkResult result = program.walk([&](plan::CollectiveStartOp start) {
      unsigned done = 0;
      for (Operation *user : start.getEvent().getUsers())
        if (isa<plan::CollectiveDoneOp>(user) &&
            user->getBlock() == start->getBlock())
          ++done;
      if (done != 1) {
        start.emitOpError("must be awaited once, in the same block");
        return WalkResult::interrupt();
      }
      return WalkResult::advance();
    });
    // So is every copy that runs beside.
    program.walk([&](plan::CopyOp copy) {
      if (copy.getStream() == 0 || result.wasInterrupted())
        return;
      auto record = dyn_cast_or_null<plan::RecordOp>(copy->getNextNode());
      unsigned waits = 0;
      if (record && record.getStream() == copy.getStream())
        for (Operation *user : record.getEvent().getUsers())
          waits += user->getBlock() == copy->getBlock() &&
                   cast<plan::WaitOp>(user).getStream() == 0;
      if (waits == 0) {
        copy.emitOpError("runs beside others and is not awaited in its block");
        result = WalkResult::interrupt();
      }
    });
    return failure(result.wasInterrupted());
  }
};
} // namespace
} // namespace shoal
