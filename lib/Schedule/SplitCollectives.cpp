// shoal-split-collectives: see Passes.td.
#include "Liveness.h"
#include "shoal/Schedule/Passes.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_SPLITCOLLECTIVES
#include "shoal/Schedule/Passes.h.inc"

namespace {

/// Declarations that an op, with what is nested in it, reads and writes.
struct Footprint {
  llvm::SmallPtrSet<Operation *, 8> reads, writes;
};

class Splitter {
public:
  explicit Splitter(plan::ProgramOp program) : liveness(program) {
    for (const Access &access : liveness.getAccesses())
      for (Operation *op = access.op; op && op != program.getOperation();
           op = op->getParentOp())
        for (Operation *root : liveness.getRoots(access.buffer))
          (access.isWrite ? footprints[op].writes : footprints[op].reads)
              .insert(root);
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
    const Footprint &mine = footprints[collective];
    Operation *op = collective->getNextNode();
    for (; !op->hasTrait<OpTrait::IsTerminator>() && op->getNextNode();
         op = op->getNextNode()) {
      auto found = footprints.find(op);
      if (found == footprints.end())
        continue;
      auto touches = [](const auto &a, const auto &b) {
        return llvm::any_of(a,
                            [&](Operation *root) { return b.contains(root); });
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

  /// Collectives of one group follow each other, those of different groups run
  /// at once. Stream 0 computes.
  int64_t streamOf(plan::GroupAttr group) {
    return streams.insert({group, streams.size() + 1}).first->second;
  }

  Liveness liveness;
  llvm::DenseMap<Operation *, Footprint> footprints;
  llvm::MapVector<Attribute, int64_t> streams;
};

struct SplitCollectives : impl::SplitCollectivesBase<SplitCollectives> {
  void runOnOperation() override {
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
      Splitter splitter(program);
      for (plan::CollectiveOp op : collectives)
        splitter.split(op);
    }
  }
};

} // namespace
} // namespace shoal
