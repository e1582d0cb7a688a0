// Where the rule that forms follow says more than the one that shardings
// propagate by.
#include "Models.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/ShardingRules.h"

using namespace mlir;

namespace shoal {

std::optional<ShardingRule> getFormRule(Operation *op) {
  std::optional<ShardingRule> rule = getShardingRule(op);
  if (!rule || rule->custom || hasUserRule(op))
    return rule;
  if (auto conv = dyn_cast<stablehlo::ConvolutionOp>(op))
    rule = rules::convolutionFormRule(conv);
  else if (auto reduce = dyn_cast<stablehlo::ReduceWindowOp>(op))
    rule = rules::reduceWindowFormRule(reduce);
  // Parts of a window factor are parts of the result, whatever sizes its sides
  // have.
  for (auto [result, value] : llvm::zip(rule->results, op->getResults())) {
    auto type = dyn_cast<ShapedType>(value.getType());
    if (!type || !type.hasRank())
      continue;
    for (auto [dim, size] : llvm::zip(result.dims, type.getShape()))
      for (int64_t f : dim.factors)
        if (rule->factors[f].kind == FactorKind::Window)
          rule->factors[f].size = size;
  }
  return rule;
}

} // namespace shoal
