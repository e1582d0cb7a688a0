#include "PartClones.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Support/TensorTypes.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace shoal {

RankedTensorType partOf(RankedTensorType type, unsigned dim, int64_t parts) {
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = llvm::divideCeil(shape[dim], parts);
  return RankedTensorType::get(shape, type.getElementType());
}

Operation *clonePart(OpBuilder &b, Operation *op, const PartFactor &factor,
                     ArrayRef<Value> operands, int64_t parts) {
  Operation *clone = b.clone(*op);
  clone->setOperands(operands);
  for (auto [r, d] : factor.results)
    clone->getResult(r).setType(partOf(typeOf(clone->getResult(r)), d, parts));
  auto resized = [&](ArrayRef<int64_t> sizes, unsigned d) {
    SmallVector<int64_t> list(sizes);
    list[d] = llvm::divideCeil(list[d], parts);
    return b.getDenseI64ArrayAttr(list);
  };
  if (auto constant = dyn_cast<sh::ConstantOp>(clone)) {
    constant.setValueAttr(cast<DenseElementsAttr>(constant.getValue())
                              .resizeSplat(typeOf(constant.getOutput())));
  } else if (auto slice = dyn_cast<sh::SliceOp>(clone)) {
    slice.setLimitIndicesAttr(
        resized(slice.getLimitIndices(), factor.results.front().second));
  } else if (auto slice = dyn_cast<sh::DynamicSliceOp>(clone)) {
    slice.setSliceSizesAttr(
        resized(slice.getSliceSizes(), factor.results.front().second));
  } else if (auto gather = dyn_cast<sh::GatherOp>(clone)) {
    // (A batch dimension of the operand has slices of one element.)
    for (auto [t, d] : factor.operands)
      if (t == 0 && gather.getSliceSizes()[d] == factor.size)
        gather.setSliceSizesAttr(resized(gather.getSliceSizes(), d));
  }
  return clone;
}

Value FreeParts::of(Value value, unsigned dim) {
  if (Value made = known.lookup({value, dim}))
    return made;
  auto result = cast<OpResult>(value);
  Operation *op = result.getOwner();
  const PartFactor &factor = classes.freeFactorOf(result, dim);
  SmallVector<Value> operands(op->getOperands());
  for (auto [t, d] : factor.operands)
    operands[t] = of(operands[t], d);
  OpBuilder b(op);
  b.setInsertionPointAfter(op);
  Operation *clone = clonePart(b, op, factor, operands, parts);
  return known[{value, dim}] = clone->getResult(result.getResultNumber());
}

} // namespace shoal
