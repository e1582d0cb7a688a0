// Convolutions of f32 and bf16 as one call of the runtime: here is decided in
// which order the dimensions go and what has to be copied.
#include "Convolution.h"

#include "shoal/runtime/Convolution.h"
#include "shoal/runtime/KernelABI.h"

#include "llvm/IR/Constants.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace shoal::cpu {

namespace {

SmallVector<int64_t> stridesOf(Value tensor) {
  ArrayRef<int64_t> shape = shapeOfTensor(tensor);
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;)
    strides[d - 1] = strides[d] * shape[d];
  return strides;
}

/// Elements of lhs from one index to the next.
int64_t lhsStep(const ShoalConvolution &c, const ShoalConvolutionDim &dim,
                bool isRow) {
  if (dim.spatial < 0)
    return dim.lhsStride;
  const ShoalConvolutionSpatial &s = c.spatial[dim.spatial];
  return isRow        ? s.stride * s.lhsStride
         : s.reversed ? -s.windowDilation * s.lhsStride
                      : s.windowDilation * s.lhsStride;
}

/// True if the dimensions step as one with that stride of each.
template <typename Stride>
bool stepAsOne(ArrayRef<ShoalConvolutionDim> dims, Stride stride) {
  for (size_t d = 0; d + 1 < dims.size(); ++d)
    if (stride(dims[d]) != stride(dims[d + 1]) * dims[d + 1].size)
      return false;
  return true;
}

int64_t other(const ShoalConvolutionDim &dim) { return dim.otherStride; }

/// How many elements of lhs in a row are copied at once along inner.
int64_t innerRun(const ShoalConvolution &c,
                 ArrayRef<ShoalConvolutionDim> dims) {
  if (dims.empty() || lhsStep(c, dims.back(), false) != 1)
    return 1;
  int64_t run = dims.back().size;
  if (dims.size() > 1 && dims.back().spatial < 0 &&
      lhsStep(c, dims[dims.size() - 2], false) == run)
    run *= dims[dims.size() - 2].size;
  return run;
}

std::optional<ShoalConvolution> plan(stablehlo::ConvolutionOp op) {
  Type type = getElementType(op.getLhs()),
       rhsType = getElementType(op.getRhs()),
       outType = getElementType(op->getResult(0));
  auto isKnown = [](Type t) { return t.isF32() || t.isBF16(); };
  // What the kernel computes itself has no address.
  if (!isa<BlockArgument>(op.getLhs()) || !isa<BlockArgument>(op.getRhs()))
    return std::nullopt;
  if (type != rhsType || !isKnown(type) || !isKnown(outType))
    return std::nullopt;
  ConvolutionGeometry g(op);
  if (g.rows == 0 || g.outFeatures == 0 || g.inner == 0 ||
      g.dims.size() > ShoalConvolutionMaxSpatial)
    return std::nullopt;
  stablehlo::ConvDimensionNumbersAttr numbers = op.getDimensionNumbers();
  SmallVector<int64_t> lhs = stridesOf(op.getLhs()),
                       rhs = stridesOf(op.getRhs()),
                       out = stridesOf(op->getResult(0));
  ShoalConvolution c = {};
  c.type = type.isBF16() ? ShoalMatmulBF16 : ShoalMatmulF32;
  c.outType = outType.isBF16() ? ShoalMatmulBF16 : ShoalMatmulF32;
  c.groups = g.groups;
  c.features = g.outFeatures;
  c.innerSize = g.inner;
  c.rhsFeatureStride = rhs[numbers.getKernelOutputFeatureDimension()];
  c.outFeatureStride = out[numbers.getOutputFeatureDimension()];
  int64_t lhsBatch = lhs[numbers.getInputBatchDimension()],
          lhsFeature = lhs[numbers.getInputFeatureDimension()];
  c.lhsGroupStride =
      g.batchGroups > 1 ? g.positions[0] * lhsBatch : g.inFeatures * lhsFeature;
  c.rhsGroupStride = g.outFeatures * c.rhsFeatureStride;
  c.outGroupStride = g.outFeatures * c.outFeatureStride;

  SmallVector<ShoalConvolutionDim> rows, inner;
  if (g.positions[0] > 1)
    rows.push_back(
        {g.positions[0], -1, lhsBatch, out[numbers.getOutputBatchDimension()]});
  if (g.inFeatures > 1)
    inner.push_back({g.inFeatures, -1, lhsFeature,
                     rhs[numbers.getKernelInputFeatureDimension()]});
  c.numSpatial = g.dims.size();
  bool allInside = true, isPointwise = true;
  for (auto [d, dim] : llvm::enumerate(g.dims)) {
    c.spatial[d] = {
        dim.array,        dim.window,
        dim.stride,       dim.padLow,
        dim.baseDilation, dim.windowDilation,
        dim.reversed,     lhs[numbers.getInputSpatialDimensions()[d]]};
    if (g.positions[d + 1] > 1)
      rows.push_back({g.positions[d + 1], int64_t(d), 0,
                      out[numbers.getOutputSpatialDimensions()[d]]});
    if (dim.window > 1)
      inner.push_back({dim.window, int64_t(d), 0,
                       rhs[numbers.getKernelSpatialDimensions()[d]]});
    isPointwise &= dim.window == 1;
    allInside &= dim.padLow == 0 && dim.baseDilation == 1 &&
                 (g.positions[d + 1] - 1) * dim.stride < dim.array;
  }
  auto byOther = [](const ShoalConvolutionDim &a,
                    const ShoalConvolutionDim &b) {
    return a.otherStride > b.otherStride;
  };
  // Rows in the order of the result, so that the product can be made there:
  // the last ones that step as one are a block's.
  llvm::stable_sort(rows, byOther);
  if (rows.empty())
    rows.push_back({1, -1, lhsBatch, 1});
  size_t numOuter = rows.size() - 1;
  while (numOuter > 0 &&
         stepAsOne(ArrayRef(rows).drop_front(numOuter - 1), other))
    --numOuter;
  c.innerRows = g.rows;
  for (const ShoalConvolutionDim &dim : ArrayRef(rows).take_front(numOuter))
    c.innerRows /= dim.size;
  c.outRowStride = rows.back().otherStride;
  constexpr int64_t shortBlock = 32;
  bool isLong = c.innerRows >= shortBlock || numOuter == 0;
  if (isLong && c.outFeatureStride == 1 && c.outRowStride >= g.outFeatures) {
    c.flags |= ShoalConvolutionOutInPlace;
  } else if (isLong && c.outRowStride == 1 &&
             (c.outFeatureStride >= c.innerRows || g.outFeatures == 1)) {
    c.flags |= ShoalConvolutionOutTransposed;
  } else {
    numOuter = 0;
    c.innerRows = g.rows;
  }
  c.outerRows = g.rows / c.innerRows;
  c.numOuter = numOuter;

  // Inner in the order of the kernel, which then need not be copied, unless
  // copying the patches is much easier in the order of lhs.
  llvm::stable_sort(inner, byOther);
  bool inOrder = stepAsOne(ArrayRef(inner), other) &&
                 (inner.empty() || inner.back().otherStride == 1 ||
                  c.rhsFeatureStride == 1 || g.outFeatures == 1);
  SmallVector<ShoalConvolutionDim> byLhs(inner);
  llvm::stable_sort(byLhs, [&](const auto &a, const auto &b) {
    return std::abs(lhsStep(c, a, false)) > std::abs(lhsStep(c, b, false));
  });
  int64_t kernelSize = g.inner * g.outFeatures;
  bool isCheapToPack = kernelSize <= g.rows * g.inner / 4;
  if (!inOrder ||
      (isCheapToPack && innerRun(c, byLhs) > 4 * innerRun(c, inner))) {
    c.flags |= ShoalConvolutionPackRhs;
    inner = byLhs;
  }
  c.rhsInnerStride = inner.empty() ? g.outFeatures : inner.back().otherStride;

  ArrayRef<ShoalConvolutionDim> blockRows = ArrayRef(rows).drop_front(numOuter);
  auto rowStep = [&](const ShoalConvolutionDim &dim) {
    return lhsStep(c, dim, true);
  };
  if (isPointwise && allInside && stepAsOne(blockRows, rowStep)) {
    c.flags |= ShoalConvolutionLhsInPlace;
    c.lhsRowStride = rowStep(blockRows.back());
    c.lhsInnerStride = inner.empty() ? 1 : inner.back().lhsStride;
  } else {
    int64_t rowRun = 1;
    if (rowStep(blockRows.back()) == 1) {
      rowRun = blockRows.back().size;
      if (blockRows.size() > 1 && blockRows.back().spatial < 0 &&
          rowStep(blockRows[blockRows.size() - 2]) == rowRun)
        rowRun *= blockRows[blockRows.size() - 2].size;
    }
    if (rowRun > innerRun(c, inner))
      c.flags |= ShoalConvolutionRowsMinor;
  }
  c.numRows = rows.size();
  c.numInner = inner.size();
  llvm::copy(rows, c.rows);
  llvm::copy(inner, c.inner);
  // Whole runs, where they are short.
  int64_t unit = rows.back().size;
  c.blockRows = std::min<int64_t>(
      unit <= 64 ? llvm::alignTo(g.block, unit) : g.block, c.innerRows);
  return c;
}

} // namespace

std::optional<int64_t> libraryConvolutionChunks(stablehlo::ConvolutionOp op) {
  std::optional<ShoalConvolution> c = plan(op);
  if (!c)
    return std::nullopt;
  return shoalConvolutionChunks(&*c);
}

bool emitLibraryConvolution(stablehlo::ConvolutionOp op, BufferEmitter &b) {
  std::optional<ShoalConvolution> c = plan(op);
  llvm::Value *lhs = b.pointer(op.getLhs()), *rhs = b.pointer(op.getRhs());
  if (!c || !lhs || !rhs)
    return false;
  static_assert(sizeof(ShoalConvolution) % sizeof(int64_t) == 0);
  llvm::Constant *data = llvm::ConstantDataArray::get(
      b.e.ir().getContext(),
      ArrayRef<uint64_t>(reinterpret_cast<const uint64_t *>(&*c),
                         sizeof(*c) / sizeof(int64_t)));
  auto *constant = new llvm::GlobalVariable(
      b.e.module(), data->getType(), /*isConstant=*/true,
      llvm::GlobalValue::PrivateLinkage, data, "convolution");
  int64_t bytes[3];
  shoalConvolutionScratch(&*c, bytes);
  llvm::Value *scratch = b.e.localBuffer(bytes[0] + bytes[1] + bytes[2]);
  b.e.call(
      "shoal_rt_convolution", b.e.ir().getVoidTy(),
      {constant, lhs, rhs, b.result(0), scratch, b.chunkBegin, b.chunkEnd});
  return true;
}

} // namespace shoal::cpu
