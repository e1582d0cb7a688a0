#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

/// One precision per operand, or none at all.
static LogicalResult verifyPrecision(Operation *op,
                                     std::optional<ArrayAttr> precision) {
  if (precision && *precision && !precision->empty() && precision->size() != 2)
    return op->emitOpError()
           << "expects precision config to be empty or have 2 "
              "elements, got "
           << precision->size();
  return success();
}

/// Element types of a product's operands and result: all of one kind, where
/// the result may be wider; or quantized as the specification allows.
static LogicalResult verifyProductTypes(Operation *op, RankedTensorType lhs,
                                        RankedTensorType rhs,
                                        RankedTensorType result) {
  auto quantizedLhs = dyn_cast<quant::QuantizedType>(lhs.getElementType());
  auto quantizedRhs = dyn_cast<quant::QuantizedType>(rhs.getElementType());
  auto quantizedResult =
      dyn_cast<quant::QuantizedType>(result.getElementType());
  auto error = [&]() {
    return op->emitOpError() << "element types of " << lhs << ", " << rhs
                             << " and " << result << " do not go together";
  };
  if (!quantizedLhs && !quantizedRhs) {
    // The result's element type is the user's choice of what to accumulate to.
    if (quantizedResult ||
        isa<ComplexType>(lhs.getElementType()) !=
            isa<ComplexType>(result.getElementType()) ||
        isa<ComplexType>(rhs.getElementType()) !=
            isa<ComplexType>(lhs.getElementType()))
      return error();
    return success();
  }
  // Weights only: a float operand with quantized weights gives floats.
  if (!quantizedRhs)
    return error();
  if (!quantizedLhs) {
    if (lhs.getElementType() != quantizedRhs.getExpressedType() ||
        result.getElementType() != lhs.getElementType())
      return error();
    return success();
  }
  if (isa<quant::UniformQuantizedPerAxisType>(quantizedLhs) ||
      !quantizedResult ||
      quantizedLhs.getStorageType() != quantizedRhs.getStorageType() ||
      quantizedLhs.getExpressedType() != quantizedRhs.getExpressedType() ||
      quantizedRhs.getExpressedType() != quantizedResult.getExpressedType())
    return error();
  if (isa<quant::UniformQuantizedType>(quantizedRhs) &&
      isa<quant::UniformQuantizedPerAxisType>(quantizedResult))
    return error();
  return success();
}

//===----------------------------------------------------------------------===//
// Dots
//===----------------------------------------------------------------------===//

LogicalResult DotOp::verify() {
  auto lhs = cast<RankedTensorType>(getLhs().getType());
  auto rhs = cast<RankedTensorType>(getRhs().getType());
  auto result = cast<RankedTensorType>(getType());
  if (lhs.getRank() < 1 || lhs.getRank() > 2 || rhs.getRank() < 1 ||
      rhs.getRank() > 2)
    return emitOpError()
           << "expected both lhs/rhs ranks to be either 1 or 2, got " << lhs
           << " and " << rhs;
  if (!isCompatibleDimSize(lhs.getShape().back(), rhs.getShape().front()))
    return emitOpError() << "expected contracting dimensions to agree, got "
                         << lhs << " and " << rhs;
  SmallVector<int64_t> shape(lhs.getShape().drop_back());
  llvm::append_range(shape, rhs.getShape().drop_front());
  if (!areCompatibleShapes(shape, result.getShape()))
    return emitOpError() << "inferred shape '"
                         << RankedTensorType::get(shape,
                                                  result.getElementType())
                         << "' is incompatible with return type " << result;
  if (failed(verifyPrecision(*this, getPrecisionConfig())))
    return failure();
  return verifyProductTypes(*this, lhs, rhs, result);
}

/// The algorithm's types are ones that the operands can be rounded to.
static LogicalResult verifyAlgorithm(DotGeneralOp op) {
  std::optional<DotAlgorithmAttr> algorithm = op.getAlgorithm();
  if (!algorithm || !*algorithm)
    return success();
  if (std::optional<ArrayAttr> precision = op.getPrecisionConfig();
      precision && *precision)
    for (Attribute attr : *precision)
      if (cast<PrecisionAttr>(attr).getValue() != Precision::DEFAULT)
        return op.emitOpError()
               << "must specify DEFAULT precision config when algorithm is set";
  return success();
}

LogicalResult DotGeneralOp::verify() {
  auto lhs = cast<RankedTensorType>(getLhs().getType());
  auto rhs = cast<RankedTensorType>(getRhs().getType());
  auto result = cast<RankedTensorType>(getType());
  DotDimensionNumbersAttr dims = getDotDimensionNumbers();
  ArrayRef<int64_t> lhsBatch = dims.getLhsBatchingDimensions(),
                    rhsBatch = dims.getRhsBatchingDimensions(),
                    lhsContract = dims.getLhsContractingDimensions(),
                    rhsContract = dims.getRhsContractingDimensions();
  if (lhsBatch.size() != rhsBatch.size())
    return emitOpError()
           << "lhs and rhs should have the same number of batching "
              "dimensions";
  if (lhsContract.size() != rhsContract.size())
    return emitOpError()
           << "lhs and rhs should have the same number of contracting "
              "dimensions";
  SmallVector<int64_t> lhsUsed(lhsBatch), rhsUsed(rhsBatch);
  llvm::append_range(lhsUsed, lhsContract);
  llvm::append_range(rhsUsed, rhsContract);
  if (failed(verifyDims(
          getLoc(), lhsUsed, lhs.getRank(),
          "lhs_batching_dimensions and lhs_contracting_dimensions")) ||
      failed(
          verifyDims(getLoc(), rhsUsed, rhs.getRank(),
                     "rhs_batching_dimensions and rhs_contracting_dimensions")))
    return failure();
  for (auto [l, r] : llvm::zip(lhsUsed, rhsUsed))
    if (!isCompatibleDimSize(lhs.getDimSize(l), rhs.getDimSize(r)))
      return emitOpError()
             << "dimension " << l << " of " << lhs << " and dimension " << r
             << " of " << rhs
             << " are batched or contracted together but differ in size";
  SmallVector<int64_t> shape;
  for (int64_t dim : lhsBatch)
    shape.push_back(lhs.getDimSize(dim));
  auto appendFree = [&shape](RankedTensorType type, ArrayRef<int64_t> used) {
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (!llvm::is_contained(used, dim))
        shape.push_back(type.getDimSize(dim));
  };
  appendFree(lhs, lhsUsed);
  appendFree(rhs, rhsUsed);
  if (!areCompatibleShapes(shape, result.getShape()))
    return emitOpError() << "inferred shape '"
                         << RankedTensorType::get(shape,
                                                  result.getElementType())
                         << "' is incompatible with return type of operation "
                         << result;
  if (failed(verifyPrecision(*this, getPrecisionConfig())) ||
      failed(verifyAlgorithm(*this)) ||
      failed(verifyProductTypes(*this, lhs, rhs, result)))
    return failure();
  // Scales may not vary along what is summed.
  auto perAxis =
      dyn_cast<quant::UniformQuantizedPerAxisType>(rhs.getElementType());
  if (perAxis &&
      llvm::is_contained(rhsContract, perAxis.getQuantizedDimension()))
    return emitOpError()
           << "quantization dimension of rhs should not be in the "
              "contracting dimensions";
  return success();
}

//===----------------------------------------------------------------------===//
// Einsums
//===----------------------------------------------------------------------===//

/// Gives each letter of `labels` the size that `type` has there; an ellipsis
/// stands for as many dimensions as are left.
static LogicalResult bindLabels(Operation *op, StringRef labels,
                                RankedTensorType type,
                                llvm::DenseMap<char, int64_t> &sizes) {
  auto [before, after] = labels.split("...");
  bool ellipsis = labels.contains("...");
  int64_t named = before.size() + (ellipsis ? after.size() : 0);
  for (char c : (before + after).str())
    if (!llvm::isAlpha(c))
      return op->emitOpError() << "einsum_config has '" << c
                               << "' where a letter is "
                                  "expected";
  if (ellipsis ? named > type.getRank() : named != type.getRank())
    return op->emitOpError()
           << "einsum_config names " << named << " dimensions of " << type;
  auto bind = [&](char letter, int64_t dim) -> LogicalResult {
    int64_t size = type.getDimSize(dim);
    auto [it, isNew] = sizes.try_emplace(letter, size);
    if (isNew || isDynamicDimSize(it->second))
      it->second = size;
    else if (!isCompatibleDimSize(it->second, size))
      return op->emitOpError()
             << "einsum dimension '" << letter << "' has sizes " << it->second
             << " and " << size;
    return success();
  };
  for (auto [i, letter] : llvm::enumerate(before))
    if (failed(bind(letter, i)))
      return failure();
  if (ellipsis)
    for (auto [i, letter] : llvm::enumerate(after))
      if (failed(bind(letter, type.getRank() - after.size() + i)))
        return failure();
  return success();
}

static LogicalResult verifyEinsum(Operation *op, StringRef config,
                                  TypeRange operands, Type result) {
  auto [inputs, output] = config.split("->");
  if (!config.contains("->") || output.contains("->"))
    return op->emitOpError()
           << "einsum_config needs one '->', got \"" << config << "\"";
  SmallVector<StringRef> labels;
  inputs.split(labels, ',');
  if (labels.size() != operands.size())
    return op->emitOpError() << "einsum_config names " << labels.size()
                             << " operands, but there are " << operands.size();
  llvm::DenseMap<char, int64_t> sizes;
  for (auto [label, type] : llvm::zip(labels, operands))
    if (failed(
            bindLabels(op, label.trim(), cast<RankedTensorType>(type), sizes)))
      return failure();
  for (char c : output.trim())
    if (c != '.' && !sizes.contains(c))
      return op->emitOpError()
             << "einsum dimension '" << c << "' is in no operand";
  return bindLabels(op, output.trim(), cast<RankedTensorType>(result), sizes);
}

LogicalResult EinsumOp::verify() {
  return verifyEinsum(*this, getEinsumConfig(), (*this)->getOperandTypes(),
                      getType());
}

LogicalResult UnaryEinsumOp::verify() {
  // Also written with an operand left out: ",ab->a".
  StringRef config = getEinsumConfig();
  config.consume_front(",");
  return verifyEinsum(*this, config, (*this)->getOperandTypes(), getType());
}

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

/// What convolution and dynamic_conv share. Without `padding` known, spatial
/// sizes of the result are not checked.
template <typename ConvOp>
static LogicalResult
verifyConvolution(ConvOp op, bool paddingKnown,
                  std::optional<DenseIntElementsAttr> padding) {
  auto lhs = cast<RankedTensorType>(op.getLhs().getType());
  auto rhs = cast<RankedTensorType>(op.getRhs().getType());
  auto result = cast<RankedTensorType>(op.getType());
  ConvDimensionNumbersAttr dims = op.getDimensionNumbers();
  int64_t rank = lhs.getRank();
  if (rank != rhs.getRank() || rank != result.getRank())
    return op.emitOpError()
           << "expects convolution arguments to have same number of "
              "dimensions. Got: "
           << lhs << ", " << rhs << " and " << result;
  if (rank < 2)
    return op.emitOpError()
           << "expects convolution arguments to have >= 2 dimensions. "
              "Got: "
           << lhs;
  auto verifyRoles = [&](int64_t first, int64_t second,
                         ArrayRef<int64_t> spatial,
                         StringRef name) -> LogicalResult {
    SmallVector<int64_t> all = {first, second};
    llvm::append_range(all, spatial);
    if (static_cast<int64_t>(all.size()) != rank)
      return op.emitOpError() << "expects " << name << " dimension-numbers for "
                              << rank << " dimensions, got " << all.size();
    return verifyDims(op.getLoc(), all, rank, name);
  };
  if (failed(verifyRoles(dims.getInputBatchDimension(),
                         dims.getInputFeatureDimension(),
                         dims.getInputSpatialDimensions(), "input")) ||
      failed(verifyRoles(dims.getKernelInputFeatureDimension(),
                         dims.getKernelOutputFeatureDimension(),
                         dims.getKernelSpatialDimensions(), "kernel")) ||
      failed(verifyRoles(dims.getOutputBatchDimension(),
                         dims.getOutputFeatureDimension(),
                         dims.getOutputSpatialDimensions(), "output")))
    return failure();

  int64_t featureGroups = static_cast<int64_t>(op.getFeatureGroupCount());
  int64_t batchGroups = static_cast<int64_t>(op.getBatchGroupCount());
  if (featureGroups <= 0 || batchGroups <= 0)
    return op.emitOpError()
           << "expects feature_group_count and batch_group_count to be "
              "positive, got "
           << featureGroups << " and " << batchGroups;
  if (featureGroups > 1 && batchGroups > 1)
    return op.emitOpError()
           << "expects batch_group_count and feature_group_count not to "
              "be both greater than 1. Got "
           << batchGroups << " and " << featureGroups;
  int64_t batch = lhs.getDimSize(dims.getInputBatchDimension());
  int64_t inputFeatures = lhs.getDimSize(dims.getInputFeatureDimension());
  int64_t kernelInputs = rhs.getDimSize(dims.getKernelInputFeatureDimension());
  int64_t outputFeatures =
      rhs.getDimSize(dims.getKernelOutputFeatureDimension());
  auto divides = [](int64_t count, int64_t size) {
    return isDynamicDimSize(size) || size % count == 0;
  };
  if (!divides(batchGroups, batch))
    return op.emitOpError() << "expects input batch dimension (" << batch
                            << ") to be divisible by batch_group_count. Got "
                               "batch_group_count = "
                            << batchGroups;
  if (!divides(featureGroups, inputFeatures))
    return op.emitOpError()
           << "expects input feature dimension (" << inputFeatures
           << ") to be a multiple of feature_group_count. Got "
              "feature_group_count = "
           << featureGroups;
  if (isStaticDimSize(inputFeatures) && isStaticDimSize(kernelInputs) &&
      inputFeatures / featureGroups != kernelInputs)
    return op.emitOpError()
           << "expects input feature dimension (" << inputFeatures
           << ") / feature_group_count = kernel input feature dimension ("
           << kernelInputs << "). Got feature_group_count = " << featureGroups;
  if (!divides(batchGroups, outputFeatures) ||
      !divides(featureGroups, outputFeatures))
    return op.emitOpError()
           << "expects output feature dimension size (" << outputFeatures
           << ") to be a multiple of batch_group_count and "
              "feature_group_count. Got "
           << batchGroups << " and " << featureGroups;

  SmallVector<int64_t> kernel;
  for (int64_t dim : dims.getKernelSpatialDimensions())
    kernel.push_back(rhs.getDimSize(dim));
  SmallVector<int64_t> checkedKernel(kernel);
  for (int64_t &size : checkedKernel)
    if (isDynamicDimSize(size) || size == 0)
      size = 1;
  auto window =
      getWindow(op.getLoc(), checkedKernel,
                op.getWindowStrides().value_or(ArrayRef<int64_t>()), padding,
                op.getLhsDilation().value_or(ArrayRef<int64_t>()),
                op.getRhsDilation().value_or(ArrayRef<int64_t>()));
  if (failed(window))
    return failure();
  if (std::optional<ArrayRef<bool>> reversal = op.getWindowReversal();
      reversal && !reversal->empty() && reversal->size() != kernel.size())
    return op.emitOpError()
           << "expects window-reversal to have size == " << kernel.size()
           << ", got " << reversal->size();

  SmallVector<int64_t> shape(rank, ShapedType::kDynamic);
  shape[dims.getOutputBatchDimension()] =
      isDynamicDimSize(batch) ? batch : batch / batchGroups;
  shape[dims.getOutputFeatureDimension()] = outputFeatures;
  for (auto [i, dimension] : llvm::enumerate(*window)) {
    if (!paddingKnown || isDynamicDimSize(kernel[i]))
      continue;
    // An empty kernel has a place wherever there is room for nothing.
    dimension.size = std::max<int64_t>(kernel[i], 1);
    auto size = getWindowedSize(
        op.getLoc(), lhs.getDimSize(dims.getInputSpatialDimensions()[i]),
        dimension);
    if (failed(size))
      return failure();
    if (kernel[i] != 0)
      shape[dims.getOutputSpatialDimensions()[i]] = *size;
  }
  if (!areCompatibleShapes(shape, result.getShape()))
    return op.emitOpError()
           << "inferred shape '"
           << RankedTensorType::get(shape, result.getElementType())
           << "' is incompatible with return type of operation " << result;
  if (failed(verifyPrecision(op, op.getPrecisionConfig())) ||
      failed(verifyProductTypes(op, lhs, rhs, result)))
    return failure();
  auto perAxis =
      dyn_cast<quant::UniformQuantizedPerAxisType>(rhs.getElementType());
  if (perAxis &&
      perAxis.getQuantizedDimension() != dims.getKernelOutputFeatureDimension())
    return op.emitOpError()
           << "quantization dimension of rhs should be same with "
              "kernel_output_feature_dimension";
  return success();
}

LogicalResult ConvolutionOp::verify() {
  return verifyConvolution(*this, /*paddingKnown=*/true, getPadding());
}

LogicalResult DynamicConvOp::verify() {
  auto padding = cast<RankedTensorType>(getPadding().getType());
  int64_t spatial = getDimensionNumbers().getInputSpatialDimensions().size();
  if (padding.getDimSize(0) != spatial || padding.getDimSize(1) != 2)
    return emitOpError() << "expects the padding to have shape " << spatial
                         << "x2, but got " << padding;
  return verifyConvolution(*this, /*paddingKnown=*/false, std::nullopt);
}

bool DotGeneralOp::isSimpleDot() {
  DotDimensionNumbersAttr dims = getDotDimensionNumbers();
  auto lhs = getTensor(getLhs());
  return lhs && lhs.getRank() <= 2 && getTensor(getRhs()).getRank() <= 2 &&
         dims.getLhsBatchingDimensions().empty() &&
         dims.getLhsContractingDimensions().size() == 1 &&
         dims.getRhsContractingDimensions().size() == 1 &&
         dims.getLhsContractingDimensions().front() == lhs.getRank() - 1 &&
         dims.getRhsContractingDimensions().front() == 0;
}

bool ConvolutionOp::hasWindowReversal() {
  return getWindowReversal() && llvm::is_contained(*getWindowReversal(), true);
}
