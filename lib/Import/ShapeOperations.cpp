// What single operations do to integers known at compile time.
#include "ShapeEvaluator.h"

#include "dialects/SDY/SDY.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Shape/IR/Shape.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace shoal;

using Operands = ArrayRef<const IntTensor *>;
using Result = std::optional<IntTensor>;

//===----------------------------------------------------------------------===//
// Element by element
//===----------------------------------------------------------------------===//

static APInt divide(const APInt &a, const APInt &b, bool isUnsigned) {
  if (b.isZero())
    return APInt::getAllOnes(a.getBitWidth()); // as XLA has it
  if (isUnsigned)
    return a.udiv(b);
  return a.isMinSignedValue() && b.isAllOnes() ? a : a.sdiv(b);
}

static APInt remainder(const APInt &a, const APInt &b, bool isUnsigned) {
  if (b.isZero())
    return a;
  if (isUnsigned)
    return a.urem(b);
  return b.isAllOnes() ? APInt(a.getBitWidth(), 0) : a.srem(b);
}

static APInt power(const APInt &a, const APInt &b, bool isUnsigned) {
  APInt result(a.getBitWidth(), 1, false, /*implicitTrunc=*/true);
  if (!isUnsigned && b.isNegative()) {
    if (a.isOne())
      return a;
    if (a.isAllOnes())
      return b[0] ? a : result;
    return APInt(a.getBitWidth(), 0);
  }
  APInt base = a;
  for (unsigned bit = 0; bit < b.getActiveBits(); ++bit) {
    if (b[bit])
      result *= base;
    base *= base;
  }
  return result;
}

/// A shift; by the width or more everything is shifted out.
static APInt shift(Operation *op, const APInt &a, const APInt &b) {
  unsigned width = a.getBitWidth();
  bool outside = b.uge(width);
  unsigned amount = outside ? 0 : static_cast<unsigned>(b.getZExtValue());
  if (isa<stablehlo::ShiftRightArithmeticOp>(op))
    return a.ashr(outside ? width - 1 : amount);
  if (outside)
    return APInt(width, 0);
  return isa<stablehlo::ShiftLeftOp>(op) ? a.shl(amount) : a.lshr(amount);
}

static std::optional<APInt> evaluateBinary(Operation *op, const APInt &a,
                                           const APInt &b, bool isUnsigned) {
  bool isBool = a.getBitWidth() == 1;
  using OptionalInt = std::optional<APInt>;
  return llvm::TypeSwitch<Operation *, OptionalInt>(op)
      .Case([&](stablehlo::AddOp) { return isBool ? a | b : a + b; })
      .Case([&](stablehlo::SubtractOp) { return a - b; })
      .Case([&](stablehlo::MulOp) { return isBool ? a & b : a * b; })
      .Case([&](stablehlo::DivOp) { return divide(a, b, isUnsigned); })
      .Case([&](stablehlo::RemOp) { return remainder(a, b, isUnsigned); })
      .Case([&](stablehlo::PowOp) { return power(a, b, isUnsigned); })
      .Case([&](stablehlo::MaxOp) {
        return (isUnsigned ? a.ugt(b) : a.sgt(b)) ? a : b;
      })
      .Case([&](stablehlo::MinOp) {
        return (isUnsigned ? a.ult(b) : a.slt(b)) ? a : b;
      })
      .Case([&](stablehlo::AndOp) { return a & b; })
      .Case([&](stablehlo::OrOp) { return a | b; })
      .Case([&](stablehlo::XorOp) { return a ^ b; })
      .Case<stablehlo::ShiftLeftOp, stablehlo::ShiftRightArithmeticOp,
            stablehlo::ShiftRightLogicalOp>(
          [&](Operation *) { return shift(op, a, b); })
      .Case([&](stablehlo::CompareOp compare) {
        int order = a == b ? 0 : (isUnsigned ? a.ult(b) : a.slt(b)) ? -1 : 1;
        bool holds = false;
        switch (compare.getComparisonDirection()) {
        case stablehlo::ComparisonDirection::EQ:
          holds = order == 0;
          break;
        case stablehlo::ComparisonDirection::NE:
          holds = order != 0;
          break;
        case stablehlo::ComparisonDirection::GE:
          holds = order >= 0;
          break;
        case stablehlo::ComparisonDirection::GT:
          holds = order > 0;
          break;
        case stablehlo::ComparisonDirection::LE:
          holds = order <= 0;
          break;
        case stablehlo::ComparisonDirection::LT:
          holds = order < 0;
          break;
        }
        return APInt(1, holds);
      })
      .Default([](Operation *) { return OptionalInt(); });
}

static std::optional<APInt> evaluateUnary(Operation *op, const APInt &a,
                                          bool isUnsigned) {
  unsigned width = a.getBitWidth();
  auto count = [&](unsigned n) {
    return APInt(width, n, false, /*implicitTrunc=*/true);
  };
  using OptionalInt = std::optional<APInt>;
  return llvm::TypeSwitch<Operation *, OptionalInt>(op)
      .Case([&](stablehlo::AbsOp) { return isUnsigned ? a : a.abs(); })
      .Case([&](stablehlo::NegOp) { return -a; })
      .Case([&](stablehlo::NotOp) { return ~a; })
      .Case([&](stablehlo::SignOp) {
        if (a.isZero())
          return a;
        return !isUnsigned && a.isNegative() ? APInt::getAllOnes(width)
                                             : count(1);
      })
      .Case([&](stablehlo::PopulationCountOp) { return count(a.popcount()); })
      .Case([&](stablehlo::ClzOp) { return count(a.countl_zero()); })
      .Case([&](stablehlo::ConvertOp convert) -> OptionalInt {
        Type to = convert.getType().getElementType();
        if (!to.isIntOrIndex())
          return std::nullopt;
        if (to.isInteger(1))
          return APInt(1, !a.isZero());
        unsigned target = to.isIndex() ? 64 : to.getIntOrFloatBitWidth();
        return isUnsigned ? a.zextOrTrunc(target) : a.sextOrTrunc(target);
      })
      .Default([](Operation *) { return OptionalInt(); });
}

static bool isUnsignedResult(Operation *op) {
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  return element.isUnsignedInteger() || element.isInteger(1);
}

static Result evaluateElementwise(Operation *op, Operands in) {
  IntTensor result;
  result.isUnsigned = isUnsignedResult(op);
  if (isa<stablehlo::SelectOp, stablehlo::ClampOp>(op)) {
    bool isSelect = isa<stablehlo::SelectOp>(op);
    // Predicate and bounds may be scalars.
    result.shape = in[1]->shape;
    for (size_t i = 0; i < in[1]->values.size(); ++i) {
      auto get = [&](unsigned operand) -> const APInt & {
        return in[operand]->values[in[operand]->shape.empty() ? 0 : i];
      };
      if (isSelect) {
        result.values.push_back(get(0).isZero() ? get(2) : get(1));
        continue;
      }
      APInt value = get(1);
      auto isLess = [&](const APInt &a, const APInt &b) {
        return result.isUnsigned ? a.ult(b) : a.slt(b);
      };
      if (isLess(value, get(0)))
        value = get(0);
      if (isLess(get(2), value))
        value = get(2);
      result.values.push_back(value);
    }
    return result;
  }
  if (in.empty() || in.size() > 2)
    return std::nullopt;
  result.shape = in[0]->shape;
  if (in.size() == 2 && in[1]->shape != in[0]->shape)
    return std::nullopt;
  for (size_t i = 0; i < in[0]->values.size(); ++i) {
    std::optional<APInt> value =
        in.size() == 1 ? evaluateUnary(op, in[0]->values[i], in[0]->isUnsigned)
                       : evaluateBinary(op, in[0]->values[i], in[1]->values[i],
                                        in[0]->isUnsigned);
    if (!value)
      return std::nullopt;
    result.values.push_back(*value);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Moves of elements
//===----------------------------------------------------------------------===//

/// A tensor of `shape` whose elements are those of `from` at the positions
/// that `source` gives; nullopt if that is outside.
static Result
pick(const IntTensor &from, ArrayRef<int64_t> shape,
     llvm::function_ref<int64_t(ArrayRef<int64_t> index)> source) {
  if (ShapedType::isDynamicShape(shape) ||
      ShapedType::getNumElements(shape) > ShapeEvaluator::kMaxElements)
    return std::nullopt;
  IntTensor result;
  result.shape.assign(shape.begin(), shape.end());
  result.isUnsigned = from.isUnsigned;
  bool ok = true;
  forEachIndex(shape, [&](ArrayRef<int64_t> index) {
    int64_t position = source(index);
    ok &= position >= 0 && position < int64_t(from.values.size());
    if (ok)
      result.values.push_back(from.values[position]);
  });
  if (!ok)
    return std::nullopt;
  return result;
}

/// Starts of a slice, moved so that it lies inside.
static SmallVector<int64_t>
clampStarts(Operands starts, ArrayRef<int64_t> shape, ArrayRef<int64_t> sizes) {
  SmallVector<int64_t> result;
  for (auto [dim, start] : llvm::enumerate(starts))
    result.push_back(std::clamp<int64_t>(
        start->getInt(0), 0, std::max<int64_t>(shape[dim] - sizes[dim], 0)));
  return result;
}

static SmallVector<int64_t> addIndex(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  SmallVector<int64_t> sum;
  for (auto [x, y] : llvm::zip(a, b))
    sum.push_back(x + y);
  return sum;
}

static Result evaluateConcatenate(stablehlo::ConcatenateOp op, Operands in) {
  int64_t dim = op.getDimension();
  IntTensor result;
  result.shape = in.front()->shape;
  result.isUnsigned = in.front()->isUnsigned;
  result.shape[dim] = 0;
  for (const IntTensor *part : in)
    result.shape[dim] += part->shape[dim];
  if (ShapedType::getNumElements(result.shape) > ShapeEvaluator::kMaxElements)
    return std::nullopt;
  forEachIndex(result.shape, [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> at(index);
    for (const IntTensor *part : in) {
      if (at[dim] < part->shape[dim]) {
        result.values.push_back(part->values[getPosition(part->shape, at)]);
        return;
      }
      at[dim] -= part->shape[dim];
    }
  });
  return result;
}

static Result evaluatePad(stablehlo::PadOp op, Operands in) {
  const IntTensor &from = *in[0];
  auto type = cast<RankedTensorType>(op.getType());
  if (!type.hasStaticShape() ||
      type.getNumElements() > ShapeEvaluator::kMaxElements)
    return std::nullopt;
  IntTensor result;
  result.shape.assign(type.getShape().begin(), type.getShape().end());
  result.isUnsigned = from.isUnsigned;
  forEachIndex(type.getShape(), [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> at;
    for (auto [dim, i] : llvm::enumerate(index)) {
      int64_t offset = i - op.getEdgePaddingLow()[dim];
      int64_t step = op.getInteriorPadding()[dim] + 1;
      if (offset >= 0 && offset % step == 0 && offset / step < from.shape[dim])
        at.push_back(offset / step);
    }
    bool inside = at.size() == index.size();
    result.values.push_back(inside ? from.values[getPosition(from.shape, at)]
                                   : in[1]->values[0]);
  });
  return result;
}

static Result evaluateGather(stablehlo::GatherOp op, Operands in) {
  auto type = cast<RankedTensorType>(op.getType());
  stablehlo::GatherDimensionNumbersAttr numbers = op.getDimensionNumbers();
  const IntTensor &from = *in[0], &starts = *in[1];
  ArrayRef<int64_t> sizes = op.getSliceSizes();
  int64_t vector = numbers.getIndexVectorDim();
  return pick(from, type.getShape(), [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> batch, offset;
    for (auto [dim, i] : llvm::enumerate(index))
      (llvm::is_contained(numbers.getOffsetDims(), dim) ? offset : batch)
          .push_back(i);
    SmallVector<int64_t> at(from.shape.size(), 0);
    for (auto [k, dim] : llvm::enumerate(numbers.getStartIndexMap())) {
      SmallVector<int64_t> where(batch);
      if (vector < starts.getRank())
        where.insert(where.begin() + vector, k);
      at[dim] = std::clamp<int64_t>(
          starts.getInt(getPosition(starts.shape, where)), 0,
          std::max<int64_t>(from.shape[dim] - sizes[dim], 0));
    }
    for (auto [operandDim, indexDim] :
         llvm::zip(numbers.getOperandBatchingDims(),
                   numbers.getStartIndicesBatchingDims()))
      at[operandDim] = batch[indexDim < vector ? indexDim : indexDim - 1];
    unsigned next = 0;
    for (int64_t dim = 0; dim < from.getRank(); ++dim)
      if (!llvm::is_contained(numbers.getCollapsedSliceDims(), dim) &&
          !llvm::is_contained(numbers.getOperandBatchingDims(), dim))
        at[dim] += offset[next++];
    return getPosition(from.shape, at);
  });
}

static Result evaluateMove(Operation *op, Operands in) {
  const IntTensor &from = *in[0];
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!type)
    return std::nullopt;
  ArrayRef<int64_t> shape = type.getShape();
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](stablehlo::ReshapeOp) -> Result {
        if (!type.hasStaticShape() ||
            type.getNumElements() != int64_t(from.values.size()))
          return std::nullopt;
        IntTensor result = from;
        result.shape.assign(shape.begin(), shape.end());
        return result;
      })
      .Case([&](stablehlo::BroadcastInDimOp broadcast) {
        return pick(from, shape, [&](ArrayRef<int64_t> index) {
          SmallVector<int64_t> at;
          for (auto [i, dim] :
               llvm::enumerate(broadcast.getBroadcastDimensions()))
            at.push_back(from.shape[i] == 1 ? 0 : index[dim]);
          return getPosition(from.shape, at);
        });
      })
      .Case([&](stablehlo::BroadcastOp) {
        return pick(from, shape, [&](ArrayRef<int64_t> index) {
          return getPosition(from.shape, index.take_back(from.shape.size()));
        });
      })
      .Case([&](stablehlo::TransposeOp transpose) {
        return pick(from, shape, [&](ArrayRef<int64_t> index) {
          SmallVector<int64_t> at(index.size());
          for (auto [i, dim] : llvm::enumerate(transpose.getPermutation()))
            at[dim] = index[i];
          return getPosition(from.shape, at);
        });
      })
      .Case([&](stablehlo::ReverseOp reverse) {
        return pick(from, from.shape, [&](ArrayRef<int64_t> index) {
          SmallVector<int64_t> at(index);
          for (int64_t dim : reverse.getDimensions())
            at[dim] = from.shape[dim] - 1 - at[dim];
          return getPosition(from.shape, at);
        });
      })
      .Case([&](stablehlo::SliceOp slice) {
        return pick(from, shape, [&](ArrayRef<int64_t> index) {
          SmallVector<int64_t> at;
          for (auto [dim, i] : llvm::enumerate(index))
            at.push_back(slice.getStartIndices()[dim] +
                         i * slice.getStrides()[dim]);
          return getPosition(from.shape, at);
        });
      })
      .Case([&](stablehlo::DynamicSliceOp slice) {
        SmallVector<int64_t> starts =
            clampStarts(in.drop_front(), from.shape, slice.getSliceSizes());
        return pick(from, slice.getSliceSizes(), [&](ArrayRef<int64_t> index) {
          return getPosition(from.shape, addIndex(index, starts));
        });
      })
      .Case([&](stablehlo::DynamicUpdateSliceOp) -> Result {
        IntTensor result = from;
        const IntTensor &update = *in[1];
        SmallVector<int64_t> starts =
            clampStarts(in.drop_front(2), from.shape, update.shape);
        size_t next = 0;
        forEachIndex(update.shape, [&](ArrayRef<int64_t> index) {
          result.values[getPosition(from.shape, addIndex(index, starts))] =
              update.values[next++];
        });
        return result;
      })
      .Case([&](stablehlo::ConcatenateOp concat) {
        return evaluateConcatenate(concat, in);
      })
      .Case([&](stablehlo::PadOp pad) { return evaluatePad(pad, in); })
      .Case([&](stablehlo::GatherOp gather) {
        return evaluateGather(gather, in);
      })
      .Default([](Operation *) { return std::nullopt; });
}

//===----------------------------------------------------------------------===//
// All operations
//===----------------------------------------------------------------------===//

static Result evaluateIota(stablehlo::IotaOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  if (!type.getElementType().isIntOrIndex() || !type.hasStaticShape() ||
      type.getNumElements() > ShapeEvaluator::kMaxElements)
    return std::nullopt;
  unsigned width = type.getElementType().getIntOrFloatBitWidth();
  IntTensor result;
  result.shape.assign(type.getShape().begin(), type.getShape().end());
  result.isUnsigned = isUnsignedResult(op);
  forEachIndex(type.getShape(), [&](ArrayRef<int64_t> index) {
    result.values.push_back(APInt(width, index[op.getIotaDimension()], false,
                                  /*implicitTrunc=*/true));
  });
  return result;
}

/// Operations of MLIR's own dialects fold themselves.
static void evaluateByFolding(Operation *op, Operands in,
                              SmallVectorImpl<Result> &results) {
  SmallVector<Attribute> operands;
  for (auto [value, known] : llvm::zip(op->getOperands(), in))
    operands.push_back(known ? known->getAttribute(value.getType())
                             : Attribute());
  SmallVector<OpFoldResult> folded;
  if (failed(op->fold(operands, folded)) || folded.size() != results.size())
    return;
  for (auto [result, fold] : llvm::zip(results, folded)) {
    if (auto attr = dyn_cast<Attribute>(fold)) {
      result = IntTensor::get(attr);
      continue;
    }
    for (auto [operand, known] : llvm::zip(op->getOperands(), in))
      if (operand == cast<Value>(fold) && known)
        result = *known;
  }
}

/// Whether the op's only result is its first operand: what it says of its
/// value is where it lies.
static bool isIdentity(Operation *op) {
  if (auto call = dyn_cast<stablehlo::CustomCallOp>(op)) {
    StringRef target = call.getCallTargetName();
    return target == "stablehlo.shape_refinement_operand_wrapper" ||
           target == "Sharding";
  }
  return isa<sdy::ShardingConstraintOp, sdy::ReshardOp,
             sdy::PropagationBarrierOp>(op);
}

void shoal::evaluateOperation(Operation *op, Operands in,
                              SmallVectorImpl<Result> &results) {
  if (auto size = dyn_cast<stablehlo::GetDimensionSizeOp>(op)) {
    auto type = dyn_cast<RankedTensorType>(size.getOperand().getType());
    if (type && int64_t(size.getDimension()) < type.getRank() &&
        !type.isDynamicDim(size.getDimension()))
      results[0] = IntTensor{
          {}, {APInt(32, type.getDimSize(size.getDimension()), true, true)}};
    return;
  }
  if (auto shapeOf = dyn_cast<shape::ShapeOfOp>(op)) {
    auto type = dyn_cast<RankedTensorType>(shapeOf.getArg().getType());
    if (type && type.hasStaticShape()) {
      results[0] = IntTensor{{type.getRank()}, {}};
      for (int64_t size : type.getShape())
        results[0]->values.push_back(APInt(64, size));
    }
    return;
  }
  if (isIdentity(op)) {
    if (!in.empty() && in[0] && results.size() == 1)
      results[0] = *in[0];
    return;
  }
  if (!isa_and_nonnull<stablehlo::StablehloDialect>(op->getDialect())) {
    evaluateByFolding(op, in, results);
    return;
  }
  if (isa<stablehlo::OptimizationBarrierOp>(op)) {
    for (auto [result, value] : llvm::zip(results, in))
      if (value)
        result = *value;
    return;
  }
  if (isa<stablehlo::CustomCallOp>(op))
    return;
  if (results.size() != 1 || llvm::is_contained(in, nullptr))
    return;
  if (auto iota = dyn_cast<stablehlo::IotaOp>(op))
    results[0] = evaluateIota(iota);
  else if (in.empty())
    return;
  else if (op->hasTrait<OpTrait::Elementwise>() ||
           isa<stablehlo::SelectOp, stablehlo::ClampOp>(op))
    results[0] = evaluateElementwise(op, in);
  else
    results[0] = evaluateMove(op, in);
}
