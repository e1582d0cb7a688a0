// Gathers along one dimension, at places that are computed.
#include "RuntimePlaces.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace mlir::stablehlo;

static Value splat(OpBuilder &builder, Location loc, ArrayRef<int64_t> shape,
                   int64_t value) {
  auto type = RankedTensorType::get(shape, builder.getI64Type());
  return ConstantOp::create(builder, loc, DenseElementsAttr::get(type, value));
}

static Value spread(OpBuilder &builder, Location loc, Value value,
                    ArrayRef<int64_t> shape, ArrayRef<int64_t> dims) {
  Type element = getElementTypeOrSelf(value.getType());
  return BroadcastInDimOp::create(builder, loc,
                                  RankedTensorType::get(shape, element), value,
                                  builder.getDenseI64ArrayAttr(dims));
}

static Value iota(OpBuilder &builder, Location loc, int64_t size) {
  return IotaOp::create(builder, loc,
                        RankedTensorType::get({size}, builder.getI64Type()),
                        builder.getI64IntegerAttr(0));
}

/// The elements along `dim` at `places`, a vector of i64 within bounds.
static Value takeAlong(OpBuilder &builder, Location loc, Value value,
                       int64_t dim, Value places) {
  auto type = cast<RankedTensorType>(value.getType());
  int64_t size = cast<RankedTensorType>(places.getType()).getDimSize(0);
  SmallVector<int64_t> shape(type.getShape()), slice(type.getShape()), offsets;
  shape[dim] = size;
  slice[dim] = 1;
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (d != dim)
      offsets.push_back(d);
  auto numbers = GatherDimensionNumbersAttr::get(
      builder.getContext(), offsets, /*collapsedSliceDims=*/{dim},
      /*operandBatchingDims=*/{}, /*startIndicesBatchingDims=*/{},
      /*startIndexMap=*/{dim}, /*indexVectorDim=*/1);
  return GatherOp::create(builder, loc, type.clone(shape), value, places,
                          numbers, builder.getDenseI64ArrayAttr(slice),
                          builder.getBoolAttr(false));
}

Value shoal::takeInteger(OpBuilder &builder, Location loc, Value vector,
                         int64_t index) {
  Type element = getElementTypeOrSelf(vector.getType());
  Value single =
      SliceOp::create(builder, loc, RankedTensorType::get({1}, element), vector,
                      builder.getDenseI64ArrayAttr({index}),
                      builder.getDenseI64ArrayAttr({index + 1}),
                      builder.getDenseI64ArrayAttr({1}));
  Value scalar = ReshapeOp::create(builder, loc,
                                   RankedTensorType::get({}, element), single);
  auto wide = RankedTensorType::get({}, builder.getI64Type());
  return scalar.getType() == wide
             ? scalar
             : Value(ConvertOp::create(builder, loc, wide, scalar));
}

Value shoal::takeStrided(OpBuilder &builder, Location loc, Value value,
                         int64_t dim, Value start, Value stride, int64_t size) {
  int64_t length = cast<RankedTensorType>(value.getType()).getDimSize(dim);
  Value places = iota(builder, loc, size);
  if (stride)
    places = MulOp::create(builder, loc, places,
                           spread(builder, loc, stride, {size}, {}));
  places = AddOp::create(builder, loc, places,
                         spread(builder, loc, start, {size}, {}));
  places = ClampOp::create(builder, loc, places.getType(),
                           splat(builder, loc, {}, 0), places,
                           splat(builder, loc, {}, length - 1));
  return takeAlong(builder, loc, value, dim, places);
}

Value shoal::padAtRuntime(OpBuilder &builder, Location loc, Value value,
                          int64_t dim, Value low, Value interior, int64_t size,
                          Value fill) {
  auto type = cast<RankedTensorType>(value.getType());
  int64_t length = type.getDimSize(dim);
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = size;
  Value all = spread(builder, loc, fill, shape, {});
  if (length == 0)
    return all;
  Value zero = splat(builder, loc, {size}, 0);
  Value place = SubtractOp::create(builder, loc, iota(builder, loc, size),
                                   spread(builder, loc, low, {size}, {}));
  Value valid =
      CompareOp::create(builder, loc, place, zero, ComparisonDirection::GE);
  if (interior) {
    Value step =
        AddOp::create(builder, loc, interior, splat(builder, loc, {}, 1));
    step = spread(builder, loc, step, {size}, {});
    Value rest = RemOp::create(builder, loc, place, step);
    valid = AndOp::create(
        builder, loc, valid,
        CompareOp::create(builder, loc, rest, zero, ComparisonDirection::EQ));
    place = DivOp::create(builder, loc, place, step);
  }
  valid = AndOp::create(builder, loc, valid,
                        CompareOp::create(builder, loc, place,
                                          splat(builder, loc, {size}, length),
                                          ComparisonDirection::LT));
  place =
      ClampOp::create(builder, loc, place.getType(), splat(builder, loc, {}, 0),
                      place, splat(builder, loc, {}, length - 1));
  Value taken = takeAlong(builder, loc, value, dim, place);
  return SelectOp::create(builder, loc, taken.getType(),
                          spread(builder, loc, valid, shape, {dim}), taken,
                          all);
}
