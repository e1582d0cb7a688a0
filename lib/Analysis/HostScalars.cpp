// Host scalars: an optimistic fixed point over the loops. See the header.
#include "shoal/Analysis/HostScalars.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;

static bool isRankZeroInteger(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 0 && tensor.getElementType().isInteger();
}

bool shoal::isContiguousBlock(ArrayRef<int64_t> shape,
                              ArrayRef<int64_t> sizes) {
  size_t last = shape.size();
  // The innermost dimension that is cut: all before it must have size 1.
  while (last > 0 && shape[last - 1] == sizes[last - 1])
    --last;
  for (size_t i = 0; i + 1 < last; ++i)
    if (sizes[i] != 1)
      return false;
  return true;
}

std::optional<int64_t> shoal::getConstantInt(Value value) {
  auto constant = value.getDefiningOp<stablehlo::ConstantOp>();
  if (!constant)
    return std::nullopt;
  auto elements = dyn_cast<DenseIntElementsAttr>(constant.getValue());
  if (!elements || !elements.isSplat())
    return std::nullopt;
  APInt bits = elements.getSplatValue<APInt>();
  auto type = cast<IntegerType>(elements.getElementType());
  bool zeroExtend = type.isUnsigned() || type.getWidth() == 1;
  return zeroExtend ? static_cast<int64_t>(bits.getZExtValue())
                    : bits.getSExtValue();
}

/// Ops whose integer form the host program has.
static bool isScalarArithmetic(Operation *op) {
  using namespace stablehlo;
  return isa<ConstantOp, AddOp, SubtractOp, MulOp, DivOp, RemOp, MaxOp, MinOp,
             AndOp, OrOp, XorOp, NotOp, NegOp, AbsOp, SelectOp, ClampOp,
             CompareOp, ConvertOp, ReshapeOp, PartitionIdOp,
             OptimizationBarrierOp>(op) ||
         op->getName().getStringRef() == "comm.axis_index";
}

bool shoal::HostScalars::evaluate(Operation *op) {
  if (!isScalarArithmetic(op) || op->getNumRegions() != 0 ||
      op->getNumResults() == 0)
    return false;
  if (!llvm::all_of(op->getResultTypes(), isRankZeroInteger))
    return false;
  return llvm::all_of(op->getOperands(),
                      [&](Value v) { return scalars.contains(v); });
}

void shoal::HostScalars::visit(Region &region) {
  for (Block &block : region)
    for (Operation &op : block) {
      if (auto loop = dyn_cast<stablehlo::WhileOp>(op)) {
        for (unsigned i = 0; i < loop.getOperand().size(); ++i) {
          Value init = loop.getOperand()[i];
          if (!isRankZeroInteger(init.getType()) || !scalars.contains(init) ||
              refuted.contains({&op, i}))
            continue;
          scalars.insert(loop.getCond().getArgument(i));
          scalars.insert(loop.getBody().getArgument(i));
          scalars.insert(loop->getResult(i));
        }
      }
      for (Region &nested : op.getRegions())
        visit(nested);
      if (evaluate(&op))
        scalars.insert(op.result_begin(), op.result_end());
    }
}

shoal::HostScalars::HostScalars(Operation *root) {
  // Assume that every carried integer with a host init stays one; refute and
  // start over until the assumptions bear themselves out. Each round refutes at
  // least one, and rounds are as deep as chains of such values, so few.
  for (bool changed = true; changed;) {
    changed = false;
    scalars.clear();
    for (Region &region : root->getRegions())
      visit(region);
    root->walk([&](stablehlo::WhileOp loop) {
      Operation *yield = loop.getBody().front().getTerminator();
      for (unsigned i = 0; i < loop.getOperand().size(); ++i)
        if (scalars.contains(loop.getBody().getArgument(i)) &&
            !scalars.contains(yield->getOperand(i))) {
          refuted.insert({loop, i});
          changed = true;
        }
    });
  }
}

bool shoal::HostScalars::isHostOp(Operation *op) const {
  return op->getNumResults() > 0 && isScalarArithmetic(op) &&
         llvm::all_of(op->getResults(),
                      [&](Value v) { return scalars.contains(v); });
}

bool shoal::HostScalars::isHostView(Operation *op) const {
  auto allHost = [&](ValueRange indices) {
    return llvm::all_of(indices, [&](Value v) { return scalars.contains(v); });
  };
  if (auto slice = dyn_cast<stablehlo::DynamicSliceOp>(op))
    return allHost(slice.getStartIndices()) &&
           isContiguousBlock(
               cast<RankedTensorType>(slice.getOperand().getType()).getShape(),
               slice.getSliceSizes());
  if (auto update = dyn_cast<stablehlo::DynamicUpdateSliceOp>(op))
    return allHost(update.getStartIndices()) &&
           isContiguousBlock(
               cast<RankedTensorType>(update.getOperand().getType()).getShape(),
               cast<RankedTensorType>(update.getUpdate().getType()).getShape());
  return false;
}

std::optional<shoal::CountedLoop>
shoal::HostScalars::getCountedLoop(stablehlo::WhileOp loop) const {
  std::optional<CountedLoop> counted = matchCountedLoop(loop);
  if (!counted || !scalars.contains(counted->end) ||
      !scalars.contains(loop.getCond().getArgument(counted->ivIndex)))
    return std::nullopt;
  // The host counts in 64 bits, signed.
  Type type = getElementTypeOrSelf(counted->begin.getType());
  if (type.isInteger(1) || type.isUnsignedInteger(64))
    return std::nullopt;
  return counted;
}

std::optional<shoal::CountedLoop>
shoal::matchCountedLoop(stablehlo::WhileOp loop) {
  Block &cond = loop.getCond().front(), &body = loop.getBody().front();
  auto compare =
      cond.getTerminator()->getOperand(0).getDefiningOp<stablehlo::CompareOp>();
  if (!compare)
    return std::nullopt;
  using Direction = stablehlo::ComparisonDirection;
  Direction direction = compare.getComparisonDirection();
  Value iv = compare.getLhs(), end = compare.getRhs();
  auto isCarried = [&](Value v) {
    auto arg = dyn_cast<BlockArgument>(v);
    return arg && arg.getOwner() == &cond;
  };
  auto isInvariant = [&](Value v) {
    auto arg = dyn_cast<BlockArgument>(v);
    return arg && arg.getOwner() == &cond &&
           body.getTerminator()->getOperand(arg.getArgNumber()) ==
               body.getArgument(arg.getArgNumber());
  };
  if (!isCarried(iv) || isInvariant(iv)) {
    std::swap(iv, end);
    switch (direction) {
    case Direction::LT:
      direction = Direction::GT;
      break;
    case Direction::LE:
      direction = Direction::GE;
      break;
    case Direction::GT:
      direction = Direction::LT;
      break;
    case Direction::GE:
      direction = Direction::LE;
      break;
    default:
      break;
    }
  }
  if (!isCarried(iv) || !isRankZeroInteger(iv.getType()))
    return std::nullopt;

  CountedLoop result;
  result.ivIndex = cast<BlockArgument>(iv).getArgNumber();
  result.begin = loop.getOperand()[result.ivIndex];
  // The bound: invariant, a constant, or from outside.
  if (isInvariant(end))
    end = loop.getOperand()[cast<BlockArgument>(end).getArgNumber()];
  else if (end.getParentRegion() == &loop.getCond() && !getConstantInt(end))
    return std::nullopt;
  result.end = end;
  auto type = cast<IntegerType>(getElementTypeOrSelf(iv.getType()));
  result.isUnsigned = type.isUnsigned() || type.getWidth() == 1;

  // The next value: iv + constant.
  Value next = body.getTerminator()->getOperand(result.ivIndex);
  BlockArgument bodyIv = body.getArgument(result.ivIndex);
  std::optional<int64_t> step;
  if (auto add = next.getDefiningOp<stablehlo::AddOp>()) {
    if (add.getLhs() == bodyIv)
      step = getConstantInt(add.getRhs());
    else if (add.getRhs() == bodyIv)
      step = getConstantInt(add.getLhs());
  } else if (auto sub = next.getDefiningOp<stablehlo::SubtractOp>()) {
    if (sub.getLhs() == bodyIv)
      if (auto value = getConstantInt(sub.getRhs()))
        step = -*value;
  }
  if (!step || *step == 0)
    return std::nullopt;
  result.step = *step;
  bool up = direction == Direction::LT || direction == Direction::LE;
  bool down = direction == Direction::GT || direction == Direction::GE;
  if ((up && *step < 0) || (down && *step > 0))
    return std::nullopt; // Runs until it wraps: not a counted loop to us.
  if (!up && !down) {
    // NE counts if it is hit exactly.
    auto begin = getConstantInt(result.begin), bound = getConstantInt(end);
    if (direction != Direction::NE || !begin || !bound ||
        (*bound - *begin) % *step != 0 || (*bound - *begin) / *step < 0)
      return std::nullopt;
  }
  result.inclusive = direction == Direction::LE || direction == Direction::GE;

  auto begin = getConstantInt(result.begin), bound = getConstantInt(end);
  if (result.isUnsigned && (begin.value_or(0) < 0 || bound.value_or(0) < 0))
    return std::nullopt; // Beyond 63 bits.
  unsigned width = type.getWidth();
  int64_t limit =
      width >= 64 ? INT64_MAX
                  : (int64_t(1) << (width - (result.isUnsigned ? 0 : 1))) - 1;
  if (begin && bound) {
    __int128 span = static_cast<__int128>(*bound) - *begin;
    __int128 size = *step > 0 ? *step : -static_cast<__int128>(*step);
    if (*step < 0)
      span = -span;
    if (result.inclusive)
      span += 1;
    __int128 trips = span <= 0 ? 0 : (span + size - 1) / size;
    // The counter must not wrap in its own type before the loop ends.
    __int128 final = static_cast<__int128>(*begin) + trips * *step;
    __int128 lowest = result.isUnsigned ? 0 : -static_cast<__int128>(limit) - 1;
    if (final > limit || final < lowest)
      return std::nullopt;
    result.tripCount = static_cast<int64_t>(trips);
  }
  return result;
}
