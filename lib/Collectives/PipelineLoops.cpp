// shoal-pipeline-loops: see Passes.td.
#include "shoal/Collectives/Passes.h"

#include "dialects/Comm/Comm.h"
#include "shoal/Analysis/HostScalars.h"
#include "shoal/Analysis/OpCosts.h"
#include "shoal/Analysis/OpSeconds.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using stablehlo::WhileOp;

namespace shoal {
#define GEN_PASS_DEF_PIPELINELOOPS
#include "shoal/Collectives/Passes.h.inc"

namespace {

bool isMovable(Operation *op) {
  return op->getNumRegions() == 0 && isMemoryEffectFree(op) &&
         !op->hasTrait<OpTrait::IsTerminator>();
}

/// A counted loop of known length, taken apart.
struct Loop {
  WhileOp op;
  CountedLoop count;

  Block &body() const { return op->getRegion(1).front(); }
  Value iv() const { return body().getArgument(count.ivIndex); }
  Operation *yield() const { return body().getTerminator(); }
  bool isInvariant(Value value) const {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getOwner() == &body() &&
           yield()->getOperand(argument.getArgNumber()) == argument;
  }
  bool isOutside(Value value) const {
    Region *region = value.getParentRegion();
    return !op->getRegion(1).isAncestor(region);
  }
  /// What the body's arguments are in the first iteration.
  IRMapping atEntry() const {
    IRMapping map;
    map.map(body().getArguments(), op->getOperands());
    return map;
  }
};

/// The ops of the body that depend on nothing but invariants and the counter,
/// and of those the ones that a collective has a part in.
struct EarlyOps {
  explicit EarlyOps(const Loop &loop) {
    for (Operation &op : loop.body()) {
      if (!isMovable(&op))
        continue;
      bool early = true, communicates = isa<comm::CollectiveOpInterface>(op);
      for (Value operand : op.getOperands()) {
        if (loop.isOutside(operand) || loop.isInvariant(operand) ||
            operand == loop.iv())
          continue;
        Operation *def = operand.getDefiningOp();
        early &= def && ops.contains(def);
        communicates |= def && communicating.contains(def);
      }
      if (!early)
        continue;
      ops.insert(&op);
      if (communicates)
        communicating.insert(&op);
    }
  }
  /// What has to be computed for `value`, in the order of the block.
  llvm::SetVector<Operation *> sliceOf(Value value) const {
    SmallVector<Operation *> todo{value.getDefiningOp()};
    DenseSet<Operation *> needed;
    while (!todo.empty()) {
      Operation *op = todo.pop_back_val();
      if (!needed.insert(op).second)
        continue;
      for (Value operand : op->getOperands())
        if (Operation *def = operand.getDefiningOp(); def && ops.contains(def))
          todo.push_back(def);
    }
    llvm::SetVector<Operation *> slice;
    for (Operation *op : ops)
      if (needed.contains(op))
        slice.insert(op);
    return slice;
  }

  llvm::SetVector<Operation *> ops;
  DenseSet<Operation *> communicating;
};

/// The ops at the end of the body whose results only become part of values that
/// the loop collects, as far as a collective comes before them.
struct LateOps {
  explicit LateOps(const Loop &loop) {
    DenseSet<Operation *> sinkable;
    Operation *yield = loop.yield();
    // Carried values that nothing but late ops reads; found from the end, and
    // taken back where an op that is not late turns out to read one.
    for (bool changed = true; changed;) {
      changed = false;
      sinkable.clear();
      for (Operation &op : llvm::reverse(loop.body())) {
        if (!isMovable(&op) || op.use_empty())
          continue;
        bool all = llvm::all_of(op.getUses(), [&](OpOperand &use) {
          Operation *user = loop.body().findAncestorOpInBlock(*use.getOwner());
          if (user != yield)
            return user == use.getOwner() && sinkable.contains(user);
          unsigned i = use.getOperandNumber();
          return i != loop.count.ivIndex && !refused.contains(i);
        });
        if (all)
          sinkable.insert(&op);
      }
      for (auto [i, value] : llvm::enumerate(yield->getOperands())) {
        Operation *def = value.getDefiningOp();
        if (!def || !sinkable.contains(def) || refused.contains(i))
          continue;
        bool only = llvm::all_of(
            loop.body().getArgument(i).getUses(), [&](OpOperand &use) {
              return sinkable.contains(
                  loop.body().findAncestorOpInBlock(*use.getOwner()));
            });
        if (!only) {
          refused.insert(i);
          changed = true;
        }
      }
    }
    // From collectives on.
    for (Operation &op : loop.body()) {
      if (!sinkable.contains(&op))
        continue;
      bool after = isa<comm::CollectiveOpInterface>(op);
      for (Value operand : op.getOperands())
        after |=
            operand.getDefiningOp() && ops.contains(operand.getDefiningOp());
      if (after)
        ops.insert(&op);
    }
    // A collected value is read where it is written: late, with everything
    // between.
    for (bool changed = true; changed;) {
      changed = false;
      for (auto [i, value] : llvm::enumerate(yield->getOperands())) {
        Operation *def = value.getDefiningOp();
        if (!def || !ops.contains(def))
          continue;
        for (Operation *user : loop.body().getArgument(i).getUsers())
          changed |= ops.insert(user);
      }
      for (Operation *op : SmallVector<Operation *>(ops.getArrayRef()))
        for (Operation *user : op->getUsers())
          if (user != yield)
            changed |= ops.insert(user);
    }
    SmallVector<Operation *> sorted(ops.getArrayRef());
    llvm::sort(sorted, [](Operation *a, Operation *b) {
      return a->isBeforeInBlock(b);
    });
    ops.clear();
    ops.insert(sorted.begin(), sorted.end());
  }

  llvm::SetVector<Operation *> ops;
  DenseSet<unsigned> refused;
};

/// What the body's arguments would be in one more iteration.
IRMapping atExit(WhileOp loop) {
  IRMapping map;
  map.map(loop.getBody().front().getArguments(), loop->getResults());
  return map;
}

void cloneAll(OpBuilder &b, ArrayRef<Operation *> ops, IRMapping &map) {
  for (Operation *op : ops)
    b.clone(*op, map);
}

class Pipeliner {
public:
  Pipeliner(ModuleOp module, const Hardware &hardware, int64_t spareBytes,
            bool remarks)
      : module(module), collectives(hardware), spare(spareBytes),
        remarks(remarks) {}

  void run(func::FuncOp func) {
    // Barriers have kept recomputation apart from what it repeats until kernels
    // were made; from here on they only tie together what is independent.
    SmallVector<stablehlo::OptimizationBarrierOp> barriers;
    func.walk([&](stablehlo::OptimizationBarrierOp op) {
      if (op->getParentOfType<WhileOp>())
        barriers.push_back(op);
    });
    for (stablehlo::OptimizationBarrierOp op : barriers) {
      op->replaceAllUsesWith(op->getOperands());
      op->erase();
    }
    SmallVector<WhileOp> loops;
    func.walk([&](WhileOp loop) { loops.push_back(loop); });
    for (WhileOp op : loops) {
      // Delay first: it peels the first iteration, prefetch the last one of
      // what is left.
      WhileOp current = op;
      if (std::optional<Loop> loop = take(current))
        current = delay(*loop);
      if (std::optional<Loop> loop = take(current))
        prefetch(*loop);
    }
  }

private:
  std::optional<Loop> take(WhileOp op) {
    HostScalars scalars(op->getParentOfType<func::FuncOp>());
    auto count = scalars.getCountedLoop(op);
    if (!count || !count->tripCount || *count->tripCount < 3 ||
        !getConstantInt(count->begin))
      return std::nullopt;
    return Loop{op, *count};
  }

  double secondsOf(ArrayRef<Operation *> ops) {
    double seconds = 0;
    for (Operation *op : ops)
      if (auto collective = dyn_cast<comm::CollectiveOpInterface>(op))
        seconds += collectives.of(collective).seconds;
    return seconds;
  }

  /// Takes from the spare memory if there is enough.
  bool afford(int64_t bytes) {
    if (bytes > spare)
      return false;
    spare -= bytes;
    return true;
  }

  Value integer(OpBuilder &b, Location loc, Type type, int64_t value) {
    auto tensor = cast<RankedTensorType>(type);
    return stablehlo::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(
            tensor, b.getIntegerAttr(tensor.getElementType(), value)));
  }

  /// The loop anew with more carried values, another beginning and a number of
  /// iterations; its body moves over. Results of the old loop are not replaced.
  WhileOp rebuild(const Loop &loop, ValueRange operands, int64_t begin,
                  int64_t trips) {
    WhileOp old = loop.op;
    OpBuilder b(old);
    Location loc = old.getLoc();
    OperationState state(loc, old->getName(), operands, operands.getTypes(),
                         old->getAttrs());
    state.addRegion();
    state.addRegion();
    auto fresh = cast<WhileOp>(b.create(state));
    fresh.getCond().takeBody(old.getCond());
    fresh.getBody().takeBody(old.getBody());
    unsigned before = fresh.getBody().front().getNumArguments();
    for (Value value : operands.drop_front(before))
      for (Region &region : fresh->getRegions())
        region.front().addArgument(value.getType(), loc);
    // The comparison's other side.
    Block &cond = fresh.getCond().front();
    auto compare = cast<stablehlo::CompareOp>(
        cond.getTerminator()->getOperand(0).getDefiningOp());
    bool ivLeft = compare.getLhs() == cond.getArgument(loop.count.ivIndex);
    b.setInsertionPoint(compare);
    int64_t last =
        begin + (trips - (loop.count.inclusive ? 1 : 0)) * loop.count.step;
    compare->setOperand(
        ivLeft ? 1 : 0,
        integer(b, loc, compare->getOperand(ivLeft ? 1 : 0).getType(), last));
    // What import knew about it no longer holds; the loop says it itself.
    fresh->removeAttr("shoal.counted_loop");
    return fresh;
  }

  /// What late ops read of their iteration: `carried` are values of it,
  /// `again` the ops of what can as well be computed again.
  struct Needs {
    llvm::SetVector<Value> carried;
    llvm::SetVector<Operation *> again;
    int64_t bytes() const {
      int64_t sum = 0;
      for (Value value : carried)
        sum += tensorBytesOf(value.getType());
      return sum;
    }
  };
  static Needs needsOf(const Loop &loop, ArrayRef<Operation *> late,
                       const EarlyOps &early) {
    DenseSet<Operation *> set(late.begin(), late.end());
    Needs needs;
    for (Operation *op : late)
      for (Value operand : op->getOperands()) {
        Operation *def = operand.getDefiningOp();
        if (loop.isOutside(operand) || loop.isInvariant(operand) ||
            operand == loop.iv() || (def && set.contains(def)))
          continue;
        if (def && early.ops.contains(def) &&
            !early.communicating.contains(def)) {
          needs.again.insert_range(early.sliceOf(operand));
          continue;
        }
        if (!def) {
          // A collected value is given on by late ops alone.
          unsigned i = cast<BlockArgument>(operand).getArgNumber();
          Operation *next = loop.yield()->getOperand(i).getDefiningOp();
          if (next && set.contains(next))
            continue;
        }
        needs.carried.insert(operand);
      }
    return needs;
  }

  /// Late ops fall into groups that have nothing to do with each other; those
  /// that save most time per byte come first, as many as there is memory for.
  SmallVector<Operation *> chooseLate(const Loop &loop, const LateOps &late,
                                      const EarlyOps &early) {
    llvm::EquivalenceClasses<Operation *> together;
    for (Operation *op : late.ops) {
      together.insert(op);
      for (Operation *user : op->getUsers())
        if (late.ops.contains(user))
          together.unionSets(op, user);
    }
    for (auto [i, value] : llvm::enumerate(loop.yield()->getOperands()))
      if (Operation *def = value.getDefiningOp(); def && late.ops.contains(def))
        for (Operation *user : loop.body().getArgument(i).getUsers())
          together.unionSets(def, user);
    struct Group {
      SmallVector<Operation *> ops;
      double seconds;
      int64_t bytes;
    };
    llvm::MapVector<Operation *, Group> groups;
    for (Operation *op : late.ops)
      groups[together.getLeaderValue(op)].ops.push_back(op);
    std::vector<Group> sorted;
    for (auto &[leader, group] : groups) {
      group.seconds = secondsOf(group.ops);
      group.bytes = needsOf(loop, group.ops, early).bytes();
      sorted.push_back(std::move(group));
    }
    llvm::stable_sort(sorted, [](const Group &a, const Group &b) {
      return a.seconds * static_cast<double>(b.bytes) >
             b.seconds * static_cast<double>(a.bytes);
    });
    SmallVector<Operation *> chosen;
    for (const Group &group : sorted)
      if (group.seconds > 0 && group.bytes > 0 && afford(group.bytes))
        llvm::append_range(chosen, group.ops);
    llvm::sort(chosen, [](Operation *a, Operation *b) {
      return a->isBeforeInBlock(b);
    });
    return chosen;
  }

  WhileOp delay(const Loop &loop) {
    LateOps all(loop);
    EarlyOps early(loop);
    SmallVector<Operation *> lateOps = chooseLate(loop, all, early);
    if (lateOps.empty())
      return loop.op;
    DenseSet<Operation *> late(lateOps.begin(), lateOps.end());
    auto [carried, again] = needsOf(loop, lateOps, early);
    // Collected values: those that late ops give to the next iteration.
    SmallVector<bool> isCollected;
    for (Value value : loop.yield()->getOperands())
      isCollected.push_back(value.getDefiningOp() &&
                            late.contains(value.getDefiningOp()));

    WhileOp op = loop.op;
    if (remarks)
      op.emitRemark() << llvm::count_if(
                             lateOps,
                             llvm::IsaPred<comm::CollectiveOpInterface>)
                      << " collectives run one iteration behind";
    Location loc = op.getLoc();
    OpBuilder b(op);
    int64_t begin = *getConstantInt(loop.count.begin);
    int64_t step = loop.count.step, trips = *loop.count.tripCount;
    Type ivType = loop.iv().getType();
    // In the order of the block.
    SmallVector<Operation *> againOps;
    for (Operation *early : early.ops)
      if (again.contains(early))
        againOps.push_back(early);

    // The first iteration, without its late ops.
    IRMapping first = loop.atEntry();
    for (Operation &inner : loop.body().without_terminator())
      if (!late.contains(&inner))
        b.clone(inner, first);
    SmallVector<Value> operands;
    for (auto [i, value] : llvm::enumerate(loop.yield()->getOperands()))
      operands.push_back(isCollected[i] ? op->getOperand(i)
                                        : first.lookupOrDefault(value));
    operands[loop.count.ivIndex] = integer(b, loc, ivType, begin + step);
    for (Value value : carried)
      operands.push_back(first.lookupOrDefault(value));

    unsigned numOld = op->getNumOperands();
    WhileOp fresh = rebuild(loop, operands, begin + step, trips - 1);
    Block &body = fresh.getBody().front();
    Operation *yield = body.getTerminator();
    // Late ops of the iteration before; the others stay as they are.
    IRMapping before;
    b.setInsertionPointToStart(&body);
    Value iv = body.getArgument(loop.count.ivIndex);
    before.map(iv, stablehlo::SubtractOp::create(
                       b, loc, iv, integer(b, loc, ivType, step)));
    for (auto [i, value] : llvm::enumerate(carried))
      before.map(value, body.getArgument(numOld + i));
    cloneAll(b, againOps, before);
    cloneAll(b, lateOps, before);
    // The last one's after the loop.
    IRMapping last = atExit(fresh);
    b.setInsertionPointAfter(fresh);
    last.map(iv, integer(b, loc, ivType, begin + (trips - 1) * step));
    for (auto [i, value] : llvm::enumerate(carried))
      last.map(value, fresh->getResult(numOld + i));
    cloneAll(b, againOps, last);
    cloneAll(b, lateOps, last);

    SmallVector<Value> yields, results;
    for (unsigned i = 0; i < numOld; ++i) {
      Value value = yield->getOperand(i);
      yields.push_back(isCollected[i] ? before.lookup(value) : value);
      results.push_back(isCollected[i] ? last.lookup(value)
                                       : Value(fresh->getResult(i)));
    }
    llvm::append_range(yields, carried);
    yield->setOperands(yields);
    for (Operation *inner : llvm::reverse(lateOps))
      inner->erase();
    op->replaceAllUsesWith(results);
    op->erase();
    return fresh;
  }

  /// A value to compute an iteration ahead.
  struct Candidate {
    Value value;
    llvm::SetVector<Operation *> slice;
    double seconds;
    int64_t bytes;
  };

  /// Drops candidates until no collective is needed both ahead and in the
  /// iteration itself. Returns the ops of those that are left.
  DenseSet<Operation *> withoutRepetition(const EarlyOps &early,
                                          std::vector<Candidate> &candidates) {
    for (;;) {
      DenseSet<Operation *> wanted;
      DenseSet<Value> ahead;
      for (const Candidate &c : candidates) {
        wanted.insert_range(c.slice);
        ahead.insert(c.value);
      }
      auto isRepeated = [&](Operation *op) {
        return early.communicating.contains(op) &&
               llvm::any_of(op->getUses(), [&](OpOperand &use) {
                 return early.ops.contains(use.getOwner())
                            ? !wanted.contains(use.getOwner())
                            : !ahead.contains(use.get());
               });
      };
      size_t before = candidates.size();
      llvm::erase_if(candidates, [&](const Candidate &c) {
        return llvm::any_of(c.slice, isRepeated);
      });
      if (candidates.size() == before)
        return wanted;
    }
  }

  void prefetch(const Loop &loop) {
    EarlyOps early(loop);
    std::vector<Candidate> candidates;
    for (Operation *op : early.ops) {
      if (!early.communicating.contains(op))
        continue;
      for (Value result : op->getResults()) {
        bool needed = llvm::any_of(result.getUsers(), [&](Operation *user) {
          return !early.ops.contains(loop.body().findAncestorOpInBlock(*user));
        });
        if (!needed || !isa<RankedTensorType>(result.getType()))
          continue;
        auto slice = early.sliceOf(result);
        candidates.push_back({result, slice, secondsOf(slice.getArrayRef()),
                              tensorBytesOf(result.getType())});
      }
    }
    llvm::stable_sort(candidates, [](const Candidate &a, const Candidate &b) {
      return a.seconds * static_cast<double>(b.bytes) >
             b.seconds * static_cast<double>(a.bytes);
    });
    int64_t before = spare;
    llvm::erase_if(candidates, [&](const Candidate &c) {
      return c.seconds == 0 || !afford(c.bytes);
    });
    DenseSet<Operation *> wanted = withoutRepetition(early, candidates);
    spare = before; // what has been dropped is not paid for
    for (const Candidate &c : candidates)
      spare -= c.bytes;
    if (candidates.empty())
      return;

    WhileOp op = loop.op;
    if (remarks)
      op.emitRemark() << candidates.size()
                      << " values are communicated one iteration ahead";
    Location loc = op.getLoc();
    OpBuilder b(op);
    int64_t begin = *getConstantInt(loop.count.begin);
    int64_t step = loop.count.step, trips = *loop.count.tripCount;
    Type ivType = loop.iv().getType();
    SmallVector<Operation *> slice;
    for (Operation *inner : early.ops)
      if (wanted.contains(inner))
        slice.push_back(inner);

    // For the first iteration before the loop.
    IRMapping first = loop.atEntry();
    cloneAll(b, slice, first);
    SmallVector<Value> operands(op->getOperands());
    for (const Candidate &c : candidates)
      operands.push_back(first.lookup(c.value));

    unsigned numOld = op->getNumOperands();
    WhileOp fresh = rebuild(loop, operands, begin, trips - 1);
    Block &body = fresh.getBody().front();
    Operation *yield = body.getTerminator();
    // For the next one.
    IRMapping next;
    b.setInsertionPointToStart(&body);
    Value iv = body.getArgument(loop.count.ivIndex);
    DenseSet<Operation *> fetching;
    Value ahead = integer(b, loc, ivType, step);
    Value nextIv = stablehlo::AddOp::create(b, loc, iv, ahead);
    fetching.insert(ahead.getDefiningOp());
    fetching.insert(nextIv.getDefiningOp());
    next.map(iv, nextIv);
    for (Operation *inner : slice)
      fetching.insert(b.clone(*inner, next));
    for (auto [i, c] : llvm::enumerate(candidates)) {
      Value ready = body.getArgument(numOld + i);
      // Early ops go on from their own; what is dead then goes.
      c.value.replaceUsesWithIf(ready, [&](OpOperand &use) {
        return !early.ops.contains(body.findAncestorOpInBlock(*use.getOwner()));
      });
    }
    for (Operation *inner : llvm::reverse(slice))
      if (inner->use_empty())
        inner->erase();
    // The last iteration after the loop, which has nothing to fetch.
    IRMapping last = atExit(fresh);
    b.setInsertionPointAfter(fresh);
    for (Operation &inner : body.without_terminator())
      if (!fetching.contains(&inner))
        b.clone(inner, last);
    SmallVector<Value> results;
    for (unsigned i = 0; i < numOld; ++i)
      results.push_back(last.lookupOrDefault(yield->getOperand(i)));
    SmallVector<Value> yields(yield->getOperands());
    for (const Candidate &c : candidates)
      yields.push_back(next.lookup(c.value));
    yield->setOperands(yields);
    op->replaceAllUsesWith(results);
    op->erase();
  }

  ModuleOp module;
  CollectiveTimes collectives;
  int64_t spare;
  bool remarks;
};

struct PipelineLoops : impl::PipelineLoopsBase<PipelineLoops> {
  using PipelineLoopsBase::PipelineLoopsBase;

  void runOnOperation() override {
    if (memoryLimit == 0)
      return;
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal())
        continue;
      int64_t used = peakBytesOf(func.getBody());
      for (Value argument : func.getArguments())
        used += tensorBytesOf(argument.getType());
      Pipeliner(getOperation(), *machine, memoryLimit - used, remarks)
          .run(func);
    }
  }
};

} // namespace
} // namespace shoal
