// From a planned reshard to comm ops and local slices.

#include "Partitioner.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/ShardingRule.h"
#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;

namespace {
class Emitter {
public:
  Emitter(ArrayRef<int64_t> shape, StringRef reason, Location provenance,
          MeshModel &mesh, LocalBuilder &b)
      : shape(shape), mesh(mesh), b(b) {
    reasonAttr = b.getStringAttr(reason);
    provenanceAttr = b.getArrayAttr({Attribute(LocationAttr(provenance))});
  }

  Value emit(Value value, const ReshardStep &step) {
    switch (step.kind) {
    case ReshardKind::AllSlice:
      return comm::AllSliceOp::create(b, b.loc(), typeAfter(value, step), value,
                                      step.dim, groups(step.atoms));
    case ReshardKind::MakePartial:
      return makePartial(value, step);
    case ReshardKind::AllGather:
      return comm::AllGatherOp::create(b, b.loc(), typeAfter(value, step),
                                       value, step.dim, groups(step.atoms),
                                       reasonAttr, provenanceAttr);
    case ReshardKind::AllToAll:
      return comm::AllToAllOp::create(
          b, b.loc(), typeAfter(value, step), value, /*split=*/step.toDim,
          /*concat=*/step.dim, groups(step.atoms), reasonAttr, provenanceAttr);
    case ReshardKind::Permute:
      return permute(value, step);
    case ReshardKind::Reblock:
      return comm::ReblockOp::create(
          b, b.loc(), typeAfter(value, step), value, /*fill=*/Value(), step.dim,
          shape[step.dim], /*offset=*/0, /*step=*/IntegerAttr(),
          groups(step.atoms), reasonAttr, provenanceAttr);
    case ReshardKind::ReduceScatter:
      return comm::ReduceScatterOp::create(
          b, b.loc(), typeAfter(value, step), kind(step), value, step.dim,
          groups(step.atoms), reasonAttr, provenanceAttr);
    case ReshardKind::AllReduce:
      if (auto it = b.owned.find(value); it != b.owned.end()) {
        const LocalBuilder::SingleOwner &owner = it->second;
        if (owner.atoms.size() == step.atoms.size() &&
            std::is_permutation(owner.atoms.begin(), owner.atoms.end(),
                                step.atoms.begin()))
          return comm::BroadcastOp::create(
              b, b.loc(), value.getType(), owner.value, /*rootIndex=*/Value(),
              b.getI64IntegerAttr(owner.root), groups(owner.atoms), reasonAttr,
              provenanceAttr);
      }
      return comm::AllReduceOp::create(b, b.loc(), value.getType(), kind(step),
                                       value, groups(step.atoms), reasonAttr,
                                       provenanceAttr);
    }
    return value;
  }

private:
  ArrayRef<int64_t> shape;
  MeshModel &mesh;
  LocalBuilder &b;
  StringAttr reasonAttr;
  ArrayAttr provenanceAttr;

  comm::GroupsAttr groups(ArrayRef<uint8_t> atoms) {
    return comm::GroupsAttr::get(mesh.meshRef(), mesh.toAxes(atoms));
  }
  ReductionKind kind(const ReshardStep &step) {
    return static_cast<ReductionKind>(step.before.partialKind);
  }
  Type typeAfter(Value value, const ReshardStep &step) {
    return b.tensorType(step.after.blocks, b.elementOf(value));
  }

  /// The first device keeps the value, the others the neutral element.
  Value makePartial(Value value, const ReshardStep &step) {
    auto type = typeOf(value);
    Attribute neutral =
        getNeutralElement(static_cast<ReductionKind>(step.after.partialKind),
                          type.getElementType());
    // A constant that is neutral (or zero, for sums) already is its own part.
    DenseElementsAttr constant;
    if (matchPattern(value, m_Constant(&constant)) && constant.isSplat()) {
      Attribute splat = constant.getSplatValue<Attribute>();
      auto number = dyn_cast<FloatAttr>(splat);
      auto integer = dyn_cast<IntegerAttr>(splat);
      bool isAdd =
          step.after.partialKind == static_cast<unsigned>(ReductionKind::Add);
      if (splat == neutral ||
          (isAdd && ((number && number.getValue().isZero()) ||
                     (integer && integer.getValue().isZero()))))
        return value;
    }
    if (step.after.partialKind == static_cast<unsigned>(ReductionKind::Min) ||
        step.after.partialKind == static_cast<unsigned>(ReductionKind::Max) ||
        step.after.partialKind == static_cast<unsigned>(ReductionKind::And) ||
        step.after.partialKind == static_cast<unsigned>(ReductionKind::Or))
      return value; // Idempotent: everyone may keep it.
    Value isFirst =
        b.compare(LocalBuilder::Compare::EQ, b.axisIndex(step.atoms),
                  b.scalarInt(0, b.getI32Type()));
    Value others = b.splat(
        type.getShape(), type.getElementType(),
        getNeutralOrFiller(static_cast<ReductionKind>(step.after.partialKind),
                           type.getElementType()));
    // The predicate of a select may be a scalar.
    return b.select(isFirst, value, others);
  }

  Value permute(Value value, const ReshardStep &step) {
    // Positions in the group, major to minor as step.atoms lists them.
    int64_t devices = partCount(ArrayRef<uint8_t>(step.atoms), mesh.atoms());
    auto partsOf = [&](int64_t device, const PlacementState &state) {
      SmallVector<int64_t, 8> coordinate(mesh.atoms().size(), 0);
      for (uint8_t atom : llvm::reverse(step.atoms)) {
        coordinate[atom] = device % mesh.atoms()[atom].size;
        device /= mesh.atoms()[atom].size;
      }
      std::vector<int64_t> parts;
      for (const AtomList &list : state.dims) {
        int64_t index = 0;
        for (uint8_t atom : list)
          index = index * mesh.atoms()[atom].size + coordinate[atom];
        parts.push_back(index);
      }
      return parts;
    };
    // Who holds a piece before, who wants it after; those who keep theirs
    // first, the others in order.
    std::map<std::vector<int64_t>, std::vector<int64_t>> holders, wanters;
    SmallVector<int64_t> sources, targets;
    for (int64_t device = 0; device < devices; ++device) {
      auto before = partsOf(device, step.before);
      auto after = partsOf(device, step.after);
      if (before == after) {
        sources.push_back(device);
        targets.push_back(device);
        continue;
      }
      holders[before].push_back(device);
      wanters[after].push_back(device);
    }
    for (auto &[piece, list] : wanters)
      for (size_t i = 0; i < list.size(); ++i) {
        const std::vector<int64_t> &from = holders[piece];
        if (i < from.size()) {
          sources.push_back(from[i]);
          targets.push_back(list[i]);
        }
      }
    return comm::PermuteOp::create(b, b.loc(), value.getType(), value, sources,
                                   targets, groups(step.atoms), reasonAttr,
                                   provenanceAttr);
  }
};
} // namespace

Value shoal::emitReshard(Value value, ArrayRef<int64_t> shape,
                         const PlacementState &from, const PlacementState &to,
                         StringRef reason, Location provenance, MeshModel &mesh,
                         LocalBuilder &b) {
  if (from == to)
    return value;
  const ReshardPlan &plan =
      mesh.planner().plan(from, to, shape, elementBytesOf(value.getType()));
  Emitter emitter(shape, reason, provenance, mesh, b);
  for (const ReshardStep &step : plan.steps)
    value = emitter.emit(value, step);
  return value;
}
