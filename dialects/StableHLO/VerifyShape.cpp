#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

LogicalResult BitcastConvertOp::verify() { return success(); }
LogicalResult BroadcastInDimOp::verify() { return success(); }
LogicalResult ReshapeOp::verify() { return success(); }
LogicalResult ReverseOp::verify() { return success(); }

bool BroadcastInDimOp::isSimpleBroadcast() {
  auto operand = getTensor(getOperand());
  auto result = dyn_cast<RankedTensorType>(getType());
  if (!operand || !result)
    return false;
  return llvm::all_of(llvm::enumerate(getBroadcastDimensions()), [&](auto dim) {
    return operand.getDimSize(dim.index()) == result.getDimSize(dim.value());
  });
}
