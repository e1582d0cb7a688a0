// scatter: a launch that copies the operand (nothing, if the result has its
// memory), then one for the updates. Which updates may run side by side:
//  free     all: indices are unique, or the body keeps only the update
//  atomic   all, each by a compare-and-swap loop around the body: one operand
//           of 1 to 8 bytes an element. The order of equal indices is open
//  columns  those that differ in a dimension which indices do not move; the
//           rest in order, by one thread each
#include "SimtEmitter.h"

#include "lib/Codegen/CPU/Special/Special.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::gpu::simt;
using cpu::countElements;
using cpu::getElementBytes;
using cpu::getElementType;
using cpu::shapeOf;

namespace {
class Scatter {
public:
  Scatter(SimtEmitter &e, stablehlo::ScatterOp op)
      : e(e), ir(e.ir()), op(op), numbers(op.getScatterDimensionNumbers()),
        shape(shapeOf(op.getInputs().front())),
        updateShape(shapeOf(op.getUpdates().front())) {
    for (int64_t d = 0, rank = shape.size(); d < rank; ++d)
      if (!llvm::is_contained(numbers.getInsertedWindowDims(), d) &&
          !llvm::is_contained(numbers.getInputBatchingDims(), d))
        windowToOperand.push_back(d);
  }

  void copy() {
    for (unsigned i = 0; i < op.getInputs().size(); ++i) {
      const KernelEmitter::Array *to = resultArray(e, op, i);
      if (!to)
        continue;
      Value input = op.getInputs()[i];
      auto each = [&] {
        e.gridSpace(shape, [&](ArrayRef<IndexExpr> at) {
          e.storeArray(*to, e.linearize(at, shape), e.element(input, at));
        });
      };
      const KernelEmitter::Array *from = e.inputArray(input);
      if (from)
        e.ifThenElse(ir.CreateICmpNE(from->base, to->base), each);
      else
        each();
    }
  }

  enum class Order { Free, Atomic, Columns };
  static Order chooseOrder(stablehlo::ScatterOp op);

  void update() {
    if (countElements(updateShape) == 0 || countElements(shape) == 0)
      return;
    Order order = chooseOrder(op);
    if (order != Order::Columns) {
      e.gridSpace(updateShape, [&](ArrayRef<IndexExpr> at) {
        apply(at, order == Order::Atomic);
      });
      return;
    }
    // Dimensions of the updates that say where they go without any index.
    SmallVector<bool> apart(updateShape.size(), false);
    for (auto [w, d] : llvm::enumerate(windowToOperand))
      apart[numbers.getUpdateWindowDims()[w]] = !llvm::is_contained(
          numbers.getScatterDimsToOperandDims(), d);
    int64_t vectorDim = numbers.getIndexVectorDim();
    SmallVector<int64_t> scatterDims;
    for (int64_t d = 0, rank = updateShape.size(); d < rank; ++d)
      if (!llvm::is_contained(numbers.getUpdateWindowDims(), d))
        scatterDims.push_back(d);
    for (int64_t d : numbers.getScatterIndicesBatchingDims())
      apart[scatterDims[d < vectorDim ? d : d - 1]] = true;
    SmallVector<int64_t> columns, rows;
    for (auto [d, extent] : llvm::enumerate(updateShape))
      (apart[d] ? columns : rows).push_back(extent);
    e.gridSpace(columns, [&](ArrayRef<IndexExpr> column) {
      e.forShape(rows, [&](ArrayRef<IndexExpr> row) {
        Index at;
        unsigned nextColumn = 0, nextRow = 0;
        for (bool isApart : apart)
          at.push_back(isApart ? column[nextColumn++] : row[nextRow++]);
        apply(at, /*atomic=*/false);
      });
    });
  }

private:
  /// Where the window of the update at `at` starts. Indices far outside are
  /// brought near, still outside: sums with offsets must not overflow.
  Index start(ArrayRef<IndexExpr> position) {
    Index index(shape.size());
    Value indices = op.getScatterIndices();
    int64_t vectorDim = numbers.getIndexVectorDim();
    for (auto [component, d] :
         llvm::enumerate(numbers.getScatterDimsToOperandDims())) {
      Index at;
      unsigned next = 0;
      for (int64_t i = 0, rank = shapeOf(indices).size(); i < rank; ++i)
        at.push_back(i == vectorDim ? IndexExpr(int64_t(component))
                                    : position[next++]);
      llvm::Value *far = ir.getInt64(int64_t(1) << 40);
      llvm::Value *v =
          e.toIndex(e.element(indices, at), getElementType(indices));
      if (getElementType(indices).isUnsignedInteger(64))
        v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::umin, v, far);
      v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smax, v, ir.CreateNeg(far));
      v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, v, far);
      index[d] = e.expr(v, -(int64_t(1) << 40), int64_t(1) << 40);
    }
    for (auto [d, indicesDim] :
         llvm::zip_equal(numbers.getInputBatchingDims(),
                         numbers.getScatterIndicesBatchingDims()))
      index[d] =
          position[indicesDim < vectorDim ? indicesDim : indicesDim - 1];
    return index;
  }

  void apply(ArrayRef<IndexExpr> at, bool atomic) {
    Index window, position;
    for (int64_t d = 0, rank = at.size(); d < rank; ++d)
      (llvm::is_contained(numbers.getUpdateWindowDims(), d) ? window : position)
          .push_back(at[d]);
    Index to = start(position);
    for (auto [d, offset] : llvm::zip_equal(windowToOperand, window))
      to[d] = to[d] + offset;
    llvm::Value *inside = ir.getTrue();
    for (auto [i, extent] : llvm::zip_equal(to, shape))
      inside = ir.CreateAnd(inside, e.inBounds(i, extent));
    e.ifThenElse(inside, [&] {
      IndexExpr linear = e.linearize(to, shape);
      SmallVector<Scalar> updates;
      for (Value value : op.getUpdates())
        updates.push_back(e.element(value, at));
      if (atomic)
        return applyAtomically(linear, updates.front());
      SmallVector<Scalar> arguments;
      for (unsigned i = 0; i < op.getInputs().size(); ++i)
        arguments.push_back(e.loadArray(*resultArray(e, op, i), linear));
      llvm::append_range(arguments, updates);
      SmallVector<Scalar> combined =
          e.inlineRegion(op.getUpdateComputation(), arguments);
      for (auto [i, value] : llvm::enumerate(combined))
        e.storeArray(*resultArray(e, op, i), linear, value);
    });
  }

  /// True if the body is one addition of its two arguments.
  bool isAddition() {
    Block &body = op.getUpdateComputation().front();
    auto add =
        body.getTerminator()->getOperand(0).getDefiningOp<stablehlo::AddOp>();
    return add && ((add.getLhs() == body.getArgument(0) &&
                    add.getRhs() == body.getArgument(1)) ||
                   (add.getLhs() == body.getArgument(1) &&
                    add.getRhs() == body.getArgument(0)));
  }

  void applyAtomically(IndexExpr linear, Scalar update) {
    const KernelEmitter::Array &array = *resultArray(e, op, 0);
    Type type = array.type.getElementType();
    int64_t bytes = getElementBytes(type);
    llvm::Align align(bytes);
    llvm::Value *address = ir.CreateInBoundsGEP(
        ir.getInt8Ty(), array.base,
        ir.CreateMul(e.value(linear), ir.getInt64(bytes)));
    auto scope = ir.getContext().getOrInsertSyncScopeID("device");
    auto order = llvm::AtomicOrdering::Monotonic;
    if (isAddition() && (type.isF32() || type.isF64() ||
                         (isa<IntegerType>(type) && bytes >= 4))) {
      ir.CreateAtomicRMW(isa<FloatType>(type) ? llvm::AtomicRMWInst::FAdd
                                              : llvm::AtomicRMWInst::Add,
                         address, update.re, align, order, scope);
      return;
    }
    // The element's bytes, by way of memory that LLVM makes registers.
    llvm::Type *word = ir.getIntNTy(8 * bytes);
    llvm::Value *slot = e.localBuffer(bytes);
    llvm::Value *zero = ir.getInt64(0);
    Type i64 = IntegerType::get(op->getContext(), 64);
    Variable old = e.variable(i64), again = e.variable(i64);
    llvm::LoadInst *first = ir.CreateAlignedLoad(word, address, align);
    first->setAtomic(order, scope);
    e.set(old, {ir.CreateZExt(first, ir.getInt64Ty())});
    e.set(again, {ir.getInt64(1)});
    e.whileLoop(
        [&] { return ir.CreateICmpNE(e.get(again).re, zero); },
        [&] {
          llvm::Value *before = ir.CreateTrunc(e.get(old).re, word);
          ir.CreateStore(before, slot);
          Scalar current = cpu::loadElement(ir, type, slot, zero);
          Scalar next =
              e.inlineRegion(op.getUpdateComputation(), {current, update})
                  .front();
          cpu::storeElement(ir, type, next, slot, zero);
          llvm::Value *after = ir.CreateLoad(word, slot);
          llvm::AtomicCmpXchgInst *swap = ir.CreateAtomicCmpXchg(
              address, before, after, align, order, order, scope);
          e.set(old, {ir.CreateZExt(ir.CreateExtractValue(swap, 0),
                                    ir.getInt64Ty())});
          e.set(again, {ir.CreateZExt(
                           ir.CreateNot(ir.CreateExtractValue(swap, 1)),
                           ir.getInt64Ty())});
        });
  }

  SimtEmitter &e;
  IRBuilder &ir;
  stablehlo::ScatterOp op;
  stablehlo::ScatterDimensionNumbersAttr numbers;
  ArrayRef<int64_t> shape, updateShape;
  SmallVector<int64_t> windowToOperand;
};
} // namespace

Scatter::Order Scatter::chooseOrder(stablehlo::ScatterOp op) {
  // A result that nobody wants has no memory: its operand would be lost.
  if (op.getUniqueIndices())
    return Order::Free;
  Block &body = op.getUpdateComputation().front();
  unsigned count = op.getInputs().size();
  bool keepsUpdate = true;
  for (unsigned i = 0; i < count; ++i)
    keepsUpdate &= body.getTerminator()->getOperand(i) ==
                   body.getArgument(count + i);
  if (keepsUpdate && count == 1)
    return Order::Free;
  int64_t bytes = getElementBytes(getElementType(op.getInputs().front()));
  if (count == 1 && bytes <= 8)
    return Order::Atomic;
  return Order::Columns;
}

void shoal::gpu::simt::addScatterForm(OpForms &forms) {
  forms.add<stablehlo::ScatterOp>([](stablehlo::ScatterOp op,
                                     const KernelSource &source,
                                     SimtKernel &kernel) {
    // The body reads all results; where one is not kept there is no memory for
    // it.
    OperandRange outputs = source.body->front().getTerminator()->getOperands();
    for (Value result : op.getResults())
      if (!llvm::is_contained(outputs, result))
        return;
    kernel.form = "scatter";
    kernel.flops = countElements(shapeOf(op.getUpdates().front()));
    kernel.steps.push_back(
        {defaultBlock, [op](SimtEmitter &e) { Scatter(e, op).copy(); }});
    kernel.steps.push_back(
        {defaultBlock, [op](SimtEmitter &e) { Scatter(e, op).update(); }});
  });
}
