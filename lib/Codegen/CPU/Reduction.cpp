#include "Reduction.h"

using namespace mlir;
using namespace shoal::cpu;

Reduction::Reduction(stablehlo::ReduceOp op) : op(op) {
  dims.assign(op.getDimensions().begin(), op.getDimensions().end());
  llvm::sort(dims);
  ArrayRef<int64_t> shape = shapeOf(op.getInputs().front());
  for (int64_t d = 0, rank = shape.size(); d < rank; ++d) {
    if (llvm::is_contained(dims, d))
      reducedShape.push_back(shape[d]);
    else
      keptDims.push_back(d);
  }
  Block &body = op.getBody().front();
  if (op.getInputs().size() == 1) {
    Operation *last = body.getTerminator()->getOperand(0).getDefiningOp();
    if (last && last->getNumOperands() == 2 && last->getBlock() == &body &&
        ((last->getOperand(0) == body.getArgument(0) &&
          last->getOperand(1) == body.getArgument(1)) ||
         (last->getOperand(0) == body.getArgument(1) &&
          last->getOperand(1) == body.getArgument(0))))
      simpleOp = last;
  }
  for (Value input : op.getInputs())
    accumulatorTypes.push_back(getElementType(input));
  if (isWidened())
    accumulatorTypes[0] = Float32Type::get(op.getContext());
}

bool Reduction::isWidened() const {
  return simpleOp && isa<stablehlo::AddOp, stablehlo::MulOp>(simpleOp) &&
         isNarrowFloat(getElementType(op.getInputs()[0])) &&
         isNarrowFloat(getElementType(op.getResult(0)));
}

Index Reduction::operandIndex(ArrayRef<IndexExpr> kept,
                              ArrayRef<IndexExpr> reduced) const {
  Index index(kept.size() + reduced.size());
  for (auto [i, d] : llvm::enumerate(keptDims))
    index[d] = kept[i];
  for (auto [i, d] : llvm::enumerate(dims))
    index[d] = reduced[i];
  return index;
}

SmallVector<Scalar> Reduction::initial(ElementEmitter &e) const {
  SmallVector<Scalar> values;
  for (Value init : op.getInitValues())
    values.push_back(e.element(init, {}));
  return values;
}

SmallVector<Scalar> Reduction::combine(ElementEmitter &e,
                                       ArrayRef<Scalar> accumulated,
                                       ArrayRef<IndexExpr> index) const {
  SmallVector<Scalar> arguments(accumulated);
  for (Value input : op.getInputs())
    arguments.push_back(e.element(input, index));
  // The program leaves the order open, here and nowhere else.
  ElementEmitter::Reassociate reassociate(e);
  if (isWidened()) {
    IRBuilder &ir = e.ir();
    llvm::Value *a = arguments[0].re, *b = arguments[1].re;
    return {{isa<stablehlo::AddOp>(simpleOp) ? ir.CreateFAdd(a, b)
                                             : ir.CreateFMul(a, b)}};
  }
  return e.inlineRegion(op.getBody(), arguments);
}

SmallVector<Scalar> Reduction::round(ElementEmitter &e,
                                     ArrayRef<Scalar> accumulated) const {
  SmallVector<Scalar> values(accumulated);
  if (isWidened())
    values[0].re =
        roundToType(e.ir(), values[0].re, getElementType(op.getResult(0)));
  return values;
}

SmallVector<Variable> Reduction::start(ElementEmitter &e) const {
  SmallVector<Variable> accumulators;
  for (auto [type, init] : llvm::zip_equal(accumulatorTypes, initial(e))) {
    accumulators.push_back(e.variable(type));
    e.set(accumulators.back(), init);
  }
  return accumulators;
}

void Reduction::step(ElementEmitter &e, ArrayRef<Variable> accumulators,
                     ArrayRef<IndexExpr> index) const {
  SmallVector<Scalar> current;
  for (const Variable &accumulator : accumulators)
    current.push_back(e.get(accumulator));
  for (auto [accumulator, value] :
       llvm::zip_equal(accumulators, combine(e, current, index)))
    e.set(accumulator, value);
}

SmallVector<Scalar> Reduction::finish(ElementEmitter &e,
                                      ArrayRef<Variable> accumulators) const {
  SmallVector<Scalar> values;
  for (const Variable &accumulator : accumulators)
    values.push_back(e.get(accumulator));
  return round(e, values);
}
