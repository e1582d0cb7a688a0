#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

LogicalResult IotaOp::verify() { return success(); }
LogicalResult ReducePrecisionOp::verify() { return success(); }
LogicalResult UniformQuantizeOp::verify() { return success(); }
LogicalResult AddOp::verify() { return success(); }
LogicalResult CompareOp::verify() { return success(); }
LogicalResult MapOp::verify() { return success(); }

void ConvertOp::build(OpBuilder &builder, OperationState &result, Value operand,
                      Type elementType) {
  build(builder, result,
        getSameShapeTensorType(cast<ShapedType>(operand.getType()), elementType),
        operand);
}

void CompareOp::build(OpBuilder &builder, OperationState &result, Value lhs, Value rhs,
                      ComparisonDirection direction, ComparisonType type) {
  MLIRContext *context = builder.getContext();
  // NOTYPE is what the absence of the attribute means.
  build(builder, result, lhs, rhs,
        ComparisonDirectionAttr::get(context, direction),
        type == ComparisonType::NOTYPE ? ComparisonTypeAttr()
                                       : ComparisonTypeAttr::get(context, type));
}
