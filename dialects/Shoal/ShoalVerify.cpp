// Verification of meshes, axis lists and shardings.
#include "dialects/Shoal/Sharding.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace shoal {

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

LogicalResult verifyMesh(MeshAttr mesh, EmitError emitError) {
  llvm::StringSet<> names;
  int64_t total = 1;
  for (MeshAxisAttr axis : mesh.getAxes()) {
    if (!names.insert(axis.getName()).second)
      return emitError() << "mesh names axis \"" << axis.getName()
                         << "\" twice";
    if (axis.getSize() < 1)
      return emitError() << "mesh axis \"" << axis.getName()
                         << "\" must have a positive size, not "
                         << axis.getSize();
    if (axis.getSize() > kMaxDevices || total * axis.getSize() > kMaxDevices)
      return emitError() << "mesh has more than " << kMaxDevices << " devices";
    total *= axis.getSize();
  }
  ArrayRef<int64_t> ids = mesh.getDeviceIds();
  if (mesh.getAxes().empty() && ids.size() > 1)
    return emitError() << "a mesh without axes places on one device, but lists "
                       << ids.size() << " device ids";
  if (mesh.isMaximal() && ids[0] < 0)
    return emitError() << "device ids must not be negative";
  if (!mesh.getAxes().empty() && !ids.empty()) {
    if (static_cast<int64_t>(ids.size()) != total)
      return emitError() << "mesh has " << total << " devices but lists "
                         << ids.size() << " device ids";
    SmallVector<bool> seen(total, false);
    for (int64_t id : ids) {
      if (id < 0 || id >= total || seen[id])
        return emitError() << "device ids must be a permutation of 0 to "
                           << total - 1 << "; " << id
                           << (id >= 0 && id < total ? " occurs twice"
                                                     : " is outside");
      seen[id] = true;
    }
  }
  llvm::StringSet<> described;
  for (AxisTopologyAttr entry : mesh.getTopology()) {
    if (!mesh.hasAxis(entry.getName()))
      return emitError() << "topology of unknown axis \"" << entry.getName()
                         << "\"";
    if (!described.insert(entry.getName()).second)
      return emitError() << "topology of axis \"" << entry.getName()
                         << "\" given twice";
    if (!(entry.getBandwidth() > 0) || !(entry.getLatency() >= 0))
      return emitError() << "topology of axis \"" << entry.getName()
                         << "\" needs a positive bandwidth and a latency of "
                            "zero or more";
  }
  return success();
}

LogicalResult verifyAxisList(AxisListRef axes, MeshAttr mesh,
                             EmitError emitError) {
  for (auto [i, axis] : llvm::enumerate(axes)) {
    int64_t full = mesh.getAxisSize(axis.getName());
    if (!full) {
      InFlightDiagnostic diag = emitError();
      diag << "unknown axis \"" << axis.getName() << "\"; the mesh has ";
      llvm::interleaveComma(mesh.getAxes(), diag, [&](MeshAxisAttr a) {
        diag << '"' << a.getName() << '"';
      });
      if (mesh.getAxes().empty())
        diag << "none";
      return diag;
    }
    if (axis.isSubAxis()) {
      // Divide rather than multiply: the numbers are the user's.
      int64_t pre = axis.getPreSize(), size = axis.getSubSize();
      if (pre < 1 || size < 1 || full % pre || (full / pre) % size)
        return emitError() << "sub-axis " << axesToString(axis)
                           << " does not divide axis \"" << axis.getName()
                           << "\" of size " << full;
      if (size == full)
        return emitError() << "sub-axis " << axesToString(axis)
                           << " is the whole axis; write \"" << axis.getName()
                           << '"';
    }
    for (AxisRefAttr other : axes.take_front(i)) {
      if (other == axis)
        return emitError() << "axis " << axesToString(axis)
                           << " is used twice";
      if (other.overlaps(axis, mesh) ||
          (other.getName() == axis.getName() &&
           (!other.isSubAxis() || !axis.isSubAxis())))
        return emitError() << "axis " << axesToString(axis) << " overlaps "
                           << axesToString(other);
    }
  }
  return success();
}

static LogicalResult verifyKindOnType(ReductionKind kind, Type type,
                                      EmitError emitError) {
  Type element = getElementTypeOrSelf(type);
  bool bits = kind == ReductionKind::And || kind == ReductionKind::Or ||
              kind == ReductionKind::Xor;
  bool order = kind == ReductionKind::Min || kind == ReductionKind::Max;
  if ((bits && !element.isIntOrIndex()) ||
      (order && isa<ComplexType>(element)))
    return emitError() << "a value of element type " << element
                       << " cannot be partial with kind '"
                       << stringifyReductionKind(kind) << "'";
  return success();
}

LogicalResult verifySharding(ShardingAttr sharding, Type type, Operation *from,
                             EmitError emitError) {
  MeshAttr mesh = sharding.getMesh(from);
  if (!mesh)
    return emitError() << "unknown mesh " << sharding.getMeshOrRef();
  if (isa<MeshAttr>(sharding.getMeshOrRef()) &&
      failed(verifyMesh(mesh, emitError)))
    return failure();
  if (mesh.isMaximal() && !sharding.isFullyReplicated())
    return emitError() << "a sharding over a maximal mesh has no axes";

  AxisList all = getUsedAxes(sharding);
  llvm::append_range(all, sharding.getReplicated());
  if (failed(verifyAxisList(all, mesh, emitError)))
    return failure();

  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped) {
    // Tokens and the like: nothing to cut.
    if (sharding.getRank() != 0)
      return emitError() << "a value of type " << type
                         << " has no dimensions to shard";
    return success();
  }
  if (!shaped.hasRank())
    return emitError() << "cannot shard the unranked type " << type;
  // A maximal sharding need not repeat the rank.
  if (mesh.isMaximal() && sharding.getRank() == 0)
    return success();
  if (sharding.getRank() != shaped.getRank())
    return emitError() << "sharding has " << sharding.getRank()
                       << " dimensions, but its value has type " << type;
  for (auto [d, dim] : llvm::enumerate(sharding.getDims())) {
    if (dim.hasPriority() && dim.emptyAxes() && !dim.getIsOpen())
      return emitError() << "dimension " << d
                         << " is empty and closed: its priority says nothing";
    int64_t size = shaped.getDimSize(d);
    if (!dim.getBlock() || ShapedType::isDynamic(size))
      continue;
    int64_t parts = dim.getNumParts(mesh);
    // The division keeps a user's huge block from overflowing.
    if (dim.getBlock() < static_cast<int64_t>(llvm::divideCeil(size, parts)))
      return emitError() << "block " << dim.getBlock() << " of dimension " << d
                         << " is too small: " << parts << " parts must hold "
                         << size << " elements";
  }
  if (sharding.isPartial())
    return verifyKindOnType(sharding.getPartialKind(), type, emitError);
  return success();
}

} // namespace shoal
