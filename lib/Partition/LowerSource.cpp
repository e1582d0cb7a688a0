// Constants and iota: each device makes its own block, nothing is sent.

#include "Partitioner.h"

#include "dialects/Comm/Comm.h"
#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

SmallVector<Value> OpLowering::lowerConstant() {
  auto constant = cast<sh::ConstantOp>(op);
  auto type = cast<RankedTensorType>(constant.getOutput().getType());
  PlacementState state = model.placement(form, 0);
  auto local = b.tensorType(state.blocks, type.getElementType());
  if (auto dense = dyn_cast<DenseElementsAttr>(constant.getValue()))
    if (dense.isSplat())
      return {
          sh::ConstantOp::create(b, b.loc(), local, dense.resizeSplat(local))};
  Value value = sh::ConstantOp::create(b, b.loc(), type, constant.getValue());
  for (size_t d = 0; d < state.dims.size(); ++d) {
    if (state.dims[d].empty())
      continue;
    SmallVector<int64_t> shape(typeOf(value).getShape());
    shape[d] = state.blocks[d];
    value = comm::AllSliceOp::create(
        b, b.loc(), b.tensorType(shape, type.getElementType()), value, d,
        comm::GroupsAttr::get(mesh.meshRef(), mesh.toAxes(state.dims[d])));
  }
  return {value};
}

SmallVector<Value> OpLowering::lowerIota() {
  auto iota = cast<sh::IotaOp>(op);
  auto type = cast<RankedTensorType>(iota.getOutput().getType());
  PlacementState state = model.placement(form, 0);
  int64_t dim = iota.getIotaDimension();
  Type element = type.getElementType();
  if (state.dims[dim].empty())
    return {b.iota(state.blocks, dim, element)};
  // Count in i32 and convert once: narrow floats could not hold the sum of a
  // rounded offset and a rounded position.
  Type counter = b.getI32Type();
  Value offset = b.mul(b.axisIndex(state.dims[dim]),
                       b.scalarInt(state.blocks[dim], counter));
  Value position = b.iota({state.blocks[dim]}, 0, counter);
  Value index = b.add(position, b.broadcast(offset, {state.blocks[dim]}));
  index = b.convert(index, element);
  return {b.broadcast(index, state.blocks, {dim})};
}
