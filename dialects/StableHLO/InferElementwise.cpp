#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

STABLEHLO_INFER_TYPES(ConstantOp) {
  if (!op.getValueAttr())
    return emitOptionalError(location, "expected a value");
  inferred.push_back(op.getValue().getType());
  return success();
}

bool ConstantOp::isCompatibleReturnTypes(TypeRange inferred, TypeRange actual) {
  if (inferred.size() != 1 || actual.size() != 1)
    return false;
  auto value = dyn_cast<RankedTensorType>(inferred.front());
  auto result = dyn_cast<RankedTensorType>(actual.front());
  if (!value || !result || value.getShape() != result.getShape())
    return false;
  // Storage values; `u8` may hold what is written as ui8 or as i8.
  if (auto quantized = dyn_cast<quant::QuantizedType>(result.getElementType()))
    return value.getElementType().isInteger(
        quantized.getStorageTypeIntegralWidth());
  return value.getElementType() == result.getElementType();
}

STABLEHLO_INFER_TYPES(CreateTokenOp) {
  inferred.push_back(TokenType::get(context));
  return success();
}

/// tensor<ui32>
static Type getDeviceIdType(MLIRContext *context) {
  return RankedTensorType::get(
      {}, IntegerType::get(context, 32, IntegerType::Unsigned));
}

STABLEHLO_INFER_TYPES(PartitionIdOp) {
  inferred.push_back(getDeviceIdType(context));
  return success();
}

STABLEHLO_INFER_TYPES(ReplicaIdOp) {
  inferred.push_back(getDeviceIdType(context));
  return success();
}

STABLEHLO_INFER_TYPES(AbsOp) {
  inferred.push_back(createRealType(op.getOperand().getType()));
  return success();
}

STABLEHLO_INFER_TYPES(RealOp) {
  inferred.push_back(createRealType(op.getOperand().getType()));
  return success();
}

STABLEHLO_INFER_TYPES(ImagOp) {
  inferred.push_back(createRealType(op.getOperand().getType()));
  return success();
}

STABLEHLO_INFER_TYPES(IsFiniteOp) {
  inferred.push_back(getSameShapeTensorType(
      cast<ShapedType>(op.getX().getType()), IntegerType::get(context, 1)));
  return success();
}

STABLEHLO_INFER_TYPES(UniformDequantizeOp) {
  auto type = cast<ShapedType>(op.getOperand().getType());
  auto quantized = dyn_cast<quant::QuantizedType>(type.getElementType());
  if (!quantized)
    return emitOptionalError(location, "expected a quantized operand, got ",
                             type);
  inferred.push_back(
      getSameShapeTensorType(type, quantized.getExpressedType()));
  return success();
}

STABLEHLO_INFER_TYPES(AddOp) {
  auto type = inferMostSpecificType(location, op.getOperands().getTypes());
  if (failed(type))
    return failure();
  inferred.push_back(*type);
  return success();
}

STABLEHLO_INFER_TYPES(ComplexOp) {
  auto type = inferMostSpecificType(location, op.getOperands().getTypes());
  if (failed(type))
    return failure();
  auto tensor = dyn_cast<RankedTensorType>(*type);
  if (!tensor || !isa<FloatType>(tensor.getElementType()))
    return emitOptionalError(location, "expected float operands, got ", *type);
  inferred.push_back(getSameShapeTensorType(
      tensor, ComplexType::get(tensor.getElementType())));
  return success();
}

STABLEHLO_INFER_TYPES(CompareOp) {
  auto type = inferMostSpecificType(location, op.getOperands().getTypes());
  if (failed(type))
    return failure();
  auto tensor = dyn_cast<ShapedType>(*type);
  if (!tensor)
    return emitOptionalError(location, "expected tensors, got ", *type);
  inferred.push_back(
      getSameShapeTensorType(tensor, IntegerType::get(context, 1)));
  return success();
}

/// Whether `type` is a scalar or has a shape that may be the one of `of`.
static bool isScalarOrHasShapeOf(RankedTensorType type, RankedTensorType of) {
  return type.getRank() == 0 ||
         areCompatibleShapes(type.getShape(), of.getShape());
}

STABLEHLO_INFER_TYPES(ClampOp) {
  auto operand = getTensor(op.getOperand());
  auto min = getTensor(op.getMin()), max = getTensor(op.getMax());
  if (!operand || !min || !max)
    return emitOptionalError(location, "expected ranked tensors");
  if (!isScalarOrHasShapeOf(min, operand))
    return emitOptionalError(location, "min shape [", min,
                             "] is not scalar and is not compatible to operand "
                             "shape [",
                             operand, "]");
  if (!isScalarOrHasShapeOf(max, operand))
    return emitOptionalError(location, "max shape [", max,
                             "] is not scalar and is not compatible to operand "
                             "shape [",
                             operand, "]");
  inferred.push_back(operand);
  return success();
}

STABLEHLO_INFER_TYPES(SelectOp) {
  auto pred = getTensor(op.getPred());
  auto onTrue = getTensor(op.getOnTrue()), onFalse = getTensor(op.getOnFalse());
  if (!pred || !onTrue || !onFalse)
    return emitOptionalError(location, "expected ranked tensors");
  if (!isCompatibleForHloTypeInference(onTrue, onFalse))
    return emitOptionalError(
        location, "requires compatible types for non-predicate operands, got ",
        onTrue, " and ", onFalse);
  if (!isScalarOrHasShapeOf(pred, onTrue))
    return emitOptionalError(location,
                             "requires a scalar predicate, or one of the "
                             "shape of the other operands, got ",
                             pred);
  // The predicate does not select between shapes: both are of this shape.
  auto type = inferMostSpecificType(location, {onTrue, onFalse});
  if (failed(type))
    return failure();
  inferred.push_back(*type);
  return success();
}

STABLEHLO_INFER_TYPES(MapOp) {
  if (op.getInputs().empty())
    return emitOptionalError(location, "expected at least one input");
  ReturnOp ret = getRegionReturn(op.getComputation());
  if (!ret || ret->getNumOperands() != 1)
    return emitOptionalError(location, "computation must return single output");
  auto scalar = dyn_cast<RankedTensorType>(ret->getOperand(0).getType());
  if (!scalar || scalar.getRank() != 0)
    return emitOptionalError(location,
                             "computation must return a tensor of rank 0, got ",
                             ret->getOperand(0).getType());
  SmallVector<Type> shapes;
  for (Type type : op.getInputs().getTypes())
    shapes.push_back(getSameShapeTensorType(cast<ShapedType>(type),
                                            scalar.getElementType()));
  auto type = inferMostSpecificType(location, shapes);
  if (failed(type))
    return failure();
  inferred.push_back(*type);
  return success();
}
