// Values that are cheaper made again than moved.
#ifndef SHOAL_LIB_PROPAGATE_CHEAPVALUES_H
#define SHOAL_LIB_PROPAGATE_CHEAPVALUES_H

#include "mlir/IR/Value.h"

namespace shoal::propagate {

/// True if each use of the value may be a copy of its own: constants, iota,
/// scalars broadcast, and what is computed from those alone.
bool isCheapToCopy(mlir::Value value);

} // namespace shoal::propagate

#endif // SHOAL_LIB_PROPAGATE_CHEAPVALUES_H
