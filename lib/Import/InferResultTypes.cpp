// The types of results as they follow from operands, for all operations whose
// result types are written and not inferred when they are built.
#include "RefineShapes.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/SDY/SDY.h"
#include "dialects/StableHLO/InferTypes.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Support/TensorTypes.h"

#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace shoal;

using Shape = SmallVector<int64_t>;
static constexpr int64_t kUnknown = ShapedType::kDynamic;

static int64_t divide(int64_t size, int64_t by) {
  return ShapedType::isDynamic(size) ? size : size / by;
}

static int64_t multiply(int64_t size, int64_t by) {
  return ShapedType::isDynamic(size) || ShapedType::isDynamic(by) ? kUnknown
                                                                  : size * by;
}

static Shape inferDotGeneral(RankedTensorType lhs, RankedTensorType rhs,
                             ArrayRef<int64_t> lhsBatch,
                             ArrayRef<int64_t> rhsBatch,
                             ArrayRef<int64_t> lhsContract,
                             ArrayRef<int64_t> rhsContract) {
  Shape shape;
  for (int64_t dim : lhsBatch)
    shape.push_back(lhs.getDimSize(dim));
  auto append = [&](RankedTensorType type, ArrayRef<int64_t> batch,
                    ArrayRef<int64_t> contract) {
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (!llvm::is_contained(batch, dim) && !llvm::is_contained(contract, dim))
        shape.push_back(type.getDimSize(dim));
  };
  append(lhs, lhsBatch, lhsContract);
  append(rhs, rhsBatch, rhsContract);
  return shape;
}

static FailureOr<Shape> inferConvolution(stablehlo::ConvolutionOp op) {
  RankedTensorType lhs = typeOf(op.getLhs()), rhs = typeOf(op.getRhs());
  stablehlo::ConvDimensionNumbersAttr dims = op.getDimensionNumbers();
  Shape shape(lhs.getRank(), kUnknown), kernel;
  for (int64_t dim : dims.getKernelSpatialDimensions())
    kernel.push_back(rhs.getDimSize(dim));
  shape[dims.getOutputBatchDimension()] = divide(
      lhs.getDimSize(dims.getInputBatchDimension()), op.getBatchGroupCount());
  shape[dims.getOutputFeatureDimension()] =
      rhs.getDimSize(dims.getKernelOutputFeatureDimension());
  // Sizes that are unknown or zero are no windows.
  Shape sizes(kernel);
  for (int64_t &size : sizes)
    size = std::max<int64_t>(size, 1);
  auto window = stablehlo::getWindow(
      op.getLoc(), sizes, op.getWindowStrides().value_or(ArrayRef<int64_t>()),
      op.getPadding(), op.getLhsDilation().value_or(ArrayRef<int64_t>()),
      op.getRhsDilation().value_or(ArrayRef<int64_t>()));
  if (failed(window))
    return failure();
  for (auto [i, dimension] : llvm::enumerate(*window)) {
    if (kernel[i] <= 0)
      continue;
    auto size = stablehlo::getWindowedSize(
        op.getLoc(), lhs.getDimSize(dims.getInputSpatialDimensions()[i]),
        dimension);
    if (failed(size))
      return failure();
    shape[dims.getOutputSpatialDimensions()[i]] = *size;
  }
  return shape;
}

/// The letters of "ab,bc->ac" stand for sizes.
static Shape inferEinsum(StringRef config, ValueRange operands) {
  auto [inputs, output] = config.split("->");
  inputs.consume_front(",");
  SmallVector<StringRef> parts;
  inputs.split(parts, ',');
  llvm::DenseMap<char, int64_t> sizes;
  for (auto [part, operand] : llvm::zip(parts, operands)) {
    RankedTensorType type = typeOf(operand);
    for (auto [dim, letter] : llvm::enumerate(part.trim()))
      if (dim < size_t(type.getRank()))
        sizes[letter] = type.getDimSize(dim);
  }
  Shape shape;
  for (char letter : output.trim())
    shape.push_back(sizes.contains(letter) ? sizes[letter] : kUnknown);
  return shape;
}

/// One unknown size of a reshape is what the others leave.
static Shape inferReshape(RankedTensorType from, RankedTensorType to) {
  Shape shape(to.getShape());
  if (!from.hasStaticShape() || to.getNumDynamicDims() != 1)
    return shape;
  int64_t known = 1;
  for (int64_t size : shape)
    if (!ShapedType::isDynamic(size))
      known *= size;
  for (int64_t &size : shape)
    if (ShapedType::isDynamic(size) && known > 0 &&
        from.getNumElements() % known == 0)
      size = from.getNumElements() / known;
  return shape;
}

static unsigned bitsOf(Type element) {
  if (auto complex = dyn_cast<ComplexType>(element))
    return 2 * complex.getElementType().getIntOrFloatBitWidth();
  if (auto quantized = dyn_cast<quant::QuantizedType>(element))
    return quantized.getStorageTypeIntegralWidth();
  return element.getIntOrFloatBitWidth();
}

static Shape inferBitcast(RankedTensorType from, RankedTensorType to) {
  Shape shape(from.getShape());
  unsigned a = bitsOf(from.getElementType()), b = bitsOf(to.getElementType());
  if (a > b)
    shape.push_back(a / b);
  else if (a < b && !shape.empty())
    shape.pop_back();
  return shape;
}

static Shape inferTorchIndexSelect(stablehlo::TorchIndexSelectOp op) {
  ArrayRef<int64_t> operand = typeOf(op.getOperand()).getShape();
  ArrayRef<int64_t> index = typeOf(op.getIndex()).getShape();
  Shape shape(operand.take_front(op.getDim()));
  llvm::append_range(shape, index.drop_front(op.getBatchDims()));
  llvm::append_range(shape, operand.drop_front(op.getDim() + 1));
  return shape;
}

/// The size of each group in a table of devices.
static int64_t groupSize(Attribute groups) {
  auto table = dyn_cast_if_present<DenseIntElementsAttr>(groups);
  if (!table || cast<ShapedType>(table.getType()).getRank() != 2)
    return kUnknown;
  return cast<ShapedType>(table.getType()).getDimSize(1);
}

static Shape inferRaggedDot(chlo::RaggedDotOp op) {
  RankedTensorType lhs = typeOf(op.getLhs()), rhs = typeOf(op.getRhs());
  chlo::RaggedDotDimensionNumbersAttr numbers =
      op.getRaggedDotDimensionNumbers();
  SmallVector<int64_t> rhsOut(numbers.getRhsContractingDimensions());
  llvm::append_range(rhsOut, numbers.getRhsGroupDimensions());
  Shape shape = inferDotGeneral(lhs, rhs, numbers.getLhsBatchingDimensions(),
                                numbers.getRhsBatchingDimensions(),
                                numbers.getLhsContractingDimensions(), rhsOut);
  // A contracted ragged dimension gives a result per group.
  if (llvm::is_contained(numbers.getLhsContractingDimensions(),
                         numbers.getLhsRaggedDimensions().front()))
    shape.insert(shape.begin(), typeOf(op.getGroupSizes()).getShape().back());
  return shape;
}

/// The shapes of the results; empty if nothing is known of `op`.
static FailureOr<SmallVector<Shape>> inferShapes(Operation *op) {
  using Shapes = FailureOr<SmallVector<Shape>>;
  auto one = [](Shape shape) { return Shapes(SmallVector<Shape>{shape}); };
  for (Value operand : op->getOperands())
    if (isa<TensorType>(operand.getType()) && !typeOrNull(operand))
      return SmallVector<Shape>();
  return llvm::TypeSwitch<Operation *, Shapes>(op)
      .Case<stablehlo::ConvertOp, stablehlo::UniformQuantizeOp>([&](auto same) {
        return one(Shape(typeOf(same.getOperand()).getShape()));
      })
      .Case([&](stablehlo::DotOp dot) {
        RankedTensorType lhs = typeOf(dot.getLhs());
        return one(inferDotGeneral(lhs, typeOf(dot.getRhs()), {}, {},
                                   {lhs.getRank() - 1}, {0}));
      })
      .Case([&](stablehlo::DotGeneralOp dot) {
        auto dims = dot.getDotDimensionNumbers();
        return one(inferDotGeneral(typeOf(dot.getLhs()), typeOf(dot.getRhs()),
                                   dims.getLhsBatchingDimensions(),
                                   dims.getRhsBatchingDimensions(),
                                   dims.getLhsContractingDimensions(),
                                   dims.getRhsContractingDimensions()));
      })
      .Case([&](stablehlo::ConvolutionOp conv) -> Shapes {
        FailureOr<Shape> shape = inferConvolution(conv);
        if (failed(shape))
          return failure();
        return one(*shape);
      })
      .Case([&](stablehlo::EinsumOp einsum) {
        return einsum.getEinsumConfig().contains('.')
                   ? SmallVector<Shape>()
                   : one(inferEinsum(einsum.getEinsumConfig(),
                                     op->getOperands()));
      })
      .Case([&](stablehlo::UnaryEinsumOp einsum) {
        return einsum.getEinsumConfig().contains('.')
                   ? SmallVector<Shape>()
                   : one(inferEinsum(einsum.getEinsumConfig(),
                                     op->getOperands()));
      })
      .Case([&](stablehlo::ReshapeOp reshape) {
        return one(inferReshape(typeOf(reshape.getOperand()),
                                cast<RankedTensorType>(reshape.getType())));
      })
      .Case([&](stablehlo::BitcastConvertOp bitcast) {
        return one(inferBitcast(typeOf(bitcast.getOperand()),
                                cast<RankedTensorType>(bitcast.getType())));
      })
      .Case([&](stablehlo::TorchIndexSelectOp select) {
        return one(inferTorchIndexSelect(select));
      })
      .Case([&](stablehlo::AllGatherOp gather) {
        SmallVector<Shape> shapes;
        int64_t dim = gather.getAllGatherDim();
        for (Value operand : gather.getOperands()) {
          Shape shape(typeOf(operand).getShape());
          shape[dim] =
              multiply(shape[dim], groupSize(gather.getReplicaGroupsAttr()));
          shapes.push_back(shape);
        }
        return Shapes(shapes);
      })
      .Case([&](stablehlo::ReduceScatterOp scatter) {
        Shape shape(typeOf(scatter.getOperand()).getShape());
        int64_t dim = scatter.getScatterDimension();
        int64_t size = groupSize(scatter.getReplicaGroupsAttr());
        shape[dim] = size > 0 ? divide(shape[dim], size) : kUnknown;
        return one(shape);
      })
      .Case([&](chlo::BroadcastSelectOp select) -> Shapes {
        auto shape = chlo::broadcastShapes(
            typeOf(select.getOnTrue()).getShape(),
            typeOf(select.getOnFalse()).getShape(), std::nullopt);
        if (succeeded(shape))
          shape = chlo::broadcastShapes(
              *shape, typeOf(select.getPred()).getShape(), std::nullopt);
        if (failed(shape))
          return op->emitError("operands cannot be broadcast together");
        return one(*shape);
      })
      .Case([&](chlo::TopKOp top) {
        Shape shape(typeOf(top.getOperand()).getShape());
        if (!shape.empty())
          shape.back() = top.getK();
        return Shapes(SmallVector<Shape>{shape, shape});
      })
      .Case([&](chlo::RaggedDotOp dot) { return one(inferRaggedDot(dot)); })
      .Case([&](chlo::ScanOp scan) {
        SmallVector<Shape> shapes;
        Operation *yield = scan.getBody().front().getTerminator();
        int64_t dim = scan.getDimension();
        int64_t size = scan.getInputs().empty()
                           ? kUnknown
                           : typeOf(scan.getInputs()[0]).getDimSize(dim);
        for (unsigned i = 0; i < scan.getOutputs().size(); ++i) {
          Shape shape(typeOf(yield->getOperand(i)).getShape());
          if (dim <= int64_t(shape.size()))
            shape.insert(shape.begin() + dim, size);
          shapes.push_back(shape);
        }
        for (Value init : scan.getInits())
          shapes.push_back(Shape(typeOf(init).getShape()));
        return Shapes(shapes);
      })
      .Default([&](Operation *) -> Shapes {
        StringRef name = op->getName().getStringRef();
        if (name.starts_with("chlo.broadcast_") && op->getNumOperands() == 2) {
          auto dims =
              op->getAttrOfType<DenseI64ArrayAttr>("broadcast_dimensions");
          auto shape = chlo::broadcastShapes(
              typeOf(op->getOperand(0)).getShape(),
              typeOf(op->getOperand(1)).getShape(),
              dims ? std::optional(dims.asArrayRef()) : std::nullopt);
          if (failed(shape))
            return op->emitError("cannot broadcast ")
                   << op->getOperand(0).getType() << " and "
                   << op->getOperand(1).getType();
          return one(*shape);
        }
        // Shardings and the like pass values on.
        bool passesOn = isa_and_nonnull<sdy::SdyDialect>(op->getDialect());
        if (auto call = dyn_cast<stablehlo::CustomCallOp>(op))
          passesOn |= call.getCallTargetName() == "Sharding" ||
                      call.getCallTargetName() == "annotate_device_placement";
        bool sameShape = op->hasTrait<OpTrait::SameOperandsAndResultShape>() ||
                         op->hasTrait<OpTrait::SameOperandsAndResultType>();
        SmallVector<Shape> shapes;
        if (passesOn && op->getNumOperands() == op->getNumResults()) {
          for (Value operand : op->getOperands())
            if (RankedTensorType type = typeOrNull(operand))
              shapes.push_back(Shape(type.getShape()));
          if (shapes.size() != op->getNumResults())
            shapes.clear();
        } else if (sameShape && op->getNumOperands() > 0) {
          // Whichever operand knows a size.
          Shape shape(typeOf(op->getOperand(0)).getShape());
          for (Value operand : op->getOperands())
            for (auto [size, other] :
                 llvm::zip(shape, typeOf(operand).getShape()))
              size = ShapedType::isDynamic(size) ? other : size;
          shapes.assign(op->getNumResults(), shape);
        }
        return shapes;
      });
}

FailureOr<SmallVector<Type>> shoal::inferResultTypes(Operation *op) {
  SmallVector<Type> types(op->getResultTypes());
  if (auto inferring = dyn_cast<InferTypeOpInterface>(op)) {
    SmallVector<Type> inferred;
    if (failed(inferring.inferReturnTypes(
            op->getContext(), op->getLoc(), op->getOperands(),
            op->getDiscardableAttrDictionary(), op->getPropertiesStorage(),
            op->getRegions(), inferred)))
      return failure();
    if (inferred.size() == types.size())
      return inferred;
    return types;
  }
  FailureOr<SmallVector<Shape>> shapes = inferShapes(op);
  if (failed(shapes))
    return failure();
  for (auto [type, shape] : llvm::zip(types, *shapes))
    if (isa<TensorType>(type))
      type =
          RankedTensorType::get(shape, cast<TensorType>(type).getElementType());
  return types;
}
