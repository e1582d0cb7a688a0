#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

/// A shape operand has one element per dimension; where it is constant, the
/// result's shape agrees with it.
static LogicalResult verifyShapeOperand(Operation *op, Value shape,
                                        RankedTensorType result) {
  auto type = cast<RankedTensorType>(shape.getType());
  if (!isCompatibleDimSize(type.getDimSize(0), result.getRank()))
    return op->emitOpError() << "result rank " << result.getRank()
                             << " does not match the shape operand " << type;
  SmallVector<int64_t> sizes;
  if (failed(matchInts(shape, sizes)))
    return success();
  for (int64_t size : sizes)
    if (size < 0)
      return op->emitOpError()
             << "negative size " << size << " in the shape operand";
  if (!areCompatibleShapes(sizes, result.getShape()))
    return op->emitOpError() << "result type " << result
                             << " does not have the shape that is asked for";
  return success();
}

LogicalResult DynamicBroadcastInDimOp::verify() {
  auto operand = cast<RankedTensorType>(getOperand().getType());
  auto result = cast<RankedTensorType>(getType());
  if (!isCompatibleElementTypeForHloTypeInference(operand.getElementType(),
                                                  result.getElementType()))
    return emitOpError() << "expected one element type, got " << operand
                         << " and " << result;
  ArrayRef<int64_t> dims = getBroadcastDimensions();
  if (static_cast<int64_t>(dims.size()) != operand.getRank())
    return emitOpError() << "broadcast_dimensions size (" << dims.size()
                         << ") does not match operand rank ("
                         << operand.getRank() << ")";
  if (failed(
          verifyDims(getLoc(), dims, result.getRank(), "broadcast_dimensions")))
    return failure();
  for (auto [i, dim] : llvm::enumerate(dims)) {
    int64_t size = operand.getDimSize(i), target = result.getDimSize(dim);
    if (size != 1 && !isCompatibleDimSize(size, target))
      return emitOpError()
             << "size of operand dimension " << i << " (" << size
             << ") is not compatible with size of result dimension " << dim
             << " (" << target << ")";
  }
  if (failed(verifyShapeOperand(*this, getOutputDimensions(), result)))
    return failure();
  // A dimension either grows or does not.
  SmallVector<int64_t> known;
  llvm::append_range(
      known, getKnownExpandingDimensions().value_or(ArrayRef<int64_t>()));
  llvm::append_range(
      known, getKnownNonexpandingDimensions().value_or(ArrayRef<int64_t>()));
  return verifyDims(
      getLoc(), known, operand.getRank(),
      "known_expanding_dimensions and known_nonexpanding_dimensions");
}

LogicalResult DynamicIotaOp::verify() {
  auto result = cast<RankedTensorType>(getType());
  int64_t dim = static_cast<int64_t>(getIotaDimension());
  if (!isDimInRange(dim, result.getRank()))
    return emitOpError() << "iota dimension " << dim
                         << " is not a dimension of " << result;
  return verifyShapeOperand(*this, getOutputShape(), result);
}

/// Operands with an element per dimension, for each of which `check` holds of
/// the constant values (kDynamic where unknown).
static LogicalResult
getPerDimension(Operation *op, ValueRange operands, int64_t rank,
                SmallVectorImpl<SmallVector<std::optional<int64_t>>> &values) {
  for (Value operand : operands) {
    auto type = cast<RankedTensorType>(operand.getType());
    if (!isCompatibleDimSize(type.getDimSize(0), rank))
      return op->emitOpError()
             << "expected an operand with an element for each of the " << rank
             << " dimensions, got " << type;
    SmallVector<int64_t> ints;
    if (succeeded(matchInts(operand, ints)))
      values.emplace_back(ints.begin(), ints.end());
    else
      values.emplace_back(rank, std::nullopt);
  }
  return success();
}

LogicalResult DynamicPadOp::verify() {
  auto operand = cast<RankedTensorType>(getOperand().getType());
  auto value = cast<RankedTensorType>(getPaddingValue().getType());
  auto result = cast<RankedTensorType>(getType());
  if (value.getRank() != 0)
    return emitOpError() << "padding value type should be a rank-0, got "
                         << value;
  if (operand.getRank() != result.getRank())
    return emitOpError() << "operand rank " << operand.getRank()
                         << " must match result rank " << result.getRank();
  if (!isCompatibleElementTypeForHloTypeInference(operand.getElementType(),
                                                  value.getElementType()) ||
      !isCompatibleElementTypeForHloTypeInference(operand.getElementType(),
                                                  result.getElementType()))
    return emitOpError() << "expected one element type, got " << operand << ", "
                         << value << " and " << result;
  SmallVector<SmallVector<std::optional<int64_t>>> values;
  if (failed(getPerDimension(
          *this,
          {getEdgePaddingLow(), getEdgePaddingHigh(), getInteriorPadding()},
          operand.getRank(), values)))
    return failure();
  for (int64_t dim = 0; dim < operand.getRank(); ++dim) {
    auto low = values[0][dim], high = values[1][dim], interior = values[2][dim];
    if (interior && *interior < 0)
      return emitOpError() << "interior padding cannot be negative: "
                           << *interior;
    int64_t size = operand.getDimSize(dim);
    if (!low || !high || !interior || isDynamicDimSize(size))
      continue;
    int64_t inside = 0, padded = 0;
    if (llvm::MulOverflow(std::max<int64_t>(size - 1, 0), *interior, inside) ||
        llvm::AddOverflow(size, inside, padded) ||
        llvm::AddOverflow(padded, *low, padded) ||
        llvm::AddOverflow(padded, *high, padded) || padded < 0 ||
        !isCompatibleDimSize(padded, result.getDimSize(dim)))
      return emitOpError() << "the padding does not give " << result
                           << " in dimension " << dim;
  }
  return success();
}

LogicalResult DynamicReshapeOp::verify() {
  auto operand = cast<RankedTensorType>(getOperand().getType());
  auto result = cast<RankedTensorType>(getType());
  if (!isCompatibleElementTypeForHloTypeInference(operand.getElementType(),
                                                  result.getElementType()))
    return emitOpError() << "expected one element type, got " << operand
                         << " and " << result;
  if (!mayHaveSameNumElements(operand.getShape(), result.getShape()))
    return emitOpError() << "expected as many elements in " << operand
                         << " as in " << result;
  return verifyShapeOperand(*this, getOutputShape(), result);
}

LogicalResult RealDynamicSliceOp::verify() {
  auto operand = cast<RankedTensorType>(getOperand().getType());
  auto result = cast<RankedTensorType>(getType());
  if (operand.getRank() != result.getRank())
    return emitOpError() << "operand rank " << operand.getRank()
                         << " must match result rank " << result.getRank();
  if (!isCompatibleElementTypeForHloTypeInference(operand.getElementType(),
                                                  result.getElementType()))
    return emitOpError() << "expected one element type, got " << operand
                         << " and " << result;
  SmallVector<SmallVector<std::optional<int64_t>>> values;
  if (failed(getPerDimension(
          *this, {getStartIndices(), getLimitIndices(), getStrides()},
          operand.getRank(), values)))
    return failure();
  for (int64_t dim = 0; dim < operand.getRank(); ++dim) {
    auto start = values[0][dim], limit = values[1][dim],
         stride = values[2][dim];
    if (start && *start < 0)
      return emitOpError() << "negative start index " << *start
                           << " in dimension " << dim;
    if (stride && *stride < 1)
      return emitOpError() << "stride must be positive, got " << *stride
                           << " in dimension " << dim;
    if (start && limit && *start > *limit)
      return emitOpError() << "start index " << *start
                           << " is larger than limit index " << *limit
                           << " in dimension " << dim;
    if (limit && isStaticDimSize(operand.getDimSize(dim)) &&
        *limit > operand.getDimSize(dim))
      return emitOpError() << "limit index " << *limit
                           << " is larger than dimension size "
                           << operand.getDimSize(dim);
  }
  return success();
}

LogicalResult RngBitGeneratorOp::verify() {
  auto before = cast<RankedTensorType>(getInitialState().getType());
  auto after = cast<RankedTensorType>(getOutputState().getType());
  if (!isCompatibleForHloTypeInference(before, after))
    return emitOpError()
           << "output state shape must match initial state shape. Got: "
           << before << " and " << after;
  if (!before.hasStaticShape())
    return success();
  // The state is a key and a counter of fixed size.
  int64_t elements = before.getRank() == 1 ? before.getDimSize(0) : -1;
  int64_t bits = before.getElementType().getIntOrFloatBitWidth();
  auto isState = [&](int64_t wanted) {
    return elements >= 0 && elements == wanted / bits;
  };
  if (getRngAlgorithm() == RngAlgorithm::THREE_FRY && !isState(128))
    return emitOpError() << "THREE_FRY takes a state of 128 bits, got "
                         << before;
  if (getRngAlgorithm() == RngAlgorithm::PHILOX && !isState(128) &&
      !isState(192))
    return emitOpError() << "PHILOX takes a state of 128 or 192 bits, got "
                         << before;
  return success();
}
