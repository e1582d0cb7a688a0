// dot_general: an element at a time where it is fused, and blocked loops where
// it is a kernel of its own. Large products of f32 and bf16 do not come here:
// lib/Fuse makes them library calls (plan.matmul).

#include "KernelEmitter.h"

#include "dialects/StableHLO/StableHLO.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal::cpu;

namespace {
/// A dot_general's dimensions by role, and its arithmetic.
struct Dot {
  mutable stablehlo::DotGeneralOp op; // accessors of ops are not const
  SmallVector<int64_t> lhsBatch, rhsBatch, lhsContract, rhsContract, lhsFree,
      rhsFree;
  Type accumulatorType;

  explicit Dot(stablehlo::DotGeneralOp op) : op(op) {
    auto numbers = op.getDotDimensionNumbers();
    llvm::append_range(lhsBatch, numbers.getLhsBatchingDimensions());
    llvm::append_range(rhsBatch, numbers.getRhsBatchingDimensions());
    llvm::append_range(lhsContract, numbers.getLhsContractingDimensions());
    llvm::append_range(rhsContract, numbers.getRhsContractingDimensions());
    auto free = [](Value v, ArrayRef<int64_t> a, ArrayRef<int64_t> b,
                   SmallVector<int64_t> &dims) {
      for (int64_t d = 0, rank = shapeOf(v).size(); d < rank; ++d)
        if (!llvm::is_contained(a, d) && !llvm::is_contained(b, d))
          dims.push_back(d);
    };
    free(op.getLhs(), lhsBatch, lhsContract, lhsFree);
    free(op.getRhs(), rhsBatch, rhsContract, rhsFree);
    accumulatorType = getElementType(op.getResult());
    if (isNarrowFloat(accumulatorType))
      accumulatorType = Float32Type::get(op.getContext());
  }

  SmallVector<int64_t> contractShape() const {
    SmallVector<int64_t> shape;
    for (int64_t d : lhsContract)
      shape.push_back(shapeOf(op.getLhs())[d]);
    return shape;
  }
  /// Indices of the operands from those of the result and of the sum.
  Index lhsIndex(ArrayRef<IndexExpr> result, ArrayRef<IndexExpr> sum) const {
    Index index(shapeOf(op.getLhs()).size());
    for (auto [i, d] : llvm::enumerate(lhsBatch))
      index[d] = result[i];
    for (auto [i, d] : llvm::enumerate(lhsFree))
      index[d] = result[lhsBatch.size() + i];
    for (auto [i, d] : llvm::enumerate(lhsContract))
      index[d] = sum[i];
    return index;
  }
  Index rhsIndex(ArrayRef<IndexExpr> result, ArrayRef<IndexExpr> sum) const {
    Index index(shapeOf(op.getRhs()).size());
    for (auto [i, d] : llvm::enumerate(rhsBatch))
      index[d] = result[i];
    for (auto [i, d] : llvm::enumerate(rhsFree))
      index[d] = result[lhsBatch.size() + lhsFree.size() + i];
    for (auto [i, d] : llvm::enumerate(rhsContract))
      index[d] = sum[i];
    return index;
  }

  /// An operand's element as a carrier of the accumulator's type.
  Scalar widen(ElementEmitter &e, Scalar v, Type from) const {
    IRBuilder &ir = e.ir();
    llvm::Type *to = getCarrierType(accumulatorType, ir.getContext());
    auto one = [&](llvm::Value *x) -> llvm::Value * {
      if (!x || x->getType() == to)
        return x;
      if (x->getType()->isIntegerTy() && to->isIntegerTy())
        return isUnsigned(from) ? ir.CreateZExtOrTrunc(x, to)
                                : ir.CreateSExtOrTrunc(x, to);
      if (x->getType()->isIntegerTy())
        return isUnsigned(from) ? ir.CreateUIToFP(x, to)
                                : ir.CreateSIToFP(x, to);
      if (to->isIntegerTy())
        return ir.CreateFPToSI(x, to);
      return ir.CreateFPCast(x, to);
    };
    Scalar result{one(v.re), one(v.im)};
    if (isComplex(accumulatorType) && !result.im)
      result.im = llvm::Constant::getNullValue(to);
    return result;
  }
  Scalar lhs(ElementEmitter &e, ArrayRef<IndexExpr> index) const {
    return widen(e, e.element(op.getLhs(), index), getElementType(op.getLhs()));
  }
  Scalar rhs(ElementEmitter &e, ArrayRef<IndexExpr> index) const {
    return widen(e, e.element(op.getRhs(), index), getElementType(op.getRhs()));
  }

  /// sum + a * b; i1 is logical (or of ands).
  Scalar multiplyAdd(ElementEmitter &e, Scalar sum, Scalar a, Scalar b) const {
    IRBuilder &ir = e.ir();
    ElementEmitter::Reassociate reassociate(e);
    if (accumulatorType.isInteger(1))
      return {ir.CreateOr(sum.re, ir.CreateAnd(a.re, b.re))};
    if (isa<IntegerType>(accumulatorType))
      return {ir.CreateAdd(sum.re, ir.CreateMul(a.re, b.re))};
    // One rounding less than the op asks for, as every library does.
    llvm::FastMathFlags flags = ir.getFastMathFlags();
    flags.setAllowContract();
    ir.setFastMathFlags(flags);
    if (!isComplex(accumulatorType))
      return {ir.CreateFAdd(sum.re, ir.CreateFMul(a.re, b.re))};
    Scalar result;
    result.re = ir.CreateFAdd(sum.re, ir.CreateFMul(a.re, b.re));
    result.re = ir.CreateFSub(result.re, ir.CreateFMul(a.im, b.im));
    result.im = ir.CreateFAdd(sum.im, ir.CreateFMul(a.re, b.im));
    result.im = ir.CreateFAdd(result.im, ir.CreateFMul(a.im, b.re));
    return result;
  }
  Scalar round(ElementEmitter &e, Scalar sum) const {
    Type type = getElementType(op.getResult());
    if (isNarrowFloat(type))
      sum.re = roundToType(e.ir(), sum.re, type);
    return sum;
  }
};
} // namespace

static Scalar emitDot(stablehlo::DotGeneralOp op, unsigned,
                      ArrayRef<IndexExpr> index, ElementEmitter &e) {
  Dot dot(op);
  Variable sum = e.variable(dot.accumulatorType);
  e.set(sum, zeroScalar(e.ir(), dot.accumulatorType));
  e.forSpace(dot.contractShape(), op, [&](ArrayRef<IndexExpr> k) {
    Scalar a = dot.lhs(e, dot.lhsIndex(index, k));
    Scalar b = dot.rhs(e, dot.rhsIndex(index, k));
    e.set(sum, dot.multiplyAdd(e, e.get(sum), a, b));
  });
  return dot.round(e, e.get(sum));
}

/// A product that is the kernel's only result, with the right operand's minor
/// dimension free: rows of the result are sums of rows of the right operand.
bool shoal::cpu::emitDotKernel(KernelEmitter &e) {
  if (e.outputValues().size() != 1)
    return false;
  auto op = e.outputValues()[0].getDefiningOp<stablehlo::DotGeneralOp>();
  if (!op)
    return false;
  Dot dot(op);
  ArrayRef<int64_t> shape = shapeOf(op.getResult());
  if (countElements(shape) == 0 || dot.rhsFree.empty() ||
      dot.rhsFree.back() != int64_t(shapeOf(op.getRhs()).size()) - 1 ||
      shape.back() < 4)
    return false;

  // Result index = major dimensions, then the minor one, in tiles. Rows of the
  // dimension before it (free in the left operand) go four at a time.
  int64_t minor = shape.back();
  int64_t tile = std::min<int64_t>(minor, 512);
  int64_t tiles = llvm::divideCeil(minor, tile);
  ArrayRef<int64_t> majorShape = shape.drop_back();
  constexpr int64_t maxRows = 4;
  int64_t rows = 1;
  if (!dot.lhsFree.empty() && dot.rhsFree.size() == 1)
    rows = std::min(majorShape.back(), maxRows);
  SmallVector<int64_t> unitShape(majorShape);
  if (rows > 1)
    unitShape.back() = llvm::divideCeil(unitShape.back(), rows);
  unitShape.push_back(tiles);
  SmallVector<int64_t> contract = dot.contractShape();
  int64_t depth = countElements(contract);
  e.getFacts().flops += 2 * countElements(shape) * depth;

  SmallVector<KernelEmitter::Array> sums;
  for (int64_t r = 0; r < rows; ++r)
    sums.push_back(e.localArray(dot.accumulatorType, tile));

  e.parallelUnits(
      countElements(unitShape), 2 * depth * rows * tile, [&](IndexVar *unit) {
        IRBuilder &ir = e.ir();
        Index major = e.splitVar(unit, unitShape);
        IndexExpr tileStart = major.pop_back_val() * tile;
        llvm::Value *lower = e.value(tileStart);
        llvm::Value *upper =
            ir.CreateAdd(lower, ir.getInt64(tile), "", true, true);
        if (minor % tile != 0)
          upper = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, upper,
                                           ir.getInt64(minor));
        // Rows past the end repeat the last one: the same value twice.
        SmallVector<Index> rowIndex;
        for (int64_t r = 0; r < rows; ++r) {
          Index index = major;
          if (rows > 1) {
            IndexExpr row = major.back() * rows + IndexExpr(r);
            if (row.getUpper() >= majorShape.back())
              row = e.expr(ir.CreateBinaryIntrinsic(
                               llvm::Intrinsic::smin, e.value(row),
                               ir.getInt64(majorShape.back() - 1)),
                           0, majorShape.back() - 1);
            index.back() = row;
          }
          rowIndex.push_back(index);
        }
        auto pass = [&](llvm::function_ref<void(IndexExpr, IndexExpr)> body) {
          e.parallelLoop(lower, upper, minor,
                         [&](IndexExpr j) { body(j, j - tileStart); });
        };
        pass([&](IndexExpr, IndexExpr slot) {
          for (KernelEmitter::Array &array : sums)
            e.storeArray(array, slot, zeroScalar(ir, dot.accumulatorType));
        });
        // Some steps of the sum in one pass: less traffic to the sums.
        auto steps = [&](ArrayRef<IndexExpr> major, IndexExpr first,
                         int64_t count) {
          SmallVector<SmallVector<IndexExpr>> ks;
          SmallVector<SmallVector<Scalar>> left;
          for (int64_t u = 0; u < count; ++u) {
            SmallVector<IndexExpr> &k = ks.emplace_back(major);
            if (!contract.empty())
              k.push_back(first + IndexExpr(u));
            SmallVector<Scalar> &row = left.emplace_back();
            for (Index &index : rowIndex) {
              Index at = index;
              at.push_back(IndexExpr(0)); // not an index of lhs
              row.push_back(dot.lhs(e, dot.lhsIndex(at, k)));
            }
          }
          pass([&](IndexExpr j, IndexExpr slot) {
            Index at = rowIndex[0];
            at.push_back(j);
            SmallVector<Scalar> totals;
            for (KernelEmitter::Array &array : sums)
              totals.push_back(e.loadArray(array, slot));
            for (auto [k, row] : llvm::zip_equal(ks, left)) {
              Scalar right = dot.rhs(e, dot.rhsIndex(at, k));
              for (auto [total, a] : llvm::zip_equal(totals, row))
                total = dot.multiplyAdd(e, total, a, right);
            }
            for (auto [array, total] : llvm::zip_equal(sums, totals))
              e.storeArray(array, slot, total);
          });
        };
        constexpr int64_t unroll = 4;
        if (contract.empty()) {
          steps({}, IndexExpr(0), 1);
        } else {
          int64_t last = contract.back();
          e.forShape(ArrayRef(contract).drop_back(),
                     [&](ArrayRef<IndexExpr> major) {
                       e.forLoop(last / unroll, [&](IndexExpr i) {
                         steps(major, i * unroll, unroll);
                       });
                       if (last % unroll != 0)
                         steps(major, IndexExpr(last - last % unroll),
                               last % unroll);
                     });
        }
        pass([&](IndexExpr j, IndexExpr slot) {
          for (auto [index, array] : llvm::zip_equal(rowIndex, sums)) {
            Index at = index;
            at.push_back(j);
            e.remember(op.getResult(), at,
                       dot.round(e, e.loadArray(array, slot)));
            e.storeOutputs({0}, at);
          }
        });
      });
  return true;
}

void shoal::cpu::registerDotOps(OpEmitters &emitters) {
  emitters.element<stablehlo::DotGeneralOp>(emitDot, OpCost::Costly);
}
