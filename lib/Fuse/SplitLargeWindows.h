// Sliding windows of many elements in fewer steps than elements.
#ifndef SHOAL_LIB_FUSE_SPLITLARGEWINDOWS_H
#define SHOAL_LIB_FUSE_SPLITLARGEWINDOWS_H

namespace mlir {
class Operation;
} // namespace mlir

namespace shoal {

/// Rewrites every reduce_window of `function` for which that is much cheaper:
/// one dimension after the other, and along a dimension by doubling, with
/// which a window of n elements takes log n steps.
void splitLargeWindows(mlir::Operation *function);

} // namespace shoal

#endif // SHOAL_LIB_FUSE_SPLITLARGEWINDOWS_H
