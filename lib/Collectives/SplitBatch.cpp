// shoal-split-batch: see Passes.td.
#include "Prices.h"
#include "SplitAlongIndex.h"
#include "shoal/Analysis/HostScalars.h"
#include "shoal/Analysis/OpCosts.h"
#include "shoal/Analysis/Remarks.h"
#include "shoal/Collectives/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace shoal {
#define GEN_PASS_DEF_SPLITBATCH
#include "shoal/Collectives/Passes.h.inc"

namespace {

/// What is known of an index: how long its collectives and products take, as
/// they are and in parts.
struct Candidate {
  int64_t number = 0;
  unsigned collectives = 0, exchanges = 0;
  double communication = 0, compute = 0, partCommunication = 0, partCompute = 0;
  bool divides = true;
  Operation *first = nullptr; ///< collective

  double before() const { return communication + compute; }
  /// The first part's first collective has nothing beside it; where parts meet
  /// again after each exchange, that holds for each.
  double after(int64_t parts, bool exchanges) const {
    return std::max(partCommunication, partCompute) +
           partCommunication /
               ((exchanges ? 1 : collectives) * static_cast<double>(parts));
  }
};

/// Whether what is summed up over an index, after products along it, is read
/// along it again (a norm's mean over features): then each part would wait for
/// all of them, and none could run beside another's collectives.
///
/// Of exchanges (all_to_all, an expert's products, all_to_all back) it is
/// enough that parts do not meet between the two.
class Feedback {
public:
  Feedback(const IndexClasses &classes, int64_t number, bool exchanges)
      : classes(classes), number(number), exchanges(exchanges) {}

  bool isIn(func::FuncOp func) {
    visit(func.getBody().front());
    return found;
  }

private:
  enum : unsigned { Heavy = 1, Summed = 2, Back = 4 };

  unsigned stateOf(ValueRange values) const {
    unsigned state = 0;
    for (Value value : values)
      state |= states.lookup(value);
    return state;
  }
  bool raise(Value value, unsigned state) {
    unsigned &known = states[value];
    bool changed = state & ~known;
    known |= state;
    return changed;
  }

  void visit(Block &block) {
    for (Operation &op : block) {
      if (found)
        return;
      if (auto loop = dyn_cast<sh::WhileOp>(op)) {
        Block &body = loop.getBody().front();
        for (auto [argument, init] :
             llvm::zip_equal(body.getArguments(), op.getOperands()))
          raise(argument, states.lookup(init));
        for (bool changed = true; changed && !found;) {
          changed = false;
          visit(body);
          for (auto [argument, next, result] : llvm::zip_equal(
                   body.getArguments(), body.getTerminator()->getOperands(),
                   op.getResults())) {
            changed |= raise(argument, states.lookup(next));
            raise(result, states.lookup(argument));
          }
        }
        continue;
      }
      if (isa<sh::IfOp, sh::CaseOp>(op)) {
        for (Region &region : op.getRegions()) {
          visit(region.front());
          for (auto [result, value] :
               llvm::zip_equal(op.getResults(),
                               region.front().getTerminator()->getOperands()))
            raise(result, states.lookup(value) | stateOf(op.getOperands()));
        }
        continue;
      }
      unsigned state = stateOf(op.getOperands());
      if (const PartFactor *factor = classes.factorIn(&op, number)) {
        found |= (state & Summed) != 0;
        bool wasHeavy = state & Heavy;
        if (exchanges) {
          // Heavy: between the exchanges.
          if (isa<comm::AllToAllOp>(op))
            state = wasHeavy ? Back : Heavy;
          else if (factor->reduces)
            state = wasHeavy ? Summed : 0;
        } else {
          if (flopsOf(&op) || isa<comm::CollectiveOpInterface>(op))
            state |= Heavy;
          if (factor->reduces && wasHeavy)
            state |= Summed;
        }
      }
      for (Value result : op.getResults())
        raise(result, state);
    }
  }

  const IndexClasses &classes;
  int64_t number;
  bool exchanges;
  llvm::DenseMap<Value, unsigned> states;
  bool found = false;
};

//===----------------------------------------------------------------------===//
// Which index
//===----------------------------------------------------------------------===//

struct SplitBatch : impl::SplitBatchBase<SplitBatch> {
  using SplitBatchBase::SplitBatchBase;

  void runOnOperation() override {
    if (parts < 2)
      return;
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    Prices prices(*machine);
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal())
        split(func, prices);
  }

  void split(func::FuncOp func, Prices &prices) {
    IndexClasses classes(func);
    llvm::MapVector<int64_t, Candidate> candidates;
    judge(func.getBody().front(), 1, classes, prices, candidates);
    SmallVector<Candidate> list;
    for (auto &[number, candidate] : candidates)
      if (candidate.divides &&
          (exchanges ? candidate.exchanges : candidate.collectives) &&
          candidate.compute > 0 &&
          (always || candidate.after(parts, exchanges) < candidate.before()))
        list.push_back(candidate);
    llvm::sort(list, [&](const Candidate &a, const Candidate &b) {
      return std::tuple(b.before() - b.after(parts, exchanges), a.number) <
             std::tuple(a.before() - a.after(parts, exchanges), b.number);
    });
    for (const Candidate &candidate : list) {
      std::optional<llvm::DenseMap<Value, unsigned>> dims =
          classes.dimsIn(candidate.number);
      if (!dims || Feedback(classes, candidate.number, exchanges).isIn(func))
        continue;
      remarkGain(remarks, candidate.first,
                 "its index and what else is computed along it goes in " +
                     Twine(int64_t(parts)) +
                     " parts: one computes while another communicates",
                 candidate.before(), candidate.after(parts, exchanges));
      splitAlongIndex(func, classes, candidate.number, std::move(*dims), parts);
      return;
    }
  }

  /// Adds up what the block's ops take, in classes that they can be split by.
  void judge(Block &block, double times, const IndexClasses &classes,
             Prices &prices, llvm::MapVector<int64_t, Candidate> &candidates) {
    for (Operation &op : block) {
      double inner = times;
      if (auto loop = dyn_cast<sh::WhileOp>(op))
        if (auto counted = matchCountedLoop(loop))
          inner *= static_cast<double>(
              std::max<int64_t>(counted->tripCount.value_or(1), 1));
      if (isa<sh::WhileOp, sh::IfOp, sh::CaseOp>(op))
        for (Region &region : op.getRegions())
          judge(region.front(), inner, classes, prices, candidates);
      llvm::SmallDenseSet<int64_t, 4> seen;
      for (const PartFactor &factor : classes.factorsOf(&op)) {
        int64_t number = -1;
        for (auto [t, d] : factor.operands)
          number = std::max(number, classes.classOf(op.getOperand(t), d));
        for (auto [t, d] : factor.results)
          number = std::max(number, classes.classOf(op.getResult(t), d));
        if (number < 0)
          continue;
        Candidate &c = candidates[number];
        c.number = number;
        // Twice in one op: no index to split by.
        c.divides &= factor.size % parts == 0 && seen.insert(number).second;
        add(c, &op, times, prices);
      }
    }
  }

  void add(Candidate &c, Operation *op, double times, Prices &prices) {
    double n = static_cast<double>(parts);
    if (isa<comm::CollectiveOpInterface>(op)) {
      double seconds = prices.of(op).seconds;
      if (!c.first)
        c.first = op;
      ++c.collectives;
      c.exchanges += isa<comm::AllToAllOp>(op);
      c.communication += times * seconds;
      // Each part starts anew.
      c.partCommunication +=
          times * (seconds + (n - 1) * prices.hardware().collectiveLatency);
      return;
    }
    int64_t flops = flopsOf(op);
    if (!flops)
      return;
    double bytes = 0;
    for (Value value :
         {op->getOperand(0), op->getOperand(1), Value(op->getResult(0))})
      bytes += static_cast<double>(tensorBytesOf(value.getType()));
    ComputeType type = computeTypeOf(op->getOperand(0).getType());
    const Hardware &hardware = prices.hardware();
    c.compute +=
        times * hardware.kernelSeconds(static_cast<double>(flops), type, bytes);
    c.partCompute +=
        times * n *
        hardware.kernelSeconds(static_cast<double>(flops) / n, type, bytes / n);
  }
};

} // namespace
} // namespace shoal
