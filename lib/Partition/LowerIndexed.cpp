// Ops that address a cut dimension by data: each device does the part of the
// access that falls into its block; the others' parts are masked.

#include "Partitioner.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/Shoal.h"
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
  // What i64 cannot hold lies beyond every dimension.
  if (type.getWidth() == 64)
    index = sh::MinOp::create(
        b, b.loc(), index.getType(), index,
        b.splat(typeOf(index).getShape(), type,
                b.getIntegerAttr(type, APInt::getSignedMaxValue(64))));
  return b.convert(index,
                   type.getWidth() >= 32 ? b.getI64Type() : b.getI32Type());
}

/// A tensor of what the devices that do not have an element contribute to it.
static Value makeNeutral(RankedTensorType type, ReductionKind kind,
                         LocalBuilder &b) {
  return b.splat(type.getShape(), type.getElementType(),
                 getNeutralOrFiller(kind, type.getElementType()));
}

/// The dimension of the input that each window dimension moves along.
static SmallVector<int64_t> getWindowToInput(int64_t inputRank,
                                             ArrayRef<int64_t> inserted,
                                             ArrayRef<int64_t> batching) {
  SmallVector<int64_t> dims;
  for (int64_t d = 0; d < inputRank; ++d)
    if (!llvm::is_contained(inserted, d) && !llvm::is_contained(batching, d))
      dims.push_back(d);
  return dims;
}

static int64_t indexIn(ArrayRef<int64_t> list, int64_t value) {
  return llvm::find(list, value) - list.begin();
}

//===----------------------------------------------------------------------===//
// gather and scatter
//===----------------------------------------------------------------------===//

/// Both access slices of an input at places that index vectors say. Where the
/// input is cut along a dimension that a slice is part of, a slice may straddle
/// blocks; where the slices are cut along it, each device deals with a part of
/// them. Either way every element of the slice gets an index vector of its own.
void OpLowering::IndexedAccess::addComponents(OpLowering &lowering,
                                              ArrayRef<int64_t> startMap,
                                              ArrayRef<int64_t> windowToInput,
                                              ArrayRef<int64_t> windowDims,
                                              ArrayRef<int64_t> inserted) {
  const ShardingRule &rule = lowering.model.getRule();
  ArrayRef<int64_t> sliceShape = lowering.model.shape(slices);
  for (auto [at, dim] : llvm::enumerate(startMap))
    components.push_back({dim, static_cast<int64_t>(at), -1, 1, false});
  auto componentOf = [&](int64_t dim) -> Component & {
    for (Component &c : components)
      if (c.dim == dim)
        return c;
    components.push_back({dim, -1, -1, 1, false});
    return components.back();
  };
  for (auto [dim, slicesDim] : llvm::zip_equal(windowToInput, windowDims)) {
    // One factor: slices cover the dimension, so they start at 0.
    bool covers = rule.getTensor(input).dims[dim].factors ==
                  rule.getTensor(slices).dims[slicesDim].factors;
    // (Sizes of slices matter where starts are clamped.)
    for (Component &c : components)
      if (c.dim == dim) {
        c.sliceSize = sliceShape[slicesDim];
        c.covers = covers;
      }
    if (covers ||
        (!lowering.isCut(input, dim) && !lowering.isCut(slices, slicesDim)))
      continue;
    Component &c = componentOf(dim);
    c.slicesDim = slicesDim;
    c.sliceSize = sliceShape[slicesDim];
    expanded.push_back(slicesDim);
    expandedInput.push_back(dim);
  }
  for (int64_t dim : inserted)
    if (lowering.isCut(input, dim))
      componentOf(dim);
}

bool OpLowering::IndexedAccess::isLocal(OpLowering &lowering) const {
  return expanded.empty() &&
         llvm::none_of(components, [&](const Component &c) {
           return lowering.isCut(input, c.dim) && !c.covers;
         });
}

SmallVector<int64_t> OpLowering::IndexedAccess::mapIndicesDims(
    ArrayRef<int64_t> indicesDims) const {
  SmallVector<int64_t> mapped;
  for (int64_t d : indicesDims)
    mapped.push_back(
        indexIn(positions, batchDims[d < vectorDim ? d : d - 1]));
  return mapped;
}

/// The index vectors within this device's block, shaped [positions…,
/// components], and which positions lie inside the block. Starts are clamped to
/// the whole input first (gather) or not (scatter).
std::pair<Value, Value>
OpLowering::makeLocalIndices(Value indices, const IndexedAccess &access,
                             bool clamped) {
  using Compare = LocalBuilder::Compare;
  indices = widenIndex(indices, b);
  Type element = b.elementOf(indices);
  bool hasVector = access.vectorDim < typeOf(indices).getRank();
  SmallVector<int64_t> batchShape(typeOf(indices).getShape());
  if (hasVector)
    batchShape.erase(batchShape.begin() + access.vectorDim);
  SmallVector<int64_t> shape, batchAt;
  for (int64_t d : access.positions)
    shape.push_back(blockOf(access.slices, d));
  for (int64_t d : access.batchDims)
    batchAt.push_back(indexIn(access.positions, d));
  auto splat = [&](ArrayRef<int64_t> like, int64_t value) {
    return b.splat(like, element, b.getIntegerAttr(element, value));
  };

  Value inside;
  SmallVector<Value> columns;
  SmallVector<int64_t> columnShape(shape);
  columnShape.push_back(1);
  for (const IndexedAccess::Component &c : access.components) {
    int64_t size = model.shape(access.input)[c.dim];
    bool cut = isCut(access.input, c.dim) && !c.covers;
    Value at;
    if (c.vectorAt >= 0) {
      at = indices;
      if (hasVector)
        at = sh::ReshapeOp::create(
            b, b.loc(), b.tensorType(batchShape, element),
            b.slice(indices, access.vectorDim, c.vectorAt, c.vectorAt + 1));
      if (clamped)
        at = b.clamp(splat(batchShape, 0), at,
                     splat(batchShape, size - c.sliceSize));
      at = b.broadcast(at, shape, batchAt);
    }
    if (c.slicesDim >= 0) {
      int64_t width = blockOf(access.slices, c.slicesDim);
      Value place = b.iota({width}, 0, element);
      if (isCut(access.slices, c.slicesDim)) {
        Value first = offsetOf(access.slices, c.slicesDim);
        place = b.add(place, b.broadcast(b.convert(first, element), {width}));
      }
      place = b.broadcast(place, shape,
                          {indexIn(access.positions, c.slicesDim)});
      at = at ? b.add(at, place) : place;
    }
    if (!at)
      at = splat(shape, 0);
    if (cut) {
      at = b.sub(at, b.broadcast(b.convert(offsetOf(access.input, c.dim),
                                           element),
                                 shape));
      Value mine = b.logicalAnd(
          b.compare(Compare::GE, at, splat(shape, 0)),
          b.compare(Compare::LT, at,
                    splat(shape, blockOf(access.input, c.dim))));
      inside = inside ? b.logicalAnd(inside, mine) : mine;
    }
    columns.push_back(sh::ReshapeOp::create(
        b, b.loc(), b.tensorType(columnShape, element), at));
  }
  columnShape.back() = columns.size();
  Value vectors = columns[0];
  if (columns.size() > 1)
    vectors = sh::ConcatenateOp::create(b, b.loc(),
                                        b.tensorType(columnShape, element),
                                        columns, columnShape.size() - 1);
  return {vectors, inside};
}

/// Elements that another device holds are read anyhow and replaced by the
/// neutral element: the results sum up to what was asked for.
SmallVector<Value> OpLowering::lowerGather(ArrayRef<Value> operands) {
  auto gather = cast<sh::GatherOp>(op);
  auto numbers = gather.getDimensionNumbers();
  Value table = operands[0], indices = operands[1];
  auto tableType = typeOf(table);
  auto resultType = cast<RankedTensorType>(localResultTypes()[0]);

  IndexedAccess access;
  access.input = 0;
  access.slices = model.numOperands();
  access.vectorDim = numbers.getIndexVectorDim();
  for (int64_t d = 0; d < resultType.getRank(); ++d)
    if (!llvm::is_contained(numbers.getOffsetDims(), d))
      access.batchDims.push_back(d);
  SmallVector<int64_t> windowToInput =
      getWindowToInput(tableType.getRank(), numbers.getCollapsedSliceDims(),
                       numbers.getOperandBatchingDims());
  access.addComponents(*this, numbers.getStartIndexMap(), windowToInput,
                       numbers.getOffsetDims(),
                       numbers.getCollapsedSliceDims());
  SmallVector<int64_t> sliceSizes(gather.getSliceSizes());
  for (size_t d = 0; d < sliceSizes.size(); ++d)
    if (sliceSizes[d] == model.shape(0)[d] && sliceSizes[d] != 1)
      sliceSizes[d] = tableType.getDimSize(d);
  if (access.isLocal(*this))
    return {sh::GatherOp::create(b, b.loc(), resultType, table, indices,
                                 numbers, sliceSizes,
                                 gather.getIndicesAreSorted())};

  SmallVector<int64_t> offsetDims, collapsed(numbers.getCollapsedSliceDims()),
      startMap;
  for (int64_t d = 0; d < resultType.getRank(); ++d)
    (llvm::is_contained(access.batchDims, d) ||
             llvm::is_contained(access.expanded, d)
         ? access.positions
         : offsetDims)
        .push_back(d);
  for (int64_t d : access.expandedInput) {
    collapsed.push_back(d);
    sliceSizes[d] = 1;
  }
  llvm::sort(collapsed);
  for (const IndexedAccess::Component &c : access.components)
    startMap.push_back(c.dim);
  auto [vectors, inside] =
      makeLocalIndices(indices, access, /*clamped=*/true);
  Value result = sh::GatherOp::create(
      b, b.loc(), resultType, table, vectors,
      sh::GatherDimensionNumbersAttr::get(
          b.getContext(), offsetDims, collapsed,
          numbers.getOperandBatchingDims(),
          access.mapIndicesDims(numbers.getStartIndicesBatchingDims()),
          startMap, access.positions.size()),
      sliceSizes, false);
  if (inside) {
    auto kind = static_cast<ReductionKind>(model.reductionKind(form).value());
    inside = b.broadcast(inside, resultType.getShape(), access.positions);
    result = b.select(inside, result, makeNeutral(resultType, kind, b));
  }
  return {result};
}

/// Updates that go to another device's block are out of bounds here, and
/// scatter drops those one by one. Indices beyond the global end may hit
/// padding, which nobody sees.
SmallVector<Value> OpLowering::lowerScatter(ArrayRef<Value> operands) {
  auto scatter = cast<sh::ScatterOp>(op);
  auto numbers = scatter.getScatterDimensionNumbers();
  size_t count = scatter.getInputs().size();
  ArrayRef<int64_t> updateShape = model.shape(count + 1);

  IndexedAccess access;
  access.input = 0;
  access.slices = count + 1;
  access.vectorDim = numbers.getIndexVectorDim();
  for (size_t d = 0; d < updateShape.size(); ++d)
    if (!llvm::is_contained(numbers.getUpdateWindowDims(), d))
      access.batchDims.push_back(d);
  SmallVector<int64_t> windowToInput =
      getWindowToInput(model.shape(0).size(), numbers.getInsertedWindowDims(),
                       numbers.getInputBatchingDims());
  access.addComponents(*this, numbers.getScatterDimsToOperandDims(),
                       windowToInput, numbers.getUpdateWindowDims(),
                       numbers.getInsertedWindowDims());
  if (access.isLocal(*this))
    return cloneLocal(operands);

  // Windows come after the batch: updates of one place keep their order.
  access.positions = access.batchDims;
  access.positions.append(access.expanded);
  SmallVector<int64_t> order(access.positions), inOrder, windows;
  for (int64_t d : numbers.getUpdateWindowDims())
    if (!llvm::is_contained(access.expanded, d))
      order.push_back(d);
  for (size_t d = 0; d < updateShape.size(); ++d)
    if (llvm::is_contained(access.positions, d))
      inOrder.push_back(d);
  if (inOrder == access.positions) {
    order.clear();
    for (size_t d = 0; d < updateShape.size(); ++d)
      order.push_back(d);
  }
  SmallVector<Value> all(operands);
  if (!llvm::is_sorted(order))
    for (Value &update : MutableArrayRef(all).drop_front(count + 1)) {
      SmallVector<int64_t> shape;
      for (int64_t d : order)
        shape.push_back(typeOf(update).getDimSize(d));
      update = sh::TransposeOp::create(
          b, b.loc(), b.tensorType(shape, b.elementOf(update)), update, order);
    }
  for (auto [at, d] : llvm::enumerate(order))
    if (!llvm::is_contained(access.positions, d))
      windows.push_back(at);
  SmallVector<int64_t> inserted(numbers.getInsertedWindowDims()), startMap;
  inserted.append(access.expandedInput);
  llvm::sort(inserted);
  for (const IndexedAccess::Component &c : access.components)
    startMap.push_back(c.dim);
  all[count] = makeLocalIndices(operands[count], access, /*clamped=*/false)
                   .first;
  SmallVector<Value> results = cloneLocal(all);
  auto local = results[0].getDefiningOp<sh::ScatterOp>();
  local.setScatterDimensionNumbersAttr(sh::ScatterDimensionNumbersAttr::get(
      b.getContext(), windows, inserted, numbers.getInputBatchingDims(),
      access.mapIndicesDims(numbers.getScatterIndicesBatchingDims()), startMap,
      access.positions.size()));
  local.setIndicesAreSorted(false);
  if (!access.expanded.empty())
    local.setUniqueIndices(false);
  return results;
}

//===----------------------------------------------------------------------===//
// dynamic_slice and dynamic_update_slice
//===----------------------------------------------------------------------===//

/// The start is the same on all devices. A single element of a cut dimension is
/// in one block that all know: everyone reads at the position within a block,
/// and the owner's is broadcast. A longer stretch may straddle blocks: each
/// device contributes what it has of it.
SmallVector<Value> OpLowering::lowerDynamicSlice(ArrayRef<Value> operands) {
  auto slice = cast<sh::DynamicSliceOp>(op);
  Value table = operands[0];
  auto resultType = cast<RankedTensorType>(localResultTypes()[0]);
  size_t resultTensor = model.numOperands();
  SmallVector<int64_t> sizes(resultType.getShape());
  SmallVector<Value> starts;
  Value root; // Position of the owner among the atoms of all cut dimensions.
  AtomList owners;
  auto kind = static_cast<ReductionKind>(model.reductionKind(form).value());
  for (int64_t d = 0; d < resultType.getRank(); ++d) {
    Value start = operands[1 + d];
    int64_t size = model.shape(0)[d], extent = slice.getSliceSizes()[d];
    int64_t block = typeOf(table).getDimSize(d);
    bool cut = isCut(0, d), cutResult = isCut(resultTensor, d);
    if (!cut && !cutResult) {
      starts.push_back(start);
      continue;
    }
    if (extent == size) {
      // Taken whole: the start can only be 0.
      starts.push_back(b.scalarInt(0, b.elementOf(start)));
      continue;
    }
    start = widenIndex(start, b);
    Type element = b.elementOf(start);
    start = b.clamp(b.scalarInt(0, element), start,
                    b.scalarInt(size - extent, element));
    if (cut && extent == 1) {
      Value blockSize = b.scalarInt(block, element);
      Value owner =
          sh::DivOp::create(b, b.loc(), start.getType(), start, blockSize);
      starts.push_back(b.sub(start, b.mul(owner, blockSize)));
      owner = b.convert(owner, b.getI32Type());
      AtomList atoms = atomsOf(0, d);
      int64_t parts = partCount(ArrayRef<uint8_t>(atoms), mesh.atoms());
      root =
          root ? b.add(b.mul(root, b.scalarInt(parts, b.getI32Type())), owner)
               : owner;
      owners.append(atoms);
      continue;
    }
    int64_t width = sizes[d];
    Value fill = makeNeutral(b.tensorType({}, resultType.getElementType()),
                             kind, b);
    if (cutResult)
      start = b.add(start, b.convert(offsetOf(resultTensor, d), element));
    if (cut) {
      // Neutral elements on both sides, as far as a stretch can reach: what is
      // read from them is another device's.
      start = b.sub(start, b.convert(offsetOf(0, d), element));
      start = b.add(start, b.scalarInt(width, element));
      table = b.pad(table, d, width, width, fill);
    } else {
      // The last part may be read beyond the end, as padding of the result.
      int64_t parts = partCount(atomsOf(resultTensor, d), mesh.atoms());
      table = b.pad(table, d, 0, parts * width - extent, fill);
    }
    starts.push_back(start);
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
  auto type = typeOf(table);
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
    auto paddedType = typeOf(padded);
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
    auto updateType = typeOf(update);
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
