#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

/// A region of two or more scalars that returns whether something holds.
static LogicalResult verifyPredicateRegion(Operation *op, Region &region,
                                           ArrayRef<Type> arguments,
                                           StringRef name) {
  Block &block = region.front();
  if (block.getNumArguments() != arguments.size())
    return op->emitOpError()
           << name << " block should have " << arguments.size()
           << " arguments, got " << block.getNumArguments();
  for (auto [i, types] :
       llvm::enumerate(llvm::zip(block.getArgumentTypes(), arguments))) {
    auto scalar = dyn_cast<RankedTensorType>(std::get<0>(types));
    if (!scalar || scalar.getRank() != 0 ||
        !isCompatibleElementTypeForHloTypeInference(scalar.getElementType(),
                                                    std::get<1>(types)))
      return op->emitOpError()
             << name << " block argument #" << i << " should be a scalar of "
             << std::get<1>(types) << " but got " << std::get<0>(types);
  }
  ReturnOp ret = getRegionReturn(region);
  if (!ret || ret->getNumOperands() != 1)
    return op->emitOpError() << name << " must return single output";
  auto result = dyn_cast<RankedTensorType>(ret->getOperand(0).getType());
  if (!result || result.getRank() != 0 || !result.getElementType().isInteger(1))
    return op->emitOpError() << name << " must return tensor<i1> but got "
                             << ret->getOperand(0).getType();
  return success();
}

LogicalResult SortOp::verify() {
  int64_t rank = getTensor(getInputs().front()).getRank();
  int64_t dimension = static_cast<int64_t>(getDimension());
  if (dimension < -rank || dimension >= rank)
    return emitOpError() << "dimension attribute value must be in range [-"
                         << rank << ", " << rank << "), but found "
                         << dimension;
  SmallVector<Type> arguments;
  for (Type type : getInputs().getTypes())
    arguments.append(2, getElementTypeOrSelf(type));
  return verifyPredicateRegion(*this, getComparator(), arguments, "comparator");
}

LogicalResult SelectAndScatterOp::verify() {
  auto operand = cast<RankedTensorType>(getOperand().getType());
  auto source = cast<RankedTensorType>(getSource().getType());
  auto init = cast<RankedTensorType>(getInitValue().getType());
  Type element = operand.getElementType();
  if (init.getRank() != 0)
    return emitOpError() << "expected an initial value of rank 0, got " << init;
  if (!isCompatibleElementTypeForHloTypeInference(element,
                                                  source.getElementType()) ||
      !isCompatibleElementTypeForHloTypeInference(element,
                                                  init.getElementType()))
    return emitOpError()
           << "expected operand, source and initial value of one element "
              "type, got "
           << operand << ", " << source << " and " << init;
  if (failed(verifyPredicateRegion(*this, getSelect(), {element, element},
                                   "select")))
    return failure();

  SmallVector<int64_t> sizes(operand.getRank(), 1);
  if (std::optional<ArrayRef<int64_t>> given = getWindowDimensions()) {
    if (static_cast<int64_t>(given->size()) != operand.getRank())
      return emitOpError()
             << "expects window-dimensions size == operand rank, but got "
             << given->size() << " and " << operand.getRank();
    sizes.assign(given->begin(), given->end());
  }
  auto window = getWindow(getLoc(), sizes,
                          getWindowStrides().value_or(ArrayRef<int64_t>()),
                          getPadding(), {}, {});
  if (failed(window))
    return failure();
  if (source.getRank() != operand.getRank())
    return emitOpError() << "expected a source of rank " << operand.getRank()
                         << ", got " << source;
  for (auto [dim, dimension] : llvm::enumerate(*window)) {
    auto places = getWindowedSize(getLoc(), operand.getDimSize(dim), dimension);
    if (failed(places))
      return failure();
    if (!isCompatibleDimSize(*places, source.getDimSize(dim)))
      return emitOpError() << "expects source-type to have " << *places
                           << " elements in dimension " << dim
                           << ", one per window, but got " << source;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Builders and accessors
//===----------------------------------------------------------------------===//

void ReduceOp::build(OpBuilder &builder, OperationState &result,
                     ValueRange inputs, ValueRange initValues,
                     DenseI64ArrayAttr dimensions, TypeRange elementTypes) {
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

void SortOp::build(OpBuilder &builder, OperationState &result,
                   ValueRange inputs, int64_t dimension, bool isStable) {
  build(builder, result, inputs.getTypes(), inputs,
        builder.getI64IntegerAttr(dimension), builder.getBoolAttr(isStable));
}

Operation *ReduceWindowOp::getReductionOp(int resultIndex) {
  ReturnOp ret = getRegionReturn(getBody());
  if (!ret || resultIndex < 0 ||
      resultIndex >= static_cast<int>(ret->getNumOperands()))
    return nullptr;
  Operation *reducer = ret->getOperand(resultIndex).getDefiningOp();
  if (!reducer || reducer->getNumOperands() != 2)
    return nullptr;
  auto lhs = dyn_cast<BlockArgument>(reducer->getOperand(0));
  auto rhs = dyn_cast<BlockArgument>(reducer->getOperand(1));
  if (!lhs || !rhs || lhs.getOwner() != &getBody().front() ||
      rhs.getOwner() != lhs.getOwner())
    return nullptr;
  unsigned first = resultIndex, second = resultIndex + getInputs().size();
  bool matches =
      (lhs.getArgNumber() == first && rhs.getArgNumber() == second) ||
      (lhs.getArgNumber() == second && rhs.getArgNumber() == first);
  return matches ? reducer : nullptr;
}
