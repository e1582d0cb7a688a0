#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

LogicalResult mlir::stablehlo::verifyDims(std::optional<Location> location,
                                          ArrayRef<int64_t> dims, int64_t rank,
                                          StringRef name) {
  llvm::SmallDenseSet<int64_t> seen;
  for (int64_t dim : dims) {
    if (!isDimInRange(dim, rank))
      return emitOptionalError(location, name, " has dimension ", dim,
                               ", expected one in [0, ", rank, ")");
    if (!seen.insert(dim).second)
      return emitOptionalError(location, name, " has dimension ", dim,
                               " twice");
  }
  return success();
}

Type mlir::stablehlo::getBoundedTensor(ArrayRef<int64_t> shape,
                                       Type elementType,
                                       ArrayRef<int64_t> bounds) {
  return RankedTensorType::get(
      shape, elementType,
      bounds.empty() ? Attribute()
                     : boundsToEncoding(elementType.getContext(), bounds));
}

STABLEHLO_INFER_TYPES(BroadcastOp) {
  auto operand = getTensor(op.getOperand());
  if (!operand)
    return emitOptionalError(location, "expected a ranked operand");
  SmallVector<int64_t> shape(op.getBroadcastSizes());
  for (int64_t size : shape)
    if (size < 0)
      return emitOptionalError(location,
                               "Broadcast with negative dimension size ", size);
  SmallVector<int64_t> bounds(shape.size(), ShapedType::kDynamic);
  ArrayRef<int64_t> operandBounds = encodingToBounds(operand.getEncoding());
  for (int64_t dim = 0; dim < operand.getRank(); ++dim) {
    shape.push_back(operand.getDimSize(dim));
    bounds.push_back(getBound(operandBounds, dim));
  }
  inferred.push_back(getBoundedTensor(shape, operand.getElementType(), bounds));
  return success();
}

STABLEHLO_INFER_TYPES(ConcatenateOp) {
  if (op.getInputs().empty())
    return emitOptionalError(location, "expected at least one input");
  auto first = getTensor(op.getInputs().front());
  if (!first)
    return emitOptionalError(location, "expected ranked inputs");
  int64_t rank = first.getRank(), dimension = op.getDimension();
  if (!isDimInRange(dimension, rank))
    return emitOptionalError(location, "dimension ", dimension,
                             " is out-of-bounds for input rank ", rank);
  SmallVector<int64_t> shape(first.getShape());
  SmallVector<int64_t> bounds;
  for (int64_t dim = 0; dim < rank; ++dim)
    bounds.push_back(getBound(encodingToBounds(first.getEncoding()), dim));
  for (Value input : op.getInputs().drop_front()) {
    auto type = getTensor(input);
    if (!type || type.getRank() != rank)
      return emitOptionalError(location, "operands do not match rank: ", first,
                               " and ", input.getType());
    if (!isCompatibleElementTypeForHloTypeInference(first.getElementType(),
                                                    type.getElementType()))
      return emitOptionalError(location,
                               "operands do not match element type: ", first,
                               " and ", type);
    ArrayRef<int64_t> typeBounds = encodingToBounds(type.getEncoding());
    for (int64_t dim = 0; dim < rank; ++dim) {
      int64_t size = type.getDimSize(dim), bound = getBound(typeBounds, dim);
      if (dim != dimension) {
        if (!isCompatibleDimSize(shape[dim], size))
          return emitOptionalError(location, "shapes of operands (", first,
                                   " and ", type,
                                   ") do not match at non-concat index ", dim);
        if (isDynamicDimSize(shape[dim]))
          shape[dim] = size;
        if (isStaticDimSize(bound))
          bounds[dim] = isStaticDimSize(bounds[dim])
                            ? std::min(bounds[dim], bound)
                            : bound;
        if (isStaticDimSize(shape[dim]))
          bounds[dim] = ShapedType::kDynamic;
        continue;
      }
      // A bound of the sum needs a bound of every part.
      auto limit = [](int64_t size, int64_t bound) {
        return isStaticDimSize(size) ? size : bound;
      };
      int64_t before = limit(shape[dim], bounds[dim]),
              added = limit(size, bound);
      int64_t sum = ShapedType::kDynamic;
      if (isStaticDimSize(before) && isStaticDimSize(added) &&
          llvm::AddOverflow(before, added, sum))
        return emitOptionalError(location, "size of the result overflows");
      bool isStatic = isStaticDimSize(shape[dim]) && isStaticDimSize(size);
      shape[dim] = isStatic ? sum : ShapedType::kDynamic;
      bounds[dim] = isStatic ? ShapedType::kDynamic : sum;
    }
  }
  inferred.push_back(getBoundedTensor(shape, first.getElementType(), bounds));
  return success();
}

STABLEHLO_INFER_TYPES(PadOp) {
  auto operand = getTensor(op.getOperand());
  auto value = getTensor(op.getPaddingValue());
  if (!operand || !value)
    return emitOptionalError(location, "expected ranked operands");
  if (value.getRank() != 0)
    return emitOptionalError(location,
                             "padding value type should be a rank-0 "
                             "tensor, is rank ",
                             value.getRank());
  if (!isCompatibleElementTypeForHloTypeInference(operand.getElementType(),
                                                  value.getElementType()))
    return emitOptionalError(location, "padding value of ", value,
                             " does not match operand ", operand);
  int64_t rank = operand.getRank();
  ArrayRef<int64_t> low = op.getEdgePaddingLow(),
                    high = op.getEdgePaddingHigh(),
                    interior = op.getInteriorPadding();
  if (static_cast<int64_t>(low.size()) != rank ||
      static_cast<int64_t>(high.size()) != rank ||
      static_cast<int64_t>(interior.size()) != rank)
    return emitOptionalError(
        location,
        "edge_padding_low, edge_padding_high and "
        "interior_padding must have as many elements as the "
        "operand has dimensions (",
        rank, ")");
  SmallVector<int64_t> shape, bounds;
  ArrayRef<int64_t> operandBounds = encodingToBounds(operand.getEncoding());
  for (int64_t dim = 0; dim < rank; ++dim) {
    if (interior[dim] < 0)
      return emitOptionalError(
          location, "Interior padding cannot be negative: ", interior[dim]);
    auto padded = [&](int64_t size) -> FailureOr<int64_t> {
      if (isDynamicDimSize(size))
        return size;
      int64_t inside = 0, result = 0;
      if (llvm::MulOverflow(std::max<int64_t>(size - 1, 0), interior[dim],
                            inside) ||
          llvm::AddOverflow(size, inside, result) ||
          llvm::AddOverflow(result, low[dim], result) ||
          llvm::AddOverflow(result, high[dim], result))
        return emitOptionalError(
            location, "size of the result overflows in dimension ", dim);
      if (result < 0)
        return emitOptionalError(location,
                                 "Padding result in negative size for "
                                 "dimension ",
                                 dim);
      return result;
    };
    auto size = padded(operand.getDimSize(dim));
    auto bound = padded(getBound(operandBounds, dim));
    if (failed(size) || failed(bound))
      return failure();
    shape.push_back(*size);
    bounds.push_back(*bound);
  }
  inferred.push_back(getBoundedTensor(shape, operand.getElementType(), bounds));
  return success();
}

STABLEHLO_INFER_TYPES(SliceOp) {
  auto operand = getTensor(op.getOperand());
  if (!operand)
    return emitOptionalError(location, "expected a ranked operand");
  int64_t rank = operand.getRank();
  ArrayRef<int64_t> start = op.getStartIndices(), limit = op.getLimitIndices(),
                    stride = op.getStrides();
  if (static_cast<int64_t>(start.size()) != rank ||
      static_cast<int64_t>(limit.size()) != rank ||
      static_cast<int64_t>(stride.size()) != rank)
    return emitOptionalError(
        location,
        "start_indices, limit_indices and strides must "
        "have as many elements as the operand has dimensions (",
        rank, ")");
  SmallVector<int64_t> shape;
  ArrayRef<int64_t> bounds = encodingToBounds(operand.getEncoding());
  for (int64_t dim = 0; dim < rank; ++dim) {
    if (start[dim] < 0)
      return emitOptionalError(location, "negative start index ", start[dim],
                               " in dimension ", dim);
    int64_t size = operand.getDimSize(dim);
    int64_t atMost = isStaticDimSize(size) ? size : getBound(bounds, dim);
    if (isStaticDimSize(atMost) && limit[dim] > atMost)
      return emitOptionalError(location, "limit index ", limit[dim],
                               " is larger than dimension size ", atMost,
                               " in dimension ", dim);
    if (start[dim] > limit[dim])
      return emitOptionalError(location, "start index ", start[dim],
                               " is larger than limit index ", limit[dim],
                               " in dimension ", dim);
    if (stride[dim] <= 0)
      return emitOptionalError(location, "stride must be positive but got ",
                               stride[dim], " in dimension ", dim);
    // Both are known even where the operand's size is not.
    shape.push_back(static_cast<int64_t>(
        llvm::divideCeil(static_cast<uint64_t>(limit[dim] - start[dim]),
                         static_cast<uint64_t>(stride[dim]))));
  }
  inferred.push_back(RankedTensorType::get(shape, operand.getElementType()));
  return success();
}

/// Moves the quantized dimension along with a permutation.
static Type permuteQuantizedDimension(Type elementType,
                                      ArrayRef<int64_t> permutation) {
  auto quantized = dyn_cast<quant::UniformQuantizedPerAxisType>(elementType);
  if (!quantized)
    return elementType;
  const int64_t *found =
      llvm::find(permutation, quantized.getQuantizedDimension());
  if (found == permutation.end())
    return elementType;
  return quant::UniformQuantizedPerAxisType::get(
      quantized.getFlags(), quantized.getStorageType(),
      quantized.getExpressedType(), quantized.getScales(),
      quantized.getZeroPoints(),
      static_cast<int32_t>(found - permutation.begin()),
      quantized.getStorageTypeMin(), quantized.getStorageTypeMax());
}

STABLEHLO_INFER_TYPES(TransposeOp) {
  auto operand = getTensor(op.getOperand());
  if (!operand)
    return emitOptionalError(location, "expected a ranked operand");
  ArrayRef<int64_t> permutation = op.getPermutation();
  if (static_cast<int64_t>(permutation.size()) != operand.getRank())
    return emitOptionalError(
        location, "TransposeOp operand rank ", operand.getRank(),
        " does not match permutation size ", permutation.size());
  if (failed(verifyDims(location, permutation, operand.getRank(),
                        "attribute permutation")))
    return failure();
  SmallVector<int64_t> shape, bounds;
  ArrayRef<int64_t> operandBounds = encodingToBounds(operand.getEncoding());
  for (int64_t dim : permutation) {
    shape.push_back(operand.getDimSize(dim));
    bounds.push_back(getBound(operandBounds, dim));
  }
  inferred.push_back(getBoundedTensor(
      shape, permuteQuantizedDimension(operand.getElementType(), permutation),
      bounds));
  return success();
}

//===----------------------------------------------------------------------===//
// Sizes and random numbers
//===----------------------------------------------------------------------===//

STABLEHLO_INFER_TYPES(GetDimensionSizeOp) {
  auto operand = getTensor(op.getOperand());
  if (!operand || !isDimInRange(op.getDimension(), operand.getRank()))
    return emitOptionalError(
        location, "requires dimension attribute in range [0, ",
        operand ? operand.getRank() : 0, "); found (", op.getDimension(), ")");
  inferred.push_back(RankedTensorType::get({}, IntegerType::get(context, 32)));
  return success();
}

STABLEHLO_INFER_TYPES(SetDimensionSizeOp) {
  auto operand = getTensor(op.getOperand());
  int64_t dimension = op.getDimension();
  if (!operand || !isDimInRange(dimension, operand.getRank()))
    return emitOptionalError(location, "expects dimension to be in range [0, ",
                             operand ? operand.getRank() : 0, "); got: [",
                             dimension, "]");
  auto size = getTensor(op.getSize());
  if (!size || size.getRank() != 0)
    return emitOptionalError(location, "size operand should be of rank-0");
  SmallVector<int64_t> shape(operand.getShape()), bounds;
  for (int64_t dim = 0; dim < operand.getRank(); ++dim)
    bounds.push_back(getBound(encodingToBounds(operand.getEncoding()), dim));
  if (isStaticDimSize(shape[dimension]))
    bounds[dimension] = shape[dimension];
  shape[dimension] = ShapedType::kDynamic;
  SmallVector<int64_t> known;
  if (succeeded(matchInts(op.getSize(), known)) && known.size() == 1 &&
      known[0] == bounds[dimension]) {
    shape[dimension] = known[0];
    bounds[dimension] = ShapedType::kDynamic;
  }
  inferred.push_back(getBoundedTensor(shape, operand.getElementType(), bounds));
  return success();
}

STABLEHLO_INFER_TYPES(RngOp) {
  Type a = getElementTypeOrSelf(op.getA().getType());
  Type b = getElementTypeOrSelf(op.getB().getType());
  if (a != b)
    return emitOptionalError(location, "expected a and b of one type, got ", a,
                             " and ", b);
  if (op.getRngDistribution() == RngDistribution::NORMAL && !isa<FloatType>(a))
    return emitOptionalError(location, "normal distribution needs floats, got ",
                             a);
  auto shapeType = getTensor(op.getShape());
  if (!shapeType || shapeType.getRank() != 1 || shapeType.isDynamicDim(0))
    return emitOptionalError(location, "expected a shape of static length");
  SmallVector<int64_t> shape;
  if (succeeded(matchInts(op.getShape(), shape))) {
    for (int64_t size : shape)
      if (size < 0)
        return emitOptionalError(location, "negative size ", size, " in shape");
  } else {
    shape.assign(shapeType.getDimSize(0), ShapedType::kDynamic);
  }
  inferred.push_back(RankedTensorType::get(shape, a));
  return success();
}
