// shoal-split-collectives: see Passes.td.
#include "HandleAliasing.h"
#include "shoal/Analysis/CollectiveModel.h"
#include "shoal/Schedule/Passes.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_SPLITCOLLECTIVES
#include "shoal/Schedule/Passes.h.inc"

namespace {

/// The buffers that an op, with what is nested in it, reads and writes.
struct Footprint {
  llvm::SmallSetVector<Value, 4> reads, writes;
};

class Splitter {
public:
  Splitter(plan::ProgramOp program, const Hardware &hardware)
      : hardware(hardware), liveness(program), aliasing(liveness) {
    for (const Access &access : liveness.getAccesses()) {
      Value handle = aliasing.getHandle(access.buffer);
      for (Operation *op = access.op; op && op != program.getOperation();
           op = op->getParentOp())
        (access.isWrite ? footprints[op].writes : footprints[op].reads)
            .insert(handle);
    }
  }

  void split(plan::CollectiveOp collective) {
    Operation *before = firstConflict(collective);
    // Nothing to do meanwhile: the plain form says the same.
    bool useful = false;
    for (Operation *op = collective->getNextNode(); op != before;
         op = op->getNextNode())
      useful |= takesTime(op);
    if (!useful)
      return;
    int64_t stream = streamOf(collective.getGroup());
    OpBuilder b(collective);
    Location loc = collective.getLoc();
    // The collective comes after everything that the host has issued before.
    auto issued = plan::RecordOp::create(
        b, loc, plan::EventType::get(b.getContext()), /*stream=*/0);
    plan::WaitOp::create(b, loc, issued, stream);
    OperationState state(loc, plan::CollectiveStartOp::getOperationName());
    state.addOperands(collective->getOperands());
    state.addAttributes(collective->getAttrs());
    state.addTypes(plan::EventType::get(b.getContext()));
    auto start = cast<plan::CollectiveStartOp>(b.create(state));
    start.setStream(stream);
    b.setInsertionPoint(before);
    plan::CollectiveDoneOp::create(b, loc, start.getEvent());
    collective.erase();
  }

private:
  /// The first op after the collective that must not run beside it; its block's
  /// terminator if there is none.
  Operation *firstConflict(plan::CollectiveOp collective) {
    const Footprint mine = footprints[collective];
    Operation *op = collective->getNextNode();
    for (; !op->hasTrait<OpTrait::IsTerminator>() && op->getNextNode();
         op = op->getNextNode()) {
      auto found = footprints.find(op);
      if (found == footprints.end())
        continue;
      auto touches = [&](const auto &some, const auto &others) {
        return llvm::any_of(some, [&](Value a) {
          return llvm::any_of(
              others, [&](Value b) { return !aliasing.areDistinct(a, b); });
        });
      };
      if (touches(found->second.writes, mine.reads) ||
          touches(found->second.writes, mine.writes) ||
          touches(found->second.reads, mine.writes))
        break;
    }
    return op;
  }

  static bool takesTime(Operation *op) {
    return isa<plan::ExecOp, plan::MatmulOp, plan::ConvolutionOp, plan::CopyOp,
               plan::FillOp, plan::CustomCallOp, plan::CollectiveOp,
               plan::CollectiveStartOp, plan::ForOp, plan::WhileOp,
               plan::CaseOp>(op);
  }

  /// Stream 0 computes. Collectives that go over the same level of links follow
  /// each other: at once they would only slow each other down, and the one that
  /// is needed first would come later.
  int64_t streamOf(plan::GroupAttr group) {
    auto [stream, isNew] = streams.try_emplace(group, 0);
    if (isNew)
      stream->second = 1 + shapeOfGroup(membersOf(group), hardware).top();
    return stream->second;
  }

  /// The ranks of the group that rank 0, or the table's first row, belongs to.
  static SmallVector<int64_t> membersOf(plan::GroupAttr group) {
    if (group.getTableSize() > 0)
      return SmallVector<int64_t>(
          group.getTable().take_front(group.getTableSize()));
    SmallVector<int64_t> members{0};
    ArrayRef<int64_t> digits = group.getDigits();
    for (size_t d = 0; d + 1 < digits.size(); d += 2) {
      SmallVector<int64_t> next;
      for (int64_t member : members)
        for (int64_t i = 0; i < digits[d]; ++i)
          next.push_back(member + i * digits[d + 1]);
      members = std::move(next);
    }
    return members;
  }

  const Hardware &hardware;
  Liveness liveness;
  HandleAliasing aliasing;
  llvm::DenseMap<Operation *, Footprint> footprints;
  llvm::DenseMap<Attribute, int64_t> streams;
};

struct SplitCollectives : impl::SplitCollectivesBase<SplitCollectives> {
  using SplitCollectivesBase::SplitCollectivesBase;

  void runOnOperation() override {
    std::string error;
    FailureOr<Hardware> machine = getHardware(hardware, error);
    if (failed(machine)) {
      getOperation().emitError() << "--hardware: " << error;
      return signalPassFailure();
    }
    for (auto program : getOperation().getOps<plan::ProgramOp>()) {
      SmallVector<plan::CollectiveOp> collectives;
      program.walk([&](plan::CollectiveOp op) {
        // A message has one buffer only, and its own way of waiting.
        if (op.getKind() != plan::CollectiveKind::Send &&
            op.getKind() != plan::CollectiveKind::Recv &&
            op.getKind() != plan::CollectiveKind::Barrier)
          collectives.push_back(op);
      });
      if (collectives.empty())
        continue;
      Splitter splitter(program, *machine);
      for (plan::CollectiveOp op : collectives)
        splitter.split(op);
    }
  }
};

} // namespace
} // namespace shoal
