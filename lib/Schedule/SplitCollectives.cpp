// shoal-split-collectives: see Passes.td.
#include "Footprints.h"
#include "shoal/Analysis/CollectiveModel.h"
#include "shoal/Analysis/OpSeconds.h"
#include "shoal/Schedule/Groups.h"
#include "shoal/Schedule/MemoryNotes.h"
#include "shoal/Schedule/Passes.h"

#include <map>

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_SPLITCOLLECTIVES
#include "shoal/Schedule/Passes.h.inc"

namespace {

/// How much longer a copy to the host may take than it should.
constexpr double kHostSlack = 2;

class Splitter {
public:
  Splitter(plan::ProgramOp program, const Hardware &hardware)
      : hardware(hardware), footprints(program) {}

  void split(plan::CollectiveOp collective) {
    Operation *before = footprints.firstConflict(collective);
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
    // (Or the next op in its memory would be taken for it.)
    footprints.give(collective, start);
    collective.erase();
  }

  /// The same of a copy to or from the memory of the host, each way on a stream
  /// behind those of collectives. What has been copied there is given back when
  /// as much has been computed as the copy should take, with some to spare.
  void splitCopy(plan::CopyOp copy) {
    bool toHost = isHost(copy.getDest());
    Operation *before = footprints.firstConflict(copy);
    // It begins when those before it, in its block, have ended.
    double begin = timeOf(copy), &free = busyUntil[{copy->getBlock(), toHost}];
    free = std::max(free, begin) + hardware.hostCopySeconds(static_cast<double>(
                                       copy.getDest().getType().getBytes()));
    double seconds = 0, wanted = kHostSlack * (free - begin);
    bool useful = false;
    Operation *op = copy->getNextNode();
    for (; op != before && !(toHost && seconds >= wanted);
         op = op->getNextNode()) {
      useful |= takesTime(op);
      if (toHost)
        seconds += secondsOf(op);
    }
    if (!useful)
      return;
    int64_t stream = static_cast<int64_t>(hardware.links.size()) + 1 + !toHost;
    OpBuilder b(copy);
    Location loc = copy.getLoc();
    auto type = plan::EventType::get(b.getContext());
    auto issued = plan::RecordOp::create(b, loc, type, /*stream=*/0);
    plan::WaitOp::create(b, loc, issued, stream);
    copy.setStream(stream);
    b.setInsertionPointAfter(copy);
    auto done = plan::RecordOp::create(b, loc, type, stream);
    b.setInsertionPoint(op);
    plan::WaitOp::create(b, loc, done, /*stream=*/0);
  }

  static bool isHost(Value buffer) {
    if (auto view = buffer.getDefiningOp<plan::ViewOp>())
      buffer = view.getBase();
    Operation *op = buffer.getDefiningOp();
    return op && op->hasAttr(kHostAttr);
  }

private:
  double secondsOf(Operation *op) {
    if (auto exec = dyn_cast<plan::ExecOp>(op)) {
      auto [seconds, isNew] = kernels.try_emplace(exec.getKernelAttr(), 0);
      if (isNew)
        if (auto kernel = SymbolTable::lookupNearestSymbolFrom<plan::KernelOp>(
                op->getParentOfType<plan::ProgramOp>()->getParentOp(),
                exec.getKernelAttr()))
          seconds->second = kernelSeconds(kernel, hardware);
      return seconds->second;
    }
    double seconds = librarySeconds(op, hardware);
    for (Region &region : op->getRegions())
      for (Operation &inner : region.getOps())
        seconds += secondsOf(&inner); // (of one iteration: more is no harm)
    return seconds;
  }

  /// What is computed before an op of a block.
  double timeOf(Operation *op) {
    auto found = times.find(op);
    if (found != times.end())
      return found->second;
    double seconds = 0;
    for (Operation &other : *op->getBlock()) {
      times[&other] = seconds;
      seconds += secondsOf(&other);
    }
    return times.lookup(op);
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
      stream->second = 1 + shapeOfGroup(firstGroup(group), hardware).top();
    return stream->second;
  }

  const Hardware &hardware;
  Footprints footprints;
  llvm::DenseMap<Attribute, int64_t> streams;
  llvm::DenseMap<Attribute, double> kernels;
  llvm::DenseMap<Operation *, double> times;
  /// Until when copies of a block take, each way.
  std::map<std::pair<Block *, bool>, double> busyUntil;
};

struct SplitCollectives : impl::SplitCollectivesBase<SplitCollectives> {
  using SplitCollectivesBase::SplitCollectivesBase;

  void runOnOperation() override {
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    for (auto program : getOperation().getOps<plan::ProgramOp>()) {
      SmallVector<plan::CopyOp> copies;
      program.walk([&](plan::CopyOp op) {
        if (Splitter::isHost(op.getSource()) || Splitter::isHost(op.getDest()))
          copies.push_back(op);
      });
      SmallVector<plan::CollectiveOp> collectives;
      program.walk([&](plan::CollectiveOp op) {
        // A message has one buffer only, and its own way of waiting.
        if (op.getKind() != plan::CollectiveKind::Send &&
            op.getKind() != plan::CollectiveKind::Recv &&
            op.getKind() != plan::CollectiveKind::Barrier)
          collectives.push_back(op);
      });
      if (collectives.empty() && copies.empty())
        continue;
      Splitter splitter(program, *machine);
      // First: of a collective that has been split, nobody knows what it
      // touches.
      for (plan::CopyOp op : copies)
        splitter.splitCopy(op);
      for (plan::CollectiveOp op : collectives)
        splitter.split(op);
    }
  }
};

} // namespace
} // namespace shoal
