// Collectives of one device.
#include "LoneCollectives.h"

#include "dialects/Shoal/ShardingRule.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace shoal;

/// Largest group of a table of device ids.
static int64_t getLargestGroup(Attribute attr) {
  // By mesh axes: one, unless an axis is longer.
  if (auto axes =
          dyn_cast_if_present<stablehlo::ReplicaGroupMeshAxesAttr>(attr))
    return axes.getAxes().empty() ? 1 : 2;
  auto table = dyn_cast_if_present<DenseIntElementsAttr>(attr);
  if (!table || cast<ShapedType>(table.getType()).getRank() != 2)
    return 1;
  int64_t width = cast<ShapedType>(table.getType()).getDimSize(1);
  int64_t largest = 0, index = 0, count = 0;
  for (const APInt &id : table.getValues<APInt>()) {
    count = index++ % width == 0 ? 0 : count;
    count += !id.isNegative();
    largest = std::max(largest, count);
  }
  return std::max<int64_t>(largest, 1);
}

Value shoal::createZeros(OpBuilder &builder, Location loc, Type type) {
  auto tensor = cast<RankedTensorType>(type);
  Type element = tensor.getElementType();
  if (!element.isIntOrFloat() && !isa<ComplexType>(element))
    return {};
  return stablehlo::ConstantOp::create(builder, loc,
                                       getFiller(element).resizeSplat(tensor));
}

LogicalResult shoal::importLoneCollective(Operation *op) {
  OpBuilder builder(op);
  if (isa<stablehlo::PartitionIdOp, stablehlo::ReplicaIdOp>(op)) {
    // A program for several devices keeps its id.
    auto module = op->getParentOfType<ModuleOp>();
    auto count = module->getAttrOfType<IntegerAttr>("mhlo.num_partitions");
    if (count && count.getInt() > 1 && isa<stablehlo::PartitionIdOp>(op))
      return success();
    op->getResult(0).replaceAllUsesWith(
        createZeros(builder, op->getLoc(), op->getResult(0).getType()));
    op->erase();
    return success();
  }
  SmallVector<Value> results(op->getOperands());
  if (auto permute = dyn_cast<stablehlo::CollectivePermuteOp>(op)) {
    auto pairs = permute.getSourceTargetPairs();
    for (const APInt &id : pairs.getValues<APInt>())
      if (!id.isZero())
        return op->emitError("sends between devices outside a manual region; "
                             "put it into an sdy.manual_computation");
    if (pairs.empty())
      results[0] = createZeros(builder, op->getLoc(), permute.getType());
  } else if (getLargestGroup(op->getAttr("replica_groups")) > 1) {
    return op->emitError("exchanges data between devices outside a manual "
                         "region; put it into an sdy.manual_computation");
  }
  for (auto [result, old] : llvm::zip(results, op->getResults()))
    if (!result || result.getType() != old.getType())
      return op->emitError("changes its operand's type on one device");
  op->replaceAllUsesWith(results);
  op->erase();
  return success();
}

LogicalResult shoal::inlineAsyncOps(Operation *root) {
  SmallVector<stablehlo::AsyncStartOp> starts;
  root->walk([&](stablehlo::AsyncStartOp op) { starts.push_back(op); });
  for (stablehlo::AsyncStartOp start : starts) {
    Value future = start->getResult(0);
    for (Operation *user : future.getUsers())
      if (!isa<stablehlo::AsyncDoneOp>(user))
        return start.emitError("its future may only be waited for by an "
                               "async_done of the same block");
    Block &body = start.getBody().front();
    for (auto [argument, operand] :
         llvm::zip(body.getArguments(), start->getOperands()))
      argument.replaceAllUsesWith(operand);
    Operation *terminator = body.getTerminator();
    SmallVector<Value> results(terminator->getOperands());
    terminator->erase();
    start->getBlock()->getOperations().splice(Block::iterator(start),
                                              body.getOperations());
    for (Operation *done : llvm::make_early_inc_range(future.getUsers())) {
      if (done->getNumResults() != results.size())
        return done->emitError("gives ") << done->getNumResults() << " of "
                                         << results.size() << " values";
      done->replaceAllUsesWith(results);
      done->erase();
    }
    start->erase();
  }
  return success();
}
