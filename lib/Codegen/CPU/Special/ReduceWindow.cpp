// stablehlo.reduce_window with any body and any number of operands.
//
// Three ways, the first that applies:
//  running  windows that hold everything before (or after) an element, as
//           cumsum has them: each result is the one before it combined with
//           one more element; linear in the size
//  rows     a row of results at once: for each window element one loop over the
//           columns for which it lies inside the array, which vectorizes
//  general  one result element after the other
#include "Special.h"
#include "Window.h"

#include "dialects/StableHLO/StableHLO.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace shoal::cpu {

namespace {

SmallVector<WindowDim> windowOf(stablehlo::ReduceWindowOp op) {
  return getWindow(shapeOfTensor(op->getOperand(0)), op.getWindowDimensions(),
                   op.getWindowStrides(), op.getPadding(),
                   op.getBaseDilations(), op.getWindowDilations());
}

class WindowReducer {
public:
  WindowReducer(stablehlo::ReduceWindowOp op, BufferEmitter &b)
      : op(op), b(b), e(b.e), ir(b.e.ir()), dims(windowOf(op)),
        shape(shapeOfTensor(op->getResult(0))), count(op->getNumResults()) {}

  void run() {
    if (countOf(shape) == 0)
      return;
    for (const WindowDim &dim : dims)
      window.push_back(dim.window);
    if (RunningWindow running = findRunning(dims); running.dim >= 0)
      return runRunning(running);
    if (!dims.empty() && dims.back().baseDilation == 1 && shape.back() > 4)
      return runRows();
    runGeneral();
  }

  /// The chunks: outer indices, and for running windows blocks of what lies
  /// inside the dimension.
  static constexpr int64_t innerBlock = 256;
  static int64_t chunks(stablehlo::ReduceWindowOp op) {
    SmallVector<WindowDim> dims = windowOf(op);
    ArrayRef<int64_t> shape = shapeOfTensor(op->getResult(0));
    if (countOf(shape) == 0)
      return 1;
    if (RunningWindow running = findRunning(dims); running.dim >= 0)
      return countOf(shape.take_front(running.dim)) *
             llvm::divideCeil(countOf(shape.drop_front(running.dim + 1)),
                              innerBlock);
    return shape.empty() ? 1 : shape.front();
  }

private:
  SmallVector<Scalar> inits() {
    SmallVector<Scalar> result;
    for (unsigned k = 0; k < count; ++k)
      result.push_back(e.element(op->getOperand(count + k), {}));
    return result;
  }
  SmallVector<Scalar> combine(ArrayRef<Scalar> accumulated,
                              ArrayRef<Scalar> elements) {
    SmallVector<Scalar> arguments(accumulated);
    llvm::append_range(arguments, elements);
    return e.inlineRegion(op->getRegion(0), arguments);
  }
  /// The same for running windows: of suffixes, the new element is the first.
  SmallVector<Scalar> extend(RunningWindow running, ArrayRef<Scalar> accumulated,
                             ArrayRef<Scalar> elements) {
    return running.direction > 0 ? combine(accumulated, elements)
                                 : combine(elements, accumulated);
  }
  SmallVector<Scalar> elements(ArrayRef<IndexExpr> index) {
    SmallVector<Scalar> result;
    for (unsigned k = 0; k < count; ++k)
      result.push_back(e.element(op->getOperand(k), index));
    return result;
  }
  SmallVector<Scalar> loadResults(ArrayRef<IndexExpr> index) {
    SmallVector<Scalar> result;
    for (unsigned k = 0; k < count; ++k)
      result.push_back(b.load(k, index));
    return result;
  }
  void storeResults(ArrayRef<IndexExpr> index, ArrayRef<Scalar> values) {
    for (unsigned k = 0; k < count; ++k)
      b.store(k, index, values[k]);
  }

  void runRunning(RunningWindow running) {
    ArrayRef<int64_t> outer = shape.take_front(running.dim);
    ArrayRef<int64_t> inner = shape.drop_front(running.dim + 1);
    int64_t n = shape[running.dim], size = countOf(inner);
    int64_t blocks = llvm::divideCeil(size, innerBlock);
    SmallVector<Scalar> start = inits();
    e.forLoop(
        b.chunkBegin, b.chunkEnd, countOf(outer) * blocks,
        [&](IndexExpr chunk) {
          auto [o, block] = e.divMod(chunk, blocks);
          Index outerIndex = e.delinearize(o, outer);
          llvm::Value *low =
              ir.CreateMul(e.value(block), ir.getInt64(innerBlock));
          llvm::Value *high = ir.CreateBinaryIntrinsic(
              llvm::Intrinsic::smin, ir.CreateAdd(low, ir.getInt64(innerBlock)),
              ir.getInt64(size));
          auto at = [&](IndexExpr i, IndexExpr in) {
            Index index(outerIndex);
            index.push_back(running.direction > 0 ? i : IndexExpr(n - 1) - i);
            llvm::append_range(index, e.delinearize(in, inner));
            return index;
          };
          if (size == 1)
            return runLine(running, start, at);
          e.forLoop(low, high, size, [&](IndexExpr in) {
            Index index = at(IndexExpr(), in);
            storeResults(index, extend(running, start, elements(index)));
          });
          e.forLoop(ir.getInt64(1), ir.getInt64(n), n, [&](IndexExpr i) {
            e.forLoop(low, high, size, [&](IndexExpr in) {
              Index index = at(i, in);
              storeResults(index, extend(running,
                                         loadResults(at(i - IndexExpr(1), in)),
                                         elements(index)));
            });
          });
        });
  }
  /// Running windows of a single line keep the last result in registers.
  void runLine(RunningWindow running, ArrayRef<Scalar> start,
               llvm::function_ref<Index(IndexExpr, IndexExpr)> at) {
    SmallVector<Variable> last;
    for (unsigned k = 0; k < count; ++k) {
      last.push_back(e.variable(getElementType(op->getResult(k))));
      e.set(last.back(), start[k]);
    }
    e.forLoop(shape[running.dim], [&](IndexExpr i) {
      SmallVector<Scalar> accumulated;
      for (Variable &variable : last)
        accumulated.push_back(e.get(variable));
      Index index = at(i, IndexExpr());
      SmallVector<Scalar> next = extend(running, accumulated, elements(index));
      for (unsigned k = 0; k < count; ++k)
        e.set(last[k], next[k]);
      storeResults(index, next);
    });
  }

  /// The first dimension of the result is what chunks are cut from.
  void forOuter(ArrayRef<int64_t> rest,
                llvm::function_ref<void(ArrayRef<IndexExpr>)> body) {
    e.forLoop(b.chunkBegin, b.chunkEnd, shape.front(), [&](IndexExpr first) {
      e.forShape(rest, [&](ArrayRef<IndexExpr> index) {
        Index all{first};
        llvm::append_range(all, index);
        body(all);
      });
    });
  }

  /// Combines window element `w` of the last dimension into the results of a
  /// row, where it is inside the array.
  void combineRow(llvm::function_ref<Index(IndexExpr)> at,
                  ArrayRef<IndexExpr> outerIndex, const IndexExpr &w) {
    int64_t columns = shape.back();
    WindowRange range = outputsInside(e, dims.back(), columns, w);
    e.forLoop(range.low, range.high, columns, [&](IndexExpr c) {
      Index from(outerIndex.begin(), outerIndex.end());
      from.push_back(c * dims.back().stride + range.offset);
      storeResults(at(c), combine(loadResults(at(c)), elements(from)));
    });
  }

  void runRows() {
    int64_t columns = shape.back();
    SmallVector<Scalar> start = inits();
    auto row = [&](ArrayRef<IndexExpr> outer) {
      auto at = [&](IndexExpr column) {
        Index index(outer.begin(), outer.end());
        index.push_back(column);
        return index;
      };
      e.forLoop(ir.getInt64(0), ir.getInt64(columns), columns,
                [&](IndexExpr c) { storeResults(at(c), start); });
      e.forShape(window, [&](ArrayRef<IndexExpr> w) {
        WindowIndex where =
            locate(e, ArrayRef(dims).drop_back(), outer, w.drop_back());
        auto accumulate = [&] { combineRow(at, where.index, w.back()); };
        if (where.inside)
          e.ifThenElse(where.inside, accumulate);
        else
          accumulate();
      });
    };
    if (shape.size() == 1)
      return row({});
    forOuter(shape.drop_front().drop_back(), row);
  }

  void runGeneral() {
    SmallVector<Scalar> start = inits();
    auto one = [&](ArrayRef<IndexExpr> index) {
      SmallVector<Variable> sums;
      for (unsigned k = 0; k < count; ++k) {
        sums.push_back(e.variable(getElementType(op->getResult(k))));
        e.set(sums.back(), start[k]);
      }
      e.forShape(window, [&](ArrayRef<IndexExpr> w) {
        WindowIndex where = locate(e, dims, index, w);
        auto accumulate = [&] {
          SmallVector<Scalar> accumulated;
          for (Variable &sum : sums)
            accumulated.push_back(e.get(sum));
          SmallVector<Scalar> next =
              combine(accumulated, elements(where.index));
          for (unsigned k = 0; k < count; ++k)
            e.set(sums[k], next[k]);
        };
        if (where.inside)
          e.ifThenElse(where.inside, accumulate);
        else
          accumulate();
      });
      SmallVector<Scalar> results;
      for (Variable &sum : sums)
        results.push_back(e.get(sum));
      storeResults(index, results);
    };
    if (shape.empty())
      return one({});
    forOuter(shape.drop_front(), one);
  }

  stablehlo::ReduceWindowOp op;
  BufferEmitter &b;
  ElementEmitter &e;
  IRBuilder &ir;
  SmallVector<WindowDim> dims;
  ArrayRef<int64_t> shape;
  SmallVector<int64_t> window;
  unsigned count;
};
} // namespace

void registerReduceWindowOps(OpEmitters &emitters) {
  OpEmitter &emitter = emitters.buffer<stablehlo::ReduceWindowOp>(
      [](stablehlo::ReduceWindowOp op, BufferEmitter &b) {
        WindowReducer(op, b).run();
      });
  emitter.chunks = [](Operation *op) {
    return WindowReducer::chunks(cast<stablehlo::ReduceWindowOp>(op));
  };
  emitter.flops = [](Operation *op) {
    auto reduce = cast<stablehlo::ReduceWindowOp>(op);
    int64_t perElement = findRunning(windowOf(reduce)).dim >= 0
                             ? 1
                             : countOf(reduce.getWindowDimensions());
    return countOf(shapeOfTensor(op->getResult(0))) * perElement;
  };
}

} // namespace shoal::cpu
