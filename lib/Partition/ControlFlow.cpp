// Loops, branches and manual regions.

#include "Partitioner.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

LogicalResult Partitioner::partitionRegion(Region &from, Region &into,
                                           ArrayRef<PlacementState> args,
                                           ArrayRef<PlacementState> yields,
                                           LocalBuilder &outer) {
  if (from.empty())
    return success();
  Block *block = new Block;
  into.push_back(block);
  Block &old = from.front();
  reshards.emplace_back();
  for (auto [i, arg] : llvm::enumerate(old.getArguments())) {
    PlacementState state =
        i < args.size() ? args[i]
                        : PlacementState::replicated(shapeOf(arg.getType()));
    Value local =
        block->addArgument(localType(arg.getType(), state), arg.getLoc());
    set(arg, local, state);
  }
  LocalBuilder b(block, mesh);
  LogicalResult result = partitionBlock(old, b);
  if (succeeded(result)) {
    Operation *end = old.getTerminator();
    SmallVector<Value> operands;
    for (auto [i, value] : llvm::enumerate(end->getOperands())) {
      PlacementState want =
          i < yields.size()
              ? yields[i]
              : PlacementState::replicated(shapeOf(value.getType()));
      operands.push_back(get(value, want, end, b));
    }
    Operation *clone = end->clone();
    clone->setOperands(operands);
    b.insert(clone);
  }
  reshards.pop_back();
  return result;
}

LogicalResult Partitioner::partitionWhile(Operation *op, LocalBuilder &b) {
  SmallVector<PlacementState> carried;
  SmallVector<Value> inits;
  SmallVector<Type> types;
  for (unsigned i = 0; i < op->getNumResults(); ++i) {
    carried.push_back(resultState(op, i));
    inits.push_back(get(op->getOperand(i), carried.back(), op, b));
    types.push_back(inits.back().getType());
  }
  OperationState state(op->getLoc(), op->getName(), inits, types,
                       op->getAttrs());
  state.attributes.erase(ShoalDialect::kShardingsAttr);
  state.attributes.erase(ShoalDialect::kFormAttr);
  for (unsigned i = 0; i < op->getNumRegions(); ++i)
    state.addRegion();
  Operation *loop = b.create(state);
  auto whileOp = cast<sh::WhileOp>(op);
  // The condition yields a scalar that all devices have.
  if (failed(partitionRegion(whileOp.getCond(), loop->getRegion(0), carried, {},
                             b)) ||
      failed(partitionRegion(whileOp.getBody(), loop->getRegion(1), carried,
                             carried, b)))
    return failure();
  for (unsigned i = 0; i < op->getNumResults(); ++i)
    set(op->getResult(i), loop->getResult(i), carried[i]);
  return success();
}

LogicalResult Partitioner::partitionBranches(Operation *op, LocalBuilder &b) {
  SmallVector<PlacementState> results;
  SmallVector<Type> types;
  for (unsigned i = 0; i < op->getNumResults(); ++i) {
    results.push_back(resultState(op, i));
    types.push_back(localType(op->getResult(i).getType(), results.back()));
  }
  Value index = op->getOperand(0);
  index =
      get(index, PlacementState::replicated(shapeOf(index.getType())), op, b);
  OperationState state(op->getLoc(), op->getName(), {index}, types,
                       op->getAttrs());
  state.attributes.erase(ShoalDialect::kShardingsAttr);
  state.attributes.erase(ShoalDialect::kFormAttr);
  for (unsigned i = 0; i < op->getNumRegions(); ++i)
    state.addRegion();
  Operation *branch = b.create(state);
  for (unsigned i = 0; i < op->getNumRegions(); ++i)
    if (failed(partitionRegion(op->getRegion(i), branch->getRegion(i), {},
                               results, b)))
      return failure();
  for (unsigned i = 0; i < op->getNumResults(); ++i)
    set(op->getResult(i), branch->getResult(i), results[i]);
  return success();
}

/// The body already is what one device does along the manual axes: it is
/// inlined, its values placed over the free axes only.
LogicalResult Partitioner::partitionManual(Operation *op, LocalBuilder &b) {
  auto manual = cast<ManualOp>(op);
  Block &body = manual.getBody().front();
  for (auto [i, input] : llvm::enumerate(manual.getInputs())) {
    PlacementState outside =
        mesh.toPlacement(manual.getInSharding(i), input.getType());
    Value local = get(input, outside, op, b);
    Value arg = body.getArgument(i);
    set(arg, local,
        mesh.toPlacement(manual.getFreeSharding(manual.getInSharding(i)),
                         arg.getType()));
  }
  if (failed(partitionBlock(body, b)))
    return failure();
  Operation *end = body.getTerminator();
  for (auto [i, value] : llvm::enumerate(end->getOperands())) {
    ShardingAttr sharding = manual.getOutSharding(i);
    Value local =
        get(value,
            mesh.toPlacement(manual.getFreeSharding(sharding), value.getType()),
            end, b);
    Value result = op->getResult(i);
    set(result, local, mesh.toPlacement(sharding, result.getType()));
  }
  return success();
}
