// StableHLO's own collectives. They stand inside shoal.manual and move data
// along manual axes; along the free axes they are elementwise.
#include "Models.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace mlir::stablehlo;

namespace shoal::rules {
namespace {

/// Each operand goes with its own result.
ShardingRule paired(Operation *op) {
  RuleBuilder builder(op);
  if (op->getNumOperands() != op->getNumResults())
    return unrelated(op);
  // Operands of one shape share their factors, as all of them are sharded
  // alike in practice; others get theirs.
  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    auto same = [&](size_t j) {
      return shapeOf(op->getResult(j)) == shapeOf(result) &&
             shapeOf(op->getOperand(j)) == shapeOf(op->getOperand(i));
    };
    bool first = true;
    for (size_t j = 0; j < i; ++j)
      first &= !same(j);
    if (!first)
      continue;
    for (auto [d, size] : llvm::enumerate(shapeOf(result))) {
      int64_t factor = builder.createFactor(size);
      for (size_t j = i; j < op->getNumResults(); ++j)
        if (same(j))
          builder.mapOperand(j, d, factor).mapResult(j, d, factor);
    }
  }
  return builder.build();
}

/// Sums over devices are linear: what is partial over free axes stays so.
ShardingRule allReduceRule(AllReduceOp op) {
  ShardingRule rule = paired(op);
  if (auto kind = getReductionKind(op.getComputation()))
    for (int64_t i = 0; i < int64_t(op->getNumOperands()); ++i)
      if (op->getNumOperands() == 1)
        rule.partial.push_back(PartialPass{kindBit(*kind), {i}});
  return rule;
}

ShardingRule moving(Operation *op) {
  ShardingRule rule = paired(op);
  if (op->getNumOperands() == 1)
    rule.partial.push_back(PartialPass{kAnyKind, {0}});
  return rule;
}

} // namespace

void attachCollective(MLIRContext *context) {
  attachAll<moving, AllGatherOp, AllToAllOp, CollectiveBroadcastOp,
            CollectivePermuteOp>(context);
  attachAll<paired, CrossReplicaSumOp, ReduceScatterOp>(context);
  attach<AllReduceOp, allReduceRule>(context);
  attachAll<unrelated, PartitionIdOp, ReplicaIdOp>(context);
}

} // namespace shoal::rules
