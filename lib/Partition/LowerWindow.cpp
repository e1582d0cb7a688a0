// Ops that read an operand's dimension at stride·i + dilation·w + offset:
// slice, pad, reverse, concatenate, convolution, window reductions. Each device
// fetches the stretch of the operand that its part of the op reads
// (comm.reblock: what neighbours hold of it is sent), then does the op on that
// stretch, with the edge padding that is left.

#include "Partitioner.h"

#include "dialects/Comm/Comm.h"
#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

Value OpLowering::fetch(Value operand, size_t tensor, int64_t dim,
                        int64_t offset, int64_t step, int64_t width, Value fill,
                        int64_t size) {
  AtomList atoms = atomsOf(tensor, dim);
  auto type = typeOf(operand);
  int64_t block = type.getDimSize(dim);
  if (size < 0)
    size = model.shape(tensor)[dim];
  // Everything is here already; only padding may differ.
  if (step == block && offset >= 0 && offset + width <= block && !fill)
    return b.slice(operand, dim, offset, offset + width);
  auto groups = comm::GroupsAttr::get(mesh.meshRef(), mesh.toAxes(atoms));
  // What was cut just now is still there as a whole: nothing needs to be sent.
  if (auto cut = operand.getDefiningOp<comm::AllSliceOp>())
    if (static_cast<int64_t>(cut.getDim()) == dim &&
        cut.getGroups() == groups &&
        typeOf(cut.getInput()).getDimSize(dim) == model.shape(tensor)[dim])
      return takeWindow(cut.getInput(), dim, atoms, offset, step, width, fill,
                        size);
  // A change of blocks before it is done by the same move.
  if (auto before = operand.getDefiningOp<comm::ReblockOp>())
    if (static_cast<int64_t>(before.getDim()) == dim &&
        before.getGroups() == groups && before.getOffset() == 0 &&
        before.getStepOrDefault() == block &&
        static_cast<int64_t>(before.getSize()) == model.shape(tensor)[dim])
      operand = before.getInput();
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = width;
  return comm::ReblockOp::create(
      b, b.loc(), b.tensorType(shape, type.getElementType()), operand, fill,
      dim, size, offset, b.getI64IntegerAttr(step), groups,
      b.getStringAttr("elements that " + op->getName().getStringRef() +
                      " shifts across devices"),
      b.getArrayAttr({Attribute(LocationAttr(op->getLoc()))}));
}

Value OpLowering::takeWindow(Value whole, int64_t dim, ArrayRef<uint8_t> atoms,
                             int64_t offset, int64_t step, int64_t width,
                             Value fill, int64_t size) {
  // Padded so far that every part's stretch lies inside.
  int64_t parts = partCount(atoms, mesh.atoms());
  int64_t other = offset + step * (parts - 1);
  int64_t low = std::max<int64_t>(0, -std::min(offset, other));
  int64_t high = std::max<int64_t>(0, std::max(offset, other) + width - size);
  if (!fill)
    fill = b.zeros(b.tensorType({}, b.elementOf(whole)));
  whole = b.pad(b.slice(whole, dim, 0, size), dim, low, high, fill);
  auto type = typeOf(whole);
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = width;
  SmallVector<Value> starts(shape.size(), b.scalarInt(0, b.getI32Type()));
  starts[dim] =
      b.add(b.mul(b.axisIndex(atoms), b.scalarInt(step, b.getI32Type())),
            b.scalarInt(offset + low, b.getI32Type()));
  return sh::DynamicSliceOp::create(b, b.loc(),
                                    b.tensorType(shape, type.getElementType()),
                                    whole, starts, shape);
}

std::optional<WindowStretch>
OpLowering::fetchWindow(Value &operand, size_t tensor, int64_t dim,
                        function_ref<Value()> makeFill) {
  std::optional<WindowStretch> stretch = model.stretch(form, tensor, dim);
  if (!stretch || !isCut(tensor, dim))
    return std::nullopt;
  Value fill;
  if (stretch->readsOutside && makeFill)
    fill = makeFill();
  operand = fetch(operand, tensor, dim, stretch->offset, stretch->step,
                  stretch->width, fill);
  return stretch;
}

/// Element `at` of a cut dimension: its owner has it, the others have what
/// changes nothing in the sum.
Value OpLowering::pickElement(Value value, int64_t dim, int64_t at) {
  int64_t block = typeOf(value).getDimSize(dim);
  value = b.slice(value, dim, at % block, at % block + 1);
  auto type = typeOf(value);
  Type element = type.getElementType();
  Attribute neutral = getNeutralElement(
      element.isInteger(1) ? ReductionKind::Or : ReductionKind::Add, element);
  Value mine =
      b.compare(LocalBuilder::Compare::EQ, b.axisIndex(atomsOf(0, dim)),
                b.scalarInt(at / block, b.getI32Type()));
  Value part =
      b.select(mine, value, b.splat(type.getShape(), element, neutral));
  b.owned[part] = {value, at / block, atomsOf(0, dim)};
  return part;
}

Value OpLowering::takeTaps(Value value, size_t tensor, int64_t dim,
                           WindowStretch &stretch, Value fill) {
  const DimMapping &mapping = model.getRule().operands[tensor].dims[dim];
  const WindowMap &map = *mapping.window;
  SmallVector<int64_t> low(typeOf(value).getRank(), 0), high = low,
                                                        interior = low;
  low[dim] = stretch.low;
  high[dim] = stretch.high;
  interior[dim] = map.baseDilation - 1;
  stretch.low = stretch.high = 0;
  if (low[dim] || high[dim] || interior[dim]) {
    auto type = typeOf(value);
    SmallVector<int64_t> shape(type.getShape());
    shape[dim] = (shape[dim] - 1) * map.baseDilation + 1 + low[dim] + high[dim];
    value = sh::PadOp::create(b, b.loc(),
                              b.tensorType(shape, type.getElementType()), value,
                              fill, low, high, interior);
  }
  for (int64_t f : mapping.factors) {
    if (form.factors[f].empty() ||
        model.getRule().factors[f].kind != FactorKind::Reduction)
      continue;
    int64_t size = typeOf(value).getDimSize(dim);
    int64_t taps = form.blocks[f], away = std::abs(map.dilation);
    int64_t width = size - away * (map.size - taps);
    int64_t first = map.dilation > 0 ? 0 : away * (map.size - taps);
    value = takeWindow(value, dim, form.factors[f], first, map.dilation * taps,
                       width, fill, size);
  }
  return value;
}

SmallVector<Value> OpLowering::lowerSlice(ArrayRef<Value> operands) {
  auto slice = cast<sh::SliceOp>(op);
  Value value = operands[0];
  SmallVector<int64_t> starts(slice.getStartIndices()),
      limits(slice.getLimitIndices()), strides(slice.getStrides());
  // One device has the element, in a sum with the others
  // (refineSingleElements).
  auto isSingleElement = [&](size_t d) {
    const ShardingRule &rule = model.getRule();
    int64_t f = rule.operands[0].dims[d].factors.front();
    return rule.factors[f].kind == FactorKind::Indexed;
  };
  bool left = false;
  for (size_t d = 0; d < starts.size(); ++d) {
    if (isCut(0, d) && isSingleElement(d)) {
      value = pickElement(value, d, starts[d]);
      starts[d] = 0;
      limits[d] = 1;
      strides[d] = 1;
      continue;
    }
    if (isCut(0, d)) {
      // What is left of the slice are its strides within the stretch.
      fetchWindow(value, 0, d);
      starts[d] = 0;
      limits[d] = typeOf(value).getDimSize(d);
      if (model.shape(0)[d] == model.shape(1)[d])
        strides[d] = 1;
      left |= strides[d] != 1;
      continue;
    }
    left |= starts[d] != 0 || limits[d] != model.shape(0)[d] || strides[d] != 1;
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
      high(pad.getEdgePaddingHigh()), interior(pad.getInteriorPadding());
  bool left = false;
  for (size_t d = 0; d < low.size(); ++d) {
    if (isCut(0, d)) {
      auto stretch = fetchWindow(value, 0, d, [&] { return operands[1]; });
      low[d] = stretch ? stretch->low : 0;
      high[d] = stretch ? stretch->high : 0;
    }
    left |=
        low[d] || high[d] || (interior[d] && typeOf(value).getDimSize(d) > 1);
  }
  if (!left)
    return {value};
  return {sh::PadOp::create(b, b.loc(), localResultTypes()[0], value,
                            operands[1], low, high, interior)};
}

SmallVector<Value> OpLowering::lowerReverse(ArrayRef<Value> operands) {
  auto reverse = cast<sh::ReverseOp>(op);
  Value value = operands[0];
  for (int64_t d : reverse.getDimensions())
    fetchWindow(value, 0, d);
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

/// The padding attribute of a windowed op: low and high by dimension.
static DenseIntElementsAttr paddingAttr(ArrayRef<int64_t> padding,
                                        OpBuilder &b) {
  return DenseIntElementsAttr::get(
      RankedTensorType::get({static_cast<int64_t>(padding.size() / 2), 2},
                            b.getI64Type()),
      padding);
}
static SmallVector<int64_t> paddingOf(std::optional<DenseIntElementsAttr> given,
                                      size_t rank) {
  SmallVector<int64_t> padding(2 * rank, 0);
  if (given)
    padding.assign(given->value_begin<int64_t>(), given->value_end<int64_t>());
  return padding;
}

SmallVector<Value> OpLowering::lowerConvolution(ArrayRef<Value> operands) {
  auto conv = cast<sh::ConvolutionOp>(op);
  auto numbers = conv.getDimensionNumbers();
  SmallVector<Value> inputs(operands);
  SmallVector<int64_t> padding =
      paddingOf(conv.getPadding(), numbers.getInputSpatialDimensions().size());
  SmallVector<int64_t> dilation(padding.size() / 2, 1);
  if (auto given = conv.getLhsDilation(); given && !given->empty())
    dilation.assign(given->begin(), given->end());
  bool fetched = false;
  for (auto [i, dim] : llvm::enumerate(numbers.getInputSpatialDimensions())) {
    auto makeZero = [&] {
      return b.zeros(b.tensorType({}, b.elementOf(inputs[0])));
    };
    std::optional<WindowStretch> stretch = model.stretch(form, 0, dim);
    if (!stretch || !isCut(0, dim))
      continue;
    // A kernel that is cut may hold zeros for taps beyond its end: what they
    // are multiplied with has to be a number.
    int64_t kernelDim = numbers.getKernelSpatialDimensions()[i];
    int64_t taps = typeOf(inputs[1]).getDimSize(kernelDim);
    bool paddedTaps = isCut(1, kernelDim) &&
                      taps * partCount(ArrayRef<uint8_t>(atomsOf(1, kernelDim)),
                                       mesh.atoms()) !=
                          model.shape(1)[kernelDim];
    Value fill = stretch->readsOutside || paddedTaps ? makeZero() : Value();
    inputs[0] = fetch(inputs[0], 0, dim, stretch->offset, stretch->step,
                      stretch->width, fill);
    if (model.sharesWindowsAndTaps(form,
                                   model.getRule().operands[0].dims[dim])) {
      inputs[0] =
          takeTaps(inputs[0], 0, dim, *stretch, fill ? fill : makeZero());
      dilation[i] = 1;
    }
    padding[2 * i] = stretch->low;
    padding[2 * i + 1] = stretch->high;
    fetched = true;
  }
  SmallVector<Value> results = cloneLocal(inputs);
  auto local = cast<sh::ConvolutionOp>(results[0].getDefiningOp());
  if (fetched) {
    local.setPaddingAttr(paddingAttr(padding, b));
    if (conv.getLhsDilation())
      local.setLhsDilation(dilation);
  }
  // A device's share of the groups.
  auto sizeOf = [&](Value value, int64_t dim) {
    return typeOf(value).getDimSize(dim);
  };
  int64_t features =
      sizeOf(inputs[1], numbers.getKernelInputFeatureDimension());
  int64_t batch = sizeOf(results[0], numbers.getOutputBatchDimension());
  if (conv.getFeatureGroupCount() > 1 && features > 0)
    local.setFeatureGroupCount(
        sizeOf(inputs[0], numbers.getInputFeatureDimension()) / features);
  if (conv.getBatchGroupCount() > 1 && batch > 0)
    local.setBatchGroupCount(
        sizeOf(inputs[0], numbers.getInputBatchDimension()) / batch);
  return results;
}

SmallVector<Value> OpLowering::lowerReduceWindow(ArrayRef<Value> operands) {
  auto reduce = cast<sh::ReduceWindowOp>(op);
  size_t count = reduce.getInputs().size();
  size_t rank = model.shape(0).size();
  SmallVector<Value> inputs(operands);
  SmallVector<int64_t> padding = paddingOf(reduce.getPadding(), rank);
  SmallVector<int64_t> sizes(reduce.getWindowDimensions());
  SmallVector<int64_t> dilation(rank, 1);
  if (auto given = reduce.getBaseDilations(); given && !given->empty())
    dilation.assign(given->begin(), given->end());
  bool fetched = false;
  for (size_t d = 0; d < rank; ++d) {
    if (!isCut(0, d))
      continue;
    // Where taps are shared, each device has its part of every window.
    int64_t end = -1;
    const DimMapping &dim = model.getRule().operands[0].dims[d];
    bool isTaps = false;
    for (int64_t f : dim.factors)
      if (!form.factors[f].empty() &&
          model.getRule().factors[f].kind == FactorKind::Reduction) {
        isTaps = true;
        int64_t parts =
            partCount(ArrayRef<uint8_t>(form.factors[f]), mesh.atoms());
        // A single window ends with its last tap.
        if (form.blocks[f] * parts != sizes[d])
          end = std::min(model.shape(0)[d],
                         dim.window->offset +
                             dim.window->dilation * (sizes[d] - 1) + 1);
        sizes[d] = form.blocks[f];
      }
    for (size_t i = 0; i < count; ++i) {
      std::optional<WindowStretch> stretch = model.stretch(form, i, d);
      if (!stretch)
        continue;
      // Padding takes the initial value, which is neutral where taps are cut.
      Value fill;
      if (stretch->readsOutside || isTaps)
        fill = inputs[count + i];
      inputs[i] = fetch(inputs[i], i, d, stretch->offset, stretch->step,
                        stretch->width, fill, end);
      if (model.sharesWindowsAndTaps(form, dim)) {
        inputs[i] = takeTaps(inputs[i], i, d, *stretch, fill);
        dilation[d] = 1;
      }
      padding[2 * d] = stretch->low;
      padding[2 * d + 1] = stretch->high;
      fetched = true;
    }
  }
  SmallVector<Value> results = cloneLocal(inputs);
  if (fetched) {
    auto local = cast<sh::ReduceWindowOp>(results[0].getDefiningOp());
    local.setPaddingAttr(paddingAttr(padding, b));
    local.setWindowDimensions(sizes);
    if (reduce.getBaseDilations())
      local.setBaseDilations(dilation);
  }
  return results;
}
