#include "UniformValues.h"

#include "dialects/Shoal/Axes.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace shoal {

UniformValues::UniformValues(func::FuncOp func, comm::GroupsAttr groups)
    : groups(groups), mesh(groups.getMesh(func)) {
  for (BlockArgument argument : func.getArguments()) {
    auto sharding = func.getArgAttrOfType<ShardingAttr>(argument.getArgNumber(),
                                                        "shoal.sharding");
    // Without one, nobody has said that it is the same everywhere.
    bool isCut = !sharding || sharding.getMesh(func) != mesh;
    if (!isCut)
      for (DimShardingAttr dim : sharding.getDims())
        isCut |= axesOverlap(dim.getAxes(), groups.getAxes(), mesh);
    if (isCut)
      varying.insert(argument);
  }
  visit(func.getBody().front());
}

bool UniformValues::isReachedTogether(Operation *op) const {
  for (Operation *parent = op->getParentOp(); parent;
       parent = parent->getParentOp())
    if (divergent.contains(parent))
      return false;
  return true;
}

/// How another collective's groups lie to these: devices of one group take
/// corresponding parts in groups apart from each other; are all in one; or
/// neither.
UniformValues::Relation UniformValues::relationTo(comm::GroupsAttr other,
                                                  Operation *op) const {
  if (other.isTable() || other.getMesh(op) != mesh)
    return Relation::Overlapping;
  if (!axesOverlap(other.getAxes(), groups.getAxes(), mesh))
    return Relation::Apart;
  bool isAround = llvm::all_of(groups.getAxes(), [&](AxisRefAttr mine) {
    return llvm::any_of(other.getAxes(), [&](AxisRefAttr axis) {
      return axis.contains(mine, mesh);
    });
  });
  return isAround ? Relation::Around : Relation::Overlapping;
}

/// Whether results may differ although operands do not.
bool UniformValues::makesVarying(Operation *op) const {
  if (isa<sh::RngOp, comm::RecvOp, comm::StartOp, comm::DoneOp>(op))
    return true;
  if (auto index = dyn_cast<comm::AxisIndexOp>(op))
    return relationTo(index.getGroups(), op) != Relation::Apart;
  if (auto slice = dyn_cast<comm::AllSliceOp>(op))
    return relationTo(slice.getGroups(), op) != Relation::Apart;
  if (auto collective = dyn_cast<comm::CollectiveOpInterface>(op))
    return relationTo(collective.getCollectiveGroups(), op) != Relation::Apart;
  return !isa_and_nonnull<sh::StablehloDialect>(op->getDialect()) ||
         !isMemoryEffectFree(op);
}

bool UniformValues::visit(Operation &op) {
  bool changed = false;
  auto pass = [&](Value from, Value to) {
    if (varying.contains(from))
      changed |= vary(to);
  };
  if (auto loop = dyn_cast<sh::WhileOp>(op)) {
    Block &body = loop.getBody().front(), &cond = loop.getCond().front();
    Operation *yield = body.getTerminator();
    for (bool again = true; again;) {
      again = false;
      for (unsigned i = 0; i < op.getNumResults(); ++i)
        for (Value from : {op.getOperand(i), yield->getOperand(i)})
          for (Value to : {Value(body.getArgument(i)),
                           Value(cond.getArgument(i)), Value(op.getResult(i))})
            if (varying.contains(from))
              again |= vary(to);
      again |= visit(cond);
      // Who goes around more often has seen other values.
      if (varying.contains(cond.getTerminator()->getOperand(0))) {
        again |= divergent.insert(&op).second;
        for (Value result : op.getResults())
          again |= vary(result);
      }
      again |= visit(body);
      changed |= again;
    }
    return changed;
  }
  if (isa<sh::IfOp, sh::CaseOp>(op)) {
    bool splits = varying.contains(op.getOperand(0));
    if (splits)
      changed |= divergent.insert(&op).second;
    for (Region &region : op.getRegions()) {
      changed |= visit(region.front());
      for (auto [value, result] :
           llvm::zip_equal(region.front().getTerminator()->getOperands(),
                           op.getResults())) {
        pass(value, result);
        if (splits)
          changed |= vary(result);
      }
    }
    return changed;
  }
  if (isa<sh::OptimizationBarrierOp>(op)) {
    for (auto [operand, result] :
         llvm::zip_equal(op.getOperands(), op.getResults()))
      pass(operand, result);
    return changed;
  }
  // What comes from everyone is the same for everyone, whatever went in.
  if (isa<comm::AllReduceOp, comm::AllGatherOp, comm::BroadcastOp>(op)) {
    auto collective = cast<comm::CollectiveOpInterface>(op);
    if (relationTo(collective.getCollectiveGroups(), &op) == Relation::Around)
      return changed;
  }
  bool varies =
      makesVarying(&op) || llvm::any_of(op.getOperands(), [&](Value operand) {
        return varying.contains(operand);
      });
  if (!varies && op.getNumRegions()) {
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op.getRegions(), captured);
    varies = llvm::any_of(captured,
                          [&](Value value) { return varying.contains(value); });
  }
  if (varies)
    for (Value result : op.getResults())
      changed |= vary(result);
  return changed;
}

bool UniformValues::visit(Block &block) {
  bool changed = false;
  for (Operation &op : block)
    changed |= visit(op);
  return changed;
}

} // namespace shoal
