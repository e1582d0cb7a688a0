// Marks counted loops.
#include "shoal/Import/Passes.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Matchers.h"

namespace shoal {
#define GEN_PASS_DEF_MARKLOOPSPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using stablehlo::ComparisonDirection;

/// The integer of a scalar constant, as its type reads it.
static std::optional<int64_t> getConstant(Value value) {
  DenseIntElementsAttr elements;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() != 0 ||
      !matchPattern(value, m_Constant(&elements)))
    return std::nullopt;
  APInt bits = elements.getSplatValue<APInt>();
  if (type.getElementType().isUnsignedInteger())
    return bits.getActiveBits() < 64
               ? std::optional<int64_t>(bits.getZExtValue())
               : std::nullopt;
  return bits.getSExtValue();
}

namespace {
struct Counter {
  unsigned index = 0;
  int64_t step = 0;
  Value bound; ///< outside the loop, or a constant in its condition
  ComparisonDirection direction = ComparisonDirection::LT;
};
} // namespace

/// `a direction b` read as `b … a`.
static ComparisonDirection swapSides(ComparisonDirection direction) {
  switch (direction) {
  case ComparisonDirection::LT:
    return ComparisonDirection::GT;
  case ComparisonDirection::GT:
    return ComparisonDirection::LT;
  case ComparisonDirection::LE:
    return ComparisonDirection::GE;
  case ComparisonDirection::GE:
    return ComparisonDirection::LE;
  default:
    return direction;
  }
}

/// The loop as one that counts `counted` while `counted direction bound`.
static std::optional<Counter> findCounter(stablehlo::WhileOp loop,
                                          Value counted, Value bound,
                                          ComparisonDirection direction) {
  Block &cond = loop.getCond().front(), &body = loop.getBody().front();
  Counter counter;
  counter.bound = bound;
  counter.direction = direction;
  auto argument = dyn_cast<BlockArgument>(counted);
  auto type = dyn_cast<RankedTensorType>(counted.getType());
  if (!argument || argument.getOwner() != &cond || !type ||
      type.getRank() != 0 || !type.getElementType().isInteger())
    return std::nullopt;
  counter.index = argument.getArgNumber();

  // The bound: from outside, a constant, or carried unchanged.
  if (auto carried = dyn_cast<BlockArgument>(counter.bound);
      carried && carried.getOwner() == &cond) {
    unsigned index = carried.getArgNumber();
    if (body.getTerminator()->getOperand(index) != body.getArgument(index))
      return std::nullopt;
    counter.bound = loop->getOperand(index);
  } else if (counter.bound.getParentBlock() == &cond &&
             !getConstant(counter.bound)) {
    return std::nullopt;
  }

  Value next = body.getTerminator()->getOperand(counter.index);
  Value current = body.getArgument(counter.index);
  if (auto add = next.getDefiningOp<stablehlo::AddOp>()) {
    Value other = add.getLhs() == current   ? add.getRhs()
                  : add.getRhs() == current ? add.getLhs()
                                            : Value();
    if (std::optional<int64_t> step = other ? getConstant(other) : std::nullopt)
      counter.step = *step;
  } else if (auto sub = next.getDefiningOp<stablehlo::SubtractOp>()) {
    if (std::optional<int64_t> step = getConstant(sub.getRhs());
        step && sub.getLhs() == current && *step != INT64_MIN)
      counter.step = -*step;
  }
  if (counter.step == 0)
    return std::nullopt;
  return counter;
}

/// What the loop counts, if it is a counted one.
static std::optional<Counter> findCounter(stablehlo::WhileOp loop) {
  auto compare = loop.getCond()
                     .front()
                     .getTerminator()
                     ->getOperand(0)
                     .getDefiningOp<stablehlo::CompareOp>();
  if (!compare)
    return std::nullopt;
  Value lhs = compare.getLhs(), rhs = compare.getRhs();
  ComparisonDirection direction = compare.getComparisonDirection();
  if (std::optional<Counter> counter = findCounter(loop, lhs, rhs, direction))
    return counter;
  return findCounter(loop, rhs, lhs, swapSides(direction));
}

/// Iterations from `start`, or nullopt if it does not run towards the bound or
/// wraps around on the way.
static std::optional<int64_t> getTripCount(const Counter &counter,
                                           int64_t start, int64_t bound) {
  __int128 distance = static_cast<__int128>(bound) - start, step = counter.step;
  switch (counter.direction) {
  case ComparisonDirection::LT:
  case ComparisonDirection::LE:
    if (counter.direction == ComparisonDirection::LE)
      ++distance;
    break;
  case ComparisonDirection::GT:
  case ComparisonDirection::GE:
    distance = -distance;
    step = -step;
    if (counter.direction == ComparisonDirection::GE)
      ++distance;
    break;
  case ComparisonDirection::NE:
    if (step < 0) {
      distance = -distance;
      step = -step;
    }
    if (distance < 0 || distance % step)
      return std::nullopt;
    break;
  case ComparisonDirection::EQ:
    return std::nullopt;
  }
  if (distance <= 0)
    return 0;
  if (step <= 0)
    return std::nullopt;
  return static_cast<int64_t>((distance + step - 1) / step);
}

namespace {
struct MarkLoopsPass : shoal::impl::MarkLoopsPassBase<MarkLoopsPass> {
  void runOnOperation() override {
    getOperation().walk([&](stablehlo::WhileOp loop) {
      std::optional<Counter> counter = findCounter(loop);
      if (!counter)
        return;
      Builder builder(&getContext());
      SmallVector<NamedAttribute> fields;
      auto set = [&](StringRef name, int64_t value) {
        fields.push_back(
            builder.getNamedAttr(name, builder.getI64IntegerAttr(value)));
      };
      set("index", counter->index);
      set("step", counter->step);
      std::optional<int64_t> start =
          getConstant(loop->getOperand(counter->index));
      std::optional<int64_t> bound = getConstant(counter->bound);
      if (start)
        set("start", *start);
      if (bound)
        set("bound", *bound);
      if (start && bound)
        if (std::optional<int64_t> count =
                getTripCount(*counter, *start, *bound))
          set("trip_count", *count);
      loop->setAttr("shoal.counted_loop", builder.getDictionaryAttr(fields));
    });
  }
};
} // namespace
