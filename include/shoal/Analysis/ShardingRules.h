// Sharding rules of the ops that other dialects define.
#ifndef SHOAL_ANALYSIS_SHARDINGRULES_H
#define SHOAL_ANALYSIS_SHARDINGRULES_H

namespace mlir {
class DialectRegistry;
}

namespace shoal {

/// Gives the ops of StableHLO and CHLO their ShardableOpInterface, as external
/// models that load with the dialects.
void registerShardingRules(mlir::DialectRegistry &registry);

/// The test pass shoal-test-print-rules: sets every op's rule on it.
void registerTestPrintRulesPass();

} // namespace shoal

#endif // SHOAL_ANALYSIS_SHARDINGRULES_H
