// Fourier transforms of several dimensions, one dimension after the other.
#ifndef SHOAL_LIB_FUSE_SPLITTRANSFORMS_H
#define SHOAL_LIB_FUSE_SPLITTRANSFORMS_H

namespace mlir {
class Operation;
} // namespace mlir

namespace shoal {

/// Large transforms of several dimensions of which there are few: along one
/// dimension there are many, which the cores share.
void splitTransforms(mlir::Operation *function);

} // namespace shoal

#endif // SHOAL_LIB_FUSE_SPLITTRANSFORMS_H
