#ifndef SHOAL_LIB_FUSE_REMATERIALIZE_H
#define SHOAL_LIB_FUSE_REMATERIALIZE_H

#include "mlir/IR/Block.h"

namespace shoal {

/// Computes cheap elementwise values again at far uses where their operands are
/// in memory anyway, so that they are not kept in between.
void rematerialize(mlir::Block &block);

} // namespace shoal

#endif // SHOAL_LIB_FUSE_REMATERIALIZE_H
