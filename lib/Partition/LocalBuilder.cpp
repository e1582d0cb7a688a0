#include "LocalBuilder.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/ShardingRule.h"
#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

LocalBuilder::LocalBuilder(Block *block, MeshModel &mesh)
    : OpBuilder(mesh.context()), mesh(mesh),
      location(mlir::UnknownLoc::get(mesh.context())) {
  setInsertionPointToEnd(block);
}

Value LocalBuilder::splat(ArrayRef<int64_t> shape, Type element,
                          Attribute scalar) {
  auto type = tensorType(shape, element);
  DenseElementsAttr value;
  if (auto dense = dyn_cast<DenseElementsAttr>(scalar))
    value = dense.resizeSplat(type);
  else
    value = DenseElementsAttr::get(type, scalar);
  return sh::ConstantOp::create(*this, location, type, value);
}

Value LocalBuilder::zeros(RankedTensorType type) {
  Type element = type.getElementType();
  return splat(type.getShape(), element, getFiller(element));
}

Value LocalBuilder::scalarInt(int64_t value, Type element) {
  return splat({}, element, getIntegerAttr(element, value));
}

Value LocalBuilder::broadcast(Value value, ArrayRef<int64_t> shape,
                              ArrayRef<int64_t> dims) {
  if (typeOf(value).getShape() == shape)
    return value;
  return sh::BroadcastInDimOp::create(
      *this, location, tensorType(shape, elementOf(value)), value, dims);
}

Value LocalBuilder::iota(ArrayRef<int64_t> shape, int64_t dim, Type element) {
  return sh::IotaOp::create(*this, location, tensorType(shape, element), dim);
}

Value LocalBuilder::convert(Value value, Type element) {
  if (elementOf(value) == element)
    return value;
  return sh::ConvertOp::create(
      *this, location, tensorType(typeOf(value).getShape(), element), value);
}

Value LocalBuilder::add(Value x, Value y) {
  return sh::AddOp::create(*this, location, x.getType(), x, y);
}
Value LocalBuilder::sub(Value x, Value y) {
  return sh::SubtractOp::create(*this, location, x.getType(), x, y);
}
Value LocalBuilder::mul(Value x, Value y) {
  return sh::MulOp::create(*this, location, x.getType(), x, y);
}
Value LocalBuilder::logicalAnd(Value x, Value y) {
  return sh::AndOp::create(*this, location, x.getType(), x, y);
}
Value LocalBuilder::clamp(Value lo, Value value, Value hi) {
  return sh::ClampOp::create(*this, location, value.getType(), lo, value, hi);
}
Value LocalBuilder::select(Value pred, Value x, Value y) {
  return sh::SelectOp::create(*this, location, x.getType(), pred, x, y);
}

Value LocalBuilder::compare(Compare how, Value x, Value y) {
  auto direction = how == Compare::LT   ? sh::ComparisonDirection::LT
                   : how == Compare::GE ? sh::ComparisonDirection::GE
                                        : sh::ComparisonDirection::EQ;
  return sh::CompareOp::create(
      *this, location, tensorType(typeOf(x).getShape(), getI1Type()), x, y,
      sh::ComparisonDirectionAttr::get(context, direction),
      sh::ComparisonTypeAttr());
}

Value LocalBuilder::slice(Value value, int64_t dim, int64_t start,
                          int64_t limit) {
  auto type = typeOf(value);
  if (start == 0 && limit == type.getDimSize(dim))
    return value;
  SmallVector<int64_t> shape(type.getShape());
  SmallVector<int64_t> starts(shape.size(), 0), limits(shape),
      strides(shape.size(), 1);
  starts[dim] = start;
  limits[dim] = limit;
  shape[dim] = limit - start;
  return sh::SliceOp::create(*this, location,
                             tensorType(shape, type.getElementType()), value,
                             starts, limits, strides);
}

Value LocalBuilder::pad(Value value, int64_t dim, int64_t low, int64_t high,
                        Value fill) {
  if (low == 0 && high == 0)
    return value;
  auto type = typeOf(value);
  SmallVector<int64_t> shape(type.getShape());
  SmallVector<int64_t> lows(shape.size(), 0), highs(shape.size(), 0),
      interior(shape.size(), 0);
  lows[dim] = low;
  highs[dim] = high;
  shape[dim] += low + high;
  return sh::PadOp::create(*this, location,
                           tensorType(shape, type.getElementType()), value,
                           fill, lows, highs, interior);
}

Value LocalBuilder::axisIndex(ArrayRef<uint8_t> atoms) {
  auto type = tensorType({}, getI32Type());
  if (atoms.empty())
    return scalarInt(0, getI32Type());
  return comm::AxisIndexOp::create(
      *this, location, type,
      comm::GroupsAttr::get(mesh.meshRef(), mesh.toAxes(atoms)));
}

Value LocalBuilder::maskPadding(Value value, int64_t dim,
                                ArrayRef<uint8_t> atoms, int64_t size,
                                Attribute fill) {
  auto type = typeOf(value);
  int64_t block = type.getDimSize(dim);
  // Compare the local position with what is left of the dimension here.
  Value offset = mul(axisIndex(atoms), scalarInt(block, getI32Type()));
  Value rest = sub(scalarInt(size, getI32Type()), offset);
  Value position = iota({block}, 0, getI32Type());
  Value valid = compare(Compare::LT, position, broadcast(rest, {block}));
  valid = broadcast(valid, type.getShape(), {dim});
  return select(valid, value,
                splat(type.getShape(), type.getElementType(), fill));
}
