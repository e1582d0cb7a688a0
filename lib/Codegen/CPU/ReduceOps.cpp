// reduce as an element: loops over the reduced dimensions at one index of the
// result. Always right; the strategies for whole kernels (RowKernel.cpp,
// ColumnReduction.cpp) replace it where it would not be fast.

#include "Reduction.h"

#include "llvm/IR/Constants.h"

using namespace mlir;
using namespace shoal::cpu;

static Scalar emitReduce(stablehlo::ReduceOp op, unsigned result,
                         ArrayRef<IndexExpr> index, ElementEmitter &e) {
  Reduction reduction(op);
  SmallVector<Variable> accumulators = reduction.start(e);
  e.forSpace(reduction.reducedShape, op, [&](ArrayRef<IndexExpr> reduced) {
    reduction.step(e, accumulators, reduction.operandIndex(index, reduced));
  });
  SmallVector<Scalar> results = reduction.finish(e, accumulators);
  for (auto [value, scalar] : llvm::zip_equal(op.getResults(), results))
    if (!e.recall(value, index))
      e.remember(value, index, scalar);
  return results[result];
}

void shoal::cpu::registerReduceOps(OpEmitters &emitters) {
  emitters.element<stablehlo::ReduceOp>(emitReduce, OpCost::Costly);
}
