// Which factors of an op's rule partitioning can share among devices.
#ifndef SHOAL_ANALYSIS_CUTTABLE_H
#define SHOAL_ANALYSIS_CUTTABLE_H

#include "dialects/Shoal/ShardingRule.h"

namespace shoal {

/// Whether lib/Partition has a device-local lowering for the op with `factor`
/// cut. Where it has none, choose leaves the factor whole, and operands are
/// gathered (with a remark).
bool isFactorCuttable(mlir::Operation *op, const ShardingRule &rule,
                      int64_t factor);

/// How the devices' parts of the result combine when an operand dimension that
/// is read at places that are data (gather, stretches by dynamic_slice) is cut;
/// nothing for other factors.
std::optional<ReductionKind>
mergeKind(mlir::Operation *op, const ShardingRule &rule, int64_t factor);

/// A reduction whose body only picks among its arguments (argmax and the like):
/// any device's result may be fed to it again, so parts can be reduced apart,
/// gathered and reduced once more.
bool isSelectingReduce(mlir::Operation *op);

} // namespace shoal

#endif // SHOAL_ANALYSIS_CUTTABLE_H
