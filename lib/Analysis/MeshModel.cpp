#include "shoal/Analysis/MeshModel.h"

#include "dialects/Shoal/Sharding.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;
using namespace shoal;

llvm::ArrayRef<int64_t> shoal::shapeOf(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return tensor.getShape();
  return {};
}

int64_t shoal::elementBytesOf(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (auto complex = dyn_cast<ComplexType>(element))
    return 2 * elementBytesOf(complex.getElementType());
  if (element.isIntOrFloat())
    return std::max<int64_t>(1, (element.getIntOrFloatBitWidth() + 7) / 8);
  return 4;
}

std::unique_ptr<MeshModel> MeshModel::create(ModuleOp module) {
  auto model = std::make_unique<MeshModel>();
  model->ctx = module.getContext();

  // Every mesh the shardings name, and every sub-axis they use.
  llvm::SetVector<Attribute> refs;
  llvm::SetVector<AxisRefAttr> subAxes;
  mlir::AttrTypeWalker walker;
  walker.addWalk([&](ShardingAttr s) { refs.insert(s.getMeshOrRef()); });
  walker.addWalk([&](FormAttr f) { refs.insert(f.getMeshOrRef()); });
  walker.addWalk([&](AxisRefAttr a) {
    if (a.isSubAxis())
      subAxes.insert(a);
  });
  module.walk([&](Operation *op) {
    walker.walk<WalkOrder::PreOrder>(Attribute(op->getAttrDictionary()));
  });
  if (refs.empty()) {
    for (MeshOp mesh : module.getOps<MeshOp>()) {
      refs.insert(FlatSymbolRefAttr::get(mesh.getSymNameAttr()));
      break;
    }
  }
  for (Attribute ref : refs) {
    MeshAttr mesh = lookupMesh(ref, module);
    if (!mesh) {
      module.emitError("a sharding names an unknown mesh ") << ref;
      return nullptr;
    }
    if (mesh.getAxes().empty())
      continue; // Empty or maximal: nothing is cut.
    if (model->meshAttr && model->meshAttr != mesh) {
      module.emitError("shardings over different meshes (")
          << model->ref << " and " << ref
          << ") in one module; import makes related meshes one";
      return nullptr;
    }
    model->meshAttr = mesh;
    model->ref = ref;
  }
  if (!model->meshAttr) {
    model->meshAttr = MeshAttr::get(model->ctx, ArrayRef<MeshAxisAttr>());
    model->ref = refs.empty() ? Attribute(model->meshAttr) : refs.front();
  }

  SmallVector<int64_t> sizes;
  MeshCosts costs;
  bool hasTopology = !model->meshAttr.getTopology().empty();
  costs = MeshCosts::bytesOnly(model->meshAttr.getAxes().size());
  for (auto [i, axis] : llvm::enumerate(model->meshAttr.getAxes())) {
    sizes.push_back(axis.getSize());
    if (!hasTopology)
      continue;
    // An axis without an entry gets the fastest of the stated links.
    AxisCost cost{1.0 / 450.0e9, 5.0e-6};
    if (auto entry = model->meshAttr.getAxisTopology(axis.getName()))
      cost = {1.0 / (entry.getBandwidth() * 1.0e9), entry.getLatency() * 1e-6};
    costs.axes[i] = cost;
    costs.localSecondsPerByte = 1.0 / 2.0e12;
  }
  SmallVector<MeshAtom> subs;
  for (AxisRefAttr sub : subAxes) {
    int64_t axis = model->meshAttr.getAxisIndex(sub.getName());
    if (axis >= 0)
      subs.push_back({static_cast<int>(axis), sub.getPre(), sub.getSubSize()});
  }
  model->table = AtomTable(sizes, subs);
  if (!model->table.conflicts().empty()) {
    module.emitError("axis \"")
        << model->meshAttr.getAxes()[model->table.conflicts()[0]].getName()
        << "\" is cut into sub-axes that do not divide one another";
    return nullptr;
  }
  if (model->table.size() > 64) {
    module.emitError("the mesh and its sub-axes have more than 64 parts");
    return nullptr;
  }
  model->reshardPlanner =
      std::make_unique<ReshardPlanner>(model->table.atoms(), costs);
  return model;
}

AtomList MeshModel::toAtoms(ArrayRef<AxisRefAttr> axes) const {
  AtomList list;
  for (AxisRefAttr axis : axes) {
    int64_t index = meshAttr.getAxisIndex(axis.getName());
    if (index < 0)
      continue;
    MeshAtom sub{static_cast<int>(index), axis.getPre(),
                 axis.getSize(meshAttr)};
    list.append(table.expand(sub));
  }
  return list;
}

PlacementState MeshModel::toPlacement(ShardingAttr sharding,
                                      ArrayRef<int64_t> shape) const {
  PlacementState state = PlacementState::replicated(shape);
  if (!sharding)
    return state;
  for (auto [d, dim] : llvm::enumerate(sharding.getDims())) {
    if (d >= shape.size())
      break;
    state.dims[d] = toAtoms(dim.getAxes());
    if (state.dims[d].empty())
      continue;
    state.blocks[d] =
        dim.getBlock() ? dim.getBlock()
                       : ceilDiv(shape[d], partCount(state.dims[d], atoms()));
  }
  for (uint8_t atom : toAtoms(sharding.getPartialAxes()))
    state.partial |= atomBit(atom);
  if (state.partial)
    state.partialKind = static_cast<unsigned>(sharding.getPartialKind());
  return state;
}

PlacementState MeshModel::toPlacement(ShardingAttr sharding, Type type) const {
  return toPlacement(sharding, shapeOf(type));
}

SmallVector<AxisRefAttr> MeshModel::toAxes(ArrayRef<uint8_t> list) const {
  SmallVector<AxisRefAttr> axes;
  for (const MeshAtom &sub : table.join(list)) {
    auto name = meshAttr.getAxes()[sub.axis].getName();
    axes.push_back(
        AxisRefAttr::getNormalized(name, sub.preSize, sub.size, meshAttr));
  }
  return axes;
}

AtomList MeshModel::listOf(AtomSet set) const {
  AtomList list;
  for (size_t i = 0; i < atoms().size(); ++i)
    if (set & atomBit(i))
      list.push_back(i);
  return list;
}

SmallVector<AxisRefAttr> MeshModel::toAxes(AtomSet set) const {
  return toAxes(listOf(set));
}

AtomSet MeshModel::atomsOfAxes(ArrayRef<StringRef> names) const {
  AtomSet set = 0;
  for (auto [i, atom] : llvm::enumerate(atoms()))
    if (llvm::is_contained(names, meshAttr.getAxes()[atom.axis].getName()))
      set |= atomBit(i);
  return set;
}

DimShardingAttr MeshModel::toDimSharding(ArrayRef<uint8_t> list, int64_t block,
                                         int64_t size) const {
  bool isDefault =
      list.empty() || block == ceilDiv(size, partCount(list, atoms()));
  return DimShardingAttr::get(ctx, toAxes(list), /*isOpen=*/false,
                              /*priority=*/-1, isDefault ? 0 : block);
}

ShardingAttr MeshModel::toSharding(const PlacementState &state,
                                   ArrayRef<int64_t> shape) const {
  SmallVector<DimShardingAttr> dims;
  for (size_t d = 0; d < state.dims.size(); ++d)
    dims.push_back(toDimSharding(state.dims[d], state.blocks[d], shape[d]));
  return ShardingAttr::get(ref, dims, ArrayRef<AxisRefAttr>(),
                           static_cast<ReductionKind>(state.partialKind),
                           toAxes(state.partial));
}
