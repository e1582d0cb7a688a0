// stablehlo.select_and_scatter: for each window of the operand the element that
// `select` prefers; the source's element is combined into the result there.
//
// Chunks are ranges of the leading dimensions along which windows do not
// extend (the batch): different chunks write different places.
#include "Special.h"
#include "Window.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;

namespace shoal::cpu {

namespace {

SmallVector<WindowDim> windowOf(stablehlo::SelectAndScatterOp op) {
  std::optional<ArrayRef<int64_t>> window = op.getWindowDimensions();
  return getWindow(shapeOfTensor(op->getOperand(0)),
                   window ? *window : ArrayRef<int64_t>(),
                   op.getWindowStrides(), op.getPadding());
}
/// How many leading dimensions windows leave alone.
unsigned trivialDims(ArrayRef<WindowDim> dims) {
  unsigned count = 0;
  while (count < dims.size() && dims[count].isTrivial())
    ++count;
  return count;
}

void emitSelectAndScatter(stablehlo::SelectAndScatterOp op, BufferEmitter &b) {
  ElementEmitter &e = b.e;
  IRBuilder &ir = e.ir();
  Value operand = op->getOperand(0), source = op->getOperand(1),
        init = op->getOperand(2);
  ArrayRef<int64_t> shape = shapeOfTensor(operand);
  ArrayRef<int64_t> sourceShape = shapeOfTensor(source);
  SmallVector<WindowDim> dims = windowOf(op);
  SmallVector<int64_t> window;
  for (const WindowDim &dim : dims)
    window.push_back(dim.window);
  unsigned lead = trivialDims(dims);
  ArrayRef<int64_t> batch = shape.take_front(lead);
  if (countOf(shape) == 0)
    return;
  Type type = getElementType(operand);
  Type i1 = IntegerType::get(op->getContext(), 1);
  Type i64 = IntegerType::get(op->getContext(), 64);

  e.forLoop(b.chunkBegin, b.chunkEnd, countOf(batch), [&](IndexExpr chunk) {
    Index batchIndex = e.delinearize(chunk, batch);
    auto whole = [&](ArrayRef<IndexExpr> rest) {
      Index index(batchIndex);
      llvm::append_range(index, rest);
      return index;
    };
    Scalar start = e.element(init, {});
    e.forShape(shape.drop_front(lead), [&](ArrayRef<IndexExpr> rest) {
      b.store(0, whole(rest), start);
    });
    e.forShape(sourceShape.drop_front(lead), [&](ArrayRef<IndexExpr> rest) {
      Index at = whole(rest);
      // The preferred element so far: whether there is one, its value, and its
      // index in each dimension.
      Variable found = e.variable(i1), best = e.variable(type);
      SmallVector<Variable> place;
      e.set(found, {ir.getFalse()});
      e.set(best, zeroScalar(ir, type));
      for (unsigned d = lead; d < shape.size(); ++d) {
        place.push_back(e.variable(i64));
        e.set(place.back(), {ir.getInt64(0)});
      }
      e.forShape(window, [&](ArrayRef<IndexExpr> w) {
        WindowIndex where = locate(e, dims, at, w);
        auto consider = [&] {
          Scalar current = e.element(operand, where.index);
          llvm::Value *keep =
              e.inlineRegion(op->getRegion(0), {e.get(best), current})
                  .front()
                  .re;
          keep = ir.CreateAnd(keep, e.get(found).re);
          e.set(best, selectScalar(ir, keep, e.get(best), current));
          for (unsigned d = lead; d < shape.size(); ++d) {
            Variable &p = place[d - lead];
            e.set(p, {ir.CreateSelect(keep, e.get(p).re,
                                      e.value(where.index[d]))});
          }
          e.set(found, {ir.getTrue()});
        };
        if (where.inside)
          e.ifThenElse(where.inside, consider);
        else
          consider();
      });
      // A window that lies in the padding alone scatters nothing.
      e.ifThenElse(e.get(found).re, [&] {
        Index to(batchIndex);
        for (unsigned d = lead; d < shape.size(); ++d)
          to.push_back(e.expr(e.get(place[d - lead]).re, 0, shape[d] - 1));
        b.store(0, to,
                e.inlineRegion(op->getRegion(1),
                               {b.load(0, to), e.element(source, at)})
                    .front());
      });
    });
  });
}
} // namespace

void registerSelectAndScatterOps(OpEmitters &emitters) {
  OpEmitter &emitter =
      emitters.buffer<stablehlo::SelectAndScatterOp>(emitSelectAndScatter);
  emitter.chunks = [](Operation *op) {
    SmallVector<WindowDim> dims =
        windowOf(cast<stablehlo::SelectAndScatterOp>(op));
    ArrayRef<int64_t> shape = shapeOfTensor(op->getOperand(0));
    return std::max<int64_t>(countOf(shape.take_front(trivialDims(dims))), 1);
  };
}

} // namespace shoal::cpu
