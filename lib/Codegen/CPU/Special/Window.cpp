#include "Window.h"

using namespace mlir;

namespace shoal::cpu {

SmallVector<WindowDim>
getWindow(ArrayRef<int64_t> shape, ArrayRef<int64_t> window,
          std::optional<ArrayRef<int64_t>> strides,
          std::optional<DenseIntElementsAttr> padding,
          std::optional<ArrayRef<int64_t>> baseDilations,
          std::optional<ArrayRef<int64_t>> windowDilations) {
  SmallVector<WindowDim> dims(shape.size());
  SmallVector<int64_t> pads;
  if (padding && *padding)
    for (const llvm::APInt &pad : padding->getValues<llvm::APInt>())
      pads.push_back(pad.getSExtValue());
  for (auto [d, dim] : llvm::enumerate(dims)) {
    dim.array = shape[d];
    if (!window.empty())
      dim.window = window[d];
    if (strides && !strides->empty())
      dim.stride = (*strides)[d];
    if (!pads.empty()) {
      dim.padLow = pads[2 * d];
      dim.padHigh = pads[2 * d + 1];
    }
    if (baseDilations && !baseDilations->empty())
      dim.baseDilation = (*baseDilations)[d];
    if (windowDilations && !windowDilations->empty())
      dim.windowDilation = (*windowDilations)[d];
  }
  return dims;
}

WindowPosition locate(ElementEmitter &e, const WindowDim &dim,
                      const IndexExpr &output, const IndexExpr &window) {
  IRBuilder &ir = e.ir();
  IndexExpr w = dim.reversed ? IndexExpr(dim.window - 1) - window : window;
  IndexExpr position =
      output * dim.stride + w * dim.windowDilation - IndexExpr(dim.padLow);
  int64_t extent = dim.array == 0 ? 0 : (dim.array - 1) * dim.baseDilation + 1;
  llvm::Value *inside = nullptr;
  if (position.getLower() < 0 || position.getUpper() >= extent)
    inside = e.inBounds(position, extent);
  if (dim.baseDilation == 1)
    return {position, inside};
  // Outside the position may be negative; what is made of it is not used.
  llvm::Value *at = e.value(position);
  llvm::Value *by = ir.getInt64(dim.baseDilation);
  llvm::Value *onElement =
      ir.CreateICmpEQ(ir.CreateURem(at, by), ir.getInt64(0));
  inside = inside ? ir.CreateAnd(inside, onElement) : onElement;
  return {e.expr(ir.CreateUDiv(at, by), 0, std::max<int64_t>(dim.array, 1) - 1),
          inside};
}

WindowIndex locate(ElementEmitter &e, ArrayRef<WindowDim> dims,
                   ArrayRef<IndexExpr> output, ArrayRef<IndexExpr> window) {
  WindowIndex result;
  for (unsigned d = 0; d < dims.size(); ++d) {
    WindowPosition position = locate(e, dims[d], output[d], window[d]);
    result.index.push_back(position.index);
    if (!position.inside)
      continue;
    result.inside = result.inside
                        ? e.ir().CreateAnd(result.inside, position.inside)
                        : position.inside;
  }
  return result;
}

WindowRange outputsInside(ElementEmitter &e, const WindowDim &dim,
                          int64_t outputs, const IndexExpr &window) {
  // 0 <= output * stride + offset < array
  IRBuilder &ir = e.ir();
  IndexExpr w = dim.reversed ? IndexExpr(dim.window - 1) - window : window;
  WindowRange range = {ir.getInt64(0), ir.getInt64(outputs),
                       w * dim.windowDilation - IndexExpr(dim.padLow)};
  auto clamp = [&](llvm::Value *bound) {
    bound =
        ir.CreateBinaryIntrinsic(llvm::Intrinsic::smax, bound, ir.getInt64(0));
    return ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, bound,
                                    ir.getInt64(outputs));
  };
  // Quotients rounded up; the dividends are above -stride, or clamped.
  llvm::Value *stride = ir.getInt64(dim.stride);
  if (range.offset.getLower() < 0)
    range.low = clamp(ir.CreateSDiv(
        e.value(IndexExpr(dim.stride - 1) - range.offset), stride));
  if (range.offset.getUpper() + (outputs - 1) * dim.stride >= dim.array)
    range.high = clamp(ir.CreateSDiv(
        e.value(IndexExpr(dim.array + dim.stride - 1) - range.offset), stride));
  return range;
}

RunningWindow findRunning(ArrayRef<WindowDim> dims) {
  RunningWindow running;
  for (auto [d, dim] : llvm::enumerate(dims)) {
    if (dim.isTrivial())
      continue;
    int64_t all = dim.window - 1;
    bool prefix = dim.padLow == all && dim.padHigh == 0;
    bool suffix = dim.padLow == 0 && dim.padHigh == all;
    if (running.dim >= 0 || dim.stride != 1 || dim.baseDilation != 1 ||
        dim.windowDilation != 1 || dim.window < dim.array ||
        !(prefix || suffix))
      return {};
    running = {int(d), prefix ? 1 : -1};
  }
  return running;
}

} // namespace shoal::cpu
