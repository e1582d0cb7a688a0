#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

/// Bits of one element: of the storage where it is quantized.
static std::optional<int64_t> getElementBits(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (auto quantized = dyn_cast<quant::QuantizedType>(element))
    element = quantized.getStorageType();
  if (auto complex = dyn_cast<ComplexType>(element)) {
    auto half = getElementBits(complex.getElementType());
    return half ? std::optional(2 * *half) : std::nullopt;
  }
  if (!element.isIntOrFloat())
    return std::nullopt;
  return element.getIntOrFloatBitWidth();
}

LogicalResult BitcastConvertOp::verify() {
  auto operand = cast<RankedTensorType>(getOperand().getType());
  auto result = cast<RankedTensorType>(getType());
  if (isa<ComplexType>(operand.getElementType()) !=
      isa<ComplexType>(result.getElementType()))
    return emitOpError()
           << "cannot convert between real and complex types, got: " << operand
           << " and " << result;
  auto operandBits = getElementBits(operand),
       resultBits = getElementBits(result);
  if (!operandBits || !resultBits)
    return emitOpError("expected elements of known width");
  if (*operandBits == *resultBits) {
    if (!areCompatibleShapes(operand.getShape(), result.getShape()))
      return emitOpError() << "operand and result shapes must match, got: "
                           << operand << " and " << result;
    return success();
  }
  bool narrowing = *operandBits > *resultBits;
  auto wide = narrowing ? operand : result,
       narrow = narrowing ? result : operand;
  int64_t wideBits = std::max(*operandBits, *resultBits);
  int64_t narrowBits = std::min(*operandBits, *resultBits);
  if (narrow.getRank() != wide.getRank() + 1)
    return emitOpError()
           << "rank of smaller element type (" << narrow.getRank()
           << ") should be 1 more than rank of larger element type ("
           << wide.getRank() << ")";
  if (!areCompatibleShapes(narrow.getShape().drop_back(), wide.getShape()))
    return emitOpError()
           << "operand and result shapes must match except for the "
              "innermost dimension of the shape with the smaller element "
              "type, got: "
           << operand << " and " << result;
  int64_t parts = narrow.getShape().back();
  if (wideBits % narrowBits != 0 ||
      (isStaticDimSize(parts) && parts != wideBits / narrowBits))
    return emitOpError() << "requires compatible bit widths, got: " << operand
                         << " and " << result << ", but " << parts
                         << " elements of " << narrowBits
                         << " bits are not one of " << wideBits;
  return success();
}

/// The scales of a per-axis type follow its dimension to where `dims` puts it.
static LogicalResult verifyBroadcastQuantization(Operation *op,
                                                 RankedTensorType operand,
                                                 RankedTensorType result,
                                                 ArrayRef<int64_t> dims) {
  auto from =
      dyn_cast<quant::UniformQuantizedPerAxisType>(operand.getElementType());
  auto to =
      dyn_cast<quant::UniformQuantizedPerAxisType>(result.getElementType());
  if (!from != !to)
    return op->emitOpError()
           << "operand and result must both be quantized per axis or "
              "neither, got "
           << operand << " and " << result;
  if (!from)
    return success();
  int64_t dim = from.getQuantizedDimension();
  if (dims[dim] != to.getQuantizedDimension())
    return op->emitOpError()
           << "result quantization_dimension " << to.getQuantizedDimension()
           << " not same as broadcast_dimensions[" << dim << "] (" << dims[dim]
           << ")";
  return success();
}

LogicalResult BroadcastInDimOp::verify() {
  auto operand = cast<RankedTensorType>(getOperand().getType());
  auto result = cast<RankedTensorType>(getType());
  ArrayRef<int64_t> dims = getBroadcastDimensions();
  if (static_cast<int64_t>(dims.size()) != operand.getRank())
    return emitOpError() << "broadcast_dimensions size (" << dims.size()
                         << ") does not match operand rank ("
                         << operand.getRank() << ")";
  if (failed(
          verifyDims(getLoc(), dims, result.getRank(), "broadcast_dimensions")))
    return failure();
  for (auto [i, dim] : llvm::enumerate(dims)) {
    int64_t size = operand.getDimSize(i), target = result.getDimSize(dim);
    if (size != 1 && !isCompatibleDimSize(size, target))
      return emitOpError() << "size of operand dimension " << i << " (" << size
                           << ") is not equal to 1 or size of result dimension "
                           << dim << " (" << target << ")";
  }
  return verifyBroadcastQuantization(*this, operand, result, dims);
}

bool mlir::stablehlo::mayHaveSameNumElements(ArrayRef<int64_t> a,
                                             ArrayRef<int64_t> b) {
  if (ShapedType::isDynamicShape(a) || ShapedType::isDynamicShape(b))
    return true;
  unsigned width = 64 * (std::max(a.size(), b.size()) + 1);
  auto product = [width](ArrayRef<int64_t> shape) {
    APInt result(width, 1);
    for (int64_t size : shape)
      result *= APInt(width, size);
    return result;
  };
  return product(a) == product(b);
}

LogicalResult ReshapeOp::verify() {
  auto operand = cast<RankedTensorType>(getOperand().getType());
  auto result = cast<RankedTensorType>(getType());
  if (!mayHaveSameNumElements(operand.getShape(), result.getShape()))
    return emitOpError() << "number of output elements (" << result
                         << ") doesn't match expected number of elements ("
                         << operand << ")";
  auto from =
      dyn_cast<quant::UniformQuantizedPerAxisType>(operand.getElementType());
  auto to =
      dyn_cast<quant::UniformQuantizedPerAxisType>(result.getElementType());
  if (!from != !to)
    return emitOpError()
           << "operand and result must both be quantized per axis or "
              "neither, got "
           << operand << " and " << result;
  if (!from)
    return success();
  // What is before and after the quantized dimension stays so.
  if (!mayHaveSameNumElements(
          operand.getShape().take_front(from.getQuantizedDimension()),
          result.getShape().take_front(to.getQuantizedDimension())))
    return emitOpError() << "the quantized dimension is not the same in "
                         << operand << " and " << result;
  return success();
}

LogicalResult ReverseOp::verify() {
  return verifyDims(getLoc(), getDimensions(),
                    cast<RankedTensorType>(getOperand().getType()).getRank(),
                    "dimensions");
}

bool BroadcastInDimOp::isSimpleBroadcast() {
  auto operand = getTensor(getOperand());
  auto result = dyn_cast<RankedTensorType>(getType());
  if (!operand || !result)
    return false;
  return llvm::all_of(llvm::enumerate(getBroadcastDimensions()), [&](auto dim) {
    return operand.getDimSize(dim.index()) == result.getDimSize(dim.value());
  });
}
