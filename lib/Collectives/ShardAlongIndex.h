// A function's ops on shards of values that devices hold alike.
#ifndef SHOAL_COLLECTIVES_SHARDALONGINDEX_H
#define SHOAL_COLLECTIVES_SHARDALONGINDEX_H

#include "ShardChoice.h"

namespace shoal {

/// Rewrites the function by the plan. Shards of what is whole are sliced, what
/// is needed whole is gathered once, right after it was made; products and
/// reductions along the index are summed over the devices.
void shardAlongIndex(mlir::func::FuncOp func, const ShardPlan &plan,
                     const IndexClasses &classes);

} // namespace shoal

#endif // SHOAL_COLLECTIVES_SHARDALONGINDEX_H
