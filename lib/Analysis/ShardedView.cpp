#include "shoal/Analysis/ShardedView.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "shoal/Analysis/HostScalars.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

std::string shoal::partialStrategy(uint64_t operands) {
  std::string text = "partial(";
  for (unsigned i = 0; i < 64; ++i)
    if (operands >> i & 1)
      text += (text.back() == '(' ? "" : ",") + std::to_string(i);
  return text + ")";
}

PlacementState ShardedView::stateOf(Value value) const {
  if (auto result = dyn_cast<OpResult>(value)) {
    Operation *op = result.getOwner();
    if (auto reshard = dyn_cast<ReshardOp>(op))
      return mesh.toPlacement(reshard.getSharding(), value.getType());
    if (auto manual = dyn_cast<ManualOp>(op))
      return mesh.toPlacement(manual.getOutSharding(result.getResultNumber()),
                              value.getType());
    return mesh.toPlacement(getResultSharding(op, result.getResultNumber()),
                            value.getType());
  }
  auto arg = cast<BlockArgument>(value);
  Operation *parent = arg.getOwner()->getParentOp();
  if (auto func = dyn_cast_or_null<func::FuncOp>(parent))
    return mesh.toPlacement(
        func.getArgAttrOfType<ShardingAttr>(arg.getArgNumber(),
                                            ShoalDialect::kShardingAttr),
        value.getType());
  if (auto manual = dyn_cast_or_null<ManualOp>(parent))
    return mesh.toPlacement(
        manual.getFreeSharding(manual.getInSharding(arg.getArgNumber())),
        value.getType());
  if (isa_and_nonnull<sh::WhileOp>(parent))
    return mesh.toPlacement(getResultSharding(parent, arg.getArgNumber()),
                            value.getType());
  return PlacementState::replicated(shapeOf(value.getType()));
}

std::optional<PlacementState> ShardedView::required(OpOperand &operand) const {
  Operation *op = operand.getOwner();
  unsigned i = operand.getOperandNumber();
  Type type = operand.get().getType();
  if (auto attr = op->getAttrOfType<FormAttr>(ShoalDialect::kFormAttr)) {
    auto &entry = forms[op];
    if (!entry) {
      std::optional<OpModel> model = OpModel::get(op, mesh);
      if (!model)
        return std::nullopt;
      OpForm form = model->fromAttr(attr, op);
      entry = std::make_shared<std::pair<OpModel, OpForm>>(*model, form);
    }
    return entry->first.placement(entry->second, i);
  }
  if (isa<GroupOp, BarrierOp>(op))
    return std::nullopt;
  if (auto constraint = dyn_cast<ConstraintOp>(op)) {
    ShardingAttr chosen = getResultSharding(op, 0);
    return mesh.toPlacement(chosen ? chosen : constraint.getSharding(), type);
  }
  if (auto manual = dyn_cast<ManualOp>(op))
    return mesh.toPlacement(manual.getInSharding(i), type);
  if (isa<sh::WhileOp, sh::OptimizationBarrierOp>(op))
    return mesh.toPlacement(getResultSharding(op, i), type);
  if (op->getDialect() && op->getDialect()->getNamespace() == "comm")
    return std::nullopt;
  if (isa<ReshardOp>(op))
    return std::nullopt;
  if (op->hasTrait<OpTrait::IsTerminator>()) {
    Operation *parent = op->getParentOp();
    if (auto func = dyn_cast<func::FuncOp>(parent))
      return mesh.toPlacement(func.getResultAttrOfType<ShardingAttr>(
                                  i, ShoalDialect::kShardingAttr),
                              type);
    if (auto manual = dyn_cast<ManualOp>(parent))
      return mesh.toPlacement(manual.getFreeSharding(manual.getOutSharding(i)),
                              type);
    bool isBody = !isa<sh::WhileOp>(parent) ||
                  op->getParentRegion() == &parent->getRegion(1);
    if (isBody && i < parent->getNumResults())
      return mesh.toPlacement(getResultSharding(parent, i), type);
  }
  return PlacementState::replicated(shapeOf(type));
}

std::optional<int64_t> shoal::getTripCount(Operation *op) {
  if (auto attr = op->getAttrOfType<IntegerAttr>("shoal.trip_count"))
    return attr.getInt();
  if (auto loop = dyn_cast<sh::WhileOp>(op))
    if (std::optional<CountedLoop> counted = matchCountedLoop(loop))
      return counted->tripCount;
  return std::nullopt;
}
