#ifndef SHOAL_LIB_FUSE_SELECTFORSCATTER_H
#define SHOAL_LIB_FUSE_SELECTFORSCATTER_H

#include "mlir/IR/Operation.h"

namespace shoal {

/// Scatters into constants with at most one update for each element become
/// elementwise ops.
void selectForScatter(mlir::Operation *function);

} // namespace shoal

#endif // SHOAL_LIB_FUSE_SELECTFORSCATTER_H
