// Windows in several launches: sums and maxima of large windows a dimension at
// a time, and select_and_scatter in two steps, each window looked at once.
#include "SimtEmitter.h"

#include "lib/Codegen/CPU/ScalarMath.h"
#include "lib/Codegen/CPU/Special/Special.h"
#include "lib/Codegen/CPU/Special/Window.h"

#include "dialects/StableHLO/StableHLO.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::gpu::simt;
using cpu::getElementBytes;
using cpu::getElementType;
using cpu::shapeOf;
using cpu::WindowDim;

namespace {
SmallVector<WindowDim> windowOf(stablehlo::ReduceWindowOp op) {
  return cpu::getWindow(shapeOf(op->getOperand(0)), op.getWindowDimensions(),
                        op.getWindowStrides(), op.getPadding(),
                        op.getBaseDilations(), op.getWindowDilations());
}

/// An associative and commutative op whose initial value is its neutral
/// element: the order and the number of such values do not count.
bool isPlainReduction(stablehlo::ReduceWindowOp op) {
  if (op->getNumResults() != 1)
    return false;
  Block &body = op->getRegion(0).front();
  if (!llvm::hasNItems(body, 2))
    return false;
  Operation &combine = body.front();
  if (combine.getNumOperands() != 2 ||
      !llvm::is_contained(combine.getOperands(), body.getArgument(0)) ||
      !llvm::is_contained(combine.getOperands(), body.getArgument(1)) ||
      body.getTerminator()->getOperands() != combine.getResults())
    return false;
  auto constant = op->getOperand(1).getDefiningOp<stablehlo::ConstantOp>();
  auto value =
      constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : nullptr;
  if (!value || !value.isSplat())
    return false;
  Type type = value.getElementType();
  if (auto floats = dyn_cast<FloatType>(type)) {
    APFloat init = value.getSplatValue<APFloat>();
    // Sums of narrow floats are rounded at each step: their order counts.
    bool wide = floats.getWidth() >= 32;
    if (isa<stablehlo::AddOp>(combine))
      return wide && init.isZero();
    if (isa<stablehlo::MaxOp>(combine))
      return init.isInfinity() && init.isNegative();
    if (isa<stablehlo::MinOp>(combine))
      return init.isInfinity() && !init.isNegative();
    return false;
  }
  auto integers = dyn_cast<IntegerType>(type);
  if (!integers || integers.getWidth() < 2)
    return false;
  APInt init = value.getSplatValue<APInt>();
  bool isUnsigned = integers.isUnsigned();
  if (isa<stablehlo::AddOp, stablehlo::OrOp>(combine))
    return init.isZero();
  if (isa<stablehlo::MaxOp>(combine))
    return isUnsigned ? init.isZero() : init.isMinSignedValue();
  if (isa<stablehlo::MinOp>(combine))
    return isUnsigned ? init.isAllOnes() : init.isMaxSignedValue();
  if (isa<stablehlo::AndOp>(combine))
    return init.isAllOnes();
  return false;
}

/// One launch: along a dimension, `terms` elements `step` apart are combined,
/// from an array (or the operand) of `from` into one of `to` (or the result).
/// Element o of the target begins at o * stride - low; what lies outside counts
/// nothing.
struct Pass {
  unsigned dim;
  int64_t terms, step, stride, low;
  SmallVector<int64_t> from, to;
  std::optional<int64_t> source, target; ///< places in scratch memory
};

void emitPass(SimtEmitter &e, stablehlo::ReduceWindowOp op, const Pass &pass) {
  IRBuilder &ir = e.ir();
  Type type = getElementType(op->getResult(0));
  int64_t size = pass.from[pass.dim];
  const KernelEmitter::Array *result =
      pass.target ? nullptr : resultArray(e, op, 0);
  e.gridSpace(pass.to, [&](ArrayRef<IndexExpr> index) {
    Variable sum = e.variable(type);
    e.set(sum, e.element(op->getOperand(1), {}));
    IndexExpr first = index[pass.dim] * pass.stride + IndexExpr(-pass.low);
    e.forLoop(pass.terms, [&](IndexExpr term) {
      llvm::Value *at = e.value(first + term * pass.step);
      llvm::Value *inside =
          ir.CreateAnd(ir.CreateICmpSGE(at, ir.getInt64(0)),
                       ir.CreateICmpSLT(at, ir.getInt64(size)));
      e.ifThenElse(inside, [&] {
        Index from(index.begin(), index.end());
        from[pass.dim] = e.expr(at, 0, size - 1);
        Scalar value =
            pass.source
                ? cpu::loadElement(ir, type, e.scratch(*pass.source),
                                   e.value(e.linearize(from, pass.from)))
                : e.element(op->getOperand(0), from);
        e.set(sum,
              e.inlineRegion(op->getRegion(0), {e.get(sum), value}).front());
      });
    });
    IndexExpr to = e.linearize(index, pass.to);
    if (pass.target)
      cpu::storeElement(ir, type, e.get(sum), e.scratch(*pass.target),
                        e.value(to));
    else if (result)
      e.storeArray(*result, to, e.get(sum));
  });
}

/// Windows of many elements: along each dimension by itself; a long one in
/// passes that each combine a few of what the last one made. All passes but a
/// dimension's last one keep its positions, of the window's first element from
/// -low on.
void makeWindows(stablehlo::ReduceWindowOp op, SimtKernel &kernel) {
  constexpr int64_t fewest = 24, longest = 8;
  SmallVector<WindowDim> dims = windowOf(op);
  int64_t elements = 1;
  for (const WindowDim &dim : dims) {
    if (dim.baseDilation != 1)
      return;
    elements *= dim.window;
  }
  ArrayRef<int64_t> result = shapeOf(op->getResult(0));
  if (elements < fewest || !isPlainReduction(op) ||
      cpu::countElements(result) == 0 ||
      cpu::countElements(shapeOf(op->getOperand(0))) == 0)
    return;
  SmallVector<Pass> passes;
  SmallVector<int64_t> shape(shapeOf(op->getOperand(0)));
  // The dimensions that shrink most come first.
  SmallVector<unsigned> order;
  for (unsigned d = 0; d < dims.size(); ++d)
    if (dims[d].window > 1 || result[d] != shape[d] || dims[d].padLow != 0)
      order.push_back(d);
  llvm::stable_sort(order, [&](unsigned a, unsigned b) {
    return double(result[a]) / double(std::max<int64_t>(1, shape[a])) <
           double(result[b]) / double(std::max<int64_t>(1, shape[b]));
  });
  for (unsigned d : order) {
    const WindowDim &dim = dims[d];
    int64_t window = dim.window, step = dim.windowDilation, low = dim.padLow;
    // Parts of `part` elements, beginning anywhere in the window, are put
    // together to larger ones, as long as the window's size has small factors.
    auto add = [&](int64_t terms, int64_t apart, int64_t stride, int64_t from,
                   int64_t size) {
      Pass &pass = passes.emplace_back();
      pass.dim = d;
      pass.terms = terms;
      pass.step = apart;
      pass.stride = stride;
      pass.low = from;
      pass.from = shape;
      shape[d] = size;
      pass.to = shape;
    };
    // Starts of windows reach from -low to the last one's.
    int64_t starts = (result[d] - 1) * dim.stride + 1;
    int64_t part = 1, reach = starts + (window - 1) * step;
    while (window / part > longest) {
      int64_t factor = 0;
      for (int64_t f : {4, 3, 2, 5, 7, 11, 13})
        if (factor == 0 && window / part % f == 0)
          factor = f;
      if (factor == 0)
        break;
      // A part begins at most so far from the first start.
      int64_t next = part * factor;
      int64_t size = reach - (next - part) * step;
      add(factor, part * step, 1, part == 1 ? low : 0, size);
      reach = size;
      part = next;
    }
    add(window / part, part * step, dim.stride, part == 1 ? low : 0, result[d]);
  }
  if (passes.size() < 2)
    return;
  int64_t bytes = getElementBytes(getElementType(op->getResult(0)));
  int64_t largest[2] = {0, 0};
  for (auto [i, pass] : llvm::enumerate(passes))
    if (i + 1 < passes.size())
      largest[i % 2] =
          std::max(largest[i % 2], cpu::countElements(pass.to) * bytes);
  int64_t places[2] = {kernel.reserve(largest[0]), kernel.reserve(largest[1])};
  kernel.form = "windows";
  kernel.flops = 0;
  for (auto [i, pass] : llvm::enumerate(passes)) {
    if (i > 0)
      pass.source = places[(i - 1) % 2];
    if (i + 1 < passes.size())
      pass.target = places[i % 2];
    kernel.flops += cpu::countElements(pass.to) * pass.terms;
    kernel.steps.push_back({defaultBlock, [op, pass = pass](SimtEmitter &e) {
                              emitPass(e, op, pass);
                            }});
  }
}

/// First which element each window selects, then for each element what the
/// windows that selected it scatter, in the windows' order.
void makeSelectAndScatter(stablehlo::SelectAndScatterOp op,
                          SimtKernel &kernel) {
  Value operand = op->getOperand(0), source = op->getOperand(1);
  SmallVector<int64_t> shape(shapeOf(operand)), sourceShape(shapeOf(source));
  SmallVector<int64_t> ones(shape.size(), 1);
  auto given = op.getWindowDimensions();
  SmallVector<WindowDim> dims = cpu::getWindow(
      shape, given ? ArrayRef<int64_t>(*given) : ArrayRef<int64_t>(ones),
      op.getWindowStrides(), op.getPadding());
  int64_t elements = 1, repeats = 1;
  for (const WindowDim &dim : dims) {
    elements *= dim.window;
    repeats *= llvm::divideCeil(dim.window, dim.stride);
  }
  // With windows side by side each is looked at by its elements alone.
  if (cpu::countElements(shape) == 0 || cpu::countElements(sourceShape) == 0 ||
      elements < 2)
    return;
  int64_t chosen = kernel.reserve(cpu::countElements(sourceShape) * 8);
  kernel.form = "select_and_scatter";
  kernel.flops = cpu::countElements(sourceShape) * elements +
                 cpu::countElements(shape) * repeats;
  kernel.steps.push_back(
      {defaultBlock, [=](SimtEmitter &e) mutable {
         IRBuilder &ir = e.ir();
         Type type = getElementType(operand);
         Type i1 = IntegerType::get(op->getContext(), 1);
         Type i64 = IntegerType::get(op->getContext(), 64);
         SmallVector<int64_t> window;
         for (const WindowDim &dim : dims)
           window.push_back(dim.window);
         e.gridSpace(sourceShape, [&](ArrayRef<IndexExpr> at) {
           Variable found = e.variable(i1), best = e.variable(type),
                    place = e.variable(i64);
           e.set(found, {ir.getFalse()});
           e.set(best, cpu::zeroScalar(ir, type));
           e.set(place, {ir.getInt64(-1)});
           e.forShape(window, [&](ArrayRef<IndexExpr> w) {
             cpu::WindowIndex where = cpu::locate(e, dims, at, w);
             auto look = [&] {
               Scalar current = e.element(operand, where.index);
               llvm::Value *keep =
                   e.inlineRegion(op->getRegion(0), {e.get(best), current})
                       .front()
                       .re;
               keep = ir.CreateAnd(keep, e.get(found).re);
               e.set(best, cpu::selectScalar(ir, keep, e.get(best), current));
               e.set(place, {ir.CreateSelect(
                                keep, e.get(place).re,
                                e.value(e.linearize(where.index, shape)))});
               e.set(found, {ir.getTrue()});
             };
             if (where.inside)
               e.ifThenElse(where.inside, look);
             else
               look();
           });
           cpu::storeElement(ir, i64, e.get(place), e.scratch(chosen),
                             e.value(e.linearize(at, sourceShape)));
         });
       }});
  kernel.steps.push_back(
      {defaultBlock, [=](SimtEmitter &e) mutable {
         IRBuilder &ir = e.ir();
         Type type = getElementType(operand);
         Type i64 = IntegerType::get(op->getContext(), 64);
         const KernelEmitter::Array *result = resultArray(e, op, 0);
         SmallVector<int64_t> candidates;
         for (const WindowDim &dim : dims)
           candidates.push_back(llvm::divideCeil(dim.window, dim.stride));
         e.gridSpace(shape, [&](ArrayRef<IndexExpr> index) {
           Variable sum = e.variable(type);
           e.set(sum, e.element(op->getOperand(2), {}));
           llvm::Value *own = e.value(e.linearize(index, shape));
           e.forShape(candidates, [&](ArrayRef<IndexExpr> which) {
             // Window o holds i where o * stride <= i + pad < o * stride +
             // window.
             Index at;
             llvm::Value *inside = ir.getTrue();
             for (auto [d, dim] : llvm::enumerate(dims)) {
               llvm::Value *stride = ir.getInt64(dim.stride);
               llvm::Value *p = e.value(index[d] + IndexExpr(dim.padLow));
               // The division truncates; what is negative is outside.
               llvm::Value *o = ir.CreateSub(
                   ir.CreateSDiv(p, stride),
                   e.value(IndexExpr(candidates[d] - 1) - which[d]));
               llvm::Value *end = ir.CreateAdd(ir.CreateMul(o, stride),
                                               ir.getInt64(dim.window));
               for (llvm::Value *good :
                    {ir.CreateICmpSGE(p, ir.getInt64(0)),
                     ir.CreateICmpSGE(o, ir.getInt64(0)),
                     ir.CreateICmpSLT(o, ir.getInt64(sourceShape[d])),
                     ir.CreateICmpSLT(p, end)})
                 inside = ir.CreateAnd(inside, good);
               at.push_back(
                   e.expr(o, 0, std::max<int64_t>(sourceShape[d], 1) - 1));
             }
             e.ifThenElse(inside, [&] {
               Scalar place =
                   cpu::loadElement(ir, i64, e.scratch(chosen),
                                    e.value(e.linearize(at, sourceShape)));
               e.ifThenElse(ir.CreateICmpEQ(place.re, own), [&] {
                 e.set(sum, e.inlineRegion(op->getRegion(1),
                                           {e.get(sum), e.element(source, at)})
                                .front());
               });
             });
           });
           if (result)
             e.storeArray(*result, e.linearize(index, shape), e.get(sum));
         });
       }});
}
} // namespace

void shoal::gpu::simt::addWindowForms(OpForms &forms) {
  // Cumulative ones are scans (Scan.cpp).
  OpForm scan = forms.forms[stablehlo::ReduceWindowOp::getOperationName()];
  forms.add<stablehlo::ReduceWindowOp>([scan](stablehlo::ReduceWindowOp op,
                                              const KernelSource &source,
                                              SimtKernel &kernel) {
    if (scan)
      scan(op, source, kernel);
    if (kernel.steps.empty() && isAlone(op, source))
      makeWindows(op, kernel);
  });
  forms.add<stablehlo::SelectAndScatterOp>([](stablehlo::SelectAndScatterOp op,
                                              const KernelSource &source,
                                              SimtKernel &kernel) {
    if (isAlone(op, source))
      makeSelectAndScatter(op, kernel);
  });
}
