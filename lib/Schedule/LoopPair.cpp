#include "LoopPair.h"

#include "Repeatable.h"
#include "shoal/Analysis/OpCosts.h"
#include "shoal/Support/StackValues.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using stablehlo::WhileOp;

namespace shoal {

static constexpr double kCollectiveWeight = 2;

Value LoopPair::rootOf(Value value) {
  for (;;) {
    Operation *op = value.getDefiningOp();
    if (!op || op->getNumOperands() != 1 || op->getNumResults() != 1)
      return value;
    auto from = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    auto to = dyn_cast<RankedTensorType>(value.getType());
    if (!from || !to || from.getElementType() != to.getElementType() ||
        !from.hasStaticShape() || !to.hasStaticShape() ||
        from.getNumElements() != to.getNumElements())
      return value;
    auto isShape = [](Operation *op) {
      if (isa<stablehlo::ReshapeOp>(op))
        return true;
      auto broadcast = dyn_cast<stablehlo::BroadcastInDimOp>(op);
      return broadcast && llvm::is_sorted(broadcast.getBroadcastDimensions());
    };
    bool same = isShape(op);
    if (auto launch = dyn_cast<plan::LaunchOp>(op))
      if (auto kernel = SymbolTable::lookupNearestSymbolFrom<plan::KernelOp>(
              op, launch.getKernelAttr())) {
        Block &body = kernel.getBody().front();
        same = body.getNumArguments() == 1;
        for (Operation &inner : body.without_terminator())
          same &= isShape(&inner) &&
                  cast<RankedTensorType>(inner.getResult(0).getType())
                          .getNumElements() == from.getNumElements();
        // One after the other, or the result may be something else.
        Value last = body.getTerminator()->getOperand(0);
        while (same && last.getDefiningOp())
          last = last.getDefiningOp()->getOperand(0);
        same &= last == body.getArgument(0);
      }
    if (!same)
      return value;
    value = op->getOperand(0);
  }
}

bool LoopPair::find() {
  if (first.trips != second.trips)
    return false;
  // Where in the second loop each row is read.
  llvm::MapVector<unsigned, Stack> found;
  for (auto slice : second.body().getOps<stablehlo::DynamicSliceOp>()) {
    auto row = rowOf(slice, second);
    if (!row)
      continue;
    auto stacked = stackedIn(row->source, first);
    if (!stacked)
      continue;
    auto read = orderOfReads(*stacked, *row);
    if (!read || (!order.empty() && *read != order))
      continue;
    if (order.empty()) {
      order = *read;
      writeIndex = stacked->op.getStartIndices()[0];
      readIndex = slice.getStartIndices()[0];
      ivOffset = first.counterAt(0) - stacked->at[0];
      for (int64_t trip = 0; trip < first.trips; ++trip)
        if (first.counterAt(trip) - stacked->at[trip] != ivOffset)
          return false;
      // (As it is read, not as it is clamped.)
      for (int64_t trip = 0; trip < first.trips; ++trip)
        if (evaluateAt(readIndex, second, order[trip]) != stacked->at[trip])
          return false;
    }
    unsigned result = cast<OpResult>(row->source).getResultNumber();
    Stack &stack = found[result];
    stack.result = result;
    stack.update = stacked->op;
    stack.bytes = tensorBytesOf(stacked->op.getType());
    stack.reads.push_back(slice);
    stack.isRow = true;
    for (int64_t trip = 0; trip < first.trips; ++trip)
      stack.isRow &= first.counterAt(trip) - stacked->at[trip] == ivOffset;
  }
  for (auto &[result, stack] : found) {
    // Only read in the second loop, in the order of the reference.
    size_t uses = 0;
    Value value = first.op->getResult(result);
    stack.isOwn = stack.update->hasOneUse();
    for (OpOperand &use : value.getUses()) {
      if (use.getOwner() != second.op.getOperation()) {
        auto slice = dyn_cast<stablehlo::DynamicSliceOp>(use.getOwner());
        stack.isOwn &= slice && llvm::is_contained(stack.reads, slice);
        uses += slice != nullptr;
        continue;
      }
      unsigned i = use.getOperandNumber();
      stack.isOwn &=
          second.op->getResult(i).use_empty() &&
          second.op.getCond().front().getArgument(i).use_empty() &&
          second.yield()->getOperand(i) == second.body().getArgument(i);
      for (OpOperand &inner : second.body().getArgument(i).getUses())
        if (inner.getOwner() != second.yield()) {
          auto slice = dyn_cast<stablehlo::DynamicSliceOp>(inner.getOwner());
          stack.isOwn &= slice && llvm::is_contained(stack.reads, slice);
          ++uses;
        }
    }
    stack.isOwn &= uses == stack.reads.size() && stack.isRow &&
                   first.op.getCond().front().getArgument(result).use_empty();
    stack.canGo = stack.isOwn && !stack.update->hasAttr(kToHostAttr) &&
                  !isa<BlockArgument>(rootOf(stack.update.getUpdate()));
    if (stack.isRow)
      stackOf.try_emplace(rootOf(stack.update.getUpdate()), stacks.size());
    stacks.push_back(stack);
  }
  return !stacks.empty();
}

int64_t LoopPair::firstRowRead() const {
  return first.counterAt(llvm::find(order, 0) - order.begin()) - ivOffset;
}

bool LoopPair::need(Value value, Price &price, bool mayAdd, int depth) {
  if (depth > 200)
    return false;
  Value root = rootOf(value);
  if (auto stack = stackOf.find(root);
      stack != stackOf.end() && !isDropped[stack->second]) {
    price.leaves.insert(root);
    return true;
  }
  Region *body = first.body().getParent();
  if (!body->isAncestor(value.getParentRegion()))
    return true;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (argument.getOwner() != &first.body())
      return true; // of a region within the chain
    unsigned i = argument.getArgNumber();
    if (i == first.loop.ivIndex || first.invariant(argument))
      return true;
    if (!mayAdd)
      return false;
    if (price.added.insert(i))
      price.newBytes += tensorBytesOf(argument.getType()) * first.trips;
    return true;
  }
  Operation *op = value.getDefiningOp();
  if (op->getBlock() != &first.body())
    return true;
  if (price.chain.contains(op))
    return true;
  if (!isRepeatable(op, /*regions=*/true))
    return false;
  price.chain.insert(op);
  OpTimes::Time time = times.of(op);
  price.seconds += time.seconds * double(first.trips);
  price.weighed += time.seconds * double(first.trips) *
                   (time.resource ? kCollectiveWeight : 1);
  bool can = true;
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      can = can && need(operand, price, mayAdd, depth + 1);
  });
  return can;
}

std::optional<LoopPair::Price> LoopPair::priceOf(ArrayRef<bool> dropped,
                                                 bool mayAdd) {
  isDropped = dropped;
  Price price;
  for (auto [stack, gone] : llvm::zip_equal(stacks, dropped))
    if (gone && !need(stack.update.getUpdate(), price, mayAdd, 0))
      return std::nullopt;
  return price;
}

/// The loop without some of its carried values, which nobody needs.
static WhileOp without(WhileOp op, const llvm::BitVector &gone) {
  if (gone.none())
    return op;
  OpBuilder b(op);
  SmallVector<Value> operands;
  for (auto [i, operand] : llvm::enumerate(op->getOperands()))
    if (!gone[i])
      operands.push_back(operand);
  OperationState state(op.getLoc(), op->getName(), operands,
                       ValueRange(operands).getTypes(), op->getAttrs());
  for (NamedAttribute attribute : op->getAttrs())
    if (attribute.getName() != "shoal.counted_loop") // it counts by number
      state.addAttribute(attribute.getName(), attribute.getValue());
  state.addRegion();
  state.addRegion();
  auto fresh = cast<WhileOp>(b.create(state));
  for (auto [from, to] : llvm::zip_equal(op->getRegions(), fresh->getRegions()))
    to.takeBody(from);
  Operation *yield = fresh.getBody().front().getTerminator();
  SmallVector<Operation *> dead;
  for (unsigned i = 0; i < gone.size(); ++i)
    if (gone[i])
      if (Operation *update = yield->getOperand(i).getDefiningOp())
        dead.push_back(update);
  llvm::BitVector all(gone);
  yield->eraseOperands(all);
  for (Operation *update : dead)
    update->erase();
  for (Region &region : fresh->getRegions())
    region.front().eraseArguments(all);
  unsigned n = 0;
  for (unsigned i = 0; i < gone.size(); ++i)
    if (!gone[i])
      op->getResult(i).replaceAllUsesWith(fresh->getResult(n++));
  op->erase();
  return fresh;
}

void LoopPair::rewrite(ArrayRef<bool> dropped, const Price &price) {
  unsigned before = first.op->getNumResults();
  if (!price.added.empty())
    first.op =
        stackValues(first.op,
                    llvm::map_to_vector(price.added.getArrayRef(),
                                        [&](unsigned i) -> Value {
                                          return first.body().getArgument(i);
                                        }),
                    writeIndex, first.trips);
  Block &body = second.body();
  OpBuilder b(body.getParentOp()->getContext());
  if (Operation *index = readIndex.getDefiningOp();
      index && index->getBlock() == &body)
    b.setInsertionPointAfter(index);
  else
    b.setInsertionPointToStart(&body);
  Location loc = second.op.getLoc();
  auto read = [&](Value stack, Type type) {
    return readRow(b, loc, stack, readIndex, type);
  };
  IRMapping map;
  Block &from = first.body();
  for (BlockArgument argument : from.getArguments())
    if (Value outside = first.invariant(argument))
      map.map(argument, outside);
  auto ivType = cast<RankedTensorType>(first.iv().getType());
  Value iv = readIndex;
  if (iv.getType() != ivType)
    iv = stablehlo::ConvertOp::create(b, loc, ivType, iv);
  if (ivOffset != 0)
    iv = stablehlo::AddOp::create(
        b, loc, iv,
        stablehlo::ConstantOp::create(
            b, loc,
            DenseElementsAttr::get(
                ivType, b.getIntegerAttr(ivType.getElementType(), ivOffset))));
  map.map(first.iv(), iv);
  for (auto [n, i] : llvm::enumerate(price.added))
    map.map(from.getArgument(i), read(first.op->getResult(before + n),
                                      from.getArgument(i).getType()));
  for (Value leaf : price.leaves)
    map.map(leaf, read(first.op->getResult(stacks[stackOf[leaf]].result),
                       leaf.getType()));
  SmallVector<Operation *> chain(price.chain.getArrayRef());
  llvm::sort(chain,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  for (Operation *op : chain) {
    // Of what is read from a stack, another form.
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (Value root = rootOf(operand);
            !map.contains(operand) && price.leaves.contains(root))
          map.map(operand, stablehlo::ReshapeOp::create(
                               b, loc, operand.getType(), map.lookup(root)));
    });
    b.clone(*op, map);
  }
  llvm::BitVector goneFirst(first.op->getNumResults()),
      goneSecond(second.op->getNumResults());
  for (auto [stack, gone] : llvm::zip_equal(stacks, dropped)) {
    if (!gone)
      continue;
    Value row = stack.update.getUpdate();
    Value again = map.lookupOrNull(row);
    if (!again)
      again = stablehlo::ReshapeOp::create(b, loc, row.getType(),
                                           map.lookup(rootOf(row)));
    for (stablehlo::DynamicSliceOp slice : stack.reads) {
      slice.getResult().replaceAllUsesWith(again);
      slice.erase();
    }
    goneFirst.set(stack.result);
    for (OpOperand &use : first.op->getResult(stack.result).getUses())
      if (use.getOwner() == second.op.getOperation())
        goneSecond.set(use.getOperandNumber());
  }
  sortTopologically(&body);
  second.op = without(second.op, goneSecond);
  first.op = without(first.op, goneFirst);
  // What made only rows that are gone, or the stacks' beginnings.
  for (Block *block : {&first.body(), first.op->getBlock()})
    eraseUnused(*block);
}

void eraseUnused(Block &block) {
  SmallVector<Operation *> ops;
  for (Operation &op : block)
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops))
    if (op->use_empty() && isMemoryEffectFree(op) &&
        !op->hasTrait<OpTrait::IsTerminator>())
      op->erase();
}

} // namespace shoal
