// shoal-place-mesh: see Passes.td.
#include "shoal/Analysis/CollectiveModel.h"
#include "shoal/Propagate/Passes.h"

#include "dialects/Shoal/Shoal.h"

#include <cmath>

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_PLACEMESH
#include "shoal/Propagate/Passes.h.inc"

namespace {

/// Devices that differ in their place along one axis only, the first group.
SmallVector<int64_t> devicesAlong(MeshAttr mesh, size_t axis) {
  int64_t stride = 1;
  for (MeshAxisAttr later : mesh.getAxes().drop_front(axis + 1))
    stride *= later.getSize();
  SmallVector<int64_t> devices;
  for (int64_t i = 0; i < mesh.getAxes()[axis].getSize(); ++i)
    devices.push_back(mesh.getDeviceId(i * stride));
  return devices;
}

/// To three decimals, or as many as show three digits of a small number.
llvm::APFloat rounded(double value) {
  double scale = 1e3;
  while (value * scale < 100 && scale < 1e18)
    scale *= 10;
  return llvm::APFloat(std::round(value * scale) / scale);
}

/// The line through the times of a small and a large all_gather: what a byte
/// sent costs, and a message.
AxisTopologyAttr measure(MeshAttr mesh, size_t axis, const Hardware &hardware) {
  GroupShape shape = shapeOfGroup(devicesAlong(mesh, axis), hardware);
  constexpr double small = 1e6, large = 1e8;
  auto seconds = [&](double sent) {
    return timeOfCollective(CollectiveType::AllGather,
                            static_cast<int64_t>(sent), shape, hardware)
        .seconds;
  };
  double perByte = (seconds(large) - seconds(small)) / (large - small);
  double latency = std::max(0.0, seconds(small) - small * perByte);
  return AxisTopologyAttr::get(mesh.getContext(),
                               mesh.getAxes()[axis].getName(),
                               rounded(1e-9 / perByte), rounded(latency * 1e6));
}

struct PlaceMesh : impl::PlaceMeshBase<PlaceMesh> {
  using PlaceMeshBase::PlaceMeshBase;

  void runOnOperation() override {
    FailureOr<Hardware> machine = getHardware(hardware, getOperation());
    if (failed(machine))
      return signalPassFailure();
    for (auto op : getOperation().getOps<MeshOp>()) {
      MeshAttr mesh = op.getMesh();
      SmallVector<AxisTopologyAttr> topology;
      for (auto [i, axis] : llvm::enumerate(mesh.getAxes())) {
        AxisTopologyAttr stated = mesh.getAxisTopology(axis.getName());
        if (stated || axis.getSize() > 1)
          topology.push_back(stated ? stated : measure(mesh, i, *machine));
      }
      op.setMeshAttr(MeshAttr::get(mesh.getContext(), mesh.getAxes(),
                                   mesh.getDeviceIds(), topology));
    }
  }
};

} // namespace
} // namespace shoal
