// shoal-combine-collectives: see Passes.td.
#include "Footprints.h"
#include "shoal/Analysis/OpSeconds.h"
#include "shoal/Schedule/Groups.h"
#include "shoal/Schedule/Passes.h"

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_COMBINECOLLECTIVES
#include "shoal/Schedule/Passes.h.inc"

namespace {

class Combiner {
public:
  Combiner(plan::ProgramOp program, const Hardware &hardware, int64_t spare,
           bool remarks)
      : hardware(hardware), symbols(program->getParentOp()),
        footprints(program), spare(spare), remarks(remarks) {}

  void run(Block &block) {
    // When each op would begin if computation never waited.
    llvm::DenseMap<Operation *, double> begin;
    double now = 0;
    llvm::MapVector<Attribute, SmallVector<plan::CollectiveOp>> kinds;
    for (Operation &op : block) {
      begin[&op] = now;
      if (auto collective = dyn_cast<plan::CollectiveOp>(op)) {
        if (Attribute key = keyOf(collective))
          kinds[key].push_back(collective);
      } else {
        now += secondsOf(&op);
      }
      for (Region &region : op.getRegions())
        for (Block &nested : region)
          run(nested);
    }
    for (auto &[key, list] : kinds)
      if (list.size() > 1)
        combine(list, begin, now);
  }

private:
  /// What members of a bucket have in common; null for kinds that stay alone.
  Attribute keyOf(plan::CollectiveOp op) {
    Builder b(op.getContext());
    SmallVector<Attribute> key{op.getKindAttr(), op.getGroup(),
                               op.getReductionAttr()};
    switch (op.getKind()) {
    case plan::CollectiveKind::AllReduce:
      return b.getArrayAttr(key);
    case plan::CollectiveKind::AllGather:
    case plan::CollectiveKind::ReduceScatter:
      key.push_back(TypeAttr::get(op.getInputs()[0].getType()));
      key.push_back(TypeAttr::get(op.getOuts()[0].getType()));
      key.push_back(b.getDenseI64ArrayAttr(op.getDims()));
      return b.getArrayAttr(key);
    default:
      return {};
    }
  }

  static double bytesOf(Value buffer) {
    return static_cast<double>(
        cast<plan::BufferType>(buffer.getType()).getBytes());
  }

  double secondsOf(Operation *op) {
    if (auto exec = dyn_cast<plan::ExecOp>(op)) {
      auto [found, isNew] = kernels.try_emplace(exec.getKernelAttr(), 0);
      if (isNew)
        if (auto kernel = symbols.lookup<plan::KernelOp>(exec.getKernel()))
          found->second = kernelSeconds(kernel, hardware);
      return found->second;
    }
    if (isa<plan::CopyOp, plan::FillOp>(op)) {
      double bytes = 0;
      for (Value value : op->getOperands())
        bytes += bytesOf(value);
      return hardware.kernelSeconds(0, ComputeType::F32, bytes);
    }
    if (double seconds = librarySeconds(op, hardware))
      return seconds;
    double sum = 0;
    for (Region &region : op->getRegions())
      for (Operation &inner : region.getOps())
        sum += secondsOf(&inner);
    if (auto loop = dyn_cast<plan::ForOp>(op))
      sum *= static_cast<double>(loop.getTripCount().value_or(1));
    return sum;
  }

  /// Bytes of the whole tensors of a collective.
  static double wholeBytes(plan::CollectiveOp op) {
    double whole = 0;
    for (auto [in, out] : llvm::zip_equal(op.getInputs(), op.getOuts()))
      whole += std::max(bytesOf(in), bytesOf(out));
    return whole;
  }

  /// Seconds of a collective like `first`, of so many bytes.
  double secondsWith(plan::CollectiveOp first, double whole) {
    auto [shape, isNew] = shapes.try_emplace(first.getGroup());
    if (isNew)
      shape->second = shapeOfGroup(firstGroup(first.getGroup()), hardware);
    double n = static_cast<double>(shape->second.size());
    bool reduces = first.getKind() == plan::CollectiveKind::AllReduce;
    CollectiveType type = reduces ? CollectiveType::AllReduce
                          : first.getKind() == plan::CollectiveKind::AllGather
                              ? CollectiveType::AllGather
                              : CollectiveType::ReduceScatter;
    return timeOfCollective(
               type,
               static_cast<int64_t>((reduces ? 2 : 1) * (n - 1) / n * whole),
               shape->second, hardware)
        .seconds;
  }

  /// The first so many of a list in buckets: when the links are free again, by
  /// how much computation has been held up, and seconds of all collectives.
  struct State {
    double end = 0, stall = 0, sum = 0;
    size_t from = 0; ///< where the last bucket begins
  };

  void combine(ArrayRef<plan::CollectiveOp> list,
               llvm::DenseMap<Operation *, double> &begin, double computeEnd) {
    size_t count = list.size();
    SmallVector<Operation *> limits;
    SmallVector<int64_t> kept;
    SmallVector<double> whole;
    for (plan::CollectiveOp op : list) {
      whole.push_back(wholeBytes(op));
      limits.push_back(footprints.firstConflict(op));
      int64_t bytes = 0;
      for (Value value : footprints.readOnly(op))
        bytes += cast<plan::BufferType>(value.getType()).getBytes();
      kept.push_back(bytes);
    }
    std::vector<State> best(count + 1);
    auto before = [&](const State &a, const State &b) {
      double x = std::max(computeEnd + a.stall, a.end),
             y = std::max(computeEnd + b.stall, b.end);
      return std::tie(x, a.sum) < std::tie(y, b.sum);
    };
    for (size_t j = 0; j < count; ++j) {
      Operation *last = plan::CollectiveOp(list[j]);
      bool any = false;
      double need = begin.lookup(limits[j]);
      int64_t held = 0;
      double bytes = 0;
      for (size_t i = j + 1; i-- > 0;) {
        if (i < j) {
          // The earlier one moves down to the last of the bucket.
          if (limits[i] == last || limits[i]->isBeforeInBlock(last))
            break;
          held += kept[i];
          if (held > std::max<int64_t>(spare, 0))
            break;
          need = std::min(need, begin.lookup(limits[i]));
        }
        bytes += whole[i];
        double seconds = secondsWith(list[j], bytes);
        State next = best[i];
        double start = std::max(next.end, begin.lookup(last) + next.stall);
        next.end = start + seconds;
        next.stall = std::max(next.stall, next.end - need);
        next.sum += seconds;
        next.from = i;
        if (!any || before(next, best[j + 1]))
          best[j + 1] = next;
        any = true;
      }
    }
    for (size_t end = count; end > 0; end = best[end].from)
      if (end - best[end].from > 1) {
        double at = begin.lookup(plan::CollectiveOp(list[end - 1]));
        begin[merge(list.slice(best[end].from, end - best[end].from))] = at;
      }
  }

  Operation *merge(ArrayRef<plan::CollectiveOp> members) {
    plan::CollectiveOp last = members.back();
    if (remarks) {
      double before = 0, bytes = 0;
      for (plan::CollectiveOp op : members) {
        before += secondsWith(op, wholeBytes(op));
        bytes += wholeBytes(op);
      }
      double after = secondsWith(last, bytes);
      std::string text;
      llvm::raw_string_ostream(text)
          << llvm::format("%.2f -> %.2f", before * 1e6, after * 1e6);
      last.emitRemark() << members.size()
                        << " collectives are one (modelled: " << text << " us)";
    }
    SmallVector<Value> inputs, outs;
    for (plan::CollectiveOp op : members) {
      llvm::append_range(inputs, op.getInputs());
      llvm::append_range(outs, op.getOuts());
    }
    OpBuilder b(last);
    auto fresh = plan::CollectiveOp::create(
        b, last.getLoc(), last.getKind(), last.getGroup(), inputs, outs,
        Value(), Value(), last.getReduction(), last.getDims(), TypedAttr(),
        last.getReasonAttr(), last.getStream());
    for (plan::CollectiveOp op : members) {
      footprints.give(op, fresh);
      op.erase();
    }
    return fresh;
  }

  const Hardware &hardware;
  SymbolTable symbols;
  Footprints footprints;
  int64_t spare;
  bool remarks;
  llvm::DenseMap<Attribute, double> kernels;
  llvm::DenseMap<Attribute, GroupShape> shapes;
};

struct CombineCollectives : impl::CombineCollectivesBase<CombineCollectives> {
  using CombineCollectivesBase::CombineCollectivesBase;

  void runOnOperation() override {
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    for (auto program : getOperation().getOps<plan::ProgramOp>()) {
      // All buffers at once: what is left of the limit is surely free.
      int64_t used = 0;
      program.walk([&](Operation *op) {
        if (op->getNumRegions() == 0 && op->getNumOperands() == 0)
          for (Value value : op->getResults())
            if (auto type = dyn_cast<plan::BufferType>(value.getType()))
              used += type.getBytes();
      });
      Combiner(program, *machine, memoryLimit ? memoryLimit - used : 0, remarks)
          .run(program.getBody().front());
    }
  }
};

} // namespace
} // namespace shoal
