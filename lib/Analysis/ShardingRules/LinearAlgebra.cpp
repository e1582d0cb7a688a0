// Factorisations, solves and transforms: parallel over batch dimensions, in
// order along the others.
#include "Models.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace mlir::stablehlo;

namespace shoal::rules {
namespace {

//===----------------------------------------------------------------------===//
// cholesky
//===----------------------------------------------------------------------===//

ShardingRule choleskyRule(CholeskyOp op) {
  ArrayRef<int64_t> shape = shapeOf(op.getA());
  int64_t batch = int64_t(shape.size()) - 2;
  return RuleBuilder(op)
      .addPointwise(shape,
                    [&](int64_t d) {
                      return d < batch ? FactorKind::PassThrough
                                       : FactorKind::Ordered;
                    })
      .build();
}

//===----------------------------------------------------------------------===//
// triangular_solve
//===----------------------------------------------------------------------===//

ShardingRule triangularSolveRule(TriangularSolveOp op) {
  ArrayRef<int64_t> a = shapeOf(op.getA()), b = shapeOf(op.getB());
  int64_t row = int64_t(a.size()) - 2, column = row + 1;
  bool transposed = op.getTransposeA() == Transpose::TRANSPOSE ||
                    op.getTransposeA() == Transpose::ADJOINT;
  RuleBuilder builder(op);
  builder.addPointwise(a.drop_back(2));
  // With op(a)·x = b, rows of op(a) are rows of b and columns of op(a) rows of
  // x; on the right side, x·op(a) = b, likewise with columns.
  bool left = op.getLeftSide();
  int64_t aOfB = left == transposed ? column : row;
  int64_t aOfX = left == transposed ? row : column;
  int64_t solved = left ? row : column, free = left ? column : row;
  auto addOfB = [&] {
    builder.add({aOfB, solved}, {kNone}, a[aOfB], FactorKind::Ordered);
  };
  // Columns (rows) of b are solved one by one.
  auto addFree = [&] {
    builder.add({kNone, free}, {free}, b[free], FactorKind::PassThrough);
  };
  if (left) {
    addOfB();
    addFree();
  } else {
    addFree();
    addOfB();
  }
  builder.add({aOfX, kNone}, {solved}, a[aOfX], FactorKind::Ordered);
  // (Linear in b, but a singular matrix gives infinities, whose sum is not the
  // solution of the sum.)
  return builder.build();
}

//===----------------------------------------------------------------------===//
// fft
//===----------------------------------------------------------------------===//

/// The last dimensions are transformed; with real numbers on one side the last
/// one has different sizes and carries no sharding across.
ShardingRule fftRule(FftOp op) {
  ArrayRef<int64_t> in = shapeOf(op.getOperand()), out = shapeOf(op.getResult());
  int64_t batch = int64_t(in.size()) - int64_t(op.getFftLength().size());
  bool resized = in.back() != out.back();
  RuleBuilder builder(op);
  for (auto [d, size] : llvm::enumerate(in.drop_back(resized ? 1 : 0))) {
    builder.addEverywhere(d, size);
    if (int64_t(d) < batch)
      continue;
    builder.last().kind = FactorKind::Ordered;
  }
  return builder.passPartial(kAdd, {0}).build();
}

} // namespace

void attachLinearAlgebra(MLIRContext *context) {
  attach<CholeskyOp, choleskyRule>(context);
  attach<TriangularSolveOp, triangularSolveRule>(context);
  attach<FftOp, fftRule>(context);
}

} // namespace shoal::rules
