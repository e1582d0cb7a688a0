#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

LogicalResult DotOp::verify() { return success(); }
LogicalResult DotGeneralOp::verify() { return success(); }
LogicalResult EinsumOp::verify() { return success(); }
LogicalResult UnaryEinsumOp::verify() { return success(); }
LogicalResult ConvolutionOp::verify() { return success(); }
LogicalResult DynamicConvOp::verify() { return success(); }

bool DotGeneralOp::isSimpleDot() {
  DotDimensionNumbersAttr dims = getDotDimensionNumbers();
  auto lhs = getTensor(getLhs());
  return lhs && lhs.getRank() <= 2 && getTensor(getRhs()).getRank() <= 2 &&
         dims.getLhsBatchingDimensions().empty() &&
         dims.getLhsContractingDimensions().size() == 1 &&
         dims.getLhsContractingDimensions().front() == lhs.getRank() - 1 &&
         dims.getRhsContractingDimensions().front() == 0;
}

bool ConvolutionOp::hasWindowReversal() {
  return getWindowReversal() && llvm::is_contained(*getWindowReversal(), true);
}
