#include "OffloadStacks.h"

#include "LoopPair.h"
#include "shoal/Analysis/OpCosts.h"
#include "shoal/Schedule/MemoryNotes.h"
#include "shoal/Support/StackValues.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/Support/FormatVariadic.h"

#include <cstdlib>
#include <limits>

using namespace mlir;
using stablehlo::WhileOp;

namespace shoal {

/// Copies take this share of an iteration's computation at most.
static constexpr double kHostShare = 0.8;
/// Rows of a stack that a device holds at most: one in use, one on its way.
static constexpr int64_t kRowsHeld = 2;

static SmallVector<StackLoop> loopsOf(Block &block,
                                      const HostScalars &scalars) {
  SmallVector<StackLoop> loops;
  for (auto op : block.getOps<WhileOp>())
    if (auto loop = getStackLoop(op, scalars))
      loops.push_back(*loop);
  return loops;
}

static bool canMove(const Stack &stack, const HostScalars &scalars) {
  return stack.isOwn && stack.bytes > 0 && scalars.isHostView(stack.update) &&
         llvm::all_of(stack.reads, [&](stablehlo::DynamicSliceOp read) {
           return scalars.isHostView(read);
         });
}

/// Seconds of what an iteration computes, up to `until`.
static double computeSeconds(Block &body, OpTimes &times,
                             Operation *until = nullptr) {
  double seconds = 0;
  for (Operation &op : body) {
    if (OpTimes::Time time = times.of(&op); time.resource == 0)
      seconds += time.seconds;
    if (&op == until)
      break;
  }
  return seconds;
}

static double rowSeconds(const Stack &stack, const Hardware &hardware) {
  stablehlo::DynamicUpdateSliceOp update = stack.update;
  return hardware.hostCopySeconds(
      static_cast<double>(tensorBytesOf(update.getUpdate().getType())));
}

int64_t StackOffload::mark(Block &block, int64_t wanted) {
  if (wanted <= 0 || hardware.hostBytesPerSecond <= 0)
    return 0;
  HostScalars scalars(func);
  OpTimes times(func->getParentOfType<ModuleOp>(), hardware, scalars);
  SmallVector<StackLoop> loops = loopsOf(block, scalars);
  struct Candidate {
    stablehlo::DynamicUpdateSliceOp update;
    Operation *first, *second;
    int64_t saved;
    double copy, price;
  };
  SmallVector<Candidate> candidates;
  DenseMap<Operation *, double> left; ///< seconds, of an iteration
  // For tests: all that can go.
  bool all = std::getenv("SHOAL_TEST_OFFLOAD_STACKS");
  for (StackLoop &loop : loops)
    left[loop.op] = all ? std::numeric_limits<double>::infinity()
                        : kHostShare * computeSeconds(loop.body(), times);
  for (size_t i = 0; i < loops.size(); ++i)
    for (size_t j = i + 1; j < loops.size(); ++j) {
      LoopPair pair(loops[i], loops[j], times);
      if (pair.first.trips <= kRowsHeld || !pair.find())
        continue;
      for (auto [n, stack] : llvm::enumerate(pair.stacks)) {
        double copy = rowSeconds(stack, hardware);
        if (stack.update->hasAttr(kToHostAttr)) {
          left[loops[i].op] -= copy;
          left[loops[j].op] -= copy;
          continue;
        }
        if (!canMove(stack, scalars))
          continue;
        SmallVector<bool> alone(pair.stacks.size(), false);
        alone[n] = true;
        std::optional<LoopPair::Price> again;
        if (stack.canGo)
          again = pair.priceOf(alone, false);
        candidates.push_back(
            {stack.update, loops[i].op, loops[j].op,
             stack.bytes / pair.first.trips * (pair.first.trips - kRowsHeld),
             copy,
             again ? again->weighed / static_cast<double>(stack.bytes)
                   : std::numeric_limits<double>::infinity()});
      }
    }
  llvm::stable_sort(candidates, [](const Candidate &a, const Candidate &b) {
    return a.price > b.price;
  });
  int64_t saved = 0;
  for (Candidate &c : candidates) {
    if (saved >= wanted)
      break;
    if (c.copy > left[c.first] || c.copy > left[c.second])
      continue;
    left[c.first] -= c.copy;
    left[c.second] -= c.copy;
    saved += c.saved;
    c.update->setAttr(kToHostAttr, UnitAttr::get(func.getContext()));
  }
  return saved;
}

void StackOffload::move(Block &block) {
  while (movePair(block)) {
  }
  block.walk([](stablehlo::DynamicUpdateSliceOp update) {
    update->removeAttr(kToHostAttr);
  });
}

/// Of rows that are copied in the order in which they are made, those whose
/// copies would end after the iteration: they wait for the next one, which they
/// begin.
static SmallVector<bool> lateRows(const LoopPair &pair,
                                  ArrayRef<unsigned> chosen, OpTimes &times,
                                  const Hardware &hardware) {
  Block &body = pair.first.body();
  double end = computeSeconds(body, times);
  struct Row {
    size_t number;
    double made, copy;
  };
  SmallVector<Row> rows;
  for (auto [n, i] : llvm::enumerate(chosen)) {
    stablehlo::DynamicUpdateSliceOp update = pair.stacks[i].update;
    Operation *maker = update.getUpdate().getDefiningOp();
    rows.push_back({n,
                    maker && maker->getBlock() == &body
                        ? computeSeconds(body, times, maker)
                        : 0,
                    rowSeconds(pair.stacks[i], hardware)});
  }
  llvm::stable_sort(rows,
                    [](const Row &a, const Row &b) { return a.made < b.made; });
  SmallVector<bool> late(chosen.size(), false);
  for (double before = 0; !rows.empty();) {
    double free = before;
    for (const Row &row : rows)
      free = std::max(free, row.made) + row.copy;
    if (free <= end)
      break;
    Row last = rows.pop_back_val();
    if (last.made == 0) // it is there from the start
      break;
    late[last.number] = true;
    before += last.copy;
  }
  return late;
}

bool StackOffload::movePair(Block &block) {
  HostScalars scalars(func);
  OpTimes times(func->getParentOfType<ModuleOp>(), hardware, scalars);
  SmallVector<StackLoop> loops = loopsOf(block, scalars);
  for (size_t i = 0; i < loops.size(); ++i)
    for (size_t j = i + 1; j < loops.size(); ++j) {
      LoopPair pair(loops[i], loops[j], times);
      if (!pair.find())
        continue;
      SmallVector<unsigned> chosen;
      int64_t bytes = 0;
      double seconds = 0;
      for (auto [n, stack] : llvm::enumerate(pair.stacks))
        if (stack.update->hasAttr(kToHostAttr) && canMove(stack, scalars)) {
          chosen.push_back(n);
          bytes += stack.bytes;
          seconds += 2 * static_cast<double>(pair.first.trips) *
                     rowSeconds(stack, hardware);
        }
      if (chosen.empty())
        continue;
      if (remarks)
        pair.second.op.emitRemark()
            << chosen.size()
            << " stacks go to the memory of the host row by row and back, in "
            << llvm::formatv("{0:f3} ms", seconds * 1e3).str()
            << " of copies beside, instead of being held: " << bytesText(bytes);
      rewrite(pair, chosen, lateRows(pair, chosen, times, hardware));
      return true;
    }
  return false;
}

static Value integer(OpBuilder &b, Location loc, Type type, int64_t value) {
  auto tensor = cast<RankedTensorType>(type);
  return stablehlo::ConstantOp::create(
      b, loc,
      DenseElementsAttr::get(tensor,
                             b.getIntegerAttr(tensor.getElementType(), value)));
}

/// Carried value `i` of the loop is in the memory of the host.
static void setCarriedType(WhileOp loop, unsigned i, Type type) {
  for (Region &region : loop->getRegions())
    region.front().getArgument(i).setType(type);
  loop->getResult(i).setType(type);
}

/// `value`, of the loop's body, as it will be in the next iteration: made of
/// the counter and what does not change, at the start of the body.
static Value inNextIteration(OpBuilder &b, Value value, const StackLoop &loop) {
  Location loc = loop.op->getLoc();
  Type type = loop.iv().getType();
  IRMapping next;
  next.map(loop.iv(),
           stablehlo::AddOp::create(b, loc, loop.iv(),
                                    integer(b, loc, type, loop.loop.step)));
  std::function<Value(Value)> make = [&](Value v) -> Value {
    if (Value made = next.lookupOrNull(v))
      return made;
    Operation *op = v.getDefiningOp();
    if (!op || op->getBlock() != &loop.body())
      return v;
    for (Value operand : op->getOperands())
      if (Value made = make(operand); made != operand)
        next.map(operand, made);
    b.clone(*op, next);
    return next.lookup(v);
  };
  return make(value);
}

void StackOffload::rewrite(LoopPair &pair, ArrayRef<unsigned> chosen,
                           ArrayRef<bool> late) {
  StackLoop &first = pair.first, &second = pair.second;
  OpBuilder b(first.op);
  // What waits for the next iteration, and where it goes. In the first one
  // there is nothing yet: what is written is overwritten in the second.
  SmallVector<Value> waiting;
  unsigned before = first.op->getNumOperands();
  for (auto [n, i] : llvm::enumerate(chosen)) {
    stablehlo::DynamicUpdateSliceOp update = pair.stacks[i].update;
    if (!late[n])
      continue;
    auto type = cast<RankedTensorType>(update.getUpdate().getType());
    waiting.push_back(zeroOf(b, update.getLoc(), type));
    waiting.push_back(integer(b, update.getLoc(),
                              update.getStartIndices()[0].getType(),
                              pair.firstRowWritten()));
  }
  if (!waiting.empty())
    first.op = withMoreCarried(first.op, waiting);
  Operation *yield = first.yield();
  SmallVector<Value> yields(yield->getOperands());
  SmallVector<Value> kept, begins; ///< by stack
  unsigned next = before;
  for (auto [n, i] : llvm::enumerate(chosen)) {
    Stack &stack = pair.stacks[i];
    stablehlo::DynamicUpdateSliceOp update = stack.update;
    Location loc = update.getLoc();
    RankedTensorType type = plan::toHost(update.getType());
    Value row = update.getUpdate(), index = update.getStartIndices()[0];
    b.setInsertionPoint(first.op);
    first.op->setOperand(stack.result,
                         plan::HostStackOp::create(b, loc, type).getResult());
    setCarriedType(first.op, stack.result, type);
    Value carried = first.body().getArgument(stack.result);
    Value end = first.op->getResult(stack.result), begin;
    if (late[n]) {
      b.setInsertionPointToStart(&first.body());
      yields[stack.result] = plan::OffloadRowOp::create(
          b, loc, type, first.body().getArgument(next), carried,
          first.body().getArgument(next + 1));
      yields.append({row, index});
      b.setInsertionPointAfter(first.op);
      if (pair.isReversed()) {
        // The last row is the first one that is read.
        begin = first.op->getResult(next);
      } else {
        Value last =
            plan::OffloadRowOp::create(b, loc, type, first.op->getResult(next),
                                       end, first.op->getResult(next + 1));
        end.replaceUsesWithIf(last, [&](OpOperand &use) {
          return use.getOwner() != last.getDefiningOp();
        });
        end = last;
      }
      next += 2;
    } else {
      b.setInsertionPoint(update);
      yields[stack.result] =
          plan::OffloadRowOp::create(b, loc, type, row, carried, index);
    }
    if (!begin) {
      b.setInsertionPoint(second.op);
      begin = plan::FetchRowOp::create(
          b, loc, row.getType(), end,
          integer(b, loc, index.getType(), pair.firstRowRead()));
    }
    kept.push_back(end);
    begins.push_back(begin);
  }
  // (The order of the waiting values is that of `chosen`.)
  yield->setOperands(yields);
  for (unsigned i : chosen)
    pair.stacks[i].update.erase();

  unsigned rows = second.op->getNumOperands();
  for (auto [i, operand] : llvm::enumerate(second.op->getOperands()))
    if (plan::isOnHost(operand.getType()))
      setCarriedType(second.op, i, operand.getType());
  second.op = withMoreCarried(second.op, begins);
  Block &body = second.body();
  b.setInsertionPointToStart(&body);
  Value ahead = inNextIteration(b, pair.getReadIndex(), second);
  yields.assign(second.yield()->operand_begin(), second.yield()->operand_end());
  for (auto [n, i] : llvm::enumerate(chosen)) {
    yields.push_back(plan::FetchRowOp::create(
        b, kept[n].getLoc(), begins[n].getType(), kept[n], ahead));
    for (stablehlo::DynamicSliceOp read : pair.stacks[i].reads) {
      read.getResult().replaceAllUsesWith(body.getArgument(rows + n));
      read.erase();
    }
  }
  second.yield()->setOperands(yields);
  eraseUnused(body);
  eraseUnused(*first.op->getBlock());
}

} // namespace shoal
