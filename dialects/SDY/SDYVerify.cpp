// Checks of shardings against meshes and types.
#include "dialects/SDY/SDY.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::sdy;

namespace {
/// Collects the axes that one sharding uses and reports what is wrong.
class AxisChecker {
public:
  AxisChecker(MeshAttr mesh, Operation *op, StringRef what, StringRef meshName)
      : mesh(mesh), op(op), what(what), meshName(meshName) {}

  InFlightDiagnostic error() {
    InFlightDiagnostic diagnostic = op->emitOpError();
    if (!what.empty())
      diagnostic << what << ": ";
    return diagnostic;
  }

  LogicalResult use(AxisRefAttr axis) {
    int64_t size = mesh.getAxisSize(axis.getName());
    if (size == 0) {
      InFlightDiagnostic diagnostic = error() << "unknown axis \""
                                              << axis.getName() << "\"";
      if (!meshName.empty())
        diagnostic << " in mesh @" << meshName;
      if (mesh.getAxes().empty())
        return diagnostic << ", which has no axes";
      diagnostic << ", which has ";
      llvm::interleaveComma(mesh.getAxes(), diagnostic,
                            [&](MeshAxisAttr known) {
                              diagnostic << "\"" << known.getName() << "\"";
                            });
      return diagnostic;
    }
    if (SubAxisInfoAttr info = axis.getSubAxisInfo()) {
      if (info.getPreSize() < 1 || info.getSize() < 2)
        return error() << "sub-axis " << axis.toString()
                       << " must have a size of at least 2 after a part of at "
                          "least 1";
      if (info.getPreSize() > size || info.getSize() > size ||
          size % info.getNextPreSize() != 0)
        return error() << "sub-axis " << axis.toString()
                       << " does not fit the axis: " << info.getPreSize()
                       << " x " << info.getSize()
                       << " does not divide its size " << size;
      if (info.getSize() == size)
        return error() << "sub-axis " << axis.toString()
                       << " is the whole axis; write \"" << axis.getName()
                       << "\"";
    }
    for (AxisRefAttr other : used) {
      if (other == axis)
        return error() << "axis " << axis.toString() << " is used twice";
      if (other.overlaps(axis))
        return error() << "axes " << other.toString() << " and "
                       << axis.toString() << " overlap";
    }
    used.push_back(axis);
    return success();
  }

  /// Two neighbours that are one sub-axis must be written as one.
  LogicalResult useList(ArrayRef<AxisRefAttr> axes) {
    AxisRefAttr previous;
    for (AxisRefAttr axis : axes) {
      if (failed(use(axis)))
        return failure();
      if (previous && previous.getName() == axis.getName() &&
          previous.getSubAxisInfo() && axis.getSubAxisInfo() &&
          previous.getSubAxisInfo().getNextPreSize() ==
              axis.getSubAxisInfo().getPreSize())
        return error() << "consecutive sub-axes " << previous.toString()
                       << " and " << axis.toString() << " must be merged";
      previous = axis;
    }
    return success();
  }

private:
  MeshAttr mesh;
  Operation *op;
  StringRef what, meshName;
  SmallVector<AxisRefAttr> used;
};
} // namespace

LogicalResult mlir::sdy::verifySharding(TensorShardingAttr sharding, Type type,
                                        Operation *op, StringRef what) {
  MeshAttr mesh = sharding.getMesh(op);
  AxisChecker checker(mesh, op, what, sharding.getMeshName());
  if (!mesh)
    return checker.error() << "unknown mesh @" << sharding.getMeshName();
  if (mesh.isMaximal() &&
      (sharding.getRank() != 0 || !sharding.getReplicatedAxes().empty() ||
       !sharding.getUnreducedAxes().empty()))
    return checker.error()
           << "a sharding on a maximal mesh is written with [] and no axes";

  auto shaped = dyn_cast<ShapedType>(type);
  if (shaped && !shaped.hasRank())
    return checker.error() << "an unranked tensor cannot be sharded";
  int64_t rank = shaped ? shaped.getRank() : 0;
  if (!mesh.isMaximal() && sharding.getRank() != rank)
    return checker.error() << "sharding has " << sharding.getRank()
                           << " dimensions, but the value has " << rank;

  for (auto [index, dim] : llvm::enumerate(sharding.getDimShardings())) {
    if (failed(checker.useList(dim.getAxes())))
      return failure();
    if (dim.getPriority() && *dim.getPriority() < 0)
      return checker.error()
             << "dimension " << index << " has a negative priority";
    if (dim.getPriority() && dim.getAxes().empty() && dim.getIsClosed())
      return checker.error() << "dimension " << index
                             << " is closed and whole, so a priority says "
                                "nothing";
  }
  if (failed(checker.useList(sharding.getReplicatedAxes())) ||
      failed(checker.useList(sharding.getUnreducedAxes())))
    return failure();
  return success();
}
