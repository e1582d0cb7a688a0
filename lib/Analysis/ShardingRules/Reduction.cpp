// Ops that fold elements along dimensions or within windows, and sorting.
#include "Models.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/OrderedForms.h"

using namespace mlir;
using namespace mlir::stablehlo;

namespace shoal::rules {
namespace {

//===----------------------------------------------------------------------===//
// reduce
//===----------------------------------------------------------------------===//

/// Operands are n inputs, then n initial values.
ShardingRule reduceRule(ReduceOp op) {
  size_t n = op.getInputs().size();
  std::optional<ReductionKind> kind = getReductionKind(op.getBody());
  RuleBuilder builder(op);
  int64_t out = 0;
  for (auto [d, size] : llvm::enumerate(shapeOf(op.getInputs()[0]))) {
    SmallVector<int64_t> operandDims(2 * n, kNone);
    std::fill_n(operandDims.begin(), n, d);
    bool reduced = llvm::is_contained(op.getDimensions(), int64_t(d));
    SmallVector<int64_t> resultDims(n, reduced ? kNone : out);
    out += !reduced;
    builder.add(operandDims, resultDims, size,
                reduced ? FactorKind::Reduction : FactorKind::PassThrough);
    if (reduced)
      builder.last().reduction = kind;
  }
  if (n == 1 && kind)
    builder.passPartial(kindBit(*kind), {0, 1});
  return builder.build();
}

//===----------------------------------------------------------------------===//
// reduce_window
//===----------------------------------------------------------------------===//

int64_t at(std::optional<ArrayRef<int64_t>> list, size_t i, int64_t otherwise) {
  return list && !list->empty() ? (*list)[i] : otherwise;
}

SmallVector<int64_t> lowPadding(std::optional<DenseIntElementsAttr> padding,
                                int64_t rank) {
  SmallVector<int64_t> low(rank, 0);
  if (padding)
    for (auto [i, value] : llvm::enumerate(padding->getValues<int64_t>()))
      if (i % 2 == 0)
        low[i / 2] = value;
  return low;
}

/// The factor of a dimension is its windows: the result's size.
ShardingRule reduceWindowRule(ReduceWindowOp op) {
  size_t n = op.getInputs().size();
  ArrayRef<int64_t> in = shapeOf(op.getInputs()[0]);
  ArrayRef<int64_t> out = shapeOf(op.getResult(0));
  SmallVector<int64_t> low = lowPadding(op.getPadding(), in.size());
  RuleBuilder builder(op);
  std::optional<ScanDim> scan = getScanDim(op);
  for (auto [d, size] : llvm::enumerate(out)) {
    builder.addEverywhere(d, size);
    if (scan && scan->dim == int64_t(d)) {
      builder.last().kind = FactorKind::Ordered;
      continue;
    }
    WindowMap window;
    window.size = op.getWindowDimensions()[d];
    window.stride = at(op.getWindowStrides(), d, 1);
    window.dilation = at(op.getWindowDilations(), d, 1);
    window.baseDilation = at(op.getBaseDilations(), d, 1);
    window.offset = -low[d];
    if (window.isIdentity() && in[d] == size)
      continue;
    builder.last().kind = FactorKind::Window;
    for (size_t i = 0; i < n; ++i)
      builder.setWindow(i, d, window);
  }
  std::optional<ReductionKind> kind = getReductionKind(op.getBody());
  if (n == 1 && kind)
    builder.passPartial(kindBit(*kind), {0, 1});
  return builder.build();
}

/// With each window's taps as a factor that is reduced: devices may share a
/// window that is as large as the image.
ShardingRule reduceWindowForms(ReduceWindowOp op) {
  ShardingRule rule = reduceWindowRule(op);
  std::optional<ReductionKind> kind = getReductionKind(op.getBody());
  if (op.getInputs().size() != 1 || !kind)
    return rule;
  for (DimMapping &dim : rule.operands[0].dims) {
    if (!dim.window || dim.window->size <= 1)
      continue;
    int64_t windows = rule.factors[dim.factors[0]].size;
    bool first = dim.window->size > windows;
    Factor taps;
    taps.size = dim.window->size;
    taps.kind = FactorKind::Reduction;
    taps.reduction = kind;
    rule.factors.push_back(taps);
    dim.factors.insert(first ? dim.factors.begin() : dim.factors.end(),
                       rule.factors.size() - 1);
  }
  return rule;
}

//===----------------------------------------------------------------------===//
// select_and_scatter
//===----------------------------------------------------------------------===//

/// Source element i belongs to window i of the operand; what is selected there
/// is added to the result, which has the operand's shape.
ShardingRule selectAndScatterRule(SelectAndScatterOp op) {
  ArrayRef<int64_t> operand = shapeOf(op.getOperand());
  ArrayRef<int64_t> source = shapeOf(op.getSource());
  SmallVector<int64_t> low = lowPadding(op.getPadding(), operand.size());
  RuleBuilder builder(op);
  for (auto [d, size] : llvm::enumerate(source)) {
    builder.addEverywhere(d, size);
    WindowMap window;
    window.size = at(op.getWindowDimensions(), d, 1);
    window.stride = at(op.getWindowStrides(), d, 1);
    window.offset = -low[d];
    if (window.isIdentity() && operand[d] == size)
      continue;
    builder.last().kind = FactorKind::Window;
    builder.setWindow(0, d, window).setResultWindow(0, d, window);
  }
  if (getReductionKind(op.getScatter()) == ReductionKind::Add)
    builder.passPartial(kAdd, {1, 2});
  return builder.build();
}

//===----------------------------------------------------------------------===//
// sort
//===----------------------------------------------------------------------===//

/// Shardings pass along the sorted dimension only if there is another one that
/// they could move to.
ShardingRule sortRule(SortOp op) {
  ArrayRef<int64_t> shape = shapeOf(op.getInputs()[0]);
  int64_t rank = shape.size();
  int64_t sorted = op.getDimension();
  if (sorted < 0)
    sorted += rank;
  bool hasBatch = false;
  for (int64_t d = 0; d < rank; ++d)
    hasBatch |= d != sorted && shape[d] > 1;
  RuleBuilder builder(op);
  for (int64_t d = 0; d < rank; ++d) {
    builder.addEverywhere(d, shape[d],
                          d == sorted ? FactorKind::Ordered
                                      : FactorKind::PassThrough);
    builder.last().blocked = d == sorted && !hasBatch;
  }
  return builder.build();
}

//===----------------------------------------------------------------------===//
// batch_norm
//===----------------------------------------------------------------------===//

/// Tensors of the input's rank share all dimensions, those of rank 1 the
/// feature dimension. Statistics mix all but the feature dimension.
ShardingRule batchNorm(Operation *op, int64_t feature, bool mixes) {
  ArrayRef<int64_t> shape = shapeOf(op->getOperand(0));
  int64_t rank = shape.size();
  RuleBuilder builder(op);
  for (int64_t d = 0; d < rank; ++d) {
    int64_t factor = builder.createFactor(
        shape[d], d != feature && mixes ? FactorKind::NeedReplication
                                        : FactorKind::PassThrough);
    auto dimOf = [&](Value value) {
      if (rankOf(value) == rank && (rank > 1 || value == op->getOperand(0)))
        return d;
      return d == feature ? int64_t(0) : kNone;
    };
    for (auto [i, operand] : llvm::enumerate(op->getOperands()))
      if (int64_t dim = dimOf(operand); dim != kNone)
        builder.mapOperand(i, dim, factor);
    for (auto [i, result] : llvm::enumerate(op->getResults()))
      if (int64_t dim = dimOf(result); dim != kNone)
        builder.mapResult(i, dim, factor);
  }
  return builder.build();
}
ShardingRule batchNormInferenceRule(BatchNormInferenceOp op) {
  return batchNorm(op, op.getFeatureIndex(), /*mixes=*/false);
}
ShardingRule batchNormTrainingRule(BatchNormTrainingOp op) {
  return batchNorm(op, op.getFeatureIndex(), /*mixes=*/true);
}
ShardingRule batchNormGradRule(BatchNormGradOp op) {
  return batchNorm(op, op.getFeatureIndex(), /*mixes=*/true);
}

} // namespace

ShardingRule reduceWindowFormRule(ReduceWindowOp op) {
  return reduceWindowForms(op);
}

void attachReduction(MLIRContext *context) {
  attach<ReduceOp, reduceRule>(context);
  attach<ReduceWindowOp, reduceWindowRule>(context);
  attach<SelectAndScatterOp, selectAndScatterRule>(context);
  attach<SortOp, sortRule>(context);
  attach<BatchNormInferenceOp, batchNormInferenceRule>(context);
  attach<BatchNormTrainingOp, batchNormTrainingRule>(context);
  attach<BatchNormGradOp, batchNormGradRule>(context);
}

} // namespace shoal::rules
