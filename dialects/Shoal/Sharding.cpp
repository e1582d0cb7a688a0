// What a sharding means for shapes and devices; accessors of attributes.
#include "dialects/Shoal/Sharding.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace shoal {

MeshAttr lookupMesh(Attribute meshOrRef, Operation *from) {
  if (auto mesh = dyn_cast_if_present<MeshAttr>(meshOrRef))
    return mesh;
  auto ref = dyn_cast_if_present<FlatSymbolRefAttr>(meshOrRef);
  if (!ref || !from)
    return {};
  auto op = SymbolTable::lookupNearestSymbolFrom<MeshOp>(from, ref);
  return op ? op.getMesh() : MeshAttr();
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

int64_t DimShardingAttr::getNumParts(MeshAttr mesh) const {
  return getAxesSize(getAxes(), mesh);
}
int64_t DimShardingAttr::getBlockSize(int64_t size, MeshAttr mesh) const {
  if (getBlock())
    return getBlock();
  int64_t parts = getNumParts(mesh);
  return parts > 0 ? llvm::divideCeil(size, parts) : size;
}
DimShardingAttr DimShardingAttr::withAxes(AxisListRef axes) const {
  return get(getContext(), axes, getIsOpen(), getPriority(), getBlock());
}
DimShardingAttr DimShardingAttr::withOpen(bool open) const {
  return get(getContext(), getAxes(), open, getPriority(), getBlock());
}
DimShardingAttr DimShardingAttr::withBlock(int64_t block) const {
  return get(getContext(), getAxes(), getIsOpen(), getPriority(), block);
}

FlatSymbolRefAttr ShardingAttr::getMeshRef() const {
  return dyn_cast<FlatSymbolRefAttr>(getMeshOrRef());
}
MeshAttr ShardingAttr::getMesh(Operation *from) const {
  return lookupMesh(getMeshOrRef(), from);
}
bool ShardingAttr::isFullyReplicated() const {
  return !isPartial() && llvm::all_of(getDims(), [](DimShardingAttr dim) {
    return dim.emptyAxes();
  });
}
bool ShardingAttr::usesAxis(StringRef axis) const {
  return llvm::any_of(getUsedAxes(*this), [&](AxisRefAttr used) {
    return used.getName() == axis;
  });
}
ShardingAttr ShardingAttr::getReplicated(Attribute meshOrRef, int64_t rank) {
  auto dim = DimShardingAttr::get(meshOrRef.getContext(), {}, false);
  return get(meshOrRef, SmallVector<DimShardingAttr>(rank, dim));
}
ShardingAttr ShardingAttr::getFullyOpen(Attribute meshOrRef, int64_t rank) {
  auto dim = DimShardingAttr::get(meshOrRef.getContext(), {}, true);
  return get(meshOrRef, SmallVector<DimShardingAttr>(rank, dim));
}
ShardingAttr ShardingAttr::withDims(ArrayRef<DimShardingAttr> dims) const {
  return get(getMeshOrRef(), dims, getReplicated(), getPartialKind(),
             getPartialAxes());
}
ShardingAttr ShardingAttr::withDim(int64_t dim, DimShardingAttr value) const {
  SmallVector<DimShardingAttr> dims(getDims());
  dims[dim] = value;
  return withDims(dims);
}
ShardingAttr ShardingAttr::withPartial(ReductionKind kind,
                                       AxisListRef axes) const {
  return get(getMeshOrRef(), getDims(), getReplicated(), kind, axes);
}
ShardingAttr ShardingAttr::withoutPartial() const {
  return withPartial(ReductionKind::Add, {});
}
ShardingAttr ShardingAttr::getLayout() const {
  SmallVector<DimShardingAttr> dims;
  for (DimShardingAttr dim : getDims())
    dims.push_back(DimShardingAttr::get(getContext(), dim.getAxes(), false, -1,
                                        dim.getBlock()));
  return get(getMeshOrRef(), dims, {}, getPartialKind(), getPartialAxes());
}

MeshAttr FormAttr::getMesh(Operation *from) const {
  return lookupMesh(getMeshOrRef(), from);
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

SmallVector<int64_t> getLocalShape(ArrayRef<int64_t> shape,
                                   ShardingAttr sharding, MeshAttr mesh) {
  SmallVector<int64_t> local(shape);
  if (!sharding || !mesh)
    return local;
  for (auto [size, dim] : llvm::zip(local, sharding.getDims()))
    if (!ShapedType::isDynamic(size) && (!dim.emptyAxes() || dim.getBlock()))
      size = dim.getBlockSize(size, mesh);
  return local;
}

Type getLocalType(Type type, ShardingAttr sharding, MeshAttr mesh) {
  auto shaped = dyn_cast<RankedTensorType>(type);
  if (!shaped || !sharding)
    return type;
  return shaped.clone(getLocalShape(shaped.getShape(), sharding, mesh));
}

SmallVector<int64_t> getBlockOffset(ArrayRef<int64_t> shape,
                                    ShardingAttr sharding, MeshAttr mesh,
                                    int64_t position) {
  SmallVector<int64_t> offset(shape.size(), 0);
  if (!sharding || !mesh)
    return offset;
  for (size_t d = 0; d < shape.size(); ++d) {
    DimShardingAttr dim = sharding.getDim(d);
    if (!dim.emptyAxes())
      offset[d] = getIndexAlong(dim.getAxes(), position, mesh) *
                  dim.getBlockSize(shape[d], mesh);
  }
  return offset;
}

SmallVector<int64_t> getValidSize(ArrayRef<int64_t> shape,
                                  ShardingAttr sharding, MeshAttr mesh,
                                  int64_t position) {
  SmallVector<int64_t> offset =
      getBlockOffset(shape, sharding, mesh, position);
  SmallVector<int64_t> valid = getLocalShape(shape, sharding, mesh);
  for (size_t d = 0; d < shape.size(); ++d)
    valid[d] = std::clamp<int64_t>(shape[d] - offset[d], 0, valid[d]);
  return valid;
}

int64_t getNumParts(ShardingAttr sharding, int64_t dim, MeshAttr mesh) {
  return sharding ? sharding.getDim(dim).getNumParts(mesh) : 1;
}

bool isEvenlySharded(ArrayRef<int64_t> shape, ShardingAttr sharding,
                     MeshAttr mesh) {
  if (!sharding)
    return true;
  for (auto [size, dim] : llvm::zip(shape, sharding.getDims()))
    if (dim.getBlockSize(size, mesh) * dim.getNumParts(mesh) != size)
      return false;
  return true;
}

AxisList getUsedAxes(ShardingAttr sharding) {
  AxisList axes;
  for (DimShardingAttr dim : sharding.getDims())
    llvm::append_range(axes, dim.getAxes());
  llvm::append_range(axes, sharding.getPartialAxes());
  return axes;
}

bool isSameLayout(ShardingAttr a, ShardingAttr b, ArrayRef<int64_t> shape,
                  MeshAttr mesh) {
  if (a == b)
    return true;
  auto isTrivial = [&](ShardingAttr s) {
    return !s || (!s.isPartial() && getAxesSize(getUsedAxes(s), mesh) == 1 &&
                  isEvenlySharded(shape, s, mesh));
  };
  if (!a || !b)
    return isTrivial(a) && isTrivial(b);
  if (a.getRank() != b.getRank())
    return false;
  // Axes of size 1 cut nothing.
  auto axesOf = [&](AxisListRef axes) {
    AxisList result = normalizeAxes(axes, mesh);
    llvm::erase_if(result, [&](AxisRefAttr x) { return x.getSize(mesh) == 1; });
    return result;
  };
  for (int64_t d = 0; d < a.getRank(); ++d)
    if (axesOf(a.getDim(d).getAxes()) != axesOf(b.getDim(d).getAxes()) ||
        a.getDim(d).getBlockSize(shape[d], mesh) !=
            b.getDim(d).getBlockSize(shape[d], mesh))
      return false;
  auto partial = [&](ShardingAttr s) {
    AxisList axes = axesOf(s.getPartialAxes());
    llvm::sort(axes, [&](AxisRefAttr x, AxisRefAttr y) {
      return std::make_pair(mesh.getAxisIndex(x.getName()), x.getPre()) <
             std::make_pair(mesh.getAxisIndex(y.getName()), y.getPre());
    });
    return normalizeAxes(axes, mesh); // Order does not matter for a sum.
  };
  AxisList partialA = partial(a), partialB = partial(b);
  return partialA == partialB &&
         (partialA.empty() || a.getPartialKind() == b.getPartialKind());
}

//===----------------------------------------------------------------------===//
// Shardings of values
//===----------------------------------------------------------------------===//

ShardingAttr getResultSharding(Operation *op, unsigned i) {
  auto list =
      op->getAttrOfType<ShardingPerValueAttr>(ShoalDialect::kShardingsAttr);
  return list && i < list.size() ? list.getShardings()[i] : ShardingAttr();
}

ShardingAttr getSharding(Value value) {
  if (auto result = dyn_cast<OpResult>(value)) {
    Operation *op = result.getOwner();
    if (auto constraint = dyn_cast<ConstraintOp>(op))
      return constraint.getSharding();
    if (auto reshard = dyn_cast<ReshardOp>(op))
      return reshard.getSharding();
    if (auto manual = dyn_cast<ManualOp>(op))
      return manual.getOutSharding(result.getResultNumber());
    return getResultSharding(op, result.getResultNumber());
  }
  auto arg = cast<BlockArgument>(value);
  Operation *parent = arg.getOwner()->getParentOp();
  if (auto func = dyn_cast_if_present<FunctionOpInterface>(parent))
    return arg.getOwner()->isEntryBlock()
               ? func.getArgAttrOfType<ShardingAttr>(
                     arg.getArgNumber(), ShoalDialect::kShardingAttr)
               : ShardingAttr();
  if (auto manual = dyn_cast_if_present<ManualOp>(parent))
    return manual.getFreeSharding(manual.getInSharding(arg.getArgNumber()));
  return {};
}

void setShardings(Operation *op, ArrayRef<ShardingAttr> shardings) {
  op->setAttr(ShoalDialect::kShardingsAttr,
              ShardingPerValueAttr::get(op->getContext(), shardings));
}

} // namespace shoal
