// cholesky and triangular_solve without a library: columns (or rows) of the right
// hand side side by side, a matrix to factorise by one block.
#include "SimtEmitter.h"

#include "lib/Codegen/CPU/ScalarMath.h"
#include "lib/Codegen/CPU/Special/Special.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::gpu::simt;
using cpu::getElementType;
using cpu::shapeOf;

namespace {
/// A batch of matrices: index of row i, column j of matrix `batch`.
Index at(ArrayRef<IndexExpr> batch, IndexExpr i, IndexExpr j) {
  Index index(batch.begin(), batch.end());
  index.push_back(i);
  index.push_back(j);
  return index;
}

Scalar subtractProduct(IRBuilder &ir, Type type, Scalar sum, Scalar x,
                       Scalar y) {
  return cpu::emitSubtract(ir, type, sum, cpu::emitMultiply(ir, type, x, y));
}

void emitSolve(SimtEmitter &e, stablehlo::TriangularSolveOp op) {
  IRBuilder &ir = e.ir();
  Type type = getElementType(op->getResult(0));
  ArrayRef<int64_t> shape = shapeOf(op.getB());
  ArrayRef<int64_t> outer = shape.drop_back(2);
  int64_t rows = shape[shape.size() - 2], columns = shape.back();
  bool left = op.getLeftSide();
  using stablehlo::Transpose;
  Transpose transpose = op.getTransposeA();
  bool swapped = transpose == Transpose::TRANSPOSE ||
                 transpose == Transpose::ADJOINT;
  int64_t n = left ? rows : columns, lines = left ? columns : rows;
  // op(A) is lower triangular if A is and nothing is swapped. From the left, a
  // lower one is solved from the first row on; from the right, an upper one.
  bool lower = op.getLower() != swapped;
  bool forward = lower == left;
  const KernelEmitter::Array &result = *resultArray(e, op, 0);
  // op(A)(i, j)
  auto a = [&](ArrayRef<IndexExpr> batch, IndexExpr i, IndexExpr j) {
    Scalar value = swapped ? e.element(op.getA(), at(batch, j, i))
                           : e.element(op.getA(), at(batch, i, j));
    if (transpose == Transpose::ADJOINT)
      value = cpu::emitConjugate(ir, type, value);
    return value;
  };
  SmallVector<int64_t> units(outer);
  units.push_back(lines);
  e.gridSpace(units, [&](ArrayRef<IndexExpr> unit) {
    ArrayRef<IndexExpr> batch = unit.drop_back();
    IndexExpr line = unit.back();
    auto place = [&](IndexExpr i) {
      return left ? at(batch, i, line) : at(batch, line, i);
    };
    e.forLoop(n, [&](IndexExpr step) {
      IndexExpr i = forward ? step : IndexExpr(n - 1) - step;
      Variable sum = e.variable(type);
      e.set(sum, e.element(op.getB(), place(i)));
      e.forLoop(ir.getInt64(0), e.value(step), n, [&](IndexExpr k) {
        IndexExpr j = forward ? k : IndexExpr(n - 1) - k;
        Scalar solved = e.loadArray(result, e.linearize(place(j), shape));
        Scalar factor = left ? a(batch, i, j) : a(batch, j, i);
        e.set(sum, subtractProduct(ir, type, e.get(sum), factor, solved));
      });
      Scalar value = e.get(sum);
      if (!op.getUnitDiagonal())
        value = cpu::emitDivide(ir, type, value, a(batch, i, i));
      e.storeArray(result, e.linearize(place(i), shape), value);
    });
  });
}

void emitCholesky(SimtEmitter &e, stablehlo::CholeskyOp op) {
  IRBuilder &ir = e.ir();
  Value operand = op->getOperand(0);
  Type type = getElementType(op->getResult(0));
  Type part = cpu::getComponentType(type);
  ArrayRef<int64_t> shape = shapeOf(operand);
  ArrayRef<int64_t> outer = shape.drop_back(2);
  int64_t n = shape.back();
  bool lower = op.getLower();
  const KernelEmitter::Array &result = *resultArray(e, op, 0);
  // Everything for a lower factor L; an upper one is its adjoint.
  auto place = [&](ArrayRef<IndexExpr> batch, IndexExpr i, IndexExpr j) {
    return e.linearize(lower ? at(batch, i, j) : at(batch, j, i), shape);
  };
  auto adjoint = [&](Scalar x) {
    return lower ? x : cpu::emitConjugate(ir, type, x);
  };
  auto load = [&](ArrayRef<IndexExpr> batch, IndexExpr i, IndexExpr j) {
    return adjoint(e.loadArray(result, place(batch, i, j)));
  };
  e.blockLoop(cpu::countElements(outer), [&](IndexVar *unit) {
    Index batch = e.splitVar(unit, outer);
    llvm::Value *thread = ir.CreateZExt(e.threadInBlock(), ir.getInt64Ty());
    llvm::Value *threads = ir.getInt64(e.getLaunch().block);
    e.forLoop(n, [&](IndexExpr j) {
      // Column j: row i by thread; the diagonal first, which all divide by.
      auto reduced = [&](IndexExpr i) {
        Variable sum = e.variable(type);
        e.set(sum, adjoint(e.element(operand, lower ? at(batch, i, j)
                                                    : at(batch, j, i))));
        e.forLoop(ir.getInt64(0), e.value(j), n, [&](IndexExpr k) {
          Scalar y = cpu::emitConjugate(ir, type, load(batch, j, k));
          e.set(sum,
                subtractProduct(ir, type, e.get(sum), load(batch, i, k), y));
        });
        return e.get(sum);
      };
      llvm::Value *first = ir.CreateICmpEQ(thread, ir.getInt64(0));
      e.ifThenElse(first, [&] {
        Scalar diagonal = {ir.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt,
                                                   reduced(j).re)};
        if (cpu::isComplex(type))
          diagonal.im = cpu::zeroScalar(ir, part).re;
        e.storeArray(result, place(batch, j, j), diagonal);
      });
      e.barrier();
      Scalar diagonal = load(batch, j, j);
      e.strideLoop(thread, threads, n, [&](IndexVar *row) {
        IndexExpr i(row);
        llvm::Value *below = ir.CreateICmpSGT(e.value(i), e.value(j));
        e.ifThenElse(
            below,
            [&] {
              Scalar value =
                  cpu::emitDivide(ir, type, reduced(i), diagonal);
              e.storeArray(result, place(batch, i, j), adjoint(value));
            },
            [&] {
              // What lies on the other side of the diagonal is zero.
              e.ifThenElse(ir.CreateICmpSLT(e.value(i), e.value(j)), [&] {
                e.storeArray(result, place(batch, i, j),
                             cpu::zeroScalar(ir, type));
              });
            });
      });
      e.barrier();
    });
  });
}
} // namespace

void shoal::gpu::simt::addFactorForms(OpForms &forms) {
  forms.add<stablehlo::TriangularSolveOp>(
      [](stablehlo::TriangularSolveOp op, const KernelSource &,
         SimtKernel &kernel) {
        kernel.form = "triangular_solve";
        kernel.steps.push_back(
            {64, [op](SimtEmitter &e) { emitSolve(e, op); }});
      });
  forms.add<stablehlo::CholeskyOp>(
      [](stablehlo::CholeskyOp op, const KernelSource &, SimtKernel &kernel) {
        kernel.form = "cholesky";
        kernel.steps.push_back(
            {defaultBlock, [op](SimtEmitter &e) { emitCholesky(e, op); }});
      });
}
