// shoal-fit-memory: see Passes.td.
#include "BlockGraph.h"
#include "BufferPlan.h"
#include "OpTimes.h"
#include "RecomputePlan.h"
#include "Repeatable.h"
#include "shoal/Analysis/OpCosts.h"
#include "shoal/Schedule/MemoryNotes.h"
#include "shoal/Schedule/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/Support/FormatVariadic.h"

#include <map>

using namespace mlir;
namespace shlo = mlir::stablehlo;

namespace shoal {
#define GEN_PASS_DEF_FITMEMORY
#include "shoal/Schedule/Passes.h.inc"

namespace {

/// Links are shared: what is sent again may hide nothing else.
constexpr double kCollectiveWeight = 2;
/// Beyond this, blocks are left as they are.
constexpr size_t kMaxSteps = 20000;

/// One block as a plan, and the plan as ops.
class BlockRecompute {
public:
  BlockRecompute(Block &block, const HostScalars &scalars, OpTimes &times)
      : block(block), scalars(scalars), times(times) {
    isEntry = isa<func::FuncOp>(block.getParentOp());
    for (Operation &op : block)
      if (!getView(&op, scalars))
        addStep(&op);
    plan.start();
  }

  RecomputePlan plan;

  /// Bytes that the plan holds where an op of the block runs.
  int64_t heldAt(Operation *op) const {
    return plan.getHeld()[plan.getPlace(stepOf.lookup(op))];
  }

  /// Makes the ops as the plan has them.
  void rewrite() {
    SmallVector<Operation *> isNow(ops);
    int64_t marks = 0;
    for (unsigned id : plan.getOrder()) {
      const RecomputePlan::Step &step = plan.getStep(id);
      if (step.kind != RecomputePlan::Step::Op) {
        copy(id, isNow, marks);
        continue;
      }
      Operation *op = ops[step.origin];
      if (step.origin != id) {
        OpBuilder b(ops[step.before]);
        Operation *again = b.clone(*op);
        if (id >= isNow.size())
          isNow.resize(id + 1);
        isNow[id] = again;
        again->removeAttr(kMarkAttr);
        putAfter(again, step.after, isNow, marks);
        for (auto [old, fresh] :
             llvm::zip_equal(op->getResults(), again->getResults()))
          if (auto memory = memoryOf.find(old); memory != memoryOf.end())
            memoryOf[fresh] = unsigned(memory->second);
        op = again;
      }
      // What it reads of other copies.
      DenseMap<unsigned, Value> roots;
      for (unsigned read : step.reads) {
        const RecomputePlan::Memory &memory = plan.getMemory(read);
        // (A clone's operands are what its original reads by now.)
        if (memory.origin != read)
          roots[memory.origin] = isNow[memory.maker]->getResult(memory.result);
        else if (step.origin != id)
          roots[read] = values[read];
      }
      if (roots.empty())
        continue;
      DenseMap<Value, Value> views;
      auto replace = [&](OpOperand &operand) {
        if (operand.get().getParentBlock() != &block)
          return;
        auto owner = memoryOf.find(rootOf(operand.get()));
        if (owner == memoryOf.end())
          return;
        if (auto root = roots.find(owner->second); root != roots.end())
          operand.set(viewOn(root->second, operand.get(), op, views));
      };
      op->walk([&](Operation *nested) {
        for (OpOperand &operand : nested->getOpOperands())
          replace(operand);
      });
    }
    // Views on what is no longer read.
    SmallVector<Operation *> all;
    for (Operation &op : block)
      all.push_back(&op);
    for (Operation *op : llvm::reverse(all))
      if (op->use_empty() && getView(op, scalars))
        op->erase();
  }

private:
  static void putAfter(Operation *op, int after, ArrayRef<Operation *> isNow,
                       int64_t &marks) {
    if (after < 0)
      return;
    auto mark = isNow[after]->getAttrOfType<IntegerAttr>(kMarkAttr);
    if (!mark) {
      mark = Builder(op->getContext()).getI64IntegerAttr(marks++);
      isNow[after]->setAttr(kMarkAttr, mark);
    }
    op->setAttr(kAfterAttr, mark);
  }

  /// A copy to the memory of the host, or back.
  void copy(unsigned id, SmallVectorImpl<Operation *> &isNow, int64_t &marks) {
    const RecomputePlan::Step &step = plan.getStep(id);
    const RecomputePlan::Memory &from = plan.getMemory(step.reads[0]);
    Value value = isNow[from.maker]->getResult(from.result);
    OpBuilder b(ops[step.before]);
    Operation *made;
    if (step.kind == RecomputePlan::Step::Offload)
      made = plan::OffloadOp::create(b, value.getLoc(),
                                     plan::toHost(value.getType()), value);
    else
      made = plan::FetchOp::create(b, value.getLoc(),
                                   plan::toDevice(value.getType()), value);
    if (id >= isNow.size())
      isNow.resize(id + 1);
    isNow[id] = made;
    putAfter(made, step.after, isNow, marks);
    const RecomputePlan::Memory &to = plan.getMemory(step.makes[0]);
    if (to.origin != step.makes[0])
      memoryOf[made->getResult(0)] = to.origin;
  }

  /// The value whose memory `value` is a view of.
  Value rootOf(Value value) const {
    while (Operation *op = value.getDefiningOp()) {
      if (op->getBlock() != &block)
        break;
      auto view = getView(op, scalars);
      if (!view)
        break;
      value = view->first;
    }
    return value;
  }

  /// The views that lead from its root to `value`, on another root.
  Value viewOn(Value root, Value value, Operation *before,
               DenseMap<Value, Value> &views) {
    Operation *op = value.getDefiningOp();
    auto view = op && op->getBlock() == &block
                    ? getView(op, scalars)
                    : std::optional<std::pair<Value, Place>>();
    if (!view)
      return root;
    if (Value made = views.lookup(value))
      return made;
    Value base = viewOn(root, view->first, before, views);
    OpBuilder b(before);
    IRMapping map;
    map.map(view->first, base);
    Operation *again = b.clone(*op, map);
    return views[value] = again->getResult(0);
  }

  std::optional<unsigned> memoryFor(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || scalars.contains(value))
      return std::nullopt;
    value = rootOf(value);
    if (auto it = memoryOf.find(value); it != memoryOf.end())
      return it->second;
    if (value.getParentBlock() != &block)
      return std::nullopt; // held all the while
    RecomputePlan::Memory memory;
    memory.bytes = tensorBytesOf(value.getType());
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      auto func = dyn_cast<func::FuncOp>(block.getParentOp());
      memory.isLasting = func && !isDonated(func, argument.getArgNumber());
      // A condition yields none of them: the body needs what it has read.
      if (auto loop = dyn_cast<shlo::WhileOp>(block.getParentOp()))
        memory.isLasting =
            block.getParent() == &loop.getCond() ||
            block.getTerminator()->getOperand(argument.getArgNumber()) == value;
    } else if (value.getDefiningOp<shlo::ConstantOp>()) {
      memory.bytes = 0;
    } else if (isEntry) {
      // Results have memory of their own, which is there all the time.
      for (Operation *user : value.getUsers())
        if (user == block.getTerminator())
          memory.bytes = 0;
    }
    unsigned id = plan.addMemory(std::move(memory));
    values.resize(id + 1);
    values[id] = value;
    return memoryOf[value] = id;
  }

  bool canRepeat(Operation *op) {
    auto launch = dyn_cast<plan::LaunchOp>(op);
    if (!launch)
      return isRepeatable(op, /*regions=*/false);
    auto [entry, isNew] = repeatable.try_emplace(launch.getKernelAttr(), false);
    if (isNew)
      entry->second = isRepeatable(op, /*regions=*/false);
    return entry->second;
  }

  void addStep(Operation *op) {
    RecomputePlan::Step step;
    OpTimes::Time time = times.of(op);
    step.seconds = time.seconds;
    step.isOnLinks = time.resource > 0;
    step.price = time.seconds * (step.isOnLinks ? kCollectiveWeight : 1);
    step.isEnd = op->hasTrait<OpTrait::IsTerminator>();
    step.isRepeatable = canRepeat(op);
    for (Region &region : op->getRegions())
      step.inner = std::max(step.inner, peakBytesOf(region));
    llvm::SmallSetVector<unsigned, 8> reads;
    op->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (operand.getParentBlock() == &block)
          if (auto memory = memoryFor(operand))
            reads.insert(*memory);
    });
    step.reads.assign(reads.begin(), reads.end());
    for (Value result : op->getResults()) {
      auto memory = memoryFor(result);
      if (!memory) {
        // A host scalar: as good as a value of no bytes.
        memory = plan.addMemory({});
      }
      step.makes.push_back(*memory);
    }
    auto inPlace = [&](unsigned operand, unsigned result) {
      auto it = memoryOf.find(rootOf(op->getOperand(operand)));
      if (it != memoryOf.end())
        step.inPlace.push_back({it->second, step.makes[result]});
    };
    for (auto [operand, result] : getInPlacePairs(op))
      inPlace(operand, result);
    if (isa<shlo::WhileOp>(op))
      for (unsigned i = 0; i < op->getNumOperands(); ++i)
        inPlace(i, i);
    stepOf[op] = ops.size();
    ops.push_back(op);
    plan.addStep(std::move(step));
  }

  Block &block;
  const HostScalars &scalars;
  OpTimes &times;
  bool isEntry;
  SmallVector<Operation *> ops; ///< by step
  DenseMap<Operation *, unsigned> stepOf;
  DenseMap<Value, unsigned> memoryOf; ///< of roots, copies too
  SmallVector<Value> values;          ///< by memory
  DenseMap<Attribute, bool> repeatable;
};

struct FitMemory : impl::FitMemoryBase<FitMemory> {
  using FitMemoryBase::FitMemoryBase;

  void runOnOperation() override {
    if (memoryLimit <= 0)
      return;
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal())
        continue;
      removeBarriers(func);
      HostScalars scalars(func);
      OpTimes times(getOperation(), *machine, scalars);
      fit(func.getBody().front(), scalars, times, *machine,
          memoryLimit - outsideBytes(func));
    }
  }

  /// Arguments, and results that are not made in donated ones.
  static int64_t outsideBytes(func::FuncOp func) {
    int64_t bytes = 0;
    std::map<int64_t, int64_t> donated;
    for (BlockArgument argument : func.getArguments()) {
      int64_t size = tensorBytesOf(argument.getType());
      bytes += size;
      if (isDonated(func, argument.getArgNumber()))
        ++donated[size];
    }
    for (Value result : func.getBody().front().getTerminator()->getOperands())
      if (int64_t size = tensorBytesOf(result.getType()); donated[size] > 0)
        --donated[size];
      else
        bytes += size;
    return bytes;
  }

  void fit(Block &block, const HostScalars &scalars, OpTimes &times,
           const Hardware &machine, int64_t budget) {
    if (block.getOperations().size() < 3 ||
        block.getOperations().size() > kMaxSteps)
      return;
    BlockRecompute recompute(block, scalars, times);
    if (offload && machine.hostBytesPerSecond > 0)
      recompute.plan.setHost(1 / machine.hostBytesPerSecond,
                             machine.hostLatency);
    int64_t before = recompute.plan.getPeak();
    if (before > budget)
      recompute.plan.reduce(budget);
    SmallVector<std::pair<Region *, int64_t>> nested;
    for (Operation &op : block)
      if (isa<shlo::WhileOp, shlo::IfOp, shlo::CaseOp>(op))
        for (Region &region : op.getRegions())
          if (!region.empty())
            nested.push_back({&region, budget - recompute.heldAt(&op)});
    if (!recompute.plan.getApplied().empty()) {
      recompute.rewrite();
      if (remarks)
        say(block, recompute.plan, before);
    }
    for (auto [region, rest] : nested)
      fit(region->front(), scalars, times, machine, rest);
  }

  static void say(Block &block, const RecomputePlan &plan, int64_t before) {
    for (bool fetched : {false, true}) {
      double seconds = 0;
      int64_t bytes = 0, count = 0;
      for (const RecomputePlan::Applied &a : plan.getApplied()) {
        if (a.isFetched != fetched)
          continue;
        seconds += a.seconds;
        bytes += a.bytes;
        ++count;
      }
      if (count > 0)
        block.getParentOp()->emitRemark()
            << count << " values of together " << bytesText(bytes)
            << (fetched ? " go to the memory of the host and back, in "
                        : " are computed again, in ")
            << llvm::formatv(
                   "{0:f3} ms {1}, instead of being held: ", seconds * 1e3,
                   fetched ? "of copies beside" : "more")
                   .str()
            << bytesText(before) << " -> " << bytesText(plan.getPeak())
            << " at most, besides arguments and results";
    }
  }
};

} // namespace
} // namespace shoal
