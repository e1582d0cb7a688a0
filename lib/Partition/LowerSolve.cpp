// triangular_solve with the equations cut over devices, which is a block of
// rows (or columns) of the matrix and of the right-hand sides each: block by
// block, in the order of substitution, the owner solves for its unknowns and
// everyone gets them. What is sent are the unknowns, never the matrix.

#include "Partitioner.h"

#include "dialects/Comm/Comm.h"
#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

static Value concatenate(ArrayRef<Value> pieces, int64_t dim, LocalBuilder &b) {
  SmallVector<int64_t> shape(typeOf(pieces[0]).getShape());
  shape[dim] = 0;
  for (Value piece : pieces)
    shape[dim] += typeOf(piece).getDimSize(dim);
  return sh::ConcatenateOp::create(
      b, b.loc(), b.tensorType(shape, b.elementOf(pieces[0])), pieces, dim);
}

SmallVector<Value> OpLowering::lowerSolve(ArrayRef<Value> operands, int64_t f) {
  auto solve = cast<sh::TriangularSolveOp>(op);
  bool left = solve.getLeftSide();
  bool transposed = solve.getTransposeA() == sh::Transpose::TRANSPOSE ||
                    solve.getTransposeA() == sh::Transpose::ADJOINT;
  Value a = operands[0], rhs = operands[1];
  auto aType = typeOf(a), rhsType = typeOf(rhs);
  int64_t rank = aType.getRank();
  // Dimensions of the equations and of the unknowns in the matrix; of the
  // equations in the right-hand sides, which is that of the unknowns in x.
  int64_t equations = model.getRule().operands[0].findDim(f);
  int64_t unknowns = equations == rank - 1 ? rank - 2 : rank - 1;
  int64_t side = left ? rank - 2 : rank - 1;
  int64_t block = blockOf(0, equations), size = model.shape(0)[equations];
  AtomList atoms = atomsOf(0, equations);
  int64_t parts = partCount(ArrayRef<uint8_t>(atoms), mesh.atoms());
  auto groups = comm::GroupsAttr::get(mesh.meshRef(), mesh.toAxes(atoms));
  Type element = aType.getElementType();
  Value zero = b.zeros(b.tensorType({}, element));
  a = b.pad(a, unknowns, 0, parts * block - size, zero);

  // op(A) in a product: conjugated for ADJOINT.
  Value factor = a;
  if (solve.getTransposeA() == sh::Transpose::ADJOINT &&
      isa<ComplexType>(element)) {
    auto part = typeOf(a).clone(cast<ComplexType>(element).getElementType());
    Value re = sh::RealOp::create(b, b.loc(), part, a);
    Value im = sh::ImagOp::create(b, b.loc(), part, a);
    im = sh::NegOp::create(b, b.loc(), part, im);
    factor = sh::ComplexOp::create(b, b.loc(), a.getType(), re, im);
  }
  SmallVector<int64_t> batch;
  for (int64_t d = 0; d < rank - 2; ++d)
    batch.push_back(d);
  auto product = [&](Value matrix, Value x) -> Value {
    // Left: equations x unknowns times unknowns x columns; right: likewise from
    // the other side. The result is laid out as the right-hand sides.
    Value lhs = left ? matrix : x, rhs = left ? x : matrix;
    auto numbers = sh::DotDimensionNumbersAttr::get(
        b.getContext(), batch, batch, {left ? unknowns : side},
        {left ? side : unknowns});
    return sh::DotGeneralOp::create(b, b.loc(), rhsType, lhs, rhs, numbers,
                                    ArrayAttr(), sh::DotAlgorithmAttr());
  };

  // Equations of padding say that their unknown is what stands on the right.
  Value valid = validAlong(size, block, atoms);
  auto diagonal = [&](int64_t k) -> Value {
    Value own = b.slice(a, unknowns, k * block, (k + 1) * block);
    if (!valid)
      return own;
    ArrayRef<int64_t> shape = typeOf(own).getShape();
    Value row = b.iota(shape, rank - 2, b.getI32Type());
    Value column = b.iota(shape, rank - 1, b.getI32Type());
    Value unit =
        b.splat(shape, element, getNeutralElement(ReductionKind::Mul, element));
    Value identity = b.select(b.compare(LocalBuilder::Compare::EQ, row, column),
                              unit, b.zeros(typeOf(own)));
    return b.select(b.broadcast(valid, shape, {equations}), own, identity);
  };
  if (valid)
    rhs = b.select(b.broadcast(valid, rhsType.getShape(), {side}), rhs,
                   b.zeros(rhsType));

  bool opLower = solve.getLower() != transposed;
  bool ascending = opLower == left;
  SmallVector<Value> known; // In the order of the unknowns.
  for (int64_t step = 0; step < parts; ++step) {
    int64_t k = ascending ? step : parts - 1 - step;
    Value rest = rhs;
    if (!known.empty()) {
      Value x = known.size() == 1 ? known[0] : concatenate(known, side, b);
      Value before =
          ascending ? b.slice(factor, unknowns, 0, k * block)
                    : b.slice(factor, unknowns, (k + 1) * block, parts * block);
      rest = b.sub(rhs, product(before, x));
    }
    Operation *local = op->clone();
    stripShardings(local);
    local->setOperands({diagonal(k), rest});
    local->getResult(0).setType(rhsType);
    b.insert(local);
    Value x = comm::BroadcastOp::create(
        b, b.loc(), rhsType, local->getResult(0), Value(),
        b.getI64IntegerAttr(k), groups,
        b.getStringAttr("unknowns that a part of stablehlo.triangular_solve "
                        "has found"),
        b.getArrayAttr({Attribute(LocationAttr(op->getLoc()))}));
    known.insert(ascending ? known.end() : known.begin(), x);
  }
  return {b.slice(concatenate(known, side, b), side, 0, size)};
}
