// Index relations through ops (GrowingGroup.h).
#include "GrowingGroup.h"

#include "shoal/Analysis/OpTraits.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

IndexRelation shoal::operandRelation(Operation *op, unsigned operand,
                                     const IndexRelation &result) {
  if (!result.known)
    return {};
  Value value = op->getOperand(operand);
  ArrayRef<int64_t> shape = shapeOf(value);
  switch (classify(op)) {
  case OpClass::Elementwise:
    return shape.empty() ? IndexRelation{true, {}} : result;
  case OpClass::IndexMap:
    break;
  default:
    return {};
  }
  IndexRelation relation{true, SmallVector<int>(shape.size(), -1)};
  if (auto broadcast = dyn_cast<sh::BroadcastInDimOp>(op)) {
    for (auto [i, d] : llvm::enumerate(broadcast.getBroadcastDimensions()))
      if (shape[i] != 1)
        relation.dims[i] = result.dims[d];
    return relation;
  }
  if (auto transpose = dyn_cast<sh::TransposeOp>(op)) {
    for (auto [i, d] : llvm::enumerate(transpose.getPermutation()))
      relation.dims[d] = result.dims[i];
    return relation;
  }
  if (isa<sh::ReshapeOp>(op)) {
    // Only dimensions of size 1 come and go.
    ArrayRef<int64_t> to = shapeOf(op->getResult(0));
    unsigned j = 0;
    for (unsigned i = 0; i < shape.size(); ++i) {
      if (shape[i] == 1)
        continue;
      while (j < to.size() && to[j] == 1)
        ++j;
      if (j == to.size() || to[j] != shape[i])
        return {};
      relation.dims[i] = result.dims[j++];
    }
    return relation;
  }
  return {};
}
