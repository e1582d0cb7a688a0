// Windows with static places: slice, pad, reverse, concatenate, and the
// dynamic forms of slicing, whose places are data.
#include "Models.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace mlir::stablehlo;

namespace shoal::rules {
namespace {

//===----------------------------------------------------------------------===//
// slice
//===----------------------------------------------------------------------===//

ShardingRule sliceRule(SliceOp op) {
  ArrayRef<int64_t> in = shapeOf(op.getOperand()), out = shapeOf(op.getResult());
  RuleBuilder builder(op);
  for (auto [d, size] : llvm::enumerate(in)) {
    bool whole = size == out[d];
    builder.add({int64_t(d)}, {int64_t(d)}, size,
                whole ? FactorKind::PassThrough : FactorKind::Window);
    if (whole)
      continue;
    WindowMap window;
    window.stride = op.getStrides()[d];
    window.offset = op.getStartIndices()[d];
    builder.setWindow(0, d, window);
  }
  return builder.movesData({0}).build();
}

//===----------------------------------------------------------------------===//
// pad
//===----------------------------------------------------------------------===//

ShardingRule padRule(PadOp op) {
  ArrayRef<int64_t> in = shapeOf(op.getOperand()), out = shapeOf(op.getResult());
  RuleBuilder builder(op);
  for (auto [d, size] : llvm::enumerate(in)) {
    int64_t low = op.getEdgePaddingLow()[d], high = op.getEdgePaddingHigh()[d];
    int64_t interior = op.getInteriorPadding()[d];
    builder.add({int64_t(d), kNone}, {int64_t(d)}, size,
                size == out[d] ? FactorKind::PassThrough : FactorKind::Window);
    // Sizes may agree although elements shift: low = 1, high = -1.
    if (!low && !high && (!interior || size <= 1))
      continue;
    builder.last().kind = FactorKind::Window;
    WindowMap window;
    window.offset = -low;
    window.baseDilation = interior + 1;
    builder.setWindow(0, d, window);
  }
  return builder.movesData({0, 1}).build();
}

ShardingRule dynamicPadRule(DynamicPadOp op) {
  ArrayRef<int64_t> in = shapeOf(op.getOperand()), out = shapeOf(op.getResult());
  RuleBuilder builder(op);
  for (auto [d, size] : llvm::enumerate(in)) {
    // Where sizes differ, places are data.
    int64_t factor = builder.createFactor(
        size, size == out[d] ? FactorKind::PassThrough : FactorKind::Indexed);
    builder.mapOperand(0, d, factor);
    if (size == out[d])
      builder.mapResult(0, d, factor);
  }
  return builder.movesData({0, 1}).build();
}

//===----------------------------------------------------------------------===//
// reverse
//===----------------------------------------------------------------------===//

ShardingRule reverseRule(ReverseOp op) {
  RuleBuilder builder(op);
  for (auto [d, size] : llvm::enumerate(shapeOf(op.getOperand()))) {
    bool reversed = llvm::is_contained(op.getDimensions(), int64_t(d));
    builder.add({int64_t(d)}, {int64_t(d)}, size,
                reversed ? FactorKind::Window : FactorKind::PassThrough);
    if (!reversed)
      continue;
    WindowMap window;
    window.stride = -1;
    window.offset = size - 1;
    builder.setWindow(0, d, window);
  }
  return builder.movesData({0}).build();
}

//===----------------------------------------------------------------------===//
// concatenate
//===----------------------------------------------------------------------===//

ShardingRule concatenateRule(ConcatenateOp op) {
  int64_t dim = op.getDimension();
  RuleBuilder builder(op);
  builder.addPointwise(shapeOf(op.getResult()), [&](int64_t d) {
    return d == dim ? FactorKind::Window : FactorKind::PassThrough;
  });
  int64_t start = 0;
  SmallVector<int64_t> all;
  for (auto [i, input] : llvm::enumerate(op.getInputs())) {
    WindowMap window;
    window.offset = -start;
    builder.setWindow(i, dim, window);
    start += shapeOf(input)[dim];
    all.push_back(i);
  }
  return builder.movesData(all).build();
}

//===----------------------------------------------------------------------===//
// dynamic_slice, dynamic_update_slice, real_dynamic_slice
//===----------------------------------------------------------------------===//

ShardingRule dynamicSliceRule(DynamicSliceOp op) {
  ArrayRef<int64_t> in = shapeOf(op.getOperand()), out = shapeOf(op.getResult());
  RuleBuilder builder(op);
  for (auto [d, size] : llvm::enumerate(in)) {
    int64_t factor = builder.createFactor(size);
    builder.mapOperand(0, d, factor);
    if (size == out[d])
      builder.mapResult(0, d, factor);
    else
      builder.last().kind = FactorKind::Indexed;
  }
  return builder.movesData({0}).build();
}

/// Where the update covers the dimension, it starts at 0 (starts are clamped).
ShardingRule dynamicUpdateSliceRule(DynamicUpdateSliceOp op) {
  ArrayRef<int64_t> in = shapeOf(op.getOperand());
  ArrayRef<int64_t> update = shapeOf(op.getUpdate());
  RuleBuilder builder(op);
  for (auto [d, size] : llvm::enumerate(in)) {
    int64_t factor = builder.createFactor(size);
    builder.mapOperand(0, d, factor).mapResult(0, d, factor);
    if (size == update[d])
      builder.mapOperand(1, d, factor);
    else
      builder.last().kind = FactorKind::Indexed;
    // Where the update goes is not known: whoever owns the place needs it.
    if (size != update[d])
      builder.mapOperand(
          1, d, builder.createFactor(update[d], FactorKind::NeedReplication));
  }
  return builder.movesData({0, 1}).build();
}

ShardingRule realDynamicSliceRule(RealDynamicSliceOp op) {
  ArrayRef<int64_t> in = shapeOf(op.getOperand()), out = shapeOf(op.getResult());
  RuleBuilder builder(op);
  for (auto [d, size] : llvm::enumerate(in)) {
    int64_t factor = builder.createFactor(size);
    builder.mapOperand(0, d, factor);
    // Equal sizes may still be strided backwards in theory; strides are
    // positive, so they are the whole dimension.
    if (size == out[d])
      builder.mapResult(0, d, factor);
    else
      builder.last().kind = FactorKind::Indexed;
  }
  return builder.movesData({0}).build();
}

} // namespace

void attachSlicing(MLIRContext *context) {
  attach<SliceOp, sliceRule>(context);
  attach<PadOp, padRule>(context);
  attach<DynamicPadOp, dynamicPadRule>(context);
  attach<ReverseOp, reverseRule>(context);
  attach<ConcatenateOp, concatenateRule>(context);
  attach<DynamicSliceOp, dynamicSliceRule>(context);
  attach<DynamicUpdateSliceOp, dynamicUpdateSliceRule>(context);
  attach<RealDynamicSliceOp, realDynamicSliceRule>(context);
}

} // namespace shoal::rules
