#include "SubAxes.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/Sharding.h"
#include "dialects/Shoal/Shoal.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace shoal;

namespace {
/// Per axis the products at which it is cut; each divides the next.
class Cuts {
public:
  bool fits(AxisRefAttr axis) const {
    if (!axis.isSubAxis())
      return true;
    auto it = cuts.find(axis.getName());
    if (it == cuts.end())
      return true;
    return llvm::all_of(ends(axis), [&](int64_t end) {
      return llvm::all_of(it->second, [&](int64_t cut) {
        return end % cut == 0 || cut % end == 0;
      });
    });
  }
  void add(AxisRefAttr axis) {
    if (axis.isSubAxis())
      for (int64_t end : ends(axis))
        cuts[axis.getName()].push_back(end);
  }
  /// The list up to the first sub-axis that does not fit; adds the others.
  AxisList keep(AxisListRef axes) {
    AxisList kept;
    for (AxisRefAttr axis : axes) {
      if (!fits(axis))
        break;
      add(axis);
      kept.push_back(axis);
    }
    return kept;
  }

private:
  llvm::StringMap<SmallVector<int64_t>> cuts;

  static std::array<int64_t, 2> ends(AxisRefAttr axis) {
    return {axis.getPre(), axis.getPre() * axis.getSubSize()};
  }
};
} // namespace

void shoal::propagate::settleSubAxes(ModuleOp module) {
  // Nearly always all of them go together.
  Cuts all;
  bool together = true;
  AttrTypeWalker walker;
  walker.addWalk([&](AxisRefAttr axis) {
    together = together && all.fits(axis);
    all.add(axis);
  });
  module.walk([&](Operation *op) {
    walker.walk<WalkOrder::PreOrder>(Attribute(op->getAttrDictionary()));
  });
  if (together)
    return;

  Cuts cuts;
  // Who sends to whom, and what manual regions cut, is not for us to change.
  AttrTypeWalker groups;
  groups.addWalk([&](comm::GroupsAttr group) {
    for (AxisRefAttr axis : group.getAxes())
      cuts.add(axis);
  });
  AttrTypeReplacer replacer;
  replacer.addReplacement([&](ShardingAttr sharding) -> Attribute {
    SmallVector<DimShardingAttr> dims;
    for (DimShardingAttr dim : sharding.getDims())
      dims.push_back(dim.withAxes(cuts.keep(dim.getAxes())));
    return ShardingAttr::get(
        sharding.getMeshOrRef(), dims, cuts.keep(sharding.getReplicated()),
        sharding.getPartialKind(), sharding.getPartialAxes());
  });
  auto written = [](Operation *op) {
    return isa<func::FuncOp, ConstraintOp>(op);
  };
  AttrTypeWalker axes;
  axes.addWalk([&](AxisRefAttr axis) { cuts.add(axis); });
  module.walk([&](Operation *op) {
    (isa<ManualOp>(op) ? axes : groups)
        .walk<WalkOrder::PreOrder>(Attribute(op->getAttrDictionary()));
  });
  for (bool first : {true, false})
    module.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (op == module || written(op) != first)
        return;
      Attribute before = op->getAttrDictionary();
      Attribute after = replacer.replace(before);
      if (before == after)
        return;
      op->setAttrs(cast<DictionaryAttr>(after));
      if (first)
        op->emitRemark("a sharding here names part of an axis that another "
                       "sharding cuts elsewhere; one of the two is taken "
                       "without it");
    });
}
