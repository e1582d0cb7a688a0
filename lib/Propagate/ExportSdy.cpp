// shoal-export-sdy: shardings and annotations in Shardy's dialect, for people
// and tools that know that one, and to compare with Shardy's own results.

#include "dialects/Comm/Comm.h"
#include "dialects/SDY/SDY.h"
#include "dialects/Shoal/Sharding.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "shoal/Propagate/Passes.h"

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_EXPORTSDY
#include "shoal/Propagate/Passes.h.inc"

namespace {

class Exporter {
public:
  explicit Exporter(ModuleOp module) : module(module), ctx(module.getContext()) {}

  void run() {
    SmallVector<Operation *> ops;
    module.walk([&](Operation *op) { ops.push_back(op); });
    for (auto mesh : module.getOps<MeshOp>())
      meshes[FlatSymbolRefAttr::get(mesh.getSymNameAttr())] = mesh.getMesh();
    for (Operation *op : ops)
      visit(op);
  }

private:
  sdy::AxisRefAttr convert(AxisRefAttr axis) {
    return sdy::AxisRefAttr::get(
        ctx, axis.getName(),
        axis.isSubAxis() ? sdy::SubAxisInfoAttr::get(ctx, axis.getPreSize(),
                                                     axis.getSubSize())
                         : sdy::SubAxisInfoAttr());
  }
  SmallVector<sdy::AxisRefAttr> convert(ArrayRef<AxisRefAttr> axes) {
    return llvm::map_to_vector(axes, [&](AxisRefAttr a) { return convert(a); });
  }

  sdy::MeshAttr convert(MeshAttr mesh) {
    SmallVector<sdy::MeshAxisAttr> axes;
    for (MeshAxisAttr axis : mesh.getAxes())
      axes.push_back(sdy::MeshAxisAttr::get(ctx, axis.getName(), axis.getSize()));
    return sdy::MeshAttr::get(ctx, axes, mesh.getDeviceIds());
  }

  sdy::TensorShardingAttr convert(ShardingAttr sharding) {
    SmallVector<sdy::DimensionShardingAttr> dims;
    for (DimShardingAttr dim : sharding.getDims())
      dims.push_back(sdy::DimensionShardingAttr::get(
          ctx, convert(dim.getAxes()), dim.isClosed(),
          dim.hasPriority() ? std::optional<int64_t>(dim.getPriority())
                            : std::nullopt));
    Attribute mesh = sharding.getMeshOrRef();
    if (auto inlined = dyn_cast<MeshAttr>(mesh))
      mesh = convert(inlined);
    // Shardy knows sums, minima and maxima; other kinds print as sums there.
    sdy::ReductionOp kind =
        sharding.getPartialKind() == ReductionKind::Min   ? sdy::ReductionOp::MIN
        : sharding.getPartialKind() == ReductionKind::Max ? sdy::ReductionOp::MAX
                                                          : sdy::ReductionOp::SUM;
    return sdy::TensorShardingAttr::get(ctx, mesh, dims,
                                        convert(sharding.getReplicated()),
                                        convert(sharding.getPartialAxes()), kind);
  }
  sdy::TensorShardingPerValueAttr convert(ShardingPerValueAttr shardings) {
    SmallVector<sdy::TensorShardingAttr> result;
    for (ShardingAttr sharding : shardings.getShardings())
      result.push_back(convert(sharding));
    return sdy::TensorShardingPerValueAttr::get(ctx, result);
  }

  sdy::OpShardingRuleAttr convert(OpRuleAttr rule) {
    auto tensors = [&](ArrayRef<TensorFactorsAttr> list) {
      return llvm::map_to_vector(list, [&](TensorFactorsAttr tensor) {
        return sdy::TensorMappingAttr::get(
            ctx, llvm::map_to_vector(tensor.getDims(), [&](DimFactorsAttr dim) {
              return sdy::DimMappingAttr::get(ctx, dim.getFactors());
            }));
      });
    };
    return sdy::OpShardingRuleAttr::get(
        ctx, rule.getFactorSizes(), tensors(rule.getOperands()),
        tensors(rule.getResults()), rule.getReduction(),
        rule.getNeedReplication(), rule.getPermutation(), rule.getBlocked(),
        rule.getCustom());
  }

  /// Keeps attributes that are not ours; all of ours have been converted.
  void copyForeignAttributes(Operation *from, Operation *to) {
    for (NamedAttribute attr : from->getDiscardableAttrs())
      if (!attr.getName().getValue().starts_with("shoal."))
        to->setDiscardableAttr(attr.getName(), attr.getValue());
  }

  void replace(Operation *op, Operation *with) {
    copyForeignAttributes(op, with);
    op->replaceAllUsesWith(with->getResults());
    op->erase();
  }

  void visit(Operation *op) {
    OpBuilder b(op);
    Location loc = op->getLoc();
    if (auto mesh = dyn_cast<MeshOp>(op))
      return replace(op, sdy::MeshOp::create(b, loc, mesh.getSymName(),
                                             convert(mesh.getMesh())));
    if (auto constraint = dyn_cast<ConstraintOp>(op))
      return replace(op, sdy::ShardingConstraintOp::create(
                             b, loc, constraint.getInput(),
                             convert(constraint.getSharding())));
    if (auto reshard = dyn_cast<ReshardOp>(op))
      return replace(op, sdy::ReshardOp::create(b, loc, reshard.getInput(),
                                                convert(reshard.getSharding())));
    if (auto group = dyn_cast<GroupOp>(op))
      return replace(op, sdy::ShardingGroupOp::create(b, loc, group.getInput(),
                                                      group.getId()));
    if (auto barrier = dyn_cast<BarrierOp>(op)) {
      auto with = sdy::PropagationBarrierOp::create(
          b, loc, barrier.getInput(),
          static_cast<sdy::PropagationDirection>(
              barrier.getAllowedDirection()));
      if (auto own = op->getAttrOfType<ShardingPerValueAttr>(
              ShoalDialect::kShardingsAttr))
        with->setAttr("sdy.sharding", convert(own));
      return replace(op, with);
    }
    if (auto manual = dyn_cast<ManualOp>(op))
      return visitManual(manual);
    if (auto func = dyn_cast<func::FuncOp>(op))
      return visitFunction(func);
    // Collectives keep our meshes, written in place.
    if (auto groups = op->getAttrOfType<comm::GroupsAttr>("groups");
        groups && !groups.isTable())
      if (MeshAttr mesh = meshes.lookup(groups.getMeshOrRef()))
        op->setAttr("groups", comm::GroupsAttr::get(mesh, groups.getAxes()));

    if (auto shardings = op->getAttrOfType<ShardingPerValueAttr>(ShoalDialect::kShardingsAttr)) {
      bool any = llvm::any_of(shardings.getShardings(), [](ShardingAttr s) {
        return llvm::any_of(s.getDims(), [](DimShardingAttr d) {
          return !d.emptyAxes() || d.isClosed();
        });
      });
      op->removeAttr(ShoalDialect::kShardingsAttr);
      if (any)
        op->setAttr("sdy.sharding", convert(shardings));
    }
    if (auto rule = op->getAttrOfType<OpRuleAttr>(ShoalDialect::kRuleAttr))
      op->setAttr("sdy.sharding_rule", convert(rule));
    SmallVector<StringAttr> ours;
    for (NamedAttribute attr : op->getDiscardableAttrs())
      if (attr.getName().getValue().starts_with("shoal."))
        ours.push_back(attr.getName());
    for (StringAttr name : ours)
      op->removeDiscardableAttr(name);
  }

  void visitManual(ManualOp manual) {
    OpBuilder b(manual);
    SmallVector<StringAttr> axes;
    for (Attribute axis : manual.getManualAxes())
      axes.push_back(cast<StringAttr>(axis));
    auto op = sdy::ManualComputationOp::create(
        b, manual.getLoc(), manual->getResultTypes(), manual.getInputs(),
        convert(manual.getInShardings()), convert(manual.getOutShardings()),
        sdy::ManualAxesAttr::get(ctx, axes));
    op.getBody().takeBody(manual.getBody());
    Operation *ret = op.getBody().front().getTerminator();
    OpBuilder inner(ret);
    sdy::ReturnOp::create(inner, ret->getLoc(), ret->getOperands());
    ret->erase();
    replace(manual, op);
  }

  void visitFunction(func::FuncOp func) {
    auto convertAttr = [&](auto get, auto set, auto remove, unsigned i) {
      if (auto sharding = dyn_cast_or_null<ShardingAttr>(get(i))) {
        remove(i);
        set(i, convert(sharding));
      }
    };
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      convertAttr([&](unsigned i) { return func.getArgAttr(i, ShoalDialect::kShardingAttr); },
                  [&](unsigned i, Attribute a) { func.setArgAttr(i, "sdy.sharding", a); },
                  [&](unsigned i) { func.removeArgAttr(i, ShoalDialect::kShardingAttr); }, i);
    for (unsigned i = 0; i < func.getNumResults(); ++i)
      convertAttr([&](unsigned i) { return func.getResultAttr(i, ShoalDialect::kShardingAttr); },
                  [&](unsigned i, Attribute a) { func.setResultAttr(i, "sdy.sharding", a); },
                  [&](unsigned i) { func.removeResultAttr(i, StringAttr::get(ctx, ShoalDialect::kShardingAttr)); }, i);
  }

  ModuleOp module;
  MLIRContext *ctx;
  DenseMap<Attribute, MeshAttr> meshes;
};

struct ExportSdyPass : impl::ExportSdyBase<ExportSdyPass> {
  void runOnOperation() override { Exporter(getOperation()).run(); }
};

} // namespace
} // namespace shoal
