// shoal-move-out-of-loops: see Passes.td.
#include "Prices.h"
#include "shoal/Analysis/HostScalars.h"
#include "shoal/Analysis/OpCosts.h"
#include "shoal/Analysis/Remarks.h"
#include "shoal/Collectives/Passes.h"

#include "dialects/Shoal/ShardingRule.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using shoal::comm::AllReduceOp;
using shoal::comm::ReduceScatterOp;
using stablehlo::WhileOp;

namespace shoal {
#define GEN_PASS_DEF_MOVEOUTOFLOOPS
#include "shoal/Collectives/Passes.h.inc"

namespace {

class Mover {
public:
  Mover(Prices &prices, int64_t spare, bool bounded, bool remarks)
      : prices(prices), spare(spare), bounded(bounded), remarks(remarks) {}

  void run(func::FuncOp func) {
    // Inner loops first: what leaves one may leave the next one as well.
    SmallVector<WhileOp> loops;
    func.walk<WalkOrder::PostOrder>([&](WhileOp op) { loops.push_back(op); });
    HostScalars scalars(func);
    SmallVector<int64_t> trips;
    // Unknown numbers count as two: once would not be a loop.
    for (WhileOp loop : loops) {
      auto counted = scalars.getCountedLoop(loop);
      trips.push_back(counted && counted->tripCount ? *counted->tripCount
                                                    : int64_t(2));
    }
    for (auto [loop, count] : llvm::zip_equal(loops, trips)) {
      if (count < 2)
        continue;
      hoist(loop, count);
      sink(loop, count);
    }
  }

private:
  //===--------------------------------------------------------------------===//
  // Invariants
  //===--------------------------------------------------------------------===//

  /// Where the loop's body has `value`, the loop's operand if it never changes.
  static Value outsideOf(WhileOp loop, Value value) {
    Region &body = loop.getBody();
    if (!body.isAncestor(value.getParentRegion()))
      return value;
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument || argument.getOwner() != &body.front())
      return {};
    unsigned i = argument.getArgNumber();
    if (body.front().getTerminator()->getOperand(i) != value)
      return {};
    return loop->getOperand(i);
  }

  void hoist(WhileOp loop, int64_t trips) {
    llvm::SetVector<Operation *> fixed;
    SmallVector<Operation *> collectives;
    for (Operation &op : loop.getBody().front().without_terminator()) {
      if (op.getNumRegions() || !isMemoryEffectFree(&op))
        continue;
      bool isFixed = llvm::all_of(op.getOperands(), [&](Value operand) {
        Operation *def = operand.getDefiningOp();
        return (def && fixed.contains(def)) || outsideOf(loop, operand);
      });
      if (!isFixed)
        continue;
      fixed.insert(&op);
      if (isa<comm::CollectiveOpInterface>(op))
        collectives.push_back(&op);
    }
    for (Operation *op : collectives) {
      if (op->getBlock() != &loop.getBody().front())
        continue; // has left with another one
      int64_t bytes = comm::getTensorBytes(op->getResult(0).getType());
      if (bounded && bytes > spare)
        continue;
      spare -= bytes;
      double once = prices.of(op).seconds;
      remarkGain(remarks, op, "the same in every iteration: before the loop",
                 once * static_cast<double>(trips), once);
      SmallVector<Operation *> todo{op};
      DenseSet<Operation *> needed;
      while (!todo.empty()) {
        Operation *next = todo.pop_back_val();
        if (!needed.insert(next).second)
          continue;
        for (Value operand : next->getOperands())
          if (Operation *def = operand.getDefiningOp();
              def && fixed.contains(def) &&
              def->getBlock() == &loop.getBody().front())
            todo.push_back(def);
      }
      for (Operation *each : fixed)
        if (needed.contains(each)) {
          each->moveBefore(loop);
          for (OpOperand &operand : each->getOpOperands())
            if (Value outside = outsideOf(loop, operand.get()))
              operand.set(outside);
        }
    }
  }

  //===--------------------------------------------------------------------===//
  // Sums
  //===--------------------------------------------------------------------===//

  static ReductionKind kindOf(Operation *reduction) {
    if (auto scatter = dyn_cast<ReduceScatterOp>(reduction))
      return scatter.getKind();
    return cast<AllReduceOp>(reduction).getKind();
  }

  /// The kind of reduction that the op is one step of.
  static std::optional<ReductionKind> stepOf(Operation *op) {
    if (isa_and_nonnull<stablehlo::AddOp>(op))
      return ReductionKind::Add;
    if (isa_and_nonnull<stablehlo::MaxOp>(op))
      return ReductionKind::Max;
    if (isa_and_nonnull<stablehlo::MinOp>(op))
      return ReductionKind::Min;
    return std::nullopt;
  }

  static bool isLinear(Operation *op) {
    if (auto convert = dyn_cast_or_null<stablehlo::ConvertOp>(op)) {
      // Sums of the wider type are at least as exact; other conversions round.
      auto from = dyn_cast<FloatType>(
               getElementTypeOrSelf(convert.getOperand().getType())),
           to = dyn_cast<FloatType>(getElementTypeOrSelf(convert.getType()));
      return from && to && from.getWidth() <= to.getWidth();
    }
    return isa_and_nonnull<stablehlo::ReshapeOp, stablehlo::TransposeOp>(op);
  }

  /// all_reduce or reduce_scatter of what one iteration adds becomes that of
  /// the sum. What is scattered only then is carried whole: where the memory
  /// is known and has room.
  void sink(WhileOp loop, int64_t trips) {
    Block &body = loop.getBody().front();
    Operation *yield = body.getTerminator();
    for (unsigned i = 0; i < yield->getNumOperands(); ++i) {
      Operation *step = yield->getOperand(i).getDefiningOp();
      std::optional<ReductionKind> kind = stepOf(step);
      BlockArgument carried = body.getArgument(i);
      if (!kind || getElementTypeOrSelf(carried).isInteger(1) ||
          step->getBlock() != &body || !step->hasOneUse() ||
          !carried.hasOneUse() || *carried.user_begin() != step ||
          !loop.getCond().getArgument(i).use_empty())
        continue;
      unsigned side = step->getOperand(0) == carried ? 1 : 0;
      if (step->getOperand(1 - side) != carried)
        continue;
      // Down to the all_reduce, through what commutes with it.
      SmallVector<Operation *> chain;
      Operation *def = step->getOperand(side).getDefiningOp();
      while (def && def->getBlock() == &body && def->hasOneUse() &&
             isLinear(def)) {
        chain.push_back(def);
        def = def->getOperand(0).getDefiningOp();
      }
      if (!isa_and_nonnull<AllReduceOp, ReduceScatterOp>(def) ||
          def->getBlock() != &body || !def->hasOneUse() || kindOf(def) != kind)
        continue;
      auto reduce = cast<comm::CollectiveOpInterface>(def);
      bool scatters = isa<ReduceScatterOp>(def);
      auto type = cast<RankedTensorType>(carried.getType()), sumType = type;
      if (scatters) {
        // Nothing but conversions keeps the scattered dimension where it is.
        if (!llvm::all_of(chain, llvm::IsaPred<stablehlo::ConvertOp>))
          continue;
        sumType = RankedTensorType::get(
            cast<RankedTensorType>(def->getOperand(0).getType()).getShape(),
            type.getElementType());
      }
      int64_t more = comm::getTensorBytes(sumType) - comm::getTensorBytes(type);
      double before = prices.of(reduce).seconds * static_cast<double>(trips);
      double after = prices
                         .of(scatters ? CollectiveType::ReduceScatter
                                      : CollectiveType::AllReduce,
                             comm::getTensorBytes(sumType),
                             reduce.getCollectiveGroups(), reduce)
                         .seconds;
      if (after >= before || !getNeutralElement(*kind, type.getElementType()) ||
          (scatters && (!bounded || more > spare)))
        continue;
      spare -= more;
      remarkGain(remarks, reduce, "once, after the loop", before, after);
      OpBuilder b(loop);
      Value init = loop->getOperand(i);
      Location loc = reduce.getLoc();
      bool isZero = *kind == ReductionKind::Add &&
                    (matchPattern(init, m_AnyZeroFloat()) ||
                     matchPattern(init, m_Zero()));
      // What starts at zero may go on doing so.
      if (!isZero || scatters)
        loop->setOperand(i, stablehlo::ConstantOp::create(
                                b, loc,
                                getNeutralOrFiller(*kind, type.getElementType())
                                    .resizeSplat(sumType)));
      b.setInsertionPointAfter(loop);
      Operation *whole = b.clone(*reduce);
      whole->setOperand(0, loop->getResult(i));
      whole->getResult(0).setType(type);
      Operation *last = whole;
      if (!isZero) {
        Operation *sum = b.clone(*step);
        sum->setOperands({init, whole->getResult(0)});
        last = sum;
      }
      loop->getResult(i).replaceUsesWithIf(
          last->getResult(0),
          [&](OpOperand &use) { return use.getOwner() != whole; });
      reduce->getResult(0).replaceAllUsesWith(reduce->getOperand(0));
      reduce->erase();
      // (As they are for all_reduce.)
      for (Operation *op : chain)
        if (scatters)
          op->getResult(0).setType(RankedTensorType::get(
              sumType.getShape(), getElementTypeOrSelf(op->getResult(0))));
      for (Value value :
           {Value(carried), Value(step->getResult(0)),
            Value(loop.getCond().getArgument(i)), Value(loop->getResult(i))})
        value.setType(sumType);
    }
  }

  Prices &prices;
  int64_t spare;
  bool bounded, remarks;
};

struct MoveOutOfLoops : impl::MoveOutOfLoopsBase<MoveOutOfLoops> {
  using MoveOutOfLoopsBase::MoveOutOfLoopsBase;

  void runOnOperation() override {
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    Prices prices(*machine);
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal())
        continue;
      int64_t used = memoryLimit ? peakBytesOf(func.getBody()) : 0;
      for (Value argument : func.getArguments())
        used += tensorBytesOf(argument.getType());
      Mover(prices, memoryLimit - used, memoryLimit > 0, remarks).run(func);
    }
  }
};

} // namespace
} // namespace shoal
