// Windows that slide over an array: what convolution, reduce_window and
// select_and_scatter share.
#ifndef SHOAL_LIB_CODEGEN_CPU_SPECIAL_WINDOW_H
#define SHOAL_LIB_CODEGEN_CPU_SPECIAL_WINDOW_H

#include "lib/Codegen/CPU/OpEmitter.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <optional>

namespace shoal::cpu {

/// One dimension: window element w of output o looks at position
/// o * stride + w * windowDilation - padLow of the dilated array, in which
/// element i of the array has position i * baseDilation.
struct WindowDim {
  int64_t window = 1, stride = 1, padLow = 0, padHigh = 0;
  int64_t baseDilation = 1, windowDilation = 1;
  bool reversed = false; // element w counts from the end
  int64_t array = 1;     // size of the array

  /// Output o is array element o, and nothing else is looked at.
  bool isTrivial() const {
    return window == 1 && stride == 1 && padLow == 0 && padHigh == 0 &&
           baseDilation == 1;
  }
};

/// One WindowDim per dimension of `shape`; absent attributes have defaults.
llvm::SmallVector<WindowDim>
getWindow(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> window,
          std::optional<llvm::ArrayRef<int64_t>> strides,
          std::optional<mlir::DenseIntElementsAttr> padding,
          std::optional<llvm::ArrayRef<int64_t>> baseDilations = {},
          std::optional<llvm::ArrayRef<int64_t>> windowDilations = {});

/// Where the window looks: the index if `inside` holds (or is null, for
/// always).
struct WindowPosition {
  IndexExpr index;
  llvm::Value *inside = nullptr;
};
WindowPosition locate(ElementEmitter &e, const WindowDim &dim,
                      const IndexExpr &output, const IndexExpr &window);

/// All dimensions at once; `inside` is null if no position is outside.
struct WindowIndex {
  Index index;
  llvm::Value *inside = nullptr;
};
WindowIndex locate(ElementEmitter &e, llvm::ArrayRef<WindowDim> dims,
                   llvm::ArrayRef<IndexExpr> output,
                   llvm::ArrayRef<IndexExpr> window);

/// The outputs [low, high) of `outputs` for which window element `window` lies
/// inside the array, at output * stride + offset; for baseDilation 1.
struct WindowRange {
  llvm::Value *low, *high;
  IndexExpr offset;
};
WindowRange outputsInside(ElementEmitter &e, const WindowDim &dim,
                          int64_t outputs, const IndexExpr &window);

/// The dimension along which windows are prefixes (direction 1) or suffixes
/// (-1) of the array, all others being trivial; -1 if there is none.
struct RunningWindow {
  int dim = -1;
  int direction = 1;
};
RunningWindow findRunning(llvm::ArrayRef<WindowDim> dims);

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_SPECIAL_WINDOW_H
