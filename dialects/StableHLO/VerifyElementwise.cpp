#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

LogicalResult IotaOp::verify() {
  auto type = cast<ShapedType>(getType());
  // The accessor is unsigned, so that a negative dimension is a huge one.
  if (!isDimInRange(static_cast<int64_t>(getIotaDimension()), type.getRank()))
    return emitOpError() << "iota dimension "
                         << static_cast<int64_t>(getIotaDimension())
                         << " is not a dimension of " << type;
  return success();
}

LogicalResult ReducePrecisionOp::verify() {
  int32_t exponent = static_cast<int32_t>(getExponentBits());
  int32_t mantissa = static_cast<int32_t>(getMantissaBits());
  if (exponent < 1)
    return emitOpError() << "exponent_bits must be at least 1, got "
                         << exponent;
  if (mantissa < 0)
    return emitOpError() << "mantissa_bits must be at least 0, got "
                         << mantissa;
  return success();
}

LogicalResult UniformQuantizeOp::verify() {
  Type from = getElementTypeOrSelf(getOperand().getType());
  auto to = dyn_cast<quant::QuantizedType>(getElementTypeOrSelf(getType()));
  if (!to)
    return emitOpError("expected a quantized result");
  if (auto quantized = dyn_cast<quant::QuantizedType>(from))
    from = quantized.getExpressedType();
  if (from != to.getExpressedType())
    return emitOpError() << "expected the result to stand for " << from
                         << ", got " << to;
  return success();
}

/// The quantized dimension, or -1.
static int64_t getQuantizedDimension(Type type) {
  auto quantized =
      dyn_cast<quant::UniformQuantizedPerAxisType>(getElementTypeOrSelf(type));
  return quantized ? quantized.getQuantizedDimension() : -1;
}

LogicalResult AddOp::verify() {
  if (failed(verifyCompatibleOperandsAndResultType(*this)))
    return failure();
  int64_t result = getQuantizedDimension(getType());
  for (Type type : getOperandTypes()) {
    int64_t dim = getQuantizedDimension(type);
    if (dim != -1 && dim != result)
      return emitOpError()
             << "expected operands and result to be quantized along one "
                "dimension, got "
             << type << " and " << getType();
  }
  return success();
}

LogicalResult CompareOp::verify() {
  std::optional<ComparisonType> type = getCompareType();
  if (!type || *type == ComparisonType::NOTYPE)
    return success();
  Type element = getElementTypeOrSelf(getLhs().getType());
  // The numbers are compared, whatever they are stored as.
  if (isa<quant::QuantizedType>(element))
    return success();
  bool floatOrder =
      *type == ComparisonType::FLOAT || *type == ComparisonType::TOTALORDER;
  if (isa<FloatType>(element)     ? !floatOrder
      : isa<ComplexType>(element) ? *type != ComparisonType::FLOAT
                                  : floatOrder)
    return emitOpError() << "comparison type " << stringifyComparisonType(*type)
                         << " does not fit " << element;
  return success();
}

LogicalResult MapOp::verify() {
  Block &block = getComputation().front();
  if (block.getNumArguments() != getNumOperands())
    return emitOpError()
           << "expects number of operands to match the arity of map "
              "computation, but got: "
           << getNumOperands() << " and " << block.getNumArguments();
  for (auto [arg, input] : llvm::zip(block.getArguments(), getInputs())) {
    auto scalar = dyn_cast<RankedTensorType>(arg.getType());
    if (!scalar || scalar.getRank() != 0)
      return emitOpError()
             << "computation arguments must be 0-rank tensors, got "
             << arg.getType();
    if (!isCompatibleElementTypeForHloTypeInference(
            scalar.getElementType(), getElementTypeOrSelf(input.getType())))
      return emitOpError() << "computation argument " << arg.getType()
                           << " does not fit operand " << input.getType();
  }
  // All dimensions, in order: the attribute says nothing new.
  int64_t rank = getTensor(getInputs().front()).getRank();
  ArrayRef<int64_t> dimensions = getDimensions();
  if (static_cast<int64_t>(dimensions.size()) != rank)
    return emitOpError()
           << "applied to a subset of dimensions currently not supported: "
              "operand dimensions = "
           << rank << ", requested map dimensions size = " << dimensions.size();
  for (auto [i, dim] : llvm::enumerate(dimensions))
    if (dim != static_cast<int64_t>(i))
      return emitOpError()
             << "requires monotonically increasing dimension numbers, got "
             << dim << " at " << i;
  return success();
}

//===----------------------------------------------------------------------===//
// Builders
//===----------------------------------------------------------------------===//

void ConvertOp::build(OpBuilder &builder, OperationState &result, Value operand,
                      Type elementType) {
  build(
      builder, result,
      getSameShapeTensorType(cast<ShapedType>(operand.getType()), elementType),
      operand);
}

void CompareOp::build(OpBuilder &builder, OperationState &result, Value lhs,
                      Value rhs, ComparisonDirection direction,
                      ComparisonType type) {
  MLIRContext *context = builder.getContext();
  // NOTYPE is what the absence of the attribute means.
  build(builder, result, lhs, rhs,
        ComparisonDirectionAttr::get(context, direction),
        type == ComparisonType::NOTYPE
            ? ComparisonTypeAttr()
            : ComparisonTypeAttr::get(context, type));
}
