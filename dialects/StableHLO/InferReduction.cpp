#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

//===----------------------------------------------------------------------===//
// Regions that fold
//===----------------------------------------------------------------------===//

bool mlir::stablehlo::isPromotableElementType(Type from, Type to) {
  if (from == to)
    return true;
  if (auto a = dyn_cast<IntegerType>(from)) {
    auto b = dyn_cast<IntegerType>(to);
    return b && a.getSignedness() == b.getSignedness() && a.getWidth() != 1 &&
           a.getWidth() <= b.getWidth();
  }
  if (auto a = dyn_cast<FloatType>(from)) {
    auto b = dyn_cast<FloatType>(to);
    return b && a.getWidth() <= b.getWidth();
  }
  if (auto a = dyn_cast<ComplexType>(from)) {
    auto b = dyn_cast<ComplexType>(to);
    return b && isPromotableElementType(a.getElementType(), b.getElementType());
  }
  auto a = dyn_cast<quant::QuantizedType>(from);
  auto b = dyn_cast<quant::QuantizedType>(to);
  return a && b && a.getExpressedType() == b.getExpressedType() &&
         a.getStorageTypeIntegralWidth() <= b.getStorageTypeIntegralWidth();
}

LogicalResult
mlir::stablehlo::verifyReducer(std::optional<Location> location, Region &body,
                               TypeRange inputs, TypeRange inits,
                               SmallVectorImpl<Type> &elementTypes) {
  size_t n = inputs.size();
  if (!body.hasOneBlock())
    return emitOptionalError(location, "expected a reducer of one block");
  Block &block = body.front();
  if (block.getNumArguments() != 2 * n)
    return emitOptionalError(location, "Reduction-region must take ", 2 * n,
                             " parameters, but takes ", block.getNumArguments(),
                             " parameter(s)");
  ReturnOp ret = getRegionReturn(body);
  if (!ret || ret->getNumOperands() != n)
    return emitOptionalError(location, "Reduction-region here must produce ", n,
                             " tensors, but produces ",
                             ret ? ret->getNumOperands() : 0, " instead");
  for (size_t i = 0; i < n; ++i) {
    Type type = ret->getOperand(i).getType();
    auto scalar = dyn_cast<RankedTensorType>(type);
    if (!scalar || scalar.getRank() != 0)
      return emitOptionalError(location,
                               "Reduction-region here must produce tensors "
                               "of rank 0, but produces ",
                               type);
    for (size_t arg : {i, n + i})
      if (!isCompatibleForHloTypeInference(block.getArgument(arg).getType(),
                                           type))
        return emitOptionalError(location,
                                 "The type of reduction-region's parameter at "
                                 "index ",
                                 arg, " is ", block.getArgument(arg).getType(),
                                 ", but the result type at index ", i, " is ",
                                 type);
    Type element = scalar.getElementType();
    for (Type from : {inputs[i], i < inits.size() ? inits[i] : inputs[i]})
      if (!isPromotableElementType(getElementTypeOrSelf(from), element))
        return emitOptionalError(location,
                                 "The element-type of reduction-region's "
                                 "argument at index ",
                                 n + i,
                                 " is expected to be "
                                 "promotable from ",
                                 getElementTypeOrSelf(from), ", but got ",
                                 element);
    elementTypes.push_back(element);
  }
  return success();
}

/// Inputs of compatible shapes, and as many scalar initial values.
static LogicalResult verifyReduceOperands(std::optional<Location> location,
                                          ValueRange inputs, ValueRange inits) {
  if (inputs.empty() || inputs.size() != inits.size())
    return emitOptionalError(location,
                             "expected as many inputs as initial values, and "
                             "at least one");
  auto first = getTensor(inputs.front());
  for (auto [input, init] : llvm::zip(inputs, inits)) {
    auto type = getTensor(input), scalar = getTensor(init);
    if (!type || !scalar)
      return emitOptionalError(location, "expected ranked tensors");
    if (!areCompatibleShapes(first.getShape(), type.getShape()))
      return emitOptionalError(location,
                               "expects all inputs to have compatible shapes, "
                               "got ",
                               first, " and ", type);
    if (scalar.getRank() != 0)
      return emitOptionalError(
          location, "expects initial values of rank 0, got ", scalar);
  }
  return success();
}

STABLEHLO_INFER_TYPES(ReduceOp) {
  if (failed(
          verifyReduceOperands(location, op.getInputs(), op.getInitValues())))
    return failure();
  SmallVector<Type> elementTypes;
  if (op.getBody().empty()) {
    // Being built: the body comes later.
    for (Value init : op.getInitValues())
      elementTypes.push_back(getElementTypeOrSelf(init.getType()));
  } else if (failed(verifyReducer(
                 location, op.getBody(), op.getInputs().getTypes(),
                 op.getInitValues().getTypes(), elementTypes))) {
    return failure();
  }
  auto first = getTensor(op.getInputs().front());
  if (failed(verifyDims(location, op.getDimensions(), first.getRank(),
                        "dimensions")))
    return failure();
  for (auto [input, element] : llvm::zip(op.getInputs(), elementTypes)) {
    auto type = getTensor(input);
    ArrayRef<int64_t> typeBounds = encodingToBounds(type.getEncoding());
    SmallVector<int64_t> shape, bounds;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      if (llvm::is_contained(op.getDimensions(), dim))
        continue;
      shape.push_back(type.getDimSize(dim));
      bounds.push_back(getBound(typeBounds, dim));
    }
    inferred.push_back(getBoundedTensor(shape, element, bounds));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<WindowDimension>> mlir::stablehlo::getWindow(
    std::optional<Location> location, ArrayRef<int64_t> sizes,
    ArrayRef<int64_t> strides, std::optional<DenseIntElementsAttr> padding,
    ArrayRef<int64_t> baseDilations, ArrayRef<int64_t> windowDilations) {
  SmallVector<WindowDimension> window(sizes.size());
  auto fill = [&](ArrayRef<int64_t> values, int64_t WindowDimension::*field,
                  StringRef name) -> LogicalResult {
    if (values.empty())
      return success();
    if (values.size() != window.size())
      return emitOptionalError(location, "expects ", name,
                               " to have as many elements as the window has "
                               "dimensions, got ",
                               values.size(), " and ", window.size());
    for (auto [dimension, value] : llvm::zip(window, values)) {
      if (value <= 0)
        return emitOptionalError(location, "expects ", name,
                                 " to be positive, got ", value);
      dimension.*field = value;
    }
    return success();
  };
  if (failed(fill(sizes, &WindowDimension::size, "window sizes")) ||
      failed(fill(strides, &WindowDimension::stride, "window strides")) ||
      failed(fill(baseDilations, &WindowDimension::baseDilation,
                  "base dilations")) ||
      failed(fill(windowDilations, &WindowDimension::windowDilation,
                  "window dilations")))
    return failure();
  if (!padding || !*padding)
    return window;
  auto type = padding->getType();
  if (type.getRank() != 2 || type.getDimSize(1) != 2 ||
      type.getDimSize(0) != static_cast<int64_t>(window.size())) {
    // An empty window's padding may be written as an empty list.
    if (window.empty() && type.getNumElements() == 0)
      return window;
    return emitOptionalError(location,
                             "expects the padding-entries to have shape ",
                             window.size(), "x2, but got ", type);
  }
  SmallVector<int64_t> values;
  for (APInt value : padding->getValues<APInt>())
    values.push_back(value.getSExtValue());
  for (auto [i, dimension] : llvm::enumerate(window)) {
    dimension.paddingLow = values[2 * i];
    dimension.paddingHigh = values[2 * i + 1];
  }
  return window;
}

/// Elements with `dilation - 1` holes between each two; nullopt on overflow.
static std::optional<int64_t> dilate(int64_t size, int64_t dilation) {
  int64_t result = 0;
  if (size == 0)
    return 0;
  if (llvm::MulOverflow(size - 1, dilation, result) ||
      llvm::AddOverflow<int64_t>(result, 1, result))
    return std::nullopt;
  return result;
}

FailureOr<int64_t>
mlir::stablehlo::getWindowedSize(std::optional<Location> location, int64_t base,
                                 const WindowDimension &window) {
  if (isDynamicDimSize(base))
    return base;
  std::optional<int64_t> dilated = dilate(base, window.baseDilation);
  std::optional<int64_t> span = dilate(window.size, window.windowDilation);
  int64_t padded = 0;
  if (!dilated || !span ||
      llvm::AddOverflow(*dilated, window.paddingLow, padded) ||
      llvm::AddOverflow(padded, window.paddingHigh, padded))
    return emitOptionalError(location,
                             "size of the padded and dilated input overflows");
  if (padded <= 0 || *span > padded)
    return 0;
  return (padded - *span) / window.stride + 1;
}

STABLEHLO_INFER_TYPES(ReduceWindowOp) {
  if (failed(
          verifyReduceOperands(location, op.getInputs(), op.getInitValues())))
    return failure();
  SmallVector<Type> elementTypes;
  if (op.getBody().empty()) {
    for (Value init : op.getInitValues())
      elementTypes.push_back(getElementTypeOrSelf(init.getType()));
  } else if (failed(verifyReducer(
                 location, op.getBody(), op.getInputs().getTypes(),
                 op.getInitValues().getTypes(), elementTypes))) {
    return failure();
  }
  auto first = getTensor(op.getInputs().front());
  if (static_cast<int64_t>(op.getWindowDimensions().size()) != first.getRank())
    return emitOptionalError(location,
                             "expects window-dimensions size == input rank, "
                             "but got ",
                             op.getWindowDimensions().size(), " and ",
                             first.getRank());
  auto window = getWindow(
      location, op.getWindowDimensions(),
      op.getWindowStrides().value_or(ArrayRef<int64_t>()), op.getPadding(),
      op.getBaseDilations().value_or(ArrayRef<int64_t>()),
      op.getWindowDilations().value_or(ArrayRef<int64_t>()));
  if (failed(window))
    return failure();
  for (auto [input, element] : llvm::zip(op.getInputs(), elementTypes)) {
    auto type = getTensor(input);
    ArrayRef<int64_t> typeBounds = encodingToBounds(type.getEncoding());
    SmallVector<int64_t> shape, bounds;
    for (auto [dim, dimension] : llvm::enumerate(*window)) {
      auto size = getWindowedSize(location, type.getDimSize(dim), dimension);
      auto bound =
          getWindowedSize(location, getBound(typeBounds, dim), dimension);
      if (failed(size) || failed(bound))
        return failure();
      shape.push_back(*size);
      bounds.push_back(*bound);
    }
    inferred.push_back(getBoundedTensor(shape, element, bounds));
  }
  return success();
}

STABLEHLO_INFER_TYPES(SelectAndScatterOp) {
  auto operand = getTensor(op.getOperand());
  if (!operand)
    return emitOptionalError(location, "expected a ranked operand");
  Type element = operand.getElementType();
  if (!op.getScatter().empty()) {
    SmallVector<Type> elements;
    if (failed(verifyReducer(location, op.getScatter(),
                             {op.getSource().getType()},
                             {op.getInitValue().getType()}, elements)))
      return failure();
    element = elements.front();
  }
  inferred.push_back(getSameShapeTensorType(operand, element));
  return success();
}

STABLEHLO_INFER_TYPES(SortOp) {
  if (op.getInputs().empty())
    return emitOptionalError(location, "expected at least one input");
  llvm::append_range(inferred, op.getInputs().getTypes());
  return success();
}

//===----------------------------------------------------------------------===//
// Batch normalization
//===----------------------------------------------------------------------===//

/// Checks what the three ops have in common and gives the type of a value per
/// feature.
static FailureOr<Type> inferBatchNorm(std::optional<Location> location,
                                      Value operand, ValueRange perFeature,
                                      int64_t featureIndex,
                                      const APFloat &epsilon) {
  auto type = getTensor(operand);
  if (!type || !isDimInRange(featureIndex, type.getRank()))
    return emitOptionalError(location,
                             "expects featureIndex to be a dimension of the "
                             "operand, got featureIndex ",
                             featureIndex, " and ", operand.getType());
  int64_t features = type.getDimSize(featureIndex);
  for (Value value : perFeature) {
    auto each = getTensor(value);
    if (!each || each.getRank() != 1 ||
        !isCompatibleDimSize(each.getDimSize(0), features))
      return emitOptionalError(
          location,
          "expects the size of single-dimensional operands "
          "to be compatible with feature count ",
          features, ", got ", value.getType());
    if (!isCompatibleElementTypeForHloTypeInference(each.getElementType(),
                                                    type.getElementType()))
      return emitOptionalError(location,
                               "expects operands of one element type, got ",
                               type, " and ", each);
  }
  (void)epsilon;
  int64_t bound = getBound(encodingToBounds(type.getEncoding()), featureIndex);
  return getBoundedTensor({features}, type.getElementType(), {bound});
}

STABLEHLO_INFER_TYPES(BatchNormTrainingOp) {
  auto feature =
      inferBatchNorm(location, op.getOperand(), {op.getScale(), op.getOffset()},
                     op.getFeatureIndex(), op.getEpsilon());
  if (failed(feature))
    return failure();
  inferred.append({op.getOperand().getType(), *feature, *feature});
  return success();
}

STABLEHLO_INFER_TYPES(BatchNormInferenceOp) {
  auto feature = inferBatchNorm(
      location, op.getOperand(),
      {op.getScale(), op.getOffset(), op.getMean(), op.getVariance()},
      op.getFeatureIndex(), op.getEpsilon());
  if (failed(feature))
    return failure();
  inferred.push_back(op.getOperand().getType());
  return success();
}

STABLEHLO_INFER_TYPES(BatchNormGradOp) {
  auto feature = inferBatchNorm(location, op.getOperand(),
                                {op.getScale(), op.getMean(), op.getVariance()},
                                op.getFeatureIndex(), op.getEpsilon());
  if (failed(feature))
    return failure();
  auto operand = inferMostSpecificType(
      location, {op.getOperand().getType(), op.getGradOutput().getType()});
  if (failed(operand))
    return failure();
  inferred.append({*operand, *feature, *feature});
  return success();
}
