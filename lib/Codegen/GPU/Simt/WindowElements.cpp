// convolution, reduce_window and select_and_scatter an element at a time: for small
// windows, and where another op takes the elements (Windows.cpp has the others).
#include "SimtEmitter.h"

#include "lib/Codegen/CPU/Convert.h"
#include "lib/Codegen/CPU/ScalarMath.h"
#include "lib/Codegen/CPU/Special/Convolution.h"
#include "lib/Codegen/CPU/Special/Special.h"
#include "lib/Codegen/CPU/Special/Window.h"

#include "dialects/StableHLO/StableHLO.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::cpu;

static void whenInside(ElementEmitter &e, llvm::Value *inside,
                       llvm::function_ref<void()> body) {
  if (inside)
    e.ifThenElse(inside, body);
  else
    body();
}

//===----------------------------------------------------------------------===//
// convolution
//===----------------------------------------------------------------------===//

static Scalar emitConvolution(stablehlo::ConvolutionOp op, unsigned,
                              ArrayRef<IndexExpr> index, ElementEmitter &e) {
  IRBuilder &ir = e.ir();
  ConvolutionGeometry g(op);
  auto numbers = op.getDimensionNumbers();
  Type lhsType = getElementType(op.getLhs());
  Type rhsType = getElementType(op.getRhs());
  Type outType = getElementType(op->getResult(0));
  Type sumType = convolutionSumType(outType);
  IndexExpr batch = index[numbers.getOutputBatchDimension()];
  IndexExpr outFeature = index[numbers.getOutputFeatureDimension()];
  SmallVector<IndexExpr> position;
  for (int64_t d : numbers.getOutputSpatialDimensions())
    position.push_back(index[d]);
  IndexExpr group;
  if (g.groups > 1)
    group = e.divMod(outFeature, g.outFeatures).first;
  if (g.batchGroups > 1)
    batch = batch + group * g.positions[0];

  Variable sum = e.variable(sumType);
  e.set(sum, zeroScalar(ir, sumType));
  e.forShape(g.window, [&](ArrayRef<IndexExpr> w) {
    WindowIndex where = locate(e, g.dims, position, w);
    whenInside(e, where.inside, [&] {
      e.forLoop(g.inFeatures, [&](IndexExpr i) {
        Index from(position.size() + 2), weight(position.size() + 2);
        from[numbers.getInputBatchDimension()] = batch;
        from[numbers.getInputFeatureDimension()] =
            g.featureGroups > 1 ? group * g.inFeatures + i : i;
        for (auto [d, at] :
             llvm::zip(numbers.getInputSpatialDimensions(), where.index))
          from[d] = at;
        weight[numbers.getKernelInputFeatureDimension()] = i;
        weight[numbers.getKernelOutputFeatureDimension()] = outFeature;
        for (auto [d, at] : llvm::zip(numbers.getKernelSpatialDimensions(), w))
          weight[d] = at;
        Scalar x =
            convertScalar(ir, e.element(op.getLhs(), from), lhsType, sumType);
        Scalar y =
            convertScalar(ir, e.element(op.getRhs(), weight), rhsType, sumType);
        // As in dot_general: one rounding less than the op asks for.
        ElementEmitter::Reassociate reassociate(e);
        llvm::FastMathFlags flags = ir.getFastMathFlags();
        flags.setAllowContract();
        ir.setFastMathFlags(flags);
        e.set(sum, emitAdd(ir, sumType, e.get(sum),
                           emitMultiply(ir, sumType, x, y)));
      });
    });
  });
  return convertScalar(ir, e.get(sum), sumType, outType);
}

//===----------------------------------------------------------------------===//
// reduce_window
//===----------------------------------------------------------------------===//

static Scalar emitReduceWindow(stablehlo::ReduceWindowOp op, unsigned result,
                               ArrayRef<IndexExpr> index, ElementEmitter &e) {
  unsigned count = op->getNumResults();
  SmallVector<WindowDim> dims = getWindow(
      shapeOfTensor(op->getOperand(0)), op.getWindowDimensions(),
      op.getWindowStrides(), op.getPadding(), op.getBaseDilations(),
      op.getWindowDilations());
  SmallVector<int64_t> window;
  for (const WindowDim &dim : dims)
    window.push_back(dim.window);
  SmallVector<Variable> sums;
  for (unsigned k = 0; k < count; ++k) {
    Scalar init = e.element(op->getOperand(count + k), {});
    sums.push_back(e.variable(getElementType(op->getResult(k))));
    e.set(sums.back(), init);
  }
  e.forShape(window, [&](ArrayRef<IndexExpr> w) {
    WindowIndex where = locate(e, dims, index, w);
    whenInside(e, where.inside, [&] {
      SmallVector<Scalar> arguments;
      for (Variable &sum : sums)
        arguments.push_back(e.get(sum));
      for (unsigned k = 0; k < count; ++k)
        arguments.push_back(e.element(op->getOperand(k), where.index));
      SmallVector<Scalar> next = e.inlineRegion(op->getRegion(0), arguments);
      for (unsigned k = 0; k < count; ++k)
        e.set(sums[k], next[k]);
    });
  });
  Scalar value;
  for (unsigned k = 0; k < count; ++k) {
    Scalar one = e.get(sums[k]);
    if (k == result)
      value = one;
    if (!e.recall(op->getResult(k), index))
      e.remember(op->getResult(k), index, one);
  }
  return value;
}

//===----------------------------------------------------------------------===//
// select_and_scatter
//===----------------------------------------------------------------------===//

/// Element i of the result: the initial value, and what each window that holds i
/// and prefers it scatters, in the windows' order.
static Scalar emitSelectAndScatter(stablehlo::SelectAndScatterOp op, unsigned,
                                   ArrayRef<IndexExpr> index,
                                   ElementEmitter &e) {
  IRBuilder &ir = e.ir();
  Value operand = op->getOperand(0), source = op->getOperand(1),
        init = op->getOperand(2);
  ArrayRef<int64_t> shape = shapeOfTensor(operand);
  ArrayRef<int64_t> sourceShape = shapeOfTensor(source);
  SmallVector<int64_t> ones(shape.size(), 1);
  auto given = op.getWindowDimensions();
  SmallVector<WindowDim> dims =
      getWindow(shape, given ? ArrayRef<int64_t>(*given) : ArrayRef(ones),
                op.getWindowStrides(), op.getPadding());
  SmallVector<int64_t> window, candidates;
  for (const WindowDim &dim : dims) {
    window.push_back(dim.window);
    candidates.push_back(llvm::divideCeil(dim.window, dim.stride));
  }
  Type type = getElementType(operand);
  Type i1 = IntegerType::get(op->getContext(), 1);
  Type i64 = IntegerType::get(op->getContext(), 64);
  Variable sum = e.variable(type);
  Scalar start = e.element(init, {});
  e.set(sum, start);
  e.forShape(candidates, [&](ArrayRef<IndexExpr> which) {
    // Window o holds i where o * stride <= i + pad < o * stride + window.
    Index at;
    llvm::Value *inside = ir.getTrue();
    for (auto [d, dim] : llvm::enumerate(dims)) {
      IndexExpr place = index[d] + IndexExpr(dim.padLow);
      llvm::Value *stride = ir.getInt64(dim.stride);
      llvm::Value *p = e.value(place);
      llvm::Value *o = ir.CreateSub(
          ir.CreateSDiv(p, stride),
          e.value(IndexExpr(candidates[d] - 1) - which[d]));
      // The division truncates; what is negative is outside.
      llvm::Value *first = ir.CreateMul(o, stride);
      llvm::Value *good = ir.CreateAnd(
          ir.CreateICmpSGE(p, ir.getInt64(0)),
          ir.CreateAnd(ir.CreateICmpSGE(o, ir.getInt64(0)),
                       ir.CreateICmpSLT(o, ir.getInt64(sourceShape[d]))));
      good = ir.CreateAnd(
          good, ir.CreateICmpSLT(
                    p, ir.CreateAdd(first, ir.getInt64(dim.window))));
      inside = ir.CreateAnd(inside, good);
      at.push_back(
          e.expr(o, 0, std::max<int64_t>(sourceShape[d], 1) - 1));
    }
    e.ifThenElse(inside, [&] {
      Variable found = e.variable(i1), best = e.variable(type);
      Variable place = e.variable(i64);
      e.set(found, {ir.getFalse()});
      e.set(best, zeroScalar(ir, type));
      e.set(place, {ir.getInt64(-1)});
      e.forShape(window, [&](ArrayRef<IndexExpr> w) {
        WindowIndex where = locate(e, dims, at, w);
        whenInside(e, where.inside, [&] {
          Scalar current = e.element(operand, where.index);
          llvm::Value *keep =
              e.inlineRegion(op->getRegion(0), {e.get(best), current})
                  .front()
                  .re;
          keep = ir.CreateAnd(keep, e.get(found).re);
          e.set(best, selectScalar(ir, keep, e.get(best), current));
          e.set(place,
                {ir.CreateSelect(keep, e.get(place).re,
                                 e.value(e.linearize(where.index, shape)))});
          e.set(found, {ir.getTrue()});
        });
      });
      llvm::Value *mine = ir.CreateICmpEQ(
          e.get(place).re, e.value(e.linearize(index, shape)));
      e.ifThenElse(mine, [&] {
        e.set(sum, e.inlineRegion(op->getRegion(1),
                                  {e.get(sum), e.element(source, at)})
                       .front());
      });
    });
  });
  return e.get(sum);
}

void shoal::gpu::simt::registerWindowElements(OpEmitters &emitters) {
  emitters.element<stablehlo::ConvolutionOp>(emitConvolution);
  emitters.element<stablehlo::ReduceWindowOp>(emitReduceWindow);
  emitters.element<stablehlo::SelectAndScatterOp>(emitSelectAndScatter);
}
