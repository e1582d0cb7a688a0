// Sharding rules of the ops that other dialects define.
#ifndef SHOAL_ANALYSIS_SHARDINGRULES_H
#define SHOAL_ANALYSIS_SHARDINGRULES_H

#include "dialects/Shoal/ShardingRule.h"

namespace mlir {
class DialectRegistry;
}

namespace shoal {

/// The rule that forms of the op follow: as getShardingRule, but the factors of
/// windows count the parts of the result, and a window's taps are a factor of
/// their own (Shardy's rule has only what its sizes let axes pass along).
std::optional<ShardingRule> getFormRule(mlir::Operation *op);

/// Gives the ops of StableHLO and CHLO their ShardableOpInterface, as external
/// models that load with the dialects.
void registerShardingRules(mlir::DialectRegistry &registry);

/// The test pass shoal-test-print-rules: sets every op's rule on it.
void registerTestPrintRulesPass();

} // namespace shoal

#endif // SHOAL_ANALYSIS_SHARDINGRULES_H
