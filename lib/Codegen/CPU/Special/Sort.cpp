// stablehlo.sort: a stable merge sort of each line with the comparator inlined,
// from the bottom up. Elements of all operands move together, so that every
// pass reads and writes memory in order.
//
// The merge has no branches in its inner loop: which of the two runs goes next
// is a select, since its outcome cannot be predicted.
#include "Special.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;

namespace shoal::cpu {

namespace {
/// The lines of one sort, and where their elements are kept meanwhile.
class LineSorter {
public:
  LineSorter(stablehlo::SortOp op, BufferEmitter &b)
      : op(op), b(b), e(b.e), ir(b.e.ir()),
        shape(shapeOfTensor(op->getOperand(0)).begin(),
              shapeOfTensor(op->getOperand(0)).end()) {
    int64_t given = op.getDimension();
    dim = given < 0 ? given + shape.size() : given;
    n = shape[dim];
    outer = shape;
    outer.erase(outer.begin() + dim);
  }

  void run() {
    int64_t lines = countOf(outer);
    if (lines == 0 || n == 0)
      return;
    i64 = IntegerType::get(op->getContext(), 64);
    // Two halves, between which the merges go back and forth.
    for (Value operand : op->getOperands())
      values.push_back(
          e.localBuffer(2 * n * getElementBytes(getElementType(operand))));
    e.forLoop(b.chunkBegin, b.chunkEnd, lines, [&](IndexExpr line) {
      Index at = e.delinearize(line, outer);
      gather(at);
      sortLine();
      scatter(at);
    });
  }

private:
  Index indexOf(ArrayRef<IndexExpr> line, IndexExpr i) {
    Index index(line.begin(), line.end());
    index.insert(index.begin() + dim, i);
    return index;
  }
  /// The elements of all operands at one place of the line.
  SmallVector<Scalar> loadAll(llvm::Value *at) {
    SmallVector<Scalar> result;
    for (auto [k, operand] : llvm::enumerate(op->getOperands()))
      result.push_back(loadElement(ir, getElementType(operand), values[k], at));
    return result;
  }
  void storeAll(ArrayRef<Scalar> elements, llvm::Value *at) {
    for (auto [k, operand] : llvm::enumerate(op->getOperands()))
      storeElement(ir, getElementType(operand), elements[k], values[k], at);
  }
  llvm::Value *min(llvm::Value *x, llvm::Value *y) {
    return ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, x, y);
  }

  void gather(ArrayRef<IndexExpr> line) {
    e.forLoop(n, [&](IndexExpr i) {
      SmallVector<Scalar> elements;
      for (Value operand : op->getOperands())
        elements.push_back(e.element(operand, indexOf(line, i)));
      storeAll(elements, e.value(i));
    });
  }

  void scatter(ArrayRef<IndexExpr> line) {
    llvm::Value *from = e.get(source).re;
    e.forLoop(n, [&](IndexExpr i) {
      SmallVector<Scalar> elements = loadAll(ir.CreateAdd(from, e.value(i)));
      for (unsigned k = 0; k < elements.size(); ++k)
        b.store(k, indexOf(line, i), elements[k]);
    });
  }

  /// Whether elements x go before elements y by the comparator.
  llvm::Value *before(ArrayRef<Scalar> x, ArrayRef<Scalar> y) {
    SmallVector<Scalar> arguments;
    for (auto [left, right] : llvm::zip_equal(x, y)) {
      arguments.push_back(left);
      arguments.push_back(right);
    }
    return e.inlineRegion(op->getRegion(0), arguments).front().re;
  }

  /// Runs of length `width` become runs of twice the length, until one is left.
  /// `source` ends as the offset of the half that holds the result.
  void sortLine() {
    source = e.variable(i64);
    Variable width = e.variable(i64);
    e.set(source, {ir.getInt64(0)});
    e.set(width, {ir.getInt64(1)});
    llvm::Value *size = ir.getInt64(n);
    e.whileLoop([&] { return ir.CreateICmpSLT(e.get(width).re, size); },
                [&] {
                  llvm::Value *run = e.get(width).re, *from = e.get(source).re;
                  llvm::Value *to = ir.CreateSub(size, from);
                  Variable low = e.variable(i64);
                  e.set(low, {ir.getInt64(0)});
                  e.whileLoop(
                      [&] { return ir.CreateICmpSLT(e.get(low).re, size); },
                      [&] {
                        llvm::Value *begin = e.get(low).re;
                        llvm::Value *middle =
                            min(ir.CreateAdd(begin, run), size);
                        llvm::Value *end = min(ir.CreateAdd(middle, run), size);
                        merge(from, to, begin, middle, end);
                        e.set(low, {end});
                      });
                  e.set(source, {to});
                  e.set(width, {ir.CreateShl(run, 1)});
                });
  }

  void merge(llvm::Value *from, llvm::Value *to, llvm::Value *begin,
             llvm::Value *middle, llvm::Value *end) {
    Variable left = e.variable(i64), right = e.variable(i64);
    e.set(left, {begin});
    e.set(right, {middle});
    llvm::Value *one = ir.getInt64(1);
    llvm::Value *lastLeft = ir.CreateSub(middle, one);
    llvm::Value *lastRight = ir.CreateSub(end, one);
    e.forLoop(begin, end, n, [&](IndexExpr i) {
      llvm::Value *l = e.get(left).re, *r = e.get(right).re;
      // Where a run is used up its last element stands in, unused.
      SmallVector<Scalar> x = loadAll(ir.CreateAdd(from, min(l, lastLeft)));
      SmallVector<Scalar> y = loadAll(ir.CreateAdd(from, min(r, lastRight)));
      llvm::Value *swap = before(y, x);
      llvm::Value *takeRight =
          ir.CreateAnd(ir.CreateICmpSLE(r, lastRight),
                       ir.CreateOr(ir.CreateICmpSGT(l, lastLeft), swap));
      SmallVector<Scalar> next;
      for (unsigned k = 0; k < x.size(); ++k)
        next.push_back(selectScalar(ir, takeRight, y[k], x[k]));
      storeAll(next, ir.CreateAdd(to, e.value(i)));
      llvm::Value *step = ir.CreateZExt(takeRight, ir.getInt64Ty());
      e.set(right, {ir.CreateAdd(r, step)});
      e.set(left, {ir.CreateAdd(l, ir.CreateSub(one, step))});
    });
  }

  stablehlo::SortOp op;
  BufferEmitter &b;
  ElementEmitter &e;
  IRBuilder &ir;
  SmallVector<int64_t> shape, outer;
  int64_t dim, n;
  Type i64;
  SmallVector<llvm::Value *> values;
  Variable source;
};
} // namespace

void registerSortOps(OpEmitters &emitters) {
  OpEmitter &emitter = emitters.buffer<stablehlo::SortOp>(
      [](stablehlo::SortOp op, BufferEmitter &b) { LineSorter(op, b).run(); });
  emitter.chunks = [](Operation *op) {
    auto sort = cast<stablehlo::SortOp>(op);
    ArrayRef<int64_t> shape = shapeOfTensor(op->getOperand(0));
    int64_t dim = sort.getDimension();
    int64_t n = shape[dim < 0 ? dim + shape.size() : dim];
    int64_t total = countOf(shape);
    return n == 0 || total == 0 ? int64_t(1) : total / n;
  };
  emitter.flops = [](Operation *op) {
    ArrayRef<int64_t> shape = shapeOfTensor(op->getOperand(0));
    return countOf(shape) * 64;
  };
}

} // namespace shoal::cpu
