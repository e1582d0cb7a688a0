// if, case and while inside the scalar bodies of reductions, sorts, maps, ….
// On whole tensors they are the host program's and never reach a kernel.
#include "OpEmitter.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal::cpu;

static Value yielded(Region &region, unsigned result) {
  return region.front().getTerminator()->getOperand(result);
}

static Scalar emitIf(stablehlo::IfOp op, unsigned result,
                     ArrayRef<IndexExpr> index, ElementEmitter &e) {
  llvm::Value *taken = e.element(op.getPred(), {}).re;
  return e.branch(
      e.ir().CreateIsNotNull(taken), getElementType(op->getResult(result)),
      [&] { return e.element(yielded(op.getTrueBranch(), result), index); },
      [&] { return e.element(yielded(op.getFalseBranch(), result), index); });
}

/// The branches from number `first` on: one by one, the last for whatever is
/// no branch's number.
static Scalar emitBranches(stablehlo::CaseOp op, llvm::Value *number,
                           unsigned first, unsigned result,
                           ArrayRef<IndexExpr> index, ElementEmitter &e) {
  Value value = yielded(op->getRegion(first), result);
  if (first + 1 == op->getNumRegions())
    return e.element(value, index);
  llvm::Value *taken = e.ir().CreateICmpEQ(
      number, llvm::ConstantInt::get(number->getType(), first));
  return e.branch(
      taken, getElementType(op->getResult(result)),
      [&] { return e.element(value, index); },
      [&] { return emitBranches(op, number, first + 1, result, index, e); });
}

static Scalar emitCase(stablehlo::CaseOp op, unsigned result,
                       ArrayRef<IndexExpr> index, ElementEmitter &e) {
  return emitBranches(op, e.element(op.getIndex(), {}).re, 0, result, index, e);
}

/// All carried scalars live in variables while the loop runs.
static Scalar emitWhile(stablehlo::WhileOp op, unsigned result,
                        ArrayRef<IndexExpr>, ElementEmitter &e) {
  SmallVector<Variable> carried;
  for (Value operand : op->getOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    if (!type || type.getRank() != 0)
      return e.fail(op, "a loop inside the body of another operation can carry "
                        "scalars only");
    carried.push_back(e.variable(type.getElementType()));
    e.set(carried.back(), e.element(operand, {}));
  }
  auto remember = [&](Block &block) {
    for (auto [argument, variable] : llvm::zip(block.getArguments(), carried))
      e.remember(argument, {}, e.get(variable));
  };
  e.whileLoop(
      [&] {
        remember(op.getCond().front());
        return e.ir().CreateIsNotNull(
            e.element(yielded(op.getCond(), 0), {}).re);
      },
      [&] {
        remember(op.getBody().front());
        SmallVector<Scalar> next;
        for (unsigned i = 0; i < carried.size(); ++i)
          next.push_back(e.element(yielded(op.getBody(), i), {}));
        for (auto [variable, value] : llvm::zip(carried, next))
          e.set(variable, value);
      });
  for (auto [value, variable] : llvm::zip(op->getResults(), carried))
    e.remember(value, {}, e.get(variable));
  return *e.recall(op->getResult(result), {});
}

void shoal::cpu::registerControlOps(OpEmitters &emitters) {
  emitters.element<stablehlo::IfOp>(emitIf, OpCost::Medium);
  emitters.element<stablehlo::CaseOp>(emitCase, OpCost::Medium);
  emitters.element<stablehlo::WhileOp>(emitWhile, OpCost::Costly);
}
