#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

//===----------------------------------------------------------------------===//
// Blocks at dynamic places
//===----------------------------------------------------------------------===//

/// As many start indices as dimensions, of one type.
static LogicalResult verifyStartIndices(std::optional<Location> location,
                                        ValueRange starts, int64_t rank) {
  if (static_cast<int64_t>(starts.size()) != rank)
    return emitOptionalError(
        location, "has mismatched number of start indices (", starts.size(),
        ") and the rank of operand (", rank, ")");
  if (!llvm::all_equal(llvm::map_range(starts.getTypes(), [](Type type) {
        return getElementTypeOrSelf(type);
      })))
    return emitOptionalError(location,
                             "start indices must have same element type");
  return success();
}

STABLEHLO_INFER_TYPES(DynamicSliceOp) {
  auto operand = getTensor(op.getOperand());
  if (!operand)
    return emitOptionalError(location, "expected a ranked operand");
  ArrayRef<int64_t> sizes = op.getSliceSizes();
  if (static_cast<int64_t>(sizes.size()) != operand.getRank())
    return emitOptionalError(location, "has mismatched number of slice sizes (",
                             sizes.size(), ") and the rank of operand (",
                             operand.getRank(), ")");
  if (failed(verifyStartIndices(location, op.getStartIndices(),
                                operand.getRank())))
    return failure();
  ArrayRef<int64_t> bounds = encodingToBounds(operand.getEncoding());
  for (int64_t dim = 0; dim < operand.getRank(); ++dim) {
    int64_t size = operand.getDimSize(dim);
    int64_t atMost = isStaticDimSize(size) ? size : getBound(bounds, dim);
    if (sizes[dim] < 0)
      return emitOptionalError(
          location, "has negative size index to dynamic slice: ", sizes[dim]);
    if (isStaticDimSize(atMost) && sizes[dim] > atMost)
      return emitOptionalError(location, "has slice size ", sizes[dim],
                               " greater than dimension size ", atMost,
                               " in dimension ", dim, " of operand");
  }
  inferred.push_back(RankedTensorType::get(sizes, operand.getElementType()));
  return success();
}

STABLEHLO_INFER_TYPES(DynamicUpdateSliceOp) {
  auto operand = getTensor(op.getOperand()), update = getTensor(op.getUpdate());
  if (!operand || !update)
    return emitOptionalError(location, "expected ranked operands");
  if (operand.getRank() != update.getRank())
    return emitOptionalError(
        location, "update rank does not match operand rank: ", update.getRank(),
        " vs ", operand.getRank());
  if (!isCompatibleElementTypeForHloTypeInference(operand.getElementType(),
                                                  update.getElementType()))
    return emitOptionalError(location, "update ", update,
                             " has another element type than operand ",
                             operand);
  if (failed(verifyStartIndices(location, op.getStartIndices(),
                                operand.getRank())))
    return failure();
  for (int64_t dim = 0; dim < operand.getRank(); ++dim) {
    int64_t size = operand.getDimSize(dim), updated = update.getDimSize(dim);
    if (isStaticDimSize(size) && isStaticDimSize(updated) && updated > size)
      return emitOptionalError(location, "expects size at dimension ", dim,
                               " of update to be in range [0, ", size,
                               "]. Got: ", updated);
  }
  inferred.push_back(operand);
  return success();
}

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

static LogicalResult verifySorted(std::optional<Location> location,
                                  ArrayRef<int64_t> dims, StringRef name) {
  if (!llvm::is_sorted(dims))
    return emitOptionalError(location, name, " should be sorted");
  return success();
}

/// What gather and scatter share: which dimensions of the indexed tensor
/// (`gone` and `batching`) have no counterpart in the window, and how the
/// indices' dimensions are used. Names are those of the op's attributes.
struct IndexingNames {
  StringRef gone, batching, indicesBatching, indexMap;
};
static LogicalResult
verifyIndexing(std::optional<Location> location, RankedTensorType operand,
               RankedTensorType indices, ArrayRef<int64_t> gone,
               ArrayRef<int64_t> batching, ArrayRef<int64_t> indicesBatching,
               ArrayRef<int64_t> indexMap, int64_t indexVectorDim,
               const IndexingNames &names) {
  int64_t rank = operand.getRank(), indicesRank = indices.getRank();
  if (indexVectorDim < 0 || indexVectorDim > indicesRank)
    return emitOptionalError(location, "index_vector_dim ", indexVectorDim,
                             " is out of bounds for indices with rank ",
                             indicesRank);
  if (failed(verifyDims(location, gone, rank, names.gone)) ||
      failed(verifySorted(location, gone, names.gone)) ||
      failed(verifyDims(location, batching, rank, names.batching)) ||
      failed(verifySorted(location, batching, names.batching)) ||
      failed(verifyDims(location, indicesBatching, indicesRank,
                        names.indicesBatching)) ||
      failed(verifyDims(location, indexMap, rank, names.indexMap)))
    return failure();
  for (int64_t dim : batching) {
    if (llvm::is_contained(gone, dim))
      return emitOptionalError(location, "has duplicated dimension from ",
                               names.gone, " and ", names.batching, ": ", dim);
    if (llvm::is_contained(indexMap, dim))
      return emitOptionalError(location, "has duplicated dimension from ",
                               names.indexMap, " and ", names.batching, ": ",
                               dim);
  }
  if (llvm::is_contained(indicesBatching, indexVectorDim))
    return emitOptionalError(location, "expects ", names.indicesBatching,
                             " not to include index_vector_dim ",
                             indexVectorDim);
  if (batching.size() != indicesBatching.size())
    return emitOptionalError(location, names.batching, " and ",
                             names.indicesBatching,
                             " should have the same size");
  for (auto [dim, indicesDim] : llvm::zip(batching, indicesBatching))
    if (!isCompatibleDimSize(operand.getDimSize(dim),
                             indices.getDimSize(indicesDim)))
      return emitOptionalError(
          location, names.batching, " and ", names.indicesBatching,
          " should have the same sizes, got ", operand.getDimSize(dim), " and ",
          indices.getDimSize(indicesDim));
  int64_t vector =
      indexVectorDim < indicesRank ? indices.getDimSize(indexVectorDim) : 1;
  if (!isCompatibleDimSize(vector, indexMap.size()))
    return emitOptionalError(location, names.indexMap, " size (",
                             indexMap.size(),
                             ") is not equal to size of index dimension (",
                             indexVectorDim, ") of indices (", vector, ")");
  return success();
}

/// Checks a gather; `sliceSizes` may hold kDynamic.
static LogicalResult
inferGather(std::optional<Location> location, RankedTensorType operand,
            RankedTensorType indices, GatherDimensionNumbersAttr dims,
            ArrayRef<int64_t> sliceSizes, SmallVectorImpl<Type> &inferred) {
  if (!operand || !indices)
    return emitOptionalError(location, "expected ranked operands");
  int64_t rank = operand.getRank(), indicesRank = indices.getRank();
  if (failed(verifyIndexing(
          location, operand, indices, dims.getCollapsedSliceDims(),
          dims.getOperandBatchingDims(), dims.getStartIndicesBatchingDims(),
          dims.getStartIndexMap(), dims.getIndexVectorDim(),
          {"collapsed_slice_dims", "operand_batching_dims",
           "start_indices_batching_dims", "start_index_map"})))
    return failure();
  if (static_cast<int64_t>(sliceSizes.size()) != rank)
    return emitOptionalError(location, "slice_sizes size (", sliceSizes.size(),
                             ") not equal to (implied) operand rank (", rank,
                             ")");
  for (int64_t dim = 0; dim < rank; ++dim) {
    int64_t size = sliceSizes[dim], available = operand.getDimSize(dim);
    if (isDynamicDimSize(size))
      continue;
    bool single = llvm::is_contained(dims.getCollapsedSliceDims(), dim) ||
                  llvm::is_contained(dims.getOperandBatchingDims(), dim);
    if (size < 0 || (isStaticDimSize(available) && size > available) ||
        (single && size > 1))
      return emitOptionalError(
          location, "slice size (", size,
          ") is out of bounds for operand dimension (", available,
          ") at index ", dim, single ? ", which is collapsed or batching" : "");
  }
  ArrayRef<int64_t> offsetDims = dims.getOffsetDims();
  if (static_cast<int64_t>(offsetDims.size() +
                           dims.getCollapsedSliceDims().size() +
                           dims.getOperandBatchingDims().size()) != rank)
    return emitOptionalError(location, "offset_dims size (", offsetDims.size(),
                             ") plus collapse_slice_dims size (",
                             dims.getCollapsedSliceDims().size(),
                             ") plus operand_batching_dims size (",
                             dims.getOperandBatchingDims().size(),
                             ") is not equal to operand rank (", rank, ")");
  int64_t batchRank =
      dims.getIndexVectorDim() < indicesRank ? indicesRank - 1 : indicesRank;
  int64_t resultRank = batchRank + offsetDims.size();
  if (failed(verifyDims(location, offsetDims, resultRank, "offset_dims")) ||
      failed(verifySorted(location, offsetDims, "offset_dims")))
    return failure();

  SmallVector<int64_t> batchSizes, batchBounds, windowSizes;
  ArrayRef<int64_t> indicesBounds = encodingToBounds(indices.getEncoding());
  for (int64_t dim = 0; dim < indicesRank; ++dim)
    if (dim != dims.getIndexVectorDim()) {
      batchSizes.push_back(indices.getDimSize(dim));
      batchBounds.push_back(getBound(indicesBounds, dim));
    }
  for (int64_t dim = 0; dim < rank; ++dim)
    if (!llvm::is_contained(dims.getCollapsedSliceDims(), dim) &&
        !llvm::is_contained(dims.getOperandBatchingDims(), dim))
      windowSizes.push_back(sliceSizes[dim]);
  SmallVector<int64_t> shape, bounds;
  size_t batch = 0, window = 0;
  for (int64_t dim = 0; dim < resultRank; ++dim) {
    bool isWindow = llvm::is_contained(offsetDims, dim);
    bounds.push_back(isWindow ? ShapedType::kDynamic : batchBounds[batch]);
    shape.push_back(isWindow ? windowSizes[window++] : batchSizes[batch++]);
  }
  inferred.push_back(getBoundedTensor(shape, operand.getElementType(), bounds));
  return success();
}

STABLEHLO_INFER_TYPES(GatherOp) {
  return inferGather(location, getTensor(op.getOperand()),
                     getTensor(op.getStartIndices()), op.getDimensionNumbers(),
                     op.getSliceSizes(), inferred);
}

STABLEHLO_INFER_TYPES(DynamicGatherOp) {
  auto sizesType = getTensor(op.getSliceSizes());
  if (!sizesType || sizesType.getRank() != 1 || sizesType.isDynamicDim(0))
    return emitOptionalError(location, "expected slice sizes of static length");
  SmallVector<int64_t> sizes;
  if (failed(matchInts(op.getSliceSizes(), sizes)))
    sizes.assign(sizesType.getDimSize(0), ShapedType::kDynamic);
  return inferGather(location, getTensor(op.getOperand()),
                     getTensor(op.getStartIndices()), op.getDimensionNumbers(),
                     sizes, inferred);
}

//===----------------------------------------------------------------------===//
// Scatter
//===----------------------------------------------------------------------===//

STABLEHLO_INFER_TYPES(ScatterOp) {
  if (op.getInputs().empty() || op.getInputs().size() != op.getUpdates().size())
    return emitOptionalError(location,
                             "expected as many inputs as updates, and at "
                             "least one");
  auto first = getTensor(op.getInputs().front());
  auto update = getTensor(op.getUpdates().front());
  auto indices = getTensor(op.getScatterIndices());
  for (Value input : op.getInputs())
    if (!getTensor(input) || !indices ||
        !areCompatibleShapes(first.getShape(), getTensor(input).getShape()))
      return emitOptionalError(location, "expects inputs of compatible shapes");
  for (Value each : op.getUpdates())
    if (!getTensor(each) ||
        !areCompatibleShapes(update.getShape(), getTensor(each).getShape()))
      return emitOptionalError(location,
                               "expects updates of compatible shapes");

  ScatterDimensionNumbersAttr dims = op.getScatterDimensionNumbers();
  if (failed(verifyIndexing(
          location, first, indices, dims.getInsertedWindowDims(),
          dims.getInputBatchingDims(), dims.getScatterIndicesBatchingDims(),
          dims.getScatterDimsToOperandDims(), dims.getIndexVectorDim(),
          {"inserted_window_dims", "input_batching_dims",
           "scatter_indices_batching_dims", "scatter_dims_to_operand_dims"})))
    return failure();
  int64_t rank = first.getRank(), indicesRank = indices.getRank();
  ArrayRef<int64_t> windowDims = dims.getUpdateWindowDims();
  if (static_cast<int64_t>(windowDims.size() +
                           dims.getInsertedWindowDims().size() +
                           dims.getInputBatchingDims().size()) != rank)
    return emitOptionalError(
        location,
        "Expects rank-of operand to match size-of("
        "update_window_dims) + size-of(inserted_window_dims) + "
        "size-of(input_batching_dims) i.e. ",
        windowDims.size() + dims.getInsertedWindowDims().size() +
            dims.getInputBatchingDims().size(),
        " but got ", rank);
  int64_t scatterRank =
      dims.getIndexVectorDim() < indicesRank ? indicesRank - 1 : indicesRank;
  int64_t updateRank = scatterRank + windowDims.size();
  if (update.getRank() != updateRank)
    return emitOptionalError(location,
                             "expects updates tensor must be of rank ",
                             updateRank, ", but got ", update.getRank());
  if (failed(
          verifyDims(location, windowDims, updateRank, "update_window_dims")) ||
      failed(verifySorted(location, windowDims, "update_window_dims")))
    return failure();

  SmallVector<int64_t> windowSizes, scatterSizes;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (!llvm::is_contained(dims.getInsertedWindowDims(), dim) &&
        !llvm::is_contained(dims.getInputBatchingDims(), dim))
      windowSizes.push_back(first.getDimSize(dim));
  for (int64_t dim = 0; dim < indicesRank; ++dim)
    if (dim != dims.getIndexVectorDim())
      scatterSizes.push_back(indices.getDimSize(dim));
  size_t window = 0, scatter = 0;
  for (int64_t dim = 0; dim < updateRank; ++dim) {
    int64_t size = update.getDimSize(dim);
    if (llvm::is_contained(windowDims, dim)) {
      int64_t limit = windowSizes[window++];
      if (isStaticDimSize(size) && isStaticDimSize(limit) && size > limit)
        return emitOptionalError(
            location,
            "expects bounds of the window dimensions of "
            "updates to not exceed the bounds of the corresponding "
            "dimensions of operand. For dimension ",
            dim, ", updates bound is ", size, ", operand bound is ", limit);
    } else if (int64_t expected = scatterSizes[scatter++];
               !isCompatibleDimSize(size, expected)) {
      return emitOptionalError(
          location,
          "expects bounds of the scatter dimensions of "
          "updates to be same as the bounds of the corresponding "
          "dimensions of scatter indices. For scatter dimension ",
          dim, ", updates bound is ", size, ", scatter_indices bound is ",
          expected);
    }
  }

  SmallVector<Type> elementTypes;
  if (op.getUpdateComputation().empty()) {
    for (Value input : op.getInputs())
      elementTypes.push_back(getElementTypeOrSelf(input.getType()));
  } else if (failed(verifyReducer(location, op.getUpdateComputation(),
                                  op.getInputs().getTypes(),
                                  op.getUpdates().getTypes(), elementTypes))) {
    return failure();
  }
  for (auto [input, element] : llvm::zip(op.getInputs(), elementTypes))
    inferred.push_back(getSameShapeTensorType(getTensor(input), element));
  return success();
}
