// Sub-axes that exclude one another.
#ifndef SHOAL_LIB_PROPAGATE_SUBAXES_H
#define SHOAL_LIB_PROPAGATE_SUBAXES_H

#include "mlir/IR/BuiltinOps.h"

namespace shoal::propagate {

/// Later stages see an axis as one sequence of parts, so "a":(1)2 and "a":(1)3
/// of an axis of 6 cannot both be used. Of such sub-axes the first one stays,
/// those of arguments, results and constraints before others; the other
/// shardings lose theirs (with a remark where the user wrote them).
void settleSubAxes(mlir::ModuleOp module);

} // namespace shoal::propagate

#endif // SHOAL_LIB_PROPAGATE_SUBAXES_H
