// Ops that address a cut dimension by data: each device does the part of the
// access that falls into its block; the others' parts are masked.

#include "Partitioner.h"

#include "dialects/Comm/Comm.h"
#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

/// Indices are compared with offsets: unsigned and narrow types go to i32 or
/// i64, where a negative difference exists.
static Value widenIndex(Value index, LocalBuilder &b) {
  auto type = dyn_cast<IntegerType>(b.elementOf(index));
  if (!type || (type.getWidth() == 64 && !type.isUnsigned()) ||
      (type.getWidth() == 32 && !type.isUnsigned()))
    return index;
  return b.convert(index,
                   type.getWidth() >= 32 ? b.getI64Type() : b.getI32Type());
}

/// Constant or per-device offsets for each component of the index vector, laid
/// out along dimension `vectorDim` of `indexType` (or spread over all of it
/// when the vector dimension is implicit).
static Value componentVector(ArrayRef<Value> scalars, RankedTensorType type,
                             int64_t vectorDim, LocalBuilder &b) {
  if (vectorDim >= type.getRank())
    return b.broadcast(scalars[0], type.getShape());
  SmallVector<Value> pieces;
  for (Value scalar : scalars)
    pieces.push_back(b.broadcast(scalar, {1}));
  Value row = pieces[0];
  if (pieces.size() > 1)
    row = sh::ConcatenateOp::create(
        b, b.loc(),
        b.tensorType({static_cast<int64_t>(pieces.size())}, b.elementOf(row)),
        pieces, 0);
  return b.broadcast(row, type.getShape(), {vectorDim});
}

SmallVector<Value> OpLowering::lowerGather(ArrayRef<Value> operands) {
  auto gather = cast<sh::GatherOp>(op);
  auto numbers = gather.getDimensionNumbers();
  Value table = operands[0];
  Value index = widenIndex(operands[1], b);
  auto indexType = b.typeOf(index);
  Type element = indexType.getElementType();
  int64_t vectorDim = numbers.getIndexVectorDim();

  // Sizes of slices along dimensions that are cut and passed through.
  auto tableType = b.typeOf(table);
  SmallVector<int64_t> sliceSizes(gather.getSliceSizes());
  for (size_t d = 0; d < sliceSizes.size(); ++d)
    if (isCut(0, d) && sliceSizes[d] == model.shape(0)[d])
      sliceSizes[d] = tableType.getDimSize(d);

  SmallVector<Value> offsets, upper, blocks;
  bool addressed = false;
  for (int64_t dim : numbers.getStartIndexMap()) {
    bool cut = isCut(0, dim) && gather.getSliceSizes()[dim] == 1;
    addressed |= cut;
    int64_t global = model.shape(0)[dim];
    offsets.push_back(cut ? b.convert(offsetOf(0, dim), element)
                          : b.scalarInt(0, element));
    // Out-of-bounds starts are clamped on the whole table, as on one device.
    upper.push_back(b.scalarInt(global - gather.getSliceSizes()[dim], element));
    blocks.push_back(
        b.scalarInt(cut ? tableType.getDimSize(dim) : global + 1, element));
  }
  Value valid;
  if (addressed) {
    Value zero = b.scalarInt(0, element);
    Value hi = componentVector(upper, indexType, vectorDim, b);
    Value lo = b.broadcast(zero, indexType.getShape());
    index = b.clamp(lo, index, hi);
    index = b.sub(index, componentVector(offsets, indexType, vectorDim, b));
    Value inside = b.logicalAnd(
        b.compare(LocalBuilder::Compare::GE, index, lo),
        b.compare(LocalBuilder::Compare::LT, index,
                  componentVector(blocks, indexType, vectorDim, b)));
    // All components of a vector must lie inside.
    if (vectorDim < indexType.getRank()) {
      int64_t count = indexType.getDimSize(vectorDim);
      SmallVector<int64_t> shape(indexType.getShape());
      shape.erase(shape.begin() + vectorDim);
      for (int64_t i = 0; i < count; ++i) {
        Value one = b.slice(inside, vectorDim, i, i + 1);
        one = sh::ReshapeOp::create(b, b.loc(),
                                    b.tensorType(shape, b.getI1Type()), one);
        valid = valid ? b.logicalAnd(valid, one) : one;
      }
    } else {
      valid = inside;
    }
  }
  auto resultType = cast<RankedTensorType>(localResultTypes()[0]);
  Value result =
      sh::GatherOp::create(b, b.loc(), resultType, table, index, numbers,
                           sliceSizes, gather.getIndicesAreSorted());
  if (addressed) {
    // The batch dimensions of the result are those that are no offset_dims.
    SmallVector<int64_t> batch;
    for (int64_t d = 0; d < resultType.getRank(); ++d)
      if (!llvm::is_contained(numbers.getOffsetDims(), d))
        batch.push_back(d);
    valid = b.broadcast(valid, resultType.getShape(), batch);
    result = b.select(valid, result, b.zeros(resultType));
  }
  return {result};
}

SmallVector<Value> OpLowering::lowerScatter(ArrayRef<Value> operands) {
  auto scatter = cast<sh::ScatterOp>(op);
  auto numbers = scatter.getScatterDimensionNumbers();
  size_t count = scatter.getInputs().size();
  Value index = operands[count];
  bool addressed = false;
  for (int64_t dim : numbers.getScatterDimsToOperandDims())
    addressed |= isCut(0, dim);
  if (addressed) {
    index = widenIndex(index, b);
    auto indexType = b.typeOf(index);
    Type element = indexType.getElementType();
    SmallVector<Value> offsets;
    for (int64_t dim : numbers.getScatterDimsToOperandDims())
      offsets.push_back(isCut(0, dim) ? b.convert(offsetOf(0, dim), element)
                                      : b.scalarInt(0, element));
    // Updates outside the local block are out of bounds, and scatter drops
    // those. Indices beyond the global end may hit padding, which nobody sees.
    index = b.sub(index, componentVector(offsets, indexType,
                                         numbers.getIndexVectorDim(), b));
  }
  SmallVector<Value> all(operands);
  all[count] = index;
  return cloneLocal(all);
}

/// The start is the same on all devices, so all know which block it lies in:
/// everyone reads at the position within a block, and the owner's is broadcast.
SmallVector<Value> OpLowering::lowerDynamicSlice(ArrayRef<Value> operands) {
  auto slice = cast<sh::DynamicSliceOp>(op);
  Value table = operands[0];
  auto tableType = b.typeOf(table);
  auto resultType = cast<RankedTensorType>(localResultTypes()[0]);
  SmallVector<int64_t> sizes(resultType.getShape());
  SmallVector<Value> starts;
  Value root; // Position of the owner among the atoms of all cut dimensions.
  AtomList owners;
  for (int64_t d = 0; d < tableType.getRank(); ++d) {
    Value start = operands[1 + d];
    if (!isCut(0, d)) {
      starts.push_back(start);
      continue;
    }
    if (slice.getSliceSizes()[d] == model.shape(0)[d]) {
      // Taken whole: the start can only be 0.
      sizes[d] = tableType.getDimSize(d);
      starts.push_back(b.scalarInt(0, b.elementOf(start)));
      continue;
    }
    start = widenIndex(start, b);
    Type element = b.elementOf(start);
    start = b.clamp(
        b.scalarInt(0, element), start,
        b.scalarInt(model.shape(0)[d] - slice.getSliceSizes()[d], element));
    Value block = b.scalarInt(tableType.getDimSize(d), element);
    Value owner = sh::DivOp::create(b, b.loc(), start.getType(), start, block);
    starts.push_back(b.sub(start, b.mul(owner, block)));
    owner = b.convert(owner, b.getI32Type());
    AtomList atoms = atomsOf(0, d);
    int64_t parts = partCount(ArrayRef<uint8_t>(atoms), mesh.atoms());
    root = root ? b.add(b.mul(root, b.scalarInt(parts, b.getI32Type())), owner)
                : owner;
    owners.append(atoms);
  }
  // All start indices must have one type.
  for (Value start : starts)
    if (b.elementOf(start) != b.elementOf(starts[0])) {
      for (Value &other : starts)
        other = b.convert(other, b.getI64Type());
      break;
    }
  Value result =
      sh::DynamicSliceOp::create(b, b.loc(), resultType, table, starts, sizes);
  if (root)
    result = comm::BroadcastOp::create(
        b, b.loc(), resultType, result, root, /*root=*/IntegerAttr(),
        comm::GroupsAttr::get(mesh.meshRef(), mesh.toAxes(owners)),
        b.getStringAttr("element of a cut dimension that " +
                        op->getName().getStringRef() + " reads"),
        b.getArrayAttr({Attribute(LocationAttr(op->getLoc()))}));
  return {result};
}

SmallVector<Value>
OpLowering::lowerDynamicUpdateSlice(ArrayRef<Value> operands) {
  Value table = operands[0], update = operands[1];
  auto type = b.typeOf(table);
  SmallVector<Value> starts(operands.drop_front(2));
  // Positions of the local block that the update covers, per cut dimension.
  SmallVector<std::pair<int64_t, Value>> coveredAlong;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    if (!isCut(0, d))
      continue;
    int64_t global = model.shape(0)[d], extent = model.shape(1)[d];
    if (extent == global) {
      starts[d] = b.scalarInt(0, b.elementOf(starts[d]));
      continue;
    }
    // The update shifted so that it lines up with the local block: padded by
    // a block on both sides, one block is cut out.
    int64_t block = type.getDimSize(d);
    Value start = widenIndex(starts[d], b);
    Type element = b.elementOf(start);
    start = b.clamp(b.scalarInt(0, element), start,
                    b.scalarInt(global - extent, element));
    Value offset = b.convert(offsetOf(0, d), element);
    Value relative = b.sub(offset, start); // Block position in the update.
    Value zero = b.zeros(b.tensorType({}, type.getElementType()));
    Value padded = b.pad(update, d, block, block, zero);
    auto paddedType = b.typeOf(padded);
    SmallVector<int64_t> sizes(paddedType.getShape());
    sizes[d] = block;
    SmallVector<Value> at;
    for (int64_t e = 0; e < type.getRank(); ++e)
      at.push_back(b.scalarInt(0, element));
    at[d] = b.add(relative, b.scalarInt(block, element));
    update = sh::DynamicSliceOp::create(
        b, b.loc(), b.tensorType(sizes, type.getElementType()), padded, at,
        sizes);
    Value position =
        b.add(b.iota({block}, 0, element), b.broadcast(relative, {block}));
    Value covered = b.logicalAnd(
        b.compare(LocalBuilder::Compare::GE, position,
                  b.broadcast(b.scalarInt(0, element), {block})),
        b.compare(LocalBuilder::Compare::LT, position,
                  b.broadcast(b.scalarInt(extent, element), {block})));
    coveredAlong.push_back({d, covered});
    starts[d] = b.scalarInt(0, b.elementOf(starts[d]));
  }
  if (!coveredAlong.empty()) {
    // What lies outside the update stays: read the old values at the place
    // where the aligned update goes.
    auto updateType = b.typeOf(update);
    Value old = sh::DynamicSliceOp::create(b, b.loc(), updateType, table,
                                           starts, updateType.getShape());
    Value keep;
    for (auto [d, covered] : coveredAlong) {
      Value here = b.broadcast(covered, updateType.getShape(), {d});
      keep = keep ? b.logicalAnd(keep, here) : here;
    }
    update = b.select(keep, update, old);
  }
  return {sh::DynamicUpdateSliceOp::create(b, b.loc(), type, table, update,
                                           starts)};
}
