// What may be computed twice.
#ifndef SHOAL_LIB_SCHEDULE_REPEATABLE_H
#define SHOAL_LIB_SCHEDULE_REPEATABLE_H

#include "mlir/IR/Operation.h"

namespace shoal {

/// True if doing the op again, on the same operands, gives the same results and
/// does nothing else. Ops with regions only if `regions`.
bool isRepeatable(mlir::Operation *op, bool regions);

/// Replaces optimization barriers by their operands: they keep what is computed
/// again apart from what it repeats until kernels are made, and from there on
/// only tie together what is independent.
void removeBarriers(mlir::Operation *root);

} // namespace shoal

#endif // SHOAL_LIB_SCHEDULE_REPEATABLE_H
