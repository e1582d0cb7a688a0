// reduce_window over prefixes or suffixes (cumsum and the like). Lines are cut
// into segments: each is reduced, then every segment is run through again from
// what lies before it. Many lines need no segments.
#include "SimtEmitter.h"

#include "lib/Codegen/CPU/Special/Special.h"
#include "lib/Codegen/CPU/Special/Window.h"

#include "dialects/StableHLO/StableHLO.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::gpu::simt;
using cpu::countElements;
using cpu::getElementBytes;
using cpu::getElementType;
using cpu::shapeOf;

namespace {
struct ScanSpec {
  stablehlo::ReduceWindowOp op;
  int dim = 0, direction = 1;
  SmallVector<int64_t> shape, outer; ///< outer: without the dimension
  int64_t n = 1, lines = 1, segments = 1, length = 1;
  SmallVector<Type> types;
  SmallVector<int64_t> places; ///< scratch memory of the segments' sums
};

class Scanner {
public:
  Scanner(SimtEmitter &e, const ScanSpec &spec)
      : e(e), ir(e.ir()), spec(spec), op(spec.op) {}

  /// The sum of each segment but the last, into scratch memory.
  void reduceSegments() {
    forSegments([&](IndexExpr line, IndexExpr segment, llvm::Value *first,
                    llvm::Value *end) {
      Index at = e.delinearize(line, spec.outer);
      SmallVector<Variable> sums = variables(
          elements(at, e.expr(first, 0, spec.n - 1)));
      e.forLoop(ir.CreateAdd(first, ir.getInt64(1)), end, spec.n,
                [&](IndexExpr i) { extend(sums, elements(at, i)); });
      for (auto [k, type] : llvm::enumerate(spec.types))
        cpu::storeElement(ir, type, e.get(sums[k]), e.scratch(spec.places[k]),
                          e.value(line * spec.segments + segment));
    });
  }

  /// The results, from what the segments before add up to.
  void run() {
    forSegments([&](IndexExpr line, IndexExpr segment, llvm::Value *first,
                    llvm::Value *end) {
      Index at = e.delinearize(line, spec.outer);
      SmallVector<Scalar> init;
      for (unsigned k = 0; k < spec.types.size(); ++k)
        init.push_back(
            e.element(op->getOperand(spec.types.size() + k), {}));
      SmallVector<Variable> sums = variables(init);
      if (spec.segments > 1)
        e.forLoop(ir.getInt64(0), e.value(segment), spec.segments,
                  [&](IndexExpr before) {
                    SmallVector<Scalar> part;
                    for (auto [k, type] : llvm::enumerate(spec.types))
                      part.push_back(cpu::loadElement(
                          ir, type, e.scratch(spec.places[k]),
                          e.value(line * spec.segments + before)));
                    extend(sums, part);
                  });
      e.forLoop(first, end, spec.n, [&](IndexExpr i) {
        extend(sums, elements(at, i));
        for (unsigned k = 0; k < spec.types.size(); ++k)
          if (const KernelEmitter::Array *array = resultArray(e, op, k))
            e.storeArray(*array, e.linearize(index(at, i), spec.shape),
                         e.get(sums[k]));
      });
    });
  }

private:
  void forSegments(llvm::function_ref<void(IndexExpr, IndexExpr, llvm::Value *,
                                           llvm::Value *)>
                       body) {
    // Neighbouring threads take neighbouring lines.
    e.gridLoop(spec.lines * spec.segments, [&](IndexVar *unit) {
      auto [segment, line] = e.divMod(IndexExpr(unit), spec.lines);
      llvm::Value *first =
          ir.CreateMul(e.value(segment), ir.getInt64(spec.length));
      llvm::Value *end = ir.CreateBinaryIntrinsic(
          llvm::Intrinsic::smin,
          ir.CreateAdd(first, ir.getInt64(spec.length)), ir.getInt64(spec.n));
      body(line, segment, first, end);
    });
  }
  /// Element i in the order of the scan.
  Index index(ArrayRef<IndexExpr> line, IndexExpr i) {
    Index result(line.begin(), line.end());
    result.insert(result.begin() + spec.dim,
                  spec.direction > 0 ? i : IndexExpr(spec.n - 1) - i);
    return result;
  }
  SmallVector<Scalar> elements(ArrayRef<IndexExpr> line, IndexExpr i) {
    SmallVector<Scalar> values;
    for (unsigned k = 0; k < spec.types.size(); ++k)
      values.push_back(e.element(op->getOperand(k), index(line, i)));
    return values;
  }
  SmallVector<Variable> variables(ArrayRef<Scalar> values) {
    SmallVector<Variable> result;
    for (auto [type, value] : llvm::zip_equal(spec.types, values)) {
      result.push_back(e.variable(type));
      e.set(result.back(), value);
    }
    return result;
  }
  /// Of suffixes, what comes later in the scan is the first argument.
  void extend(ArrayRef<Variable> sums, ArrayRef<Scalar> values) {
    SmallVector<Scalar> arguments;
    for (const Variable &sum : sums)
      arguments.push_back(e.get(sum));
    if (spec.direction > 0)
      llvm::append_range(arguments, values);
    else
      arguments.insert(arguments.begin(), values.begin(), values.end());
    SmallVector<Scalar> next = e.inlineRegion(op->getRegion(0), arguments);
    for (auto [sum, value] : llvm::zip_equal(sums, next))
      e.set(sum, value);
  }

  SimtEmitter &e;
  IRBuilder &ir;
  const ScanSpec &spec;
  mutable stablehlo::ReduceWindowOp op;
};

void makeScan(stablehlo::ReduceWindowOp op, const KernelSource &,
              SimtKernel &kernel) {
  ScanSpec spec;
  spec.op = op;
  spec.shape.assign(shapeOf(op->getResult(0)).begin(),
                    shapeOf(op->getResult(0)).end());
  cpu::RunningWindow running = cpu::findRunning(cpu::getWindow(
      shapeOf(op->getOperand(0)), op.getWindowDimensions(),
      op.getWindowStrides(), op.getPadding(), op.getBaseDilations(),
      op.getWindowDilations()));
  if (running.dim < 0 || countElements(spec.shape) == 0)
    return;
  spec.dim = running.dim;
  spec.direction = running.direction;
  spec.outer = spec.shape;
  spec.outer.erase(spec.outer.begin() + spec.dim);
  spec.n = spec.shape[spec.dim];
  spec.lines = countElements(spec.outer);
  for (Value result : op->getResults())
    spec.types.push_back(getElementType(result));
  // Enough threads to fill the chip, and segments that are worth one.
  constexpr int64_t enoughThreads = 1 << 16, shortest = 64, mostSegments = 512;
  int64_t wanted =
      std::min({llvm::divideCeil(enoughThreads, spec.lines),
                static_cast<uint64_t>(
                    std::max<int64_t>(1, spec.n / shortest)),
                static_cast<uint64_t>(mostSegments)});
  spec.length = llvm::divideCeil(spec.n, wanted);
  spec.segments = llvm::divideCeil(spec.n, spec.length);
  kernel.form = "scan";
  kernel.flops = countElements(spec.shape);
  constexpr int64_t block = 64;
  if (spec.segments > 1) {
    for (Type type : spec.types)
      spec.places.push_back(
          kernel.reserve(spec.lines * spec.segments * getElementBytes(type)));
    kernel.steps.push_back({block, [spec](SimtEmitter &e) {
                              Scanner(e, spec).reduceSegments();
                            }});
  }
  kernel.steps.push_back(
      {block, [spec](SimtEmitter &e) { Scanner(e, spec).run(); }});
}
} // namespace

void shoal::gpu::simt::addScanForm(OpForms &forms) {
  forms.add<stablehlo::ReduceWindowOp>(makeScan);
}
