// Collectives as local moves among the values of all shards on one device, and
// the way in and out of a manual region.
#include "ManualUnroller.h"

#include "shoal/Analysis/ScalarBodies.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/StableHLO/StableHLO.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace shoal;

/// Elements [offset, offset + size) along `dim`.
Value shoal::createSlice(OpBuilder &builder, Location loc, Value value,
                         int64_t dim, int64_t offset, int64_t size) {
  auto type = cast<RankedTensorType>(value.getType());
  if (offset == 0 && size == type.getDimSize(dim))
    return value;
  SmallVector<int64_t> start(type.getRank(), 0), limit(type.getShape()),
      stride(type.getRank(), 1), shape(type.getShape());
  start[dim] = offset;
  limit[dim] = offset + size;
  shape[dim] = size;
  return stablehlo::SliceOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), value,
      builder.getDenseI64ArrayAttr(start), builder.getDenseI64ArrayAttr(limit),
      builder.getDenseI64ArrayAttr(stride));
}

Value shoal::createConcat(OpBuilder &builder, Location loc, ValueRange values,
                          int64_t dim) {
  if (values.size() == 1)
    return values.front();
  auto type = cast<RankedTensorType>(values.front().getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = 0;
  for (Value value : values)
    shape[dim] += cast<RankedTensorType>(value.getType()).getDimSize(dim);
  return stablehlo::ConcatenateOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), values,
      builder.getI64IntegerAttr(dim));
}

/// Appends zeros along `dim` up to `size`.
static Value createPadTo(OpBuilder &builder, Location loc, Value value,
                         int64_t dim, int64_t size) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getDimSize(dim) >= size)
    return value;
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = size - type.getDimSize(dim);
  Value rest = createZeros(builder, loc,
                           RankedTensorType::get(shape, type.getElementType()));
  return createConcat(builder, loc, {value, rest}, dim);
}

static Value createReduce(OpBuilder &builder, Location loc, ReductionKind kind,
                          ArrayRef<Value> values) {
  Value sum = values.front();
  for (Value value : values.drop_front())
    sum = createCombine(builder, loc, kind, sum, value);
  return sum;
}

/// Results of one group's members, in group order; empty if the op is unknown.
static SmallVector<Value> emitGroup(Operation *op,
                                    ArrayRef<SmallVector<Value>> operands,
                                    OpBuilder &builder) {
  ArrayRef<Value> inputs = operands.front();
  Location loc = op->getLoc();
  int64_t n = inputs.size();
  auto shared = [&](Value value) { return SmallVector<Value>(n, value); };
  auto resultType = cast<RankedTensorType>(op->getResult(0).getType());
  return llvm::TypeSwitch<Operation *, SmallVector<Value>>(op)
      .Case([&](comm::AllGatherOp gather) {
        int64_t dim = gather.getDim();
        Value all = createConcat(builder, loc, inputs, dim);
        return shared(
            createSlice(builder, loc, all, dim, 0, resultType.getDimSize(dim)));
      })
      .Case([&](comm::AllReduceOp reduce) {
        return shared(createReduce(builder, loc, reduce.getKind(), inputs));
      })
      .Case([&](comm::ReduceScatterOp scatter) {
        int64_t dim = scatter.getDim(), block = resultType.getDimSize(dim);
        Value all = createReduce(builder, loc, scatter.getKind(), inputs);
        all = createPadTo(builder, loc, all, dim, n * block);
        SmallVector<Value> results;
        for (int64_t i = 0; i < n; ++i)
          results.push_back(
              createSlice(builder, loc, all, dim, i * block, block));
        return results;
      })
      .Case([&](comm::AllSliceOp slice) {
        int64_t dim = slice.getDim(), block = resultType.getDimSize(dim);
        SmallVector<Value> results;
        for (int64_t i = 0; i < n; ++i)
          results.push_back(
              createSlice(builder, loc,
                          createPadTo(builder, loc, inputs[i], dim, n * block),
                          dim, i * block, block));
        return results;
      })
      .Case([&](comm::AllToAllOp exchange) {
        int64_t split = exchange.getSplitDim(),
                concat = exchange.getConcatDim();
        int64_t size =
            cast<RankedTensorType>(inputs.front().getType()).getDimSize(split);
        int64_t block = (size + n - 1) / n;
        SmallVector<Value> results;
        for (int64_t i = 0; i < n; ++i) {
          SmallVector<Value> parts;
          for (int64_t j = 0; j < n; ++j)
            parts.push_back(createSlice(
                builder, loc,
                createPadTo(builder, loc, inputs[j], split, n * block), split,
                i * block, block));
          Value all = createConcat(builder, loc, parts, concat);
          results.push_back(createSlice(builder, loc, all, concat, 0,
                                        resultType.getDimSize(concat)));
        }
        return results;
      })
      .Case([&](comm::PermuteOp permute) {
        SmallVector<Value> results(n);
        for (auto [source, target] :
             llvm::zip(permute.getSources(), permute.getTargets()))
          if (source < n && target < n)
            results[target] = inputs[source];
        Value zeros;
        for (Value &result : results)
          if (!result) {
            if (!zeros)
              zeros = createZeros(builder, loc, resultType);
            result = zeros;
          }
        return results;
      })
      .Case([&](comm::BroadcastOp broadcast) {
        std::optional<uint64_t> root = broadcast.getRoot();
        if (root && int64_t(*root) < n)
          return shared(inputs[*root]);
        if (root || operands.size() != 2)
          return SmallVector<Value>();
        return shared(createChoice(builder, loc, inputs, operands[1].front()));
      })
      .Default(
          [&](Operation *) { return emitExchange(op, operands, builder); });
}

FailureOr<Shards> shoal::emitCollective(Operation *op,
                                        ArrayRef<Shards> operands,
                                        const CellGrid &grid,
                                        OpBuilder &builder) {
  comm::GroupsAttr attr;
  if (auto collective = dyn_cast<comm::CollectiveOpInterface>(op))
    attr = collective.getCollectiveGroups();
  else
    attr = cast<comm::AllSliceOp>(op).getGroups();
  FailureOr<SmallVector<SmallVector<int64_t>>> groups =
      grid.getGroups(attr, op);
  if (failed(groups))
    return failure();
  SmallVector<Value> results(grid.size());
  for (ArrayRef<int64_t> group : *groups) {
    SmallVector<SmallVector<Value>> values;
    for (const Shards &operand : operands) {
      values.emplace_back();
      for (int64_t cell : group)
        values.back().push_back(operand[cell]);
    }
    SmallVector<Value> outputs = emitGroup(op, values, builder);
    if (outputs.empty()) {
      op->emitError("this collective cannot be run on one device");
      return failure();
    }
    for (auto [cell, output] : llvm::zip(group, outputs))
      results[cell] = output;
  }
  // Devices that no group names keep zeros.
  Value zeros;
  for (Value &result : results)
    if (!result) {
      if (!zeros)
        zeros = createZeros(builder, op->getLoc(), op->getResult(0).getType());
      result = zeros;
    }
  return Shards(std::move(results));
}

/// The axes of a list that are manual in the grid.
static AxisList getManualAxes(AxisListRef axes, const CellGrid &grid) {
  AxisList result;
  for (AxisRefAttr axis : axes)
    if (grid.hasAxis(axis.getName()))
      result.push_back(axis);
  return result;
}

FailureOr<Shards> shoal::splitIntoCells(Value value, ShardingAttr sharding,
                                        const CellGrid &grid, Location loc,
                                        OpBuilder &builder) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return Shards(value);
  AxisList partial = getManualAxes(sharding.getPartialAxes(), grid);
  if (!partial.empty() && sharding.getPartialKind() != ReductionKind::Add) {
    emitError(loc, "a manual region cannot take an operand that is partial "
                   "other than as a sum");
    return failure();
  }
  // Slices that several cells share are made once.
  SmallVector<DenseMap<std::pair<int64_t, Value>, Value>> cache(type.getRank());
  Value zeros;
  SmallVector<Value> cells;
  for (int64_t cell = 0; cell < grid.size(); ++cell) {
    Value part = value;
    for (auto [dim, dimSharding] : llvm::enumerate(sharding.getDims())) {
      AxisList axes = getManualAxes(dimSharding.getAxes(), grid);
      int64_t parts = getAxesSize(axes, grid.getMesh());
      if (parts == 1)
        continue;
      if (type.getDimSize(dim) % parts) {
        emitError(loc, "dimension ")
            << dim << " of " << type << " does not divide into " << parts
            << " parts for a manual region";
        return failure();
      }
      int64_t index = grid.getIndex(cell, axes);
      Value &slice = cache[dim][{index, part}];
      if (!slice) {
        int64_t block = type.getDimSize(dim) / parts;
        slice = createSlice(builder, loc, part, dim, index * block, block);
      }
      part = slice;
    }
    if (!partial.empty() && grid.getIndex(cell, partial) != 0) {
      if (!zeros)
        zeros = createZeros(builder, loc, part.getType());
      part = zeros;
    }
    cells.push_back(part);
  }
  return Shards(std::move(cells));
}

/// Joins dimensions from `dim` on; `position` holds the indices along the axes
/// of the dimensions before.
static Value joinFrom(int64_t dim, const Shards &shards, ShardingAttr sharding,
                      const CellGrid &grid,
                      ArrayRef<SmallVector<int64_t>> cellIndex,
                      SmallVectorImpl<int64_t> &wanted, Location loc,
                      OpBuilder &builder) {
  if (dim == sharding.getRank()) {
    // The first cell with these indices: index 0 along all other axes.
    SmallVector<Value> terms;
    AxisList partial = getManualAxes(sharding.getPartialAxes(), grid);
    llvm::SmallDenseSet<int64_t> seen;
    for (int64_t cell = 0; cell < grid.size(); ++cell) {
      if (ArrayRef<int64_t>(cellIndex[cell]) != ArrayRef<int64_t>(wanted))
        continue;
      if (partial.empty())
        return shards[cell];
      if (seen.insert(grid.getIndex(cell, partial)).second)
        terms.push_back(shards[cell]);
    }
    return createReduce(builder, loc, sharding.getPartialKind(), terms);
  }
  int64_t parts = getAxesSize(
      getManualAxes(sharding.getDim(dim).getAxes(), grid), grid.getMesh());
  SmallVector<Value> pieces;
  for (int64_t part = 0; part < parts; ++part) {
    wanted[dim] = part;
    pieces.push_back(joinFrom(dim + 1, shards, sharding, grid, cellIndex,
                              wanted, loc, builder));
  }
  return createConcat(builder, loc, pieces, dim);
}

FailureOr<Value> shoal::joinCells(const Shards &shards, ShardingAttr sharding,
                                  const CellGrid &grid, Location loc,
                                  OpBuilder &builder) {
  SmallVector<SmallVector<int64_t>> cellIndex(grid.size());
  for (int64_t cell = 0; cell < grid.size(); ++cell)
    for (DimShardingAttr dim : sharding.getDims())
      cellIndex[cell].push_back(
          grid.getIndex(cell, getManualAxes(dim.getAxes(), grid)));
  SmallVector<int64_t> wanted(sharding.getRank());
  return joinFrom(0, shards, sharding, grid, cellIndex, wanted, loc, builder);
}
