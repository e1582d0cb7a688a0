#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

LogicalResult TorchIndexSelectOp::verify() {
  auto operand = cast<RankedTensorType>(getOperand().getType());
  auto index = cast<RankedTensorType>(getIndex().getType());
  auto result = cast<RankedTensorType>(getType());
  int64_t dim = static_cast<int64_t>(getDim());
  int64_t batch = static_cast<int64_t>(getBatchDims());
  if (!isDimInRange(dim, operand.getRank()))
    return emitOpError() << "dim " << dim << " is not a dimension of "
                         << operand;
  if (!isa<IntegerType>(index.getElementType()))
    return emitOpError() << "expected integer indices, got " << index;
  if (batch < 0 || batch > index.getRank() || batch > dim)
    return emitOpError() << "batch_dims " << batch << " must be at most dim "
                         << dim << " and the rank of the indices "
                         << index.getRank();
  for (int64_t i = 0; i < batch; ++i)
    if (!isCompatibleDimSize(operand.getDimSize(i), index.getDimSize(i)))
      return emitOpError() << "batch dimension " << i << " differs in "
                           << operand << " and " << index;
  // The indexed dimension is replaced by those of the index.
  SmallVector<int64_t> shape(operand.getShape().take_front(dim));
  llvm::append_range(shape, index.getShape().drop_front(batch));
  llvm::append_range(shape, operand.getShape().drop_front(dim + 1));
  if (!areCompatibleShapes(shape, result.getShape()) ||
      operand.getElementType() != result.getElementType())
    return emitOpError() << "expected a result of "
                         << RankedTensorType::get(shape,
                                                  operand.getElementType())
                         << ", got " << result;
  return success();
}
