// dynamic_update_slice: what lies outside the window is copied unless the result
// has the operand's memory, and the window is written; no element is written
// twice, so that one launch does both.
#include "SimtEmitter.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::gpu::simt;
using cpu::getElementType;
using cpu::shapeOf;

/// Start indices, clamped so that the update fits.
static Index startIndices(SimtEmitter &e, stablehlo::DynamicUpdateSliceOp op) {
  IRBuilder &ir = e.ir();
  ArrayRef<int64_t> shape = shapeOf(op.getOperand());
  ArrayRef<int64_t> update = shapeOf(op.getUpdate());
  Index start;
  for (auto [d, value] : llvm::enumerate(op.getStartIndices())) {
    int64_t room = shape[d] - update[d];
    if (room == 0) {
      start.push_back(IndexExpr(0));
      continue;
    }
    llvm::Value *v = e.toIndex(e.element(value, {}), getElementType(value));
    llvm::Value *most = ir.getInt64(room);
    if (getElementType(value).isUnsignedInteger(64))
      v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::umin, v, most);
    v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smax, v, ir.getInt64(0));
    v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, v, most);
    start.push_back(e.expr(v, 0, room));
  }
  return start;
}

static void emitUpdate(SimtEmitter &e, stablehlo::DynamicUpdateSliceOp op) {
  IRBuilder &ir = e.ir();
  const KernelEmitter::Array &result = *resultArray(e, op, 0);
  ArrayRef<int64_t> shape = shapeOf(op.getOperand());
  ArrayRef<int64_t> update = shapeOf(op.getUpdate());
  Index start = startIndices(e, op);

  auto copyOthers = [&] {
    e.gridSpace(shape, [&](ArrayRef<IndexExpr> at) {
      llvm::Value *inside = ir.getTrue();
      for (unsigned d = 0; d < shape.size(); ++d)
        if (update[d] != shape[d])
          inside = ir.CreateAnd(inside, e.inBounds(at[d] - start[d], update[d]));
      e.ifThenElse(ir.CreateNot(inside), [&] {
        e.storeArray(result, e.linearize(at, shape),
                     e.element(op.getOperand(), at));
      });
    });
  };
  if (shape != update) {
    const KernelEmitter::Array *from = e.inputArray(op.getOperand());
    if (from)
      e.ifThenElse(ir.CreateICmpNE(from->base, result.base), copyOthers);
    else
      copyOthers();
  }
  e.gridSpace(update, [&](ArrayRef<IndexExpr> at) {
    Index to;
    for (auto [first, offset] : llvm::zip_equal(start, at))
      to.push_back(first + offset);
    e.storeArray(result, e.linearize(to, shape), e.element(op.getUpdate(), at));
  });
}

void shoal::gpu::simt::addUpdateForms(OpForms &forms) {
  forms.add<stablehlo::DynamicUpdateSliceOp>(
      [](stablehlo::DynamicUpdateSliceOp op, const KernelSource &,
         SimtKernel &kernel) {
        kernel.form = "update";
        kernel.flops = 0;
        kernel.steps.push_back(
            {defaultBlock, [op](SimtEmitter &e) { emitUpdate(e, op); }});
      });
}
