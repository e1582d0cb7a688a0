// Turns Shardy's annotations into shoal ones, one for one.
#include "shoal/Import/Passes.h"

#include "dialects/SDY/SDY.h"
#include "dialects/Shoal/Sharding.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

namespace shoal {
#define GEN_PASS_DEF_IMPORTSDYPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

namespace {
/// Translates attributes; meshes keep their names.
class Importer {
public:
  explicit Importer(ModuleOp module)
      : module(module), context(module.getContext()) {}

  LogicalResult run();

private:
  MeshAttr importMesh(sdy::MeshAttr mesh) {
    SmallVector<MeshAxisAttr> axes;
    for (sdy::MeshAxisAttr axis : mesh.getAxes())
      axes.push_back(
          MeshAxisAttr::get(context, axis.getName(), axis.getSize()));
    return MeshAttr::get(context, axes, mesh.getDeviceIds());
  }

  SmallVector<AxisRefAttr> importAxes(ArrayRef<sdy::AxisRefAttr> axes) {
    SmallVector<AxisRefAttr> result;
    for (sdy::AxisRefAttr axis : axes) {
      sdy::SubAxisInfoAttr info = axis.getSubAxisInfo();
      result.push_back(info
                           ? AxisRefAttr::get(context, axis.getName(),
                                              info.getPreSize(), info.getSize())
                           : AxisRefAttr::get(context, axis.getName()));
    }
    return result;
  }

  static ReductionKind importKind(sdy::ReductionOp op) {
    switch (op) {
    case sdy::ReductionOp::SUM:
      return ReductionKind::Add;
    case sdy::ReductionOp::MAX:
      return ReductionKind::Max;
    case sdy::ReductionOp::MIN:
      return ReductionKind::Min;
    }
    return ReductionKind::Add;
  }

  /// Null if the sharding stands on an empty mesh and so says nothing.
  ShardingAttr importSharding(sdy::TensorShardingAttr sharding) {
    Attribute meshOrRef = sharding.getMeshOrRef();
    if (auto mesh = dyn_cast<sdy::MeshAttr>(meshOrRef))
      meshOrRef = importMesh(mesh);
    sdy::MeshAttr mesh = meshes.lookup(sharding.getMeshOrRef());
    if (!mesh)
      mesh = dyn_cast<sdy::MeshAttr>(sharding.getMeshOrRef());
    if (!mesh || mesh.empty())
      return {};
    SmallVector<DimShardingAttr> dims;
    for (sdy::DimensionShardingAttr dim : sharding.getDimShardings())
      dims.push_back(DimShardingAttr::get(
          context, importAxes(dim.getAxes()), !dim.getIsClosed(),
          dim.getPriority().value_or(-1), /*block=*/0));
    return ShardingAttr::get(meshOrRef, dims,
                             importAxes(sharding.getReplicatedAxes()),
                             importKind(sharding.getReductionOp()),
                             importAxes(sharding.getUnreducedAxes()));
  }

  /// Null if no element says anything. Elements that say nothing beside others
  /// that do become open shardings on the mesh of the others.
  ShardingPerValueAttr importList(sdy::TensorShardingPerValueAttr list,
                                  TypeRange types) {
    SmallVector<ShardingAttr> shardings;
    Attribute mesh;
    for (sdy::TensorShardingAttr sharding : list.getShardings()) {
      shardings.push_back(importSharding(sharding));
      if (shardings.back())
        mesh = shardings.back().getMeshOrRef();
    }
    if (!mesh || shardings.size() != types.size())
      return {};
    for (auto [sharding, type] : llvm::zip(shardings, types)) {
      auto shaped = dyn_cast<ShapedType>(type);
      if (!sharding)
        sharding =
            ShardingAttr::getFullyOpen(mesh, shaped ? shaped.getRank() : 0);
    }
    return ShardingPerValueAttr::get(context, shardings);
  }

  OpRuleAttr importRule(sdy::OpShardingRuleAttr rule) {
    auto importSide = [&](ArrayRef<sdy::TensorMappingAttr> side) {
      SmallVector<TensorFactorsAttr> tensors;
      for (sdy::TensorMappingAttr mapping : side) {
        SmallVector<DimFactorsAttr> dims;
        for (sdy::DimMappingAttr dim : mapping.getDimMappings())
          dims.push_back(DimFactorsAttr::get(context, dim.getFactorIndices()));
        tensors.push_back(TensorFactorsAttr::get(context, dims));
      }
      return tensors;
    };
    // Sums, all of them: Shardy knows no other kind here.
    ArrayRef<ReductionKind> kinds;
    return OpRuleAttr::get(
        context, rule.getFactorSizes(), importSide(rule.getOperandMappings()),
        importSide(rule.getResultMappings()), rule.getReductionFactors(), kinds,
        rule.getNeedReplicationFactors(), rule.getPermutationFactors(),
        rule.getBlockedPropagationFactors(), /*linear=*/ArrayRef<int64_t>(),
        rule.getIsCustomRule());
  }

  void importFunction(func::FuncOp func);
  void importAttributes(Operation *op);
  LogicalResult importOp(Operation *op);
  LogicalResult importManual(sdy::ManualComputationOp op);

  ModuleOp module;
  MLIRContext *context;
  /// By symbol reference.
  DenseMap<Attribute, sdy::MeshAttr> meshes;
};
} // namespace

/// True if `op` is in a region that folds scalars, where a sharding says
/// nothing: any region but those of functions, control flow and manual code.
static bool isInScalarRegion(Operation *op) {
  return !isa<func::FuncOp, stablehlo::WhileOp, stablehlo::IfOp,
              stablehlo::CaseOp, sdy::ManualComputationOp, ManualOp, ModuleOp>(
      op->getParentOp());
}

void Importer::importFunction(func::FuncOp func) {
  auto name = StringAttr::get(context, ShoalDialect::kShardingAttr);
  for (unsigned i = 0; i < func.getNumArguments(); ++i)
    if (auto sharding = func.getArgAttrOfType<sdy::TensorShardingAttr>(
            i, sdy::kShardingAttr)) {
      func.removeArgAttr(i, sdy::kShardingAttr);
      if (ShardingAttr imported = importSharding(sharding))
        func.setArgAttr(i, name, imported);
    }
  for (unsigned i = 0; i < func.getNumResults(); ++i)
    if (auto sharding = func.getResultAttrOfType<sdy::TensorShardingAttr>(
            i, sdy::kShardingAttr)) {
      func.removeResultAttr(i, StringAttr::get(context, sdy::kShardingAttr));
      if (ShardingAttr imported = importSharding(sharding))
        func.setResultAttr(i, name, imported);
    }
}

void Importer::importAttributes(Operation *op) {
  if (auto list = op->getAttrOfType<sdy::TensorShardingPerValueAttr>(
          sdy::kShardingAttr)) {
    op->removeAttr(sdy::kShardingAttr);
    if (op->getNumResults())
      if (ShardingPerValueAttr imported =
              importList(list, op->getResultTypes()))
        op->setAttr(ShoalDialect::kShardingsAttr, imported);
  }
  if (auto rule =
          op->getAttrOfType<sdy::OpShardingRuleAttr>(sdy::kShardingRuleAttr)) {
    op->removeAttr(sdy::kShardingRuleAttr);
    // Built-in ops know their rule; only what we cannot know is kept.
    if (isa<stablehlo::CustomCallOp, stablehlo::CompositeOp>(op))
      op->setAttr(ShoalDialect::kRuleAttr, importRule(rule));
  }
}

LogicalResult Importer::importManual(sdy::ManualComputationOp op) {
  OpBuilder builder(op);
  SmallVector<Attribute> axes(op.getManualAxes().getValue().begin(),
                              op.getManualAxes().getValue().end());
  auto importSide = [&](sdy::TensorShardingPerValueAttr list, TypeRange types) {
    ShardingPerValueAttr imported = importList(list, types);
    return imported
               ? imported
               : ShardingPerValueAttr::get(context, ArrayRef<ShardingAttr>());
  };
  ShardingPerValueAttr in =
      importSide(op.getInShardings(), op.getTensors().getTypes());
  ShardingPerValueAttr out =
      importSide(op.getOutShardings(), op.getResultTypes());
  if (in.size() != op.getTensors().size() || out.size() != op.getNumResults())
    return op.emitError("a manual computation needs a mesh with axes");
  auto manual =
      ManualOp::create(builder, op.getLoc(), op.getResultTypes(),
                       op.getTensors(), in, out, builder.getArrayAttr(axes));
  manual->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  manual.getBody().takeBody(op.getBody());
  Operation *terminator = manual.getBody().front().getTerminator();
  builder.setInsertionPoint(terminator);
  shoal::ReturnOp::create(builder, terminator->getLoc(),
                          terminator->getOperands());
  terminator->erase();
  op.replaceAllUsesWith(manual.getResults());
  op.erase();
  return success();
}

LogicalResult Importer::importOp(Operation *op) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  if (auto constraint = dyn_cast<sdy::ShardingConstraintOp>(op)) {
    ShardingAttr sharding = importSharding(constraint.getSharding());
    if (!sharding || isInScalarRegion(op)) {
      constraint.replaceAllUsesWith(constraint.getInput());
    } else {
      auto imported = ConstraintOp::create(builder, loc, constraint.getType(),
                                           constraint.getInput(), sharding);
      constraint.replaceAllUsesWith(imported.getResult());
    }
  } else if (auto reshard = dyn_cast<sdy::ReshardOp>(op)) {
    // What the user asks for is a constraint; where data has to move for it is
    // found by the phase `sharded`.
    ShardingAttr sharding = importSharding(reshard.getSharding());
    if (!sharding) {
      reshard.replaceAllUsesWith(reshard.getInput());
    } else {
      auto imported = ConstraintOp::create(builder, loc, reshard.getType(),
                                           reshard.getInput(), sharding);
      reshard.replaceAllUsesWith(imported.getResult());
    }
  } else if (auto group = dyn_cast<sdy::ShardingGroupOp>(op)) {
    GroupOp::create(builder, loc, group.getInput(), group.getGroupIdAttr());
  } else if (auto barrier = dyn_cast<sdy::PropagationBarrierOp>(op)) {
    auto imported = BarrierOp::create(
        builder, loc, barrier.getType(), barrier.getInput(),
        static_cast<PropagationDirection>(barrier.getAllowedDirection()));
    barrier.replaceAllUsesWith(imported.getResult());
  } else if (auto constant = dyn_cast<sdy::ConstantOp>(op)) {
    auto imported =
        stablehlo::ConstantOp::create(builder, loc, constant.getValue());
    imported->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    constant.replaceAllUsesWith(imported.getResult());
  } else if (isa<sdy::DataFlowEdgeOp, sdy::FuncDataFlowEdgeOp>(op)) {
    // Shardy's bookkeeping: the identity.
    op->replaceAllUsesWith(op->getOperands());
  } else if (auto manual = dyn_cast<sdy::ManualComputationOp>(op)) {
    return importManual(manual);
  } else if (isa<sdy::AllGatherOp, sdy::AllSliceOp, sdy::AllToAllOp,
                 sdy::AllReduceOp, sdy::ReduceScatterOp,
                 sdy::CollectivePermuteOp, sdy::ReplicatedToUnreducedOp,
                 sdy::ShardedToUnreducedOp>(op)) {
    // On global tensors all of these are the identity into another sharding.
    ShardingAttr sharding = importSharding(
        op->getAttrOfType<sdy::TensorShardingAttr>("out_sharding"));
    if (!sharding) {
      op->replaceAllUsesWith(op->getOperands());
    } else {
      auto imported =
          ConstraintOp::create(builder, loc, op->getResult(0).getType(),
                               op->getOperand(0), sharding);
      op->replaceAllUsesWith(imported);
    }
  } else {
    return op->emitError("cannot be imported");
  }
  op->erase();
  return success();
}

LogicalResult Importer::run() {
  SymbolTable symbols(module);
  for (auto mesh : llvm::make_early_inc_range(module.getOps<sdy::MeshOp>())) {
    meshes[FlatSymbolRefAttr::get(mesh.getSymNameAttr())] = mesh.getMesh();
    OpBuilder builder(mesh);
    if (!mesh.getMesh().empty()) {
      auto imported = MeshOp::create(builder, mesh.getLoc(), mesh.getSymName(),
                                     importMesh(mesh.getMesh()));
      (void)imported;
    }
    mesh.erase();
  }
  SmallVector<Operation *> ops;
  module.walk([&](Operation *op) {
    if (auto func = dyn_cast<func::FuncOp>(op))
      importFunction(func);
    importAttributes(op);
    if (isa_and_nonnull<sdy::SdyDialect>(op->getDialect()) &&
        !isa<sdy::ReturnOp>(op))
      ops.push_back(op);
  });
  // Post-order: what is inside a manual computation comes before it.
  for (Operation *op : ops)
    if (failed(importOp(op)))
      return failure();
  return success();
}

namespace {
struct ImportSdyPass : shoal::impl::ImportSdyPassBase<ImportSdyPass> {
  void runOnOperation() override {
    if (failed(Importer(getOperation()).run()))
      signalPassFailure();
  }
};
} // namespace
