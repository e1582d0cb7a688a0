// Collectives by any body and over any groups, out of gathers.
#include "IrregularGroups.h"

#include "LoneCollectives.h"

#include "dialects/Shoal/Axes.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace shoal;

/// The body, on scalars, applied to all elements of two tensors.
static Value applyBody(OpBuilder &builder, Location loc, Region &body, Value a,
                       Value b) {
  auto type = cast<RankedTensorType>(a.getType());
  auto map =
      stablehlo::MapOp::create(builder, loc, type, ValueRange{a, b},
                               builder.getDenseI64ArrayAttr(llvm::to_vector(
                                   llvm::seq<int64_t>(0, type.getRank()))));
  IRMapping mapping;
  body.cloneInto(&map.getComputation(), mapping);
  return map.getResult();
}

/// Element `index` of the first dimension, which goes.
static Value takeRow(OpBuilder &builder, Location loc, Value value,
                     int64_t index) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  SmallVector<int64_t> start(shape.size(), 0), limit(shape),
      stride(shape.size(), 1);
  start[0] = index;
  limit[0] = index + 1;
  shape[0] = 1;
  Value row = stablehlo::SliceOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), value,
      builder.getDenseI64ArrayAttr(start), builder.getDenseI64ArrayAttr(limit),
      builder.getDenseI64ArrayAttr(stride));
  return stablehlo::ReshapeOp::create(
      builder, loc,
      RankedTensorType::get(ArrayRef(shape).drop_front(),
                            type.getElementType()),
      row);
}

/// Everyone's value along a new first dimension.
static Value gatherAlongNew(OpBuilder &builder, Location loc, Value input,
                            comm::GroupsAttr groups, int64_t groupSize) {
  auto type = cast<RankedTensorType>(input.getType());
  SmallVector<int64_t> shape = {1};
  llvm::append_range(shape, type.getShape());
  auto single = RankedTensorType::get(shape, type.getElementType());
  shape[0] = groupSize;
  auto all = RankedTensorType::get(shape, type.getElementType());
  return comm::AllGatherOp::create(
      builder, loc, all,
      stablehlo::ReshapeOp::create(builder, loc, single, input),
      builder.getI64IntegerAttr(0), groups, StringAttr(), ArrayAttr());
}

Value shoal::foldGathered(OpBuilder &builder, Location loc, Value input,
                          Region &body, comm::GroupsAttr groups,
                          int64_t groupSize) {
  Value gathered = gatherAlongNew(builder, loc, input, groups, groupSize);
  Value result = takeRow(builder, loc, gathered, 0);
  for (int64_t i = 1; i < groupSize; ++i)
    result = applyBody(builder, loc, body, result,
                       takeRow(builder, loc, gathered, i));
  return result;
}

IrregularGroups::IrregularGroups(Attribute meshRef, MeshAttr mesh,
                                 ArrayRef<SmallVector<int64_t>> groups)
    : meshRef(meshRef), mesh(mesh), members(mesh.getNumDevices()) {
  for (ArrayRef<int64_t> group : groups)
    for (int64_t device : group)
      for (int64_t other : group)
        members[mesh.getPosition(device)].push_back(mesh.getPosition(other));
}

comm::GroupsAttr IrregularGroups::everyone() const {
  AxisList axes;
  for (MeshAxisAttr axis : mesh.getAxes())
    axes.push_back(AxisRefAttr::get(mesh.getContext(), axis.getName()));
  return comm::GroupsAttr::get(meshRef, axes);
}

Value IrregularGroups::gather(OpBuilder &builder, Location loc,
                              Value input) const {
  return gatherAlongNew(builder, loc, input, everyone(), members.size());
}

Value IrregularGroups::lookUp(OpBuilder &builder, Location loc,
                              ArrayRef<int32_t> table) const {
  int64_t rows = members.size(), width = table.size() / rows;
  Type i32 = builder.getI32Type();
  auto scalar = RankedTensorType::get({}, i32);
  Value index = comm::AxisIndexOp::create(builder, loc, scalar, everyone());
  Value zero = stablehlo::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(scalar, int32_t(0)));
  Value all = stablehlo::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(RankedTensorType::get({rows, width}, i32), table));
  Value row = stablehlo::DynamicSliceOp::create(
      builder, loc, RankedTensorType::get({1, width}, i32), all,
      ValueRange{index, zero}, builder.getDenseI64ArrayAttr({1, width}));
  return stablehlo::ReshapeOp::create(builder, loc,
                                      RankedTensorType::get({width}, i32), row);
}

Value IrregularGroups::reduce(OpBuilder &builder, Location loc, Value input,
                              Region &body) const {
  int64_t devices = members.size();
  // Whose value comes at each step of the fold; -1 after the last.
  size_t longest = 1;
  for (auto &group : members)
    longest = std::max(longest, group.size());
  SmallVector<int32_t> table(devices * longest, -1);
  for (int64_t position = 0; position < devices; ++position) {
    ArrayRef<int64_t> group = members[position];
    table[position * longest] = position; // alone, if in no group
    for (size_t i = 0; i < group.size(); ++i)
      table[position * longest + i] = group[i];
  }
  Value gathered = gather(builder, loc, input);
  Value order = lookUp(builder, loc, table);
  auto all = cast<RankedTensorType>(gathered.getType());
  SmallVector<int64_t> sizes(all.getShape());
  sizes[0] = 1;
  auto scalar = RankedTensorType::get({}, builder.getI32Type());
  Value zero = stablehlo::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(scalar, int32_t(0)));
  Value result;
  for (size_t i = 0; i < longest; ++i) {
    Value from = takeRow(builder, loc, order, i);
    SmallVector<Value> starts(sizes.size(), zero);
    starts[0] = from; // clamped where there is none
    Value term = stablehlo::DynamicSliceOp::create(
        builder, loc, RankedTensorType::get(sizes, all.getElementType()),
        gathered, starts, builder.getDenseI64ArrayAttr(sizes));
    term = stablehlo::ReshapeOp::create(builder, loc, input.getType(), term);
    if (!result) {
      result = term;
      continue;
    }
    Value comes = stablehlo::CompareOp::create(
        builder, loc, from, zero, stablehlo::ComparisonDirection::GE);
    result = stablehlo::SelectOp::create(
        builder, loc, input.getType(), comes,
        applyBody(builder, loc, body, result, term), result);
  }
  return result;
}

Value IrregularGroups::broadcast(OpBuilder &builder, Location loc,
                                 Value input) const {
  SmallVector<int32_t> roots;
  for (auto &group : members)
    roots.push_back(group.empty() ? -1 : group.front());
  auto type = cast<RankedTensorType>(input.getType());
  Value gathered = gather(builder, loc, input);
  Value root = takeRow(builder, loc, lookUp(builder, loc, roots), 0);
  auto scalar = RankedTensorType::get({}, builder.getI32Type());
  Value zero = stablehlo::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(scalar, int32_t(0)));
  SmallVector<int64_t> sizes = {1};
  llvm::append_range(sizes, type.getShape());
  SmallVector<Value> starts(sizes.size(), zero);
  starts[0] = root;
  Value value = stablehlo::DynamicSliceOp::create(
      builder, loc, RankedTensorType::get(sizes, type.getElementType()),
      gathered, starts, builder.getDenseI64ArrayAttr(sizes));
  value = stablehlo::ReshapeOp::create(builder, loc, type, value);
  if (!llvm::is_contained(roots, -1))
    return value;
  Value member = stablehlo::CompareOp::create(
      builder, loc, root, zero, stablehlo::ComparisonDirection::GE);
  Value none = createZeros(builder, loc, type);
  return none ? Value(stablehlo::SelectOp::create(builder, loc, type, member,
                                                  value, none))
              : Value();
}
