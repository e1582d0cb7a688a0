// Operations whose shapes are values, in their static forms.
#include "RefineShapes.h"
#include "RuntimePlaces.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Support/TensorTypes.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::stablehlo;
using namespace shoal;

using Values = FailureOr<SmallVector<Value>>;
using Shape = SmallVector<int64_t>;

namespace {
class StaticForms {
public:
  StaticForms(Operation *op, ShapeEvaluator &evaluator, OpBuilder &builder)
      : op(op), evaluator(evaluator), builder(builder), loc(op->getLoc()) {}

  Values make();

private:
  /// The shape that an operand asks for, or else the result's own if that is
  /// known.
  FailureOr<Shape> getShape(Value operand, StringRef what);
  FailureOr<Shape> getInts(Value operand, StringRef what);
  RankedTensorType resultType(ArrayRef<int64_t> shape) {
    auto declared = cast<TensorType>(op->getResult(0).getType());
    return RankedTensorType::get(shape, declared.getElementType());
  }
  bool isResultStatic() { return !isDynamic(op->getResult(0).getType()); }
  Values one(Value value) { return SmallVector<Value>{value}; }

  Values makeReshape(DynamicReshapeOp reshape);
  Values makeChloReshape(chlo::DynamicReshapeOp reshape);
  Values makePad(DynamicPadOp pad);
  Values makeRuntimePad(DynamicPadOp pad);
  Values makeSlice(RealDynamicSliceOp slice);
  Values makeGather(DynamicGatherOp gather);
  Values makeConvolution(DynamicConvOp conv);
  Values makeRuntimeConvolution(DynamicConvOp conv);
  Values makeSized(SetDimensionSizeOp set);

  Operation *op;
  ShapeEvaluator &evaluator;
  OpBuilder &builder;
  Location loc;
};
} // namespace

FailureOr<Shape> StaticForms::getInts(Value operand, StringRef what) {
  if (std::optional<Shape> ints = evaluator.evaluateInts(operand))
    return *ints;
  return emitNotConstant(op, operand, what);
}

FailureOr<Shape> StaticForms::getShape(Value operand, StringRef what) {
  std::optional<Shape> shape = evaluator.evaluateInts(operand);
  if (!shape && isResultStatic())
    return Shape(typeOf(op->getResult(0)).getShape());
  if (!shape)
    return emitNotConstant(op, operand, what);
  for (int64_t size : *shape)
    if (size < 0)
      return op->emitError("negative size ") << size << " in " << what;
  // Before the type is made, whose number of elements is computed in 64 bits.
  int64_t elements = 1;
  for (int64_t size : *shape)
    if (size && llvm::MulOverflow(elements, size, elements))
      return op->emitError("a tensor of this shape is too large");
  return *shape;
}

Values StaticForms::makeReshape(DynamicReshapeOp reshape) {
  // A single size may follow from the others.
  auto result = cast<RankedTensorType>(reshape.getType());
  RankedTensorType from = typeOf(reshape.getOperand());
  if (!evaluator.evaluate(reshape.getOutputShape()) &&
      result.getNumDynamicDims() == 1 && from.hasStaticShape()) {
    Shape shape(result.getShape());
    int64_t known = 1;
    for (int64_t size : shape)
      known *= ShapedType::isDynamic(size) ? 1 : size;
    if (known > 0 && from.getNumElements() % known == 0) {
      for (int64_t &size : shape)
        if (ShapedType::isDynamic(size))
          size = from.getNumElements() / known;
      return one(ReshapeOp::create(builder, loc, resultType(shape),
                                   reshape.getOperand()));
    }
  }
  FailureOr<Shape> shape = getShape(reshape.getOutputShape(), "output_shape");
  if (failed(shape))
    return failure();
  return one(ReshapeOp::create(builder, loc, resultType(*shape),
                               reshape.getOperand()));
}

Values StaticForms::makeChloReshape(chlo::DynamicReshapeOp reshape) {
  auto from = dyn_cast<RankedTensorType>(reshape.getOperand().getType());
  std::optional<Shape> shape = evaluator.evaluateInts(reshape.getOutputShape());
  if (!shape || !from || !from.hasStaticShape()) {
    if (!isResultStatic())
      return emitNotConstant(op, reshape.getOutputShape(), "output_shape");
    shape = Shape(typeOf(op->getResult(0)).getShape());
  }
  // -1 stands for what the other sizes leave.
  int64_t known = 1, unknown = 0;
  for (int64_t size : *shape) {
    if (size < -1)
      return op->emitError("negative size ") << size << " in output_shape";
    unknown += size == -1;
    if (size > 0 && llvm::MulOverflow(known, size, known))
      return op->emitError("a tensor of this shape is too large");
    known = size == 0 ? 0 : known;
  }
  if (unknown > 1)
    return op->emitError("output_shape has more than one -1");
  if (unknown == 1) {
    if (known == 0 || from.getNumElements() % known)
      return op->emitError("no size for -1 in output_shape gives ")
             << from.getNumElements() << " elements";
    for (int64_t &size : *shape)
      if (size == -1)
        size = from.getNumElements() / known;
  }
  return one(ReshapeOp::create(builder, loc, resultType(*shape),
                               reshape.getOperand()));
}

/// Where everything but the places is known, they may be data.
Values StaticForms::makeRuntimePad(DynamicPadOp pad) {
  Value value = pad.getOperand();
  ArrayRef<int64_t> sizes = typeOf(op->getResult(0)).getShape();
  for (auto [dim, size] : llvm::enumerate(sizes))
    value =
        padAtRuntime(builder, loc, value, dim,
                     takeInteger(builder, loc, pad.getEdgePaddingLow(), dim),
                     takeInteger(builder, loc, pad.getInteriorPadding(), dim),
                     size, pad.getPaddingValue());
  return one(value);
}

Values StaticForms::makePad(DynamicPadOp pad) {
  if (isResultStatic() && typeOf(pad.getOperand()).hasStaticShape())
    for (Value places : {pad.getEdgePaddingLow(), pad.getEdgePaddingHigh(),
                         pad.getInteriorPadding()})
      if (!evaluator.evaluateInts(places))
        return makeRuntimePad(pad);
  FailureOr<Shape> low = getInts(pad.getEdgePaddingLow(), "edge_padding_low"),
                   high =
                       getInts(pad.getEdgePaddingHigh(), "edge_padding_high"),
                   interior =
                       getInts(pad.getInteriorPadding(), "interior_padding");
  if (failed(low) || failed(high) || failed(interior))
    return failure();
  auto padded = [&](Type type) {
    return PadOp::create(
        builder, loc, type, pad.getOperand(), pad.getPaddingValue(),
        builder.getDenseI64ArrayAttr(*low), builder.getDenseI64ArrayAttr(*high),
        builder.getDenseI64ArrayAttr(*interior));
  };
  PadOp made = padded(pad.getType());
  FailureOr<SmallVector<Type>> types = inferResultTypes(made);
  if (failed(types))
    return failure();
  made.getResult().setType(
      resultType(cast<RankedTensorType>(types->front()).getShape()));
  return one(made);
}

Values StaticForms::makeSlice(RealDynamicSliceOp slice) {
  Value operand = slice.getOperand();
  RankedTensorType from = typeOf(operand);
  int64_t rank = from.getRank();
  std::optional<Shape> start = evaluator.evaluateInts(slice.getStartIndices()),
                       limit = evaluator.evaluateInts(slice.getLimitIndices()),
                       stride = evaluator.evaluateInts(slice.getStrides());
  if (start && limit && stride) {
    Shape shape;
    for (int64_t dim = 0; dim < rank; ++dim) {
      if ((*stride)[dim] <= 0)
        return op->emitError("stride must be positive, got ")
               << (*stride)[dim] << " in dimension " << dim;
      if ((*start)[dim] < 0 || (*start)[dim] > (*limit)[dim])
        return op->emitError("cannot slice from ")
               << (*start)[dim] << " to " << (*limit)[dim] << " in dimension "
               << dim;
      shape.push_back(llvm::divideCeil(uint64_t((*limit)[dim] - (*start)[dim]),
                                       uint64_t((*stride)[dim])));
    }
    return one(SliceOp::create(builder, loc, resultType(shape), operand,
                               builder.getDenseI64ArrayAttr(*start),
                               builder.getDenseI64ArrayAttr(*limit),
                               builder.getDenseI64ArrayAttr(*stride)));
  }
  if (!stride && isResultStatic() && from.hasStaticShape() &&
      !llvm::is_contained(from.getShape(), 0)) {
    for (int64_t dim = 0; dim < rank; ++dim)
      operand =
          takeStrided(builder, loc, operand, dim,
                      takeInteger(builder, loc, slice.getStartIndices(), dim),
                      takeInteger(builder, loc, slice.getStrides(), dim),
                      typeOf(op->getResult(0)).getDimSize(dim));
    return one(operand);
  }
  if (!stride)
    return emitNotConstant(op, slice.getStrides(), "strides");
  // limit = start + constant says how many, wherever the slice begins.
  Shape shape;
  if (isResultStatic()) {
    shape.assign(typeOf(op->getResult(0)).getShape().begin(),
                 typeOf(op->getResult(0)).getShape().end());
  } else if (auto add = slice.getLimitIndices().getDefiningOp<AddOp>();
             add &&
             llvm::is_contained(add->getOperands(), slice.getStartIndices())) {
    Value other =
        add.getLhs() == slice.getStartIndices() ? add.getRhs() : add.getLhs();
    std::optional<Shape> sizes = evaluator.evaluateInts(other);
    if (!sizes)
      return emitNotConstant(op, other, "the size of the slice");
    for (auto [size, step] : llvm::zip(*sizes, *stride))
      shape.push_back(
          step > 0 && size >= 0
              ? int64_t(llvm::divideCeil(uint64_t(size), uint64_t(step)))
              : -1);
  } else {
    return emitNotConstant(op, slice.getLimitIndices(),
                           "the size of the slice");
  }
  if (llvm::any_of(shape, [](int64_t size) { return size < 0; }))
    return op->emitError("sizes and strides must not be negative");
  // A block at a computed place, of which every stride-th element is taken.
  Shape span;
  SmallVector<Value> starts;
  Type element = typeOf(slice.getStartIndices()).getElementType();
  for (int64_t dim = 0; dim < rank; ++dim) {
    span.push_back(shape[dim] == 0 ? 0 : (shape[dim] - 1) * (*stride)[dim] + 1);
    Value single = SliceOp::create(
        builder, loc, RankedTensorType::get({1}, element),
        slice.getStartIndices(), builder.getDenseI64ArrayAttr({dim}),
        builder.getDenseI64ArrayAttr({dim + 1}),
        builder.getDenseI64ArrayAttr({1}));
    starts.push_back(ReshapeOp::create(
        builder, loc, RankedTensorType::get({}, element), single));
  }
  Value block =
      DynamicSliceOp::create(builder, loc, resultType(span), operand, starts,
                             builder.getDenseI64ArrayAttr(span));
  if (span == shape)
    return one(block);
  return one(SliceOp::create(builder, loc, resultType(shape), block,
                             builder.getDenseI64ArrayAttr(Shape(rank, 0)),
                             builder.getDenseI64ArrayAttr(span),
                             builder.getDenseI64ArrayAttr(*stride)));
}

Values StaticForms::makeGather(DynamicGatherOp gather) {
  GatherDimensionNumbersAttr numbers = gather.getDimensionNumbers();
  std::optional<Shape> sizes = evaluator.evaluateInts(gather.getSliceSizes());
  if (!sizes && isResultStatic()) {
    // Sizes of the result, and 1 for what is not in it.
    RankedTensorType result = typeOf(op->getResult(0));
    sizes = Shape(typeOf(gather.getOperand()).getRank(), 1);
    unsigned next = 0;
    for (auto [dim, size] : llvm::enumerate(*sizes))
      if (!llvm::is_contained(numbers.getCollapsedSliceDims(), dim) &&
          !llvm::is_contained(numbers.getOperandBatchingDims(), dim))
        size = result.getDimSize(numbers.getOffsetDims()[next++]);
  }
  if (!sizes)
    return emitNotConstant(op, gather.getSliceSizes(), "slice_sizes");
  for (int64_t size : *sizes)
    if (size < 0)
      return op->emitError("negative size ") << size << " in slice_sizes";
  auto made = GatherOp::create(builder, loc, gather.getType(),
                               gather.getOperand(), gather.getStartIndices(),
                               numbers, builder.getDenseI64ArrayAttr(*sizes),
                               gather.getIndicesAreSortedAttr());
  FailureOr<SmallVector<Type>> types = inferResultTypes(made);
  if (failed(types))
    return failure();
  made.getResult().setType(
      resultType(cast<RankedTensorType>(types->front()).getShape()));
  return one(made);
}

/// As much of the padded image as the result's windows see.
Values StaticForms::makeRuntimeConvolution(DynamicConvOp conv) {
  ConvDimensionNumbersAttr numbers = conv.getDimensionNumbers();
  Value value = conv.getLhs();
  auto image = typeOf(value), kernel = typeOf(conv.getRhs()),
       result = typeOf(op->getResult(0));
  size_t count = numbers.getInputSpatialDimensions().size();
  auto at = [](std::optional<ArrayRef<int64_t>> list, size_t i) {
    return list && !list->empty() ? (*list)[i] : int64_t(1);
  };
  auto element = RankedTensorType::get({}, image.getElementType());
  Attribute zeros = builder.getZeroAttr(element);
  if (!zeros)
    return emitNotConstant(op, conv.getPadding(), "padding");
  Value zero = ConstantOp::create(builder, loc, cast<ElementsAttr>(zeros));
  Value padding = ReshapeOp::create(
      builder, loc,
      RankedTensorType::get({int64_t(2 * count)},
                            typeOf(conv.getPadding()).getElementType()),
      conv.getPadding());
  for (size_t i = 0; i < count; ++i) {
    int64_t dim = numbers.getInputSpatialDimensions()[i];
    int64_t windows =
        result.getDimSize(numbers.getOutputSpatialDimensions()[i]);
    int64_t taps = kernel.getDimSize(numbers.getKernelSpatialDimensions()[i]);
    int64_t size = windows ? (windows - 1) * at(conv.getWindowStrides(), i) +
                                 (taps - 1) * at(conv.getRhsDilation(), i) + 1
                           : 0;
    int64_t dilation = at(conv.getLhsDilation(), i);
    Value interior;
    if (dilation > 1)
      interior = ConstantOp::create(
          builder, loc,
          DenseElementsAttr::get(
              RankedTensorType::get({}, builder.getI64Type()), dilation - 1));
    value = padAtRuntime(builder, loc, value, dim,
                         takeInteger(builder, loc, padding, 2 * i), interior,
                         size, zero);
  }
  return one(ConvolutionOp::create(
      builder, loc, result, value, conv.getRhs(), conv.getWindowStridesAttr(),
      /*padding=*/DenseIntElementsAttr(), /*lhs_dilation=*/DenseI64ArrayAttr(),
      conv.getRhsDilationAttr(), conv.getWindowReversalAttr(),
      conv.getDimensionNumbersAttr(), conv.getFeatureGroupCountAttr(),
      conv.getBatchGroupCountAttr(), conv.getPrecisionConfigAttr()));
}

Values StaticForms::makeConvolution(DynamicConvOp conv) {
  if (isResultStatic() && typeOf(conv.getLhs()).hasStaticShape() &&
      typeOf(conv.getRhs()).hasStaticShape() &&
      !evaluator.evaluateInts(conv.getPadding()))
    return makeRuntimeConvolution(conv);
  FailureOr<Shape> padding = getInts(conv.getPadding(), "padding");
  if (failed(padding))
    return failure();
  auto attr = DenseIntElementsAttr::get(
      RankedTensorType::get({int64_t(padding->size() / 2), 2},
                            builder.getI64Type()),
      *padding);
  auto made = ConvolutionOp::create(
      builder, loc, conv.getType(), conv.getLhs(), conv.getRhs(),
      conv.getWindowStridesAttr(), attr, conv.getLhsDilationAttr(),
      conv.getRhsDilationAttr(), conv.getWindowReversalAttr(),
      conv.getDimensionNumbersAttr(), conv.getFeatureGroupCountAttr(),
      conv.getBatchGroupCountAttr(), conv.getPrecisionConfigAttr());
  FailureOr<SmallVector<Type>> types = inferResultTypes(made);
  if (failed(types))
    return failure();
  FailureOr<Type> type = meetTypes(op, conv.getType(), types->front());
  if (failed(type))
    return failure();
  made.getResult().setType(cast<RankedTensorType>(*type));
  return one(made);
}

Values StaticForms::makeSized(SetDimensionSizeOp set) {
  RankedTensorType from = typeOf(set.getOperand());
  int64_t dim = set.getDimension();
  std::optional<Shape> size = evaluator.evaluateInts(set.getSize());
  if (!size)
    return emitNotConstant(op, set.getSize(), "the size");
  if (!from.hasStaticShape())
    return SmallVector<Value>();
  int64_t wanted = size->front();
  if (wanted < 0 || wanted > from.getDimSize(dim))
    return op->emitError("size ")
           << wanted << " is not between 0 and " << from.getDimSize(dim)
           << ", the size of dimension " << dim;
  if (wanted == from.getDimSize(dim))
    return one(set.getOperand());
  // The elements in use are the first ones.
  Shape shape(from.getShape());
  shape[dim] = wanted;
  return one(
      SliceOp::create(builder, loc, resultType(shape), set.getOperand(),
                      builder.getDenseI64ArrayAttr(Shape(from.getRank(), 0)),
                      builder.getDenseI64ArrayAttr(shape),
                      builder.getDenseI64ArrayAttr(Shape(from.getRank(), 1))));
}

Values StaticForms::make() {
  return llvm::TypeSwitch<Operation *, Values>(op)
      .Case([&](DynamicBroadcastInDimOp broadcast) -> Values {
        auto shape =
            getShape(broadcast.getOutputDimensions(), "output_dimensions");
        if (failed(shape))
          return failure();
        return one(BroadcastInDimOp::create(
            builder, loc, resultType(*shape), broadcast.getOperand(),
            broadcast.getBroadcastDimensionsAttr()));
      })
      .Case([&](DynamicIotaOp iota) -> Values {
        auto shape = getShape(iota.getOutputShape(), "output_shape");
        if (failed(shape))
          return failure();
        return one(IotaOp::create(builder, loc, resultType(*shape),
                                  iota.getIotaDimensionAttr()));
      })
      .Case([&](DynamicReshapeOp reshape) { return makeReshape(reshape); })
      .Case([&](chlo::DynamicReshapeOp reshape) {
        return makeChloReshape(reshape);
      })
      .Case([&](DynamicPadOp pad) { return makePad(pad); })
      .Case([&](RealDynamicSliceOp slice) { return makeSlice(slice); })
      .Case([&](DynamicGatherOp gather) { return makeGather(gather); })
      .Case([&](DynamicConvOp conv) { return makeConvolution(conv); })
      .Case([&](SetDimensionSizeOp set) { return makeSized(set); })
      .Case([&](GetDimensionSizeOp size) -> Values {
        const IntTensor *value = evaluator.evaluate(size.getResult());
        if (!value)
          return SmallVector<Value>();
        return one(ConstantOp::create(
            builder, loc,
            cast<ElementsAttr>(value->getAttribute(size.getType()))));
      })
      .Case([&](RngOp rng) -> Values {
        // The shape is read off a constant when kernels are made.
        if (rng.getShape().getDefiningOp<ConstantOp>())
          return SmallVector<Value>();
        auto shape = getShape(rng.getShape(), "shape");
        if (failed(shape))
          return failure();
        Value constant =
            ConstantOp::create(builder, loc, builder.getI64TensorAttr(*shape));
        return one(RngOp::create(builder, loc, resultType(*shape), rng.getA(),
                                 rng.getB(), constant,
                                 rng.getRngDistribution()));
      })
      .Default([](Operation *) { return SmallVector<Value>(); });
}

Values shoal::makeStatic(Operation *op, ShapeEvaluator &evaluator,
                         OpBuilder &builder) {
  return StaticForms(op, evaluator, builder).make();
}
