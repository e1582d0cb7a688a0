// Expresses all shardings over one mesh where possible.
#include "shoal/Import/Passes.h"

#include "MeshRelations.h"

#include "dialects/Shoal/Axes.h"
#include "dialects/Shoal/Sharding.h"
#include "dialects/Shoal/Shoal.h"

#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/SetVector.h"

#include <numeric>
#include <tuple>

namespace shoal {
#define GEN_PASS_DEF_UNIFYMESHESPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

/// The meshes of all shardings in the module, by symbol or in place, in order
/// of appearance.
static llvm::SetVector<Attribute> collectMeshes(ModuleOp module) {
  llvm::SetVector<Attribute> meshes;
  AttrTypeWalker walker;
  walker.addWalk(
      [&](ShardingAttr sharding) { meshes.insert(sharding.getMeshOrRef()); });
  module.walk<WalkOrder::PreOrder>(
      [&](Operation *op) { walker.walk(op->getAttrDictionary()); });
  return meshes;
}

/// Axes of `common` of the sizes that the axes of `mesh` have, as far as there
/// are such: axes of the same size first, parts of others for the rest.
static AxisMap imitateMesh(MeshAttr mesh, MeshAttr common) {
  struct Free {
    StringRef name;
    int64_t size, pre = 1, left;
  };
  SmallVector<Free> free;
  for (MeshAxisAttr axis : common.getAxes())
    free.push_back({axis.getName(), axis.getSize(), 1, axis.getSize()});
  AxisMap map;
  for (bool whole : {true, false})
    for (MeshAxisAttr axis : mesh.getAxes()) {
      if (map.count(axis.getName()))
        continue;
      AxisList list;
      int64_t wanted = axis.getSize();
      for (Free &from : free) {
        int64_t size = whole ? (from.left == wanted ? wanted : 1)
                             : std::gcd(from.left, wanted);
        if (size == 1)
          continue;
        list.push_back(
            AxisRefAttr::getNormalized(from.name, from.pre, size, common));
        from.pre *= size;
        from.left /= size;
        wanted /= size;
      }
      if (!whole || wanted == 1)
        map[axis.getName()] = normalizeAxes(list, common);
    }
  return map;
}

static Attribute getMeshOf(ManualOp manual) {
  for (ShardingAttr sharding : llvm::concat<const ShardingAttr>(
           manual.getInShardings().getShardings(),
           manual.getOutShardings().getShardings()))
    return sharding.getMeshOrRef();
  return {};
}

namespace {
struct UnifyMeshesPass : shoal::impl::UnifyMeshesPassBase<UnifyMeshesPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    llvm::SetVector<Attribute> used = collectMeshes(module);

    // The common mesh: of the named ones that something uses, or else of all,
    // one that regions are manual on, that most others relate to, the first
    // with the most axes; or one made from those in place.
    MeshAttr common;
    StringAttr name;
    std::tuple<bool, bool, int64_t, size_t> best;
    llvm::SetVector<Attribute> manualOn;
    module.walk([&](ManualOp manual) {
      if (!manual.getManualAxes().empty())
        manualOn.insert(getMeshOf(manual));
    });
    for (auto op : module.getOps<MeshOp>()) {
      auto ref = FlatSymbolRefAttr::get(op.getSymNameAttr());
      MeshAttr mesh = op.getMesh();
      if (mesh.getAxes().empty())
        continue;
      int64_t relatives = 0;
      for (Attribute other : used)
        if (MeshAttr attr = lookupMesh(other, module))
          relatives += relateMeshes(attr, mesh).has_value();
      std::tuple<bool, bool, int64_t, size_t> score = {
          used.contains(ref), manualOn.contains(ref), relatives,
          mesh.getAxes().size()};
      if (common && best >= score)
        continue;
      common = mesh;
      name = op.getSymNameAttr();
      best = score;
    }
    if (!common) {
      SmallVector<MeshAttr> inPlace;
      int64_t count = 1;
      for (Attribute mesh : used)
        if (auto attr = dyn_cast<MeshAttr>(mesh); attr && !attr.isMaximal()) {
          inPlace.push_back(attr);
          count = std::max(count, attr.getNumDevices());
        }
      if (!inPlace.empty()) {
        llvm::erase_if(inPlace, [&](MeshAttr mesh) {
          return mesh.getNumDevices() != count;
        });
        common = refineMeshes(inPlace, count, &getContext());
        OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
        auto op = MeshOp::create(builder, module.getLoc(), "mesh", common);
        symbols.insert(op, module.getBody()->begin());
        name = op.getSymNameAttr();
      }
    }
    if (common) {
      if (MeshAttr cut = cutForRegions(module, manualOn, common)) {
        auto old = symbols.lookup<MeshOp>(name);
        OpBuilder builder(old);
        auto op =
            MeshOp::create(builder, old.getLoc(), (name.getValue() + "_parts").str(), cut);
        name = symbols.insert(op);
        common = cut;
      }
      rewrite(module, used, common, FlatSymbolRefAttr::get(name));
    }

    used = collectMeshes(module);
    // comm ops and the like may refer to meshes by other attributes.
    AttrTypeWalker references;
    references.addWalk([&](FlatSymbolRefAttr symbol) { used.insert(symbol); });
    module.walk(
        [&](Operation *op) { references.walk(op->getAttrDictionary()); });
    for (auto op : llvm::make_early_inc_range(module.getOps<MeshOp>()))
      if (!used.contains(FlatSymbolRefAttr::get(op.getSymNameAttr())) &&
          op.getSymNameAttr() != name)
        op.erase();
  }

  /// The common mesh with axes cut so that what regions are manual on is whole
  /// axes; null if it is already, or cannot be.
  static MeshAttr cutForRegions(ModuleOp module,
                                const llvm::SetVector<Attribute> &manualOn,
                                MeshAttr common) {
    SmallVector<AxisRefAttr> parts;
    for (Attribute ref : manualOn) {
      MeshAttr mesh = lookupMesh(ref, module);
      std::optional<AxisMap> map;
      if (mesh && mesh != common)
        map = relateMeshes(mesh, common);
      if (!map)
        continue;
      module.walk([&](ManualOp manual) {
        if (getMeshOf(manual) != ref)
          return;
        for (Attribute axis : manual.getManualAxes()) {
          auto list = map->find(cast<StringAttr>(axis).getValue());
          if (list != map->end())
            llvm::append_range(parts, list->second);
        }
      });
    }
    if (llvm::none_of(parts, [](AxisRefAttr axis) { return axis.isSubAxis(); }))
      return {};
    return cutAxes(common, parts);
  }

  void rewrite(ModuleOp module, const llvm::SetVector<Attribute> &used,
               MeshAttr common, FlatSymbolRefAttr commonRef) {
    DenseMap<Attribute, std::pair<MeshAttr, AxisMap>> related;
    for (Attribute mesh : used) {
      MeshAttr attr = lookupMesh(mesh, module);
      if (mesh == commonRef || !attr)
        continue;
      std::optional<AxisMap> map = relateMeshes(attr, common);
      if (map && keepsManualAxesWhole(module, mesh, *map)) {
        related[mesh] = {attr, *map};
        continue;
      }
      // Where blocks lie is nothing that results show: values are cut into as
      // many parts, numbered otherwise. (Regions that are manual on a mesh name
      // its devices.)
      bool isManual = module
                          .walk([&](ManualOp manual) {
                            return getMeshOf(manual) == mesh
                                       ? WalkResult::interrupt()
                                       : WalkResult::advance();
                          })
                          .wasInterrupted();
      if (isManual || attr.isMaximal() || attr.getAxes().empty())
        continue;
      related[mesh] = {attr, imitateMesh(attr, common)};
      mlir::emitRemark(module.getLoc())
          << "the mesh " << mesh << " numbers devices in another way than "
          << commonRef << "; what is sharded over it is cut into as many parts "
          << "in the order of " << commonRef;
    }
    if (related.empty())
      return;

    AttrTypeReplacer replacer;
    replacer.addReplacement(
        [&](ShardingAttr sharding)
            -> std::optional<std::pair<Attribute, WalkResult>> {
          auto found = related.find(sharding.getMeshOrRef());
          if (found == related.end())
            return std::nullopt;
          const AxisMap &map = found->second.second;
          ShardingAttr mapped = mapSharding(sharding, map, common, commonRef);
          if (!mapped)
            mapped = ShardingAttr::getReplicated(commonRef,
                                                 sharding.getDims().size());
          return std::make_pair(Attribute(mapped), WalkResult::skip());
        });
    module.walk<WalkOrder::PreOrder>([&](Operation *op) {
      // The axes a region is manual on are named by the mesh of its shardings.
      if (auto manual = dyn_cast<ManualOp>(op))
        mapManualAxes(manual, related, common);
      replacer.replaceElementsIn(op);
    });
  }

  /// Regions are manual on whole axes only.
  static bool keepsManualAxesWhole(ModuleOp module, Attribute mesh,
                                   const AxisMap &map) {
    return !module
                .walk([&](ManualOp manual) {
                  if (getMeshOf(manual) != mesh)
                    return WalkResult::advance();
                  for (Attribute axis : manual.getManualAxes()) {
                    auto list = map.find(cast<StringAttr>(axis).getValue());
                    if (list == map.end() ||
                        llvm::any_of(list->second, [](AxisRefAttr part) {
                          return part.isSubAxis();
                        }))
                      return WalkResult::interrupt();
                  }
                  return WalkResult::advance();
                })
                .wasInterrupted();
  }

  void mapManualAxes(
      ManualOp manual,
      const DenseMap<Attribute, std::pair<MeshAttr, AxisMap>> &related,
      MeshAttr common) {
    Attribute mesh = getMeshOf(manual);
    auto found = related.find(mesh);
    if (!mesh || found == related.end())
      return;
    SmallVector<Attribute> names;
    for (Attribute axis : manual.getManualAxes()) {
      auto list = found->second.second.find(cast<StringAttr>(axis).getValue());
      if (list == found->second.second.end())
        return;
      for (AxisRefAttr part : list->second)
        names.push_back(StringAttr::get(&getContext(), part.getName()));
    }
    manual.setManualAxesAttr(ArrayAttr::get(&getContext(), names));
  }
};
} // namespace
