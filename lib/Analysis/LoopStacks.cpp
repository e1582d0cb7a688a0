#include "shoal/Analysis/LoopStacks.h"
#include "shoal/Analysis/IntegerScalars.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using stablehlo::WhileOp;

namespace shoal {

Value StackLoop::invariant(BlockArgument argument) const {
  if (argument.getOwner() != &body() ||
      yield()->getOperand(argument.getArgNumber()) != argument)
    return {};
  return op->getOperand(argument.getArgNumber());
}

std::optional<StackLoop> getStackLoop(WhileOp op, const HostScalars &scalars) {
  auto counted = scalars.getCountedLoop(op);
  if (!counted || !counted->tripCount || *counted->tripCount < 2 ||
      *counted->tripCount > 4096)
    return std::nullopt;
  auto begin = getConstantInt(counted->begin);
  if (!begin)
    return std::nullopt;
  return StackLoop{op, *counted, *begin, *counted->tripCount};
}

std::optional<int64_t> evaluateAt(Value value, const StackLoop &loop,
                                  int64_t trip) {
  auto leaf = [&](Value inner) -> std::optional<APInt> {
    auto argument = dyn_cast<BlockArgument>(inner);
    if (!argument || argument.getOwner() != &loop.body())
      return std::nullopt;
    if (argument.getArgNumber() == loop.loop.ivIndex)
      return APInt(
          getElementTypeOrSelf(inner.getType()).getIntOrFloatBitWidth(),
          loop.counterAt(trip), /*isSigned=*/true,
          /*implicitTrunc=*/true);
    // What never changes comes from outside.
    Value outside = loop.invariant(argument);
    if (!outside)
      return std::nullopt;
    return evaluateInteger(outside,
                           [](Value) { return std::optional<APInt>(); });
  };
  auto number = evaluateInteger(value, leaf);
  return number ? asInt64(*number, getElementTypeOrSelf(value.getType()))
                : std::nullopt;
}

std::optional<SlicedRow> rowOf(stablehlo::DynamicSliceOp op,
                               const StackLoop &loop) {
  Value source = op.getOperand();
  if (loop.body().getParent()->isAncestor(source.getParentRegion())) {
    auto argument = dyn_cast<BlockArgument>(source);
    source = argument ? loop.invariant(argument) : Value();
  }
  if (!source || op.getSliceSizes().empty() || op.getSliceSizes()[0] != 1)
    return std::nullopt;
  ArrayRef<int64_t> shape = cast<RankedTensorType>(source.getType()).getShape();
  for (size_t d = 1; d < shape.size(); ++d)
    if (op.getSliceSizes()[d] != shape[d])
      return std::nullopt;
  SlicedRow row{source, {}};
  for (int64_t trip = 0; trip < loop.trips; ++trip) {
    auto at = evaluateAt(op.getStartIndices()[0], loop, trip);
    if (!at)
      return std::nullopt;
    row.at.push_back(std::clamp<int64_t>(*at, 0, shape[0] - 1));
  }
  return row;
}

std::optional<StackedRows> stackedIn(Value result, const StackLoop &loop) {
  auto number = dyn_cast<OpResult>(result);
  if (!number || number.getOwner() != static_cast<Operation *>(loop.op))
    return std::nullopt;
  unsigned i = number.getResultNumber();
  auto update = loop.yield()
                    ->getOperand(i)
                    .getDefiningOp<stablehlo::DynamicUpdateSliceOp>();
  BlockArgument argument = loop.body().getArgument(i);
  if (!update || update.getOperand() != argument || !argument.hasOneUse())
    return std::nullopt;
  auto whole = cast<RankedTensorType>(update.getType()),
       part = cast<RankedTensorType>(update.getUpdate().getType());
  if (whole.getRank() == 0 || part.getDimSize(0) != 1 ||
      part.getShape().drop_front() != whole.getShape().drop_front())
    return std::nullopt;
  StackedRows stacked{update, {}};
  DenseSet<int64_t> seen;
  for (int64_t trip = 0; trip < loop.trips; ++trip) {
    auto at = evaluateAt(update.getStartIndices()[0], loop, trip);
    if (!at || *at < 0 || *at >= whole.getDimSize(0) ||
        !seen.insert(*at).second)
      return std::nullopt;
    stacked.at.push_back(*at);
  }
  return stacked;
}

std::optional<SmallVector<int64_t>> orderOfReads(const StackedRows &stack,
                                                 const SlicedRow &row) {
  stablehlo::DynamicUpdateSliceOp update = stack.op;
  if (cast<RankedTensorType>(update.getType()).getDimSize(0) !=
      static_cast<int64_t>(stack.at.size()))
    return std::nullopt;
  SmallVector<int64_t> order;
  for (int64_t at : stack.at) {
    auto *found = llvm::find(row.at, at);
    if (found == row.at.end())
      return std::nullopt;
    order.push_back(found - row.at.begin());
  }
  return order;
}

} // namespace shoal
