#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

LogicalResult ReduceOp::verify() { return success(); }
LogicalResult ReduceWindowOp::verify() { return success(); }
LogicalResult SelectAndScatterOp::verify() { return success(); }
LogicalResult SortOp::verify() { return success(); }

void ReduceOp::build(OpBuilder &builder, OperationState &result, ValueRange inputs,
                     ValueRange initValues, DenseI64ArrayAttr dimensions,
                     TypeRange elementTypes) {
  SmallVector<Type> types;
  for (auto [input, element] : llvm::zip(inputs, elementTypes)) {
    auto type = cast<RankedTensorType>(input.getType());
    SmallVector<int64_t> shape;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (!llvm::is_contained(dimensions.asArrayRef(), dim))
        shape.push_back(type.getDimSize(dim));
    types.push_back(RankedTensorType::get(shape, element));
  }
  build(builder, result, types, inputs, initValues, dimensions);
}

void SortOp::build(OpBuilder &builder, OperationState &result, ValueRange inputs,
                   int64_t dimension, bool isStable) {
  build(builder, result, inputs.getTypes(), inputs,
        builder.getI64IntegerAttr(dimension), builder.getBoolAttr(isStable));
}

Operation *ReduceWindowOp::getReductionOp(int resultIndex) {
  ReturnOp ret = getRegionReturn(getBody());
  if (!ret || resultIndex < 0 || resultIndex >= static_cast<int>(ret->getNumOperands()))
    return nullptr;
  Operation *reducer = ret->getOperand(resultIndex).getDefiningOp();
  if (!reducer || reducer->getNumOperands() != 2)
    return nullptr;
  auto lhs = dyn_cast<BlockArgument>(reducer->getOperand(0));
  auto rhs = dyn_cast<BlockArgument>(reducer->getOperand(1));
  if (!lhs || !rhs || lhs.getOwner() != &getBody().front() || rhs.getOwner() != lhs.getOwner())
    return nullptr;
  unsigned first = resultIndex, second = resultIndex + getInputs().size();
  bool matches = (lhs.getArgNumber() == first && rhs.getArgNumber() == second) ||
                 (lhs.getArgNumber() == second && rhs.getArgNumber() == first);
  return matches ? reducer : nullptr;
}
