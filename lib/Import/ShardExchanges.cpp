// Collectives that move parts of blocks, among the values of all shards on one
// device.
#include "ManualUnroller.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Support/TensorTypes.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

static Value createSplat(OpBuilder &builder, Location loc, Value scalar,
                         RankedTensorType type) {
  if (!scalar)
    return createZeros(builder, loc, type);
  return sh::BroadcastInDimOp::create(builder, loc, type, scalar,
                                      builder.getDenseI64ArrayAttr({}));
}

/// Elements [begin, begin + length) along `dim`; outside the tensor `fill`, or
/// with `wrap` what is there modulo its size.
static Value createWindow(OpBuilder &builder, Location loc, Value value,
                          int64_t dim, int64_t begin, int64_t length, bool wrap,
                          Value fill) {
  RankedTensorType type = typeOf(value);
  int64_t size = type.getDimSize(dim), end = begin + length;
  SmallVector<Value> parts;
  auto addFill = [&](int64_t count) {
    SmallVector<int64_t> shape(type.getShape());
    shape[dim] = count;
    parts.push_back(
        createSplat(builder, loc, fill,
                    RankedTensorType::get(shape, type.getElementType())));
  };
  for (int64_t at = begin; at < end;) {
    int64_t inside = wrap && size > 0 ? ((at % size) + size) % size : at;
    int64_t count;
    if (inside < 0 || inside >= size) {
      count = inside < 0 ? std::min(-inside, end - at) : end - at;
      addFill(count);
    } else {
      count = std::min(size - inside, end - at);
      parts.push_back(createSlice(builder, loc, value, dim, inside, count));
    }
    at += count;
  }
  if (parts.empty())
    addFill(0);
  return createConcat(builder, loc, parts, dim);
}

Value shoal::createChoice(OpBuilder &builder, Location loc,
                          ArrayRef<Value> values, Value index) {
  RankedTensorType type = typeOf(values.front());
  SmallVector<int64_t> shape = {1};
  llvm::append_range(shape, type.getShape());
  auto single = RankedTensorType::get(shape, type.getElementType());
  SmallVector<Value> rows;
  for (Value value : values)
    rows.push_back(sh::ReshapeOp::create(builder, loc, single, value));
  // A rank-1 index of one element is one, too.
  RankedTensorType indexType = typeOf(index);
  if (indexType.getRank() != 0)
    index = sh::ReshapeOp::create(
        builder, loc, RankedTensorType::get({}, indexType.getElementType()),
        index);
  Value zero = createZeros(builder, loc, index.getType());
  SmallVector<Value> starts(shape.size(), zero);
  starts[0] = index;
  Value row = sh::DynamicSliceOp::create(
      builder, loc, single, createConcat(builder, loc, rows, 0), starts,
      builder.getDenseI64ArrayAttr(shape));
  return sh::ReshapeOp::create(builder, loc, type, row);
}

/// All blocks one after another, as long as the whole dimension is; null if
/// they are shorter.
static Value joinBlocks(OpBuilder &builder, Location loc,
                        ArrayRef<Value> blocks, int64_t dim, int64_t size) {
  Value all = createConcat(builder, loc, blocks, dim);
  if (typeOf(all).getDimSize(dim) < size)
    return {};
  return createSlice(builder, loc, all, dim, 0, size);
}

/// `output` with the rows that `input` sends to `member` written to it.
static Value receiveRows(OpBuilder &builder, Location loc, Value output,
                         Value input, Value inputOffsets, Value sendSizes,
                         Value outputOffsets, int64_t member) {
  RankedTensorType from = typeOf(input), to = typeOf(output);
  if (from.getDimSize(0) == 0 || to.getDimSize(0) == 0)
    return output;
  Type element = typeOf(inputOffsets).getElementType();
  int64_t rows = to.getDimSize(0);
  auto column = RankedTensorType::get({rows}, element);
  auto number = [&](Value list) -> Value {
    Value one = createSlice(builder, loc, list, 0, member, 1);
    return sh::BroadcastInDimOp::create(builder, loc, column, one,
                                        builder.getDenseI64ArrayAttr({0}));
  };
  Value row =
      sh::IotaOp::create(builder, loc, column, builder.getI64IntegerAttr(0));
  Value within =
      sh::SubtractOp::create(builder, loc, row, number(outputOffsets));
  Value zero = createZeros(builder, loc, column);
  auto compare = [&](Value a, Value b, sh::ComparisonDirection direction) {
    return sh::CompareOp::create(builder, loc, a, b, direction,
                                 sh::ComparisonType::NOTYPE);
  };
  Value sent = sh::AndOp::create(
      builder, loc, compare(within, zero, sh::ComparisonDirection::GE),
      compare(within, number(sendSizes), sh::ComparisonDirection::LT));
  Value source = sh::AddOp::create(builder, loc, within, number(inputOffsets));
  Value index = sh::ReshapeOp::create(
      builder, loc, RankedTensorType::get({rows, 1}, element), source);
  SmallVector<int64_t> offsets, sizes(from.getShape());
  sizes[0] = 1;
  for (int64_t dim = 1; dim < from.getRank(); ++dim)
    offsets.push_back(dim);
  Value taken = sh::GatherOp::create(
      builder, loc, to, input, index,
      sh::GatherDimensionNumbersAttr::get(builder.getContext(), offsets, {0},
                                          {}, {}, {0}, 1),
      builder.getDenseI64ArrayAttr(sizes), builder.getBoolAttr(false));
  Value mask = sh::BroadcastInDimOp::create(
      builder, loc, RankedTensorType::get(to.getShape(), builder.getI1Type()),
      sent, builder.getDenseI64ArrayAttr({0}));
  return sh::SelectOp::create(builder, loc, to, mask, taken, output);
}

SmallVector<Value> shoal::emitExchange(Operation *op,
                                       ArrayRef<SmallVector<Value>> operands,
                                       OpBuilder &builder) {
  Location loc = op->getLoc();
  ArrayRef<Value> inputs = operands.front();
  SmallVector<Value> results;
  auto fillOf = [&](size_t member) {
    return operands.size() > 1 ? operands[1][member] : Value();
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](comm::HaloOp halo) {
        int64_t dim = halo.getDim(), low = halo.getLow(), high = halo.getHigh();
        Value all = joinBlocks(builder, loc, inputs, dim, halo.getSize());
        for (size_t i = 0; all && i < inputs.size(); ++i) {
          int64_t block = typeOf(inputs[i]).getDimSize(dim);
          results.push_back(
              createWindow(builder, loc, all, dim, int64_t(i) * block - low,
                           block + low + high, halo.getWrap(), fillOf(i)));
        }
      })
      .Case([&](comm::ReblockOp reblock) {
        int64_t dim = reblock.getDim();
        Value all = joinBlocks(builder, loc, inputs, dim, reblock.getSize());
        for (size_t i = 0; all && i < inputs.size(); ++i)
          results.push_back(createWindow(
              builder, loc, all, dim,
              int64_t(reblock.getOffset()) +
                  int64_t(i) * reblock.getStepOrDefault(),
              reblock.getType().getDimSize(dim), /*wrap=*/false, fillOf(i)));
      })
      .Case([&](comm::RaggedAllToAllOp) {
        for (size_t j = 0; j < inputs.size(); ++j) {
          Value output = operands[1][j];
          for (size_t i = 0; i < inputs.size(); ++i)
            output =
                receiveRows(builder, loc, output, inputs[i], operands[2][i],
                            operands[3][i], operands[4][i], j);
          results.push_back(output);
        }
      });
  return results;
}
