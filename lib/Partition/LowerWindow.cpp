// Ops whose result index is a shifted, strided or reversed operand index:
// slice, pad, reverse, concatenate. Each device fetches the stretch of the
// operand that its block of the result reads (comm.reblock: what neighbours
// hold of it is sent), then does the op on that stretch.

#include "Partitioner.h"

#include "dialects/Comm/Comm.h"
#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

Value OpLowering::fetch(Value operand, size_t tensor, int64_t dim,
                        int64_t offset, int64_t step, int64_t width,
                        Value fill) {
  AtomList atoms = atomsOf(tensor, dim);
  auto type = b.typeOf(operand);
  int64_t block = type.getDimSize(dim), size = model.shape(tensor)[dim];
  // Everything stays where it is: only padding may differ.
  if (offset == 0 && step == block && width == block && !fill)
    return operand;
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = width;
  return comm::ReblockOp::create(
      b, b.loc(), b.tensorType(shape, type.getElementType()), operand, fill,
      dim, size, offset, b.getI64IntegerAttr(step),
      comm::GroupsAttr::get(mesh.meshRef(), mesh.toAxes(atoms)),
      b.getStringAttr("elements that " + op->getName().getStringRef() +
                      " shifts across devices"),
      b.getArrayAttr({Attribute(LocationAttr(op->getLoc()))}));
}

SmallVector<Value> OpLowering::lowerSlice(ArrayRef<Value> operands) {
  auto slice = cast<sh::SliceOp>(op);
  Value value = operands[0];
  SmallVector<int64_t> starts(slice.getStartIndices()),
      limits(slice.getLimitIndices()), strides(slice.getStrides());
  bool left = false;
  for (size_t d = 0; d < starts.size(); ++d) {
    if (!isCut(0, d)) {
      left |=
          starts[d] != 0 || limits[d] != model.shape(0)[d] || strides[d] != 1;
      continue;
    }
    int64_t block = blockOf(1, d);
    if (model.shape(0)[d] != model.shape(1)[d]) {
      value = fetch(value, 0, d, starts[d], strides[d] * block,
                    strides[d] * (block - 1) + 1, Value());
      left |= strides[d] != 1;
    }
    starts[d] = 0;
    limits[d] = b.typeOf(value).getDimSize(d);
  }
  if (!left)
    return {value};
  return {sh::SliceOp::create(b, b.loc(), localResultTypes()[0], value, starts,
                              limits, strides)};
}

SmallVector<Value> OpLowering::lowerPad(ArrayRef<Value> operands) {
  auto pad = cast<sh::PadOp>(op);
  Value value = operands[0];
  SmallVector<int64_t> low(pad.getEdgePaddingLow()),
      high(pad.getEdgePaddingHigh());
  bool left = false;
  for (size_t d = 0; d < low.size(); ++d) {
    if (isCut(0, d)) {
      if (low[d] != 0 || high[d] != 0)
        value = fetch(value, 0, d, -low[d], blockOf(2, d), blockOf(2, d),
                      operands[1]);
      low[d] = high[d] = 0;
    }
    left |= low[d] || high[d] || pad.getInteriorPadding()[d];
  }
  if (!left)
    return {value};
  return {sh::PadOp::create(b, b.loc(), localResultTypes()[0], value,
                            operands[1], low, high, pad.getInteriorPadding())};
}

SmallVector<Value> OpLowering::lowerReverse(ArrayRef<Value> operands) {
  auto reverse = cast<sh::ReverseOp>(op);
  Value value = operands[0];
  for (int64_t d : reverse.getDimensions())
    if (isCut(0, d)) {
      int64_t block = blockOf(1, d);
      value =
          fetch(value, 0, d, model.shape(0)[d] - block, -block, block, Value());
    }
  return {sh::ReverseOp::create(b, b.loc(), localResultTypes()[0], value,
                                reverse.getDimensions())};
}

SmallVector<Value> OpLowering::lowerConcatenate(ArrayRef<Value> operands) {
  auto concat = cast<sh::ConcatenateOp>(op);
  int64_t dim = concat.getDimension();
  size_t result = model.numOperands();
  if (!isCut(result, dim))
    return cloneLocal(operands);
  auto type = cast<RankedTensorType>(localResultTypes()[0]);
  int64_t block = type.getDimSize(dim);
  Value position = b.add(b.iota({block}, 0, b.getI32Type()),
                         b.broadcast(offsetOf(result, dim), {block}));
  // Each part's stretch of every piece; the position says which piece counts.
  Value joined;
  int64_t start = 0;
  for (auto [i, operand] : llvm::enumerate(operands)) {
    Value piece = fetch(operand, i, dim, -start, block, block, Value());
    if (joined) {
      Value mine =
          b.compare(LocalBuilder::Compare::GE, position,
                    b.broadcast(b.scalarInt(start, b.getI32Type()), {block}));
      joined =
          b.select(b.broadcast(mine, type.getShape(), {dim}), piece, joined);
    } else {
      joined = piece;
    }
    start += model.shape(i)[dim];
  }
  return {joined};
}

/// Where a window dimension is cut: the stretch that the windows of this
/// device's block of the result read, with what lies outside as `fill`. True
/// if it was fetched, and so needs no edge padding any more.
bool OpLowering::fetchWindow(Value &operand, size_t tensor, int64_t dim,
                             int64_t resultDim, Value fill) {
  const std::optional<WindowMap> &window =
      model.getRule().operands[tensor].dims[dim].window;
  if (!window || !isCut(tensor, dim))
    return false;
  int64_t block = blockOf(model.numOperands(), resultDim);
  operand = fetch(operand, tensor, dim, window->offset, window->stride * block,
                  window->stride * (block - 1) +
                      window->dilation * (window->size - 1) + 1,
                  fill);
  return true;
}

SmallVector<Value> OpLowering::lowerConvolution(ArrayRef<Value> operands) {
  auto conv = cast<sh::ConvolutionOp>(op);
  auto numbers = conv.getDimensionNumbers();
  SmallVector<Value> inputs(operands);
  SmallVector<int64_t> padding(2 * numbers.getInputSpatialDimensions().size(),
                               0);
  if (auto given = conv.getPadding())
    padding.assign(given->value_begin<int64_t>(), given->value_end<int64_t>());
  bool fetched = false;
  for (auto [i, dim] : llvm::enumerate(numbers.getInputSpatialDimensions())) {
    Value zero = isCut(0, dim)
                     ? b.zeros(b.tensorType({}, b.elementOf(inputs[0])))
                     : Value();
    if (!fetchWindow(inputs[0], 0, dim, numbers.getOutputSpatialDimensions()[i],
                     zero))
      continue;
    padding[2 * i] = padding[2 * i + 1] = 0;
    fetched = true;
  }
  SmallVector<Value> results = cloneLocal(inputs);
  if (fetched)
    cast<sh::ConvolutionOp>(results[0].getDefiningOp())
        .setPaddingAttr(DenseIntElementsAttr::get(
            RankedTensorType::get({static_cast<int64_t>(padding.size() / 2), 2},
                                  b.getI64Type()),
            padding));
  return results;
}

SmallVector<Value> OpLowering::lowerReduceWindow(ArrayRef<Value> operands) {
  auto reduce = cast<sh::ReduceWindowOp>(op);
  size_t count = reduce.getInputs().size();
  size_t rank = model.shape(0).size();
  SmallVector<Value> inputs(operands);
  SmallVector<int64_t> padding(2 * rank, 0);
  if (auto given = reduce.getPadding())
    padding.assign(given->value_begin<int64_t>(), given->value_end<int64_t>());
  bool fetched = false;
  for (size_t d = 0; d < rank; ++d)
    for (size_t i = 0; i < count; ++i)
      if (fetchWindow(inputs[i], i, d, d, inputs[count + i])) {
        padding[2 * d] = padding[2 * d + 1] = 0;
        fetched = true;
      }
  SmallVector<Value> results = cloneLocal(inputs);
  if (fetched)
    cast<sh::ReduceWindowOp>(results[0].getDefiningOp())
        .setPaddingAttr(DenseIntElementsAttr::get(
            RankedTensorType::get({static_cast<int64_t>(rank), 2},
                                  b.getI64Type()),
            padding));
  return results;
}
