// Products that sum over shared indices: dot, dot_general, convolution.
#include "Models.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace mlir::stablehlo;

namespace shoal::rules {
namespace {

void addReduction(RuleBuilder &builder, ArrayRef<int64_t> operandDims,
                  int64_t size) {
  builder.add(operandDims, {kNone}, size, FactorKind::Reduction);
  builder.last().reduction = ReductionKind::Add;
}

//===----------------------------------------------------------------------===//
// dot_general
//===----------------------------------------------------------------------===//

ShardingRule dotGeneralRule(DotGeneralOp op) {
  DotDimensionNumbersAttr dims = op.getDotDimensionNumbers();
  ArrayRef<int64_t> lhs = shapeOf(op.getLhs()), rhs = shapeOf(op.getRhs());
  RuleBuilder builder(op);
  // The result has batch dimensions, then those of lhs, then those of rhs.
  int64_t out = 0;
  for (auto [l, r] : llvm::zip(dims.getLhsBatchingDimensions(),
                               dims.getRhsBatchingDimensions()))
    builder.add({l, r}, {out++}, lhs[l]);
  for (int64_t l = 0; l < int64_t(lhs.size()); ++l)
    if (!llvm::is_contained(dims.getLhsBatchingDimensions(), l) &&
        !llvm::is_contained(dims.getLhsContractingDimensions(), l))
      builder.add({l, kNone}, {out++}, lhs[l]);
  for (int64_t r = 0; r < int64_t(rhs.size()); ++r)
    if (!llvm::is_contained(dims.getRhsBatchingDimensions(), r) &&
        !llvm::is_contained(dims.getRhsContractingDimensions(), r))
      builder.add({kNone, r}, {out++}, rhs[r]);
  for (auto [l, r] : llvm::zip(dims.getLhsContractingDimensions(),
                               dims.getRhsContractingDimensions()))
    addReduction(builder, {l, r}, lhs[l]);
  passProduct(builder, op.getLhs(), op.getRhs());
  return builder.build();
}

//===----------------------------------------------------------------------===//
// dot
//===----------------------------------------------------------------------===//

ShardingRule dotRule(DotOp op) {
  ArrayRef<int64_t> lhs = shapeOf(op.getLhs()), rhs = shapeOf(op.getRhs());
  RuleBuilder builder(op);
  int64_t out = 0;
  if (lhs.size() == 2)
    builder.add({0, kNone}, {out++}, lhs[0]);
  if (rhs.size() == 2)
    builder.add({kNone, 1}, {out++}, rhs[1]);
  addReduction(builder, {lhs.size() == 2 ? 1 : 0, 0}, rhs[0]);
  passProduct(builder, op.getLhs(), op.getRhs());
  return builder.build();
}

//===----------------------------------------------------------------------===//
// convolution
//===----------------------------------------------------------------------===//

/// What a rule is for.
enum class Purpose {
  /// Shardy's: sizes divide the tensors' dimensions, so that axes may pass.
  Propagation,
  /// Everything the op may be computed in parts along.
  Forms
};

/// One spatial dimension. The input's is the number of windows (the output's)
/// combined with the window (the kernel's); the larger is the major factor, so
/// that a sharding of the input goes there first. A factor of 1 is left out.
void addSpatial(RuleBuilder &builder, int64_t lhsDim, int64_t rhsDim,
                int64_t outDim, int64_t lhsSize, int64_t rhsSize,
                int64_t outSize, WindowMap window, Purpose purpose) {
  bool isForms = purpose == Purpose::Forms;
  int64_t rest = lhsSize;
  auto addWindows = [&] {
    int64_t size = isForms ? outSize : std::min(rest, outSize);
    if (size <= 1 && !isForms)
      return;
    builder.add({lhsDim, kNone}, {outDim}, size, FactorKind::Window);
    rest /= std::max<int64_t>(1, size); // there may be no windows
  };
  auto addTaps = [&] {
    int64_t size = isForms ? rhsSize : std::min(rest, rhsSize);
    if (size <= 1)
      return;
    addReduction(builder, {lhsDim, rhsDim}, size);
    rest /= size;
  };
  if (outSize >= rhsSize) {
    addWindows();
    addTaps();
  } else {
    addTaps();
    addWindows();
  }
  builder.setWindow(0, lhsDim, window);
}

ShardingRule makeConvolution(Operation *op, Value lhsValue, Value rhsValue,
                             ConvDimensionNumbersAttr dims,
                             std::optional<ArrayRef<int64_t>> strides,
                             std::optional<ArrayRef<int64_t>> lhsDilation,
                             std::optional<ArrayRef<int64_t>> rhsDilation,
                             ArrayRef<int64_t> paddingLow,
                             std::optional<ArrayRef<bool>> reversal,
                             int64_t featureGroups, int64_t batchGroups,
                             Purpose purpose) {
  ArrayRef<int64_t> lhs = shapeOf(lhsValue), rhs = shapeOf(rhsValue);
  ArrayRef<int64_t> out = shapeOf(op->getResult(0));
  // A dynamic_conv's padding operand stays unrelated.
  RuleBuilder builder(TypeRange{lhsValue.getType(), rhsValue.getType()},
                      op->getResultTypes());

  if (batchGroups > 1)
    builder.add(
        {dims.getInputBatchDimension(), dims.getKernelOutputFeatureDimension()},
        {dims.getOutputFeatureDimension()}, batchGroups);
  builder.add({dims.getInputBatchDimension(), kNone},
              {dims.getOutputBatchDimension()},
              out[dims.getOutputBatchDimension()]);

  for (auto [i, spatial] : llvm::enumerate(llvm::zip(
           dims.getInputSpatialDimensions(), dims.getKernelSpatialDimensions(),
           dims.getOutputSpatialDimensions()))) {
    auto [l, r, o] = spatial;
    WindowMap window;
    window.size = rhs[r];
    window.stride = strides && !strides->empty() ? (*strides)[i] : 1;
    window.dilation =
        rhsDilation && !rhsDilation->empty() ? (*rhsDilation)[i] : 1;
    window.baseDilation =
        lhsDilation && !lhsDilation->empty() ? (*lhsDilation)[i] : 1;
    window.offset = paddingLow.empty() ? 0 : -paddingLow[i];
    if (reversal && !reversal->empty() && (*reversal)[i]) {
      // Tap w reads from the other end of the window.
      window.offset += window.dilation * (window.size - 1);
      window.dilation = -window.dilation;
    }
    addSpatial(builder, l, r, o, lhs[l], rhs[r], out[o], window, purpose);
  }

  if (featureGroups > 1)
    builder.add({dims.getInputFeatureDimension(),
                 dims.getKernelOutputFeatureDimension()},
                {dims.getOutputFeatureDimension()}, featureGroups);
  addReduction(
      builder,
      {dims.getInputFeatureDimension(), dims.getKernelInputFeatureDimension()},
      rhs[dims.getKernelInputFeatureDimension()]);
  builder.add({kNone, dims.getKernelOutputFeatureDimension()},
              {dims.getOutputFeatureDimension()},
              out[dims.getOutputFeatureDimension()] /
                  (batchGroups * featureGroups));
  passProduct(builder, lhsValue, rhsValue);
  return builder.build();
}

ShardingRule makeConvolution(ConvolutionOp op, Purpose purpose) {
  SmallVector<int64_t> low;
  if (auto padding = op.getPadding())
    for (auto [i, value] : llvm::enumerate(padding->getValues<int64_t>()))
      if (i % 2 == 0)
        low.push_back(value);
  return makeConvolution(op, op.getLhs(), op.getRhs(), op.getDimensionNumbers(),
                         op.getWindowStrides(), op.getLhsDilation(),
                         op.getRhsDilation(), low, op.getWindowReversal(),
                         op.getFeatureGroupCount(), op.getBatchGroupCount(),
                         purpose);
}

ShardingRule convolutionRule(ConvolutionOp op) {
  return makeConvolution(op, Purpose::Propagation);
}

} // namespace

void passProduct(RuleBuilder &builder, Value lhs, Value rhs) {
  if (lhs == rhs)
    return;
  if (isNeverInfinite(rhs))
    builder.passPartial(kAdd, {0});
  if (isNeverInfinite(lhs))
    builder.passPartial(kAdd, {1});
}

ShardingRule convolutionFormRule(ConvolutionOp op) {
  return makeConvolution(op, Purpose::Forms);
}

void attachContraction(MLIRContext *context) {
  attach<DotGeneralOp, dotGeneralRule>(context);
  attach<DotOp, dotRule>(context);
  attach<ConvolutionOp, convolutionRule>(context);
  // Padding that is data: refined to a convolution at import, or refused.
  attachAll<unrelated, DynamicConvOp>(context);
}

} // namespace shoal::rules
