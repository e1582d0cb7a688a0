// Manual regions from GSPMD's boundary calls.
//
// JAX without Shardy writes a shard_map as
//   %1 = custom_call @SPMDFullToShardShape(%0)    for each argument
//   …                                             on shards
//   %3 = custom_call @SPMDShardToFullShape(%2)    for each result
// in one block. What depends on the first and leads to the second is the
// region; what it uses from outside goes in with it if it is made of constants
// alone, and becomes a further operand, whole on every device, otherwise.
// Nested shard_maps lie in the same block: a value's depth is the number of
// boundaries it is behind.
#include "GspmdRegions.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace shoal;

GspmdCall shoal::getGspmdCall(Operation *op) {
  auto call = dyn_cast<stablehlo::CustomCallOp>(op);
  if (!call || call->getNumOperands() != 1 || call->getNumResults() != 1)
    return GspmdCall::None;
  return llvm::StringSwitch<GspmdCall>(call.getCallTargetName())
      .Case("Sharding", GspmdCall::Sharding)
      .Case("SPMDFullToShardShape", GspmdCall::FullToShard)
      .Case("SPMDShardToFullShape", GspmdCall::ShardToFull)
      .Default(GspmdCall::None);
}

/// All values that `op` and its regions use but do not define.
static SmallVector<Value> getUses(Operation *op) {
  SmallVector<Value> values;
  op->walk([&](Operation *nested) {
    for (Value operand : nested->getOperands())
      if (!op->isAncestor(operand.getParentRegion()->getParentOp()) ||
          operand.getParentBlock() == op->getBlock())
        values.push_back(operand);
  });
  return values;
}

namespace {
class RegionBuilder {
public:
  RegionBuilder(ArrayRef<Operation *> ops, const DenseSet<Operation *> &bounds,
                GspmdMesh &mesh)
      : ops(ops.begin(), ops.end()), bounds(bounds), mesh(mesh) {}

  /// The region made.
  FailureOr<ManualOp> run();

private:
  FailureOr<ShardingAttr> getInSharding(Operation *call);
  /// A value from outside as seen inside: a copy of what makes it, or an
  /// argument.
  Value importValue(Value value, OpBuilder &builder);
  static bool isMadeOfConstants(Operation *op);

  /// The axes that the string on a boundary makes manual, without those that
  /// regions around it have taken.
  FailureOr<SmallVector<Attribute>> getManualAxes(Operation *op);

  SmallVector<Operation *> ops;        ///< in block order
  const DenseSet<Operation *> &bounds; ///< the outermost boundary calls
  GspmdMesh &mesh;
  SmallVector<Value> inputs;
  SmallVector<ShardingAttr> inShardings;
  IRMapping inside;
  Block *body = nullptr;
};
} // namespace

static bool isCollective(Operation *op) {
  return isa<stablehlo::AllReduceOp, stablehlo::ReduceScatterOp,
             stablehlo::AllGatherOp, stablehlo::AllToAllOp,
             stablehlo::CollectiveBroadcastOp, stablehlo::CollectivePermuteOp>(
      op);
}

/// Nothing but collectives tells whether the op ran here or there.
static bool isPureOrCollective(Operation *op) {
  if (isPure(op))
    return true;
  return !op->walk([](Operation *nested) {
              bool known =
                  isMemoryEffectFree(nested) || isCollective(nested) ||
                  nested->hasTrait<OpTrait::IsTerminator>() ||
                  isa<stablehlo::WhileOp, stablehlo::IfOp, stablehlo::CaseOp>(
                      nested);
              return known ? WalkResult::advance() : WalkResult::interrupt();
            }).wasInterrupted();
}

bool RegionBuilder::isMadeOfConstants(Operation *op) {
  // The annotation call computes nothing.
  if (!op ||
      (!isPureOrCollective(op) && getGspmdCall(op) != GspmdCall::Sharding))
    return false;
  return llvm::all_of(getUses(op), [](Value value) {
    return isMadeOfConstants(value.getDefiningOp());
  });
}

Value RegionBuilder::importValue(Value value, OpBuilder &builder) {
  if (Value mapped = inside.lookupOrNull(value))
    return mapped;
  Operation *def = value.getDefiningOp();
  if (isMadeOfConstants(def)) {
    OpBuilder::InsertionGuard guard(builder);
    for (Value used : getUses(def))
      importValue(used, builder);
    builder.clone(*def, inside);
    return inside.lookup(value);
  }
  inputs.push_back(value);
  inShardings.push_back(mesh.getReplicated(value.getType()));
  Value argument = body->addArgument(value.getType(), value.getLoc());
  inside.map(value, argument);
  return argument;
}

FailureOr<ShardingAttr> RegionBuilder::getInSharding(Operation *call) {
  // The sharding of the whole value stands on the @Sharding call before.
  Value whole = call->getOperand(0);
  Operation *def = whole.getDefiningOp();
  if (!def || getGspmdCall(def) != GspmdCall::Sharding) {
    if (whole.getType() == call->getResult(0).getType())
      return mesh.getReplicated(whole.getType());
    return call->emitError("expected a @Sharding call on its operand");
  }
  std::optional<GspmdSharding> sharding = readGspmdSharding(def);
  if (!sharding)
    return call->emitError("expected a sharding on its operand");
  ShardingAttr result = mesh.getSharding(*sharding, whole.getType(),
                                         getUnspecifiedDims(def), call);
  if (!result)
    return failure();
  return result;
}

FailureOr<SmallVector<Attribute>> RegionBuilder::getManualAxes(Operation *op) {
  std::optional<GspmdSharding> manual = readGspmdSharding(op);
  if (!manual)
    return op->emitError("expected a sharding that says what is manual");
  FailureOr<SmallVector<Attribute>> axes = mesh.getManualAxes(*manual, op);
  if (failed(axes))
    return failure();
  for (auto outer = op->getParentOfType<ManualOp>(); outer;
       outer = outer->getParentOfType<ManualOp>())
    llvm::erase_if(*axes, [&](Attribute axis) {
      return outer.isManualAxis(cast<StringAttr>(axis).getValue());
    });
  return axes;
}

FailureOr<ManualOp> RegionBuilder::run() {
  Operation *last = ops.back();
  OpBuilder builder(last);
  Region region;
  body = new Block();
  region.push_back(body);

  SmallVector<Attribute> manualAxes;
  for (Operation *op : ops)
    if (getGspmdCall(op) == GspmdCall::FullToShard && bounds.contains(op)) {
      FailureOr<ShardingAttr> sharding = getInSharding(op);
      FailureOr<SmallVector<Attribute>> axes = getManualAxes(op);
      if (failed(sharding) || failed(axes))
        return failure();
      manualAxes = *axes;
      // Past the @Sharding call, which the region's sharding replaces.
      Value whole = op->getOperand(0);
      if (Operation *def = whole.getDefiningOp();
          def && getGspmdCall(def) == GspmdCall::Sharding)
        whole = def->getOperand(0);
      inputs.push_back(whole);
      inShardings.push_back(*sharding);
      inside.map(op->getResult(0),
                 body->addArgument(op->getResult(0).getType(), op->getLoc()));
    }

  builder.setInsertionPointToStart(body);
  SmallVector<Value> yielded;
  SmallVector<ShardingAttr> outShardings;
  SmallVector<Operation *> results;
  for (Operation *op : ops) {
    GspmdCall call = bounds.contains(op) ? getGspmdCall(op) : GspmdCall::None;
    if (call == GspmdCall::FullToShard)
      continue;
    if (call == GspmdCall::ShardToFull) {
      std::optional<GspmdSharding> sharding = readGspmdSharding(op);
      if (!sharding)
        return op->emitError("expected a sharding");
      ShardingAttr out = mesh.getSharding(*sharding, op->getResult(0).getType(),
                                          getUnspecifiedDims(op), op);
      if (!out)
        return failure();
      // The @Sharding call before says which axes are manual, too.
      if (manualAxes.empty())
        if (Operation *def = op->getOperand(0).getDefiningOp();
            def && getGspmdCall(def) == GspmdCall::Sharding) {
          FailureOr<SmallVector<Attribute>> axes = getManualAxes(def);
          if (failed(axes))
            return failure();
          manualAxes = *axes;
        }
      yielded.push_back(importValue(op->getOperand(0), builder));
      outShardings.push_back(out);
      results.push_back(op);
      continue;
    }
    for (Value used : getUses(op))
      importValue(used, builder);
    builder.clone(*op, inside);
  }
  shoal::ReturnOp::create(builder, last->getLoc(), yielded);

  SmallVector<Type> types;
  for (Operation *op : results)
    types.push_back(op->getResult(0).getType());
  builder.setInsertionPoint(last);
  MLIRContext *context = last->getContext();
  auto manual =
      ManualOp::create(builder, last->getLoc(), types, inputs,
                       ShardingPerValueAttr::get(context, inShardings),
                       ShardingPerValueAttr::get(context, outShardings),
                       ArrayAttr::get(context, manualAxes));
  manual.getBody().takeBody(region);
  for (auto [op, result] : llvm::zip(results, manual.getResults()))
    op->getResult(0).replaceAllUsesWith(result);
  for (Operation *op : llvm::reverse(ops))
    op->erase();
  return manual;
}

/// What was copied into regions and is used nowhere else: collectives do not
/// work outside. What was made of them goes first.
static void eraseCopied(Block &block) {
  llvm::SetVector<Operation *> exchanged;
  for (Operation &op : block) {
    if (isa<ManualOp>(op))
      continue;
    WalkResult found = op.walk([](Operation *nested) {
      return isCollective(nested) ? WalkResult::interrupt()
                                  : WalkResult::advance();
    });
    if (found.wasInterrupted() || llvm::any_of(getUses(&op), [&](Value value) {
          return exchanged.contains(value.getDefiningOp());
        }))
      exchanged.insert(&op);
  }
  for (Operation *op : llvm::reverse(exchanged))
    if (op->getNumResults() && op->use_empty() &&
        (isPureOrCollective(op) || getGspmdCall(op) != GspmdCall::None))
      op->erase();
}

LogicalResult shoal::buildGspmdRegions(Block &block, GspmdMesh &mesh) {
  // Which ops work on shards, and which of them belong together.
  llvm::EquivalenceClasses<Operation *> classes;
  DenseSet<Operation *> local, bounds;
  DenseMap<Operation *, int> depth; // of what the op gives
  for (Operation &op : block) {
    GspmdCall call = getGspmdCall(&op);
    int inputDepth = 0;
    for (Value value : getUses(&op))
      if (Operation *def = value.getDefiningOp();
          def && depth.lookup(def) > 0) {
        inputDepth = std::max(inputDepth, depth.lookup(def));
        local.insert(&op);
        classes.unionSets(def, &op);
      }
    int own = inputDepth + (call == GspmdCall::FullToShard) -
              (call == GspmdCall::ShardToFull && inputDepth > 0);
    depth[&op] = own;
    if ((call == GspmdCall::FullToShard && inputDepth == 0) ||
        (call == GspmdCall::ShardToFull && own == 0)) {
      bounds.insert(&op);
      if (local.insert(&op).second)
        classes.insert(&op);
    }
  }
  llvm::MapVector<Operation *, SmallVector<Operation *>> regions;
  for (Operation &op : block)
    if (local.contains(&op)) {
      if (op.hasTrait<OpTrait::IsTerminator>())
        return op.emitError("a value of GSPMD's shard shape leaves its block");
      regions[classes.getLeaderValue(&op)].push_back(&op);
    }
  for (auto &[leader, ops] : regions) {
    FailureOr<ManualOp> manual = RegionBuilder(ops, bounds, mesh).run();
    if (failed(manual) ||
        failed(buildGspmdRegions(manual->getBody().front(), mesh)))
      return failure();
  }
  if (!regions.empty())
    eraseCopied(block);
  sortTopologically(&block);
  return success();
}
