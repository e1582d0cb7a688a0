// Ops that only choose which element of an operand to take: each maps an
// index of its result to indices of its operands.

#include "KernelEmitter.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal::cpu;

/// A start index clamped so that a window of `window` elements fits in `size`.
static IndexExpr clampedStart(ElementEmitter &e, Scalar start, Type type,
                              int64_t size, int64_t window) {
  if (size == window)
    return IndexExpr(0);
  IRBuilder &ir = e.ir();
  llvm::Value *v = e.toIndex(start, type);
  // An unsigned 64-bit index above 2^63 is large, not negative.
  if (isUnsigned(type) && type.getIntOrFloatBitWidth() == 64)
    v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::umin, v,
                                 ir.getInt64(size - window));
  v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smax, v, ir.getInt64(0));
  v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, v,
                               ir.getInt64(size - window));
  return e.expr(v, 0, size - window);
}

static Scalar emitBroadcast(stablehlo::BroadcastInDimOp op, unsigned,
                            ArrayRef<IndexExpr> index, ElementEmitter &e) {
  Index from;
  ArrayRef<int64_t> shape = shapeOf(op.getOperand());
  for (auto [extent, dim] : llvm::zip_equal(shape, op.getBroadcastDimensions()))
    from.push_back(extent == 1 ? IndexExpr(0) : index[dim]);
  return e.element(op.getOperand(), from);
}

static Scalar emitReshape(stablehlo::ReshapeOp op, unsigned,
                          ArrayRef<IndexExpr> index, ElementEmitter &e) {
  IndexExpr linear = e.linearize(index, shapeOf(op.getResult()));
  return e.element(op.getOperand(),
                   e.delinearize(linear, shapeOf(op.getOperand())));
}

static Scalar emitTranspose(stablehlo::TransposeOp op, unsigned,
                            ArrayRef<IndexExpr> index, ElementEmitter &e) {
  Index from(index.size());
  for (auto [i, dim] : llvm::enumerate(op.getPermutation()))
    from[dim] = index[i];
  return e.element(op.getOperand(), from);
}

static Scalar emitSlice(stablehlo::SliceOp op, unsigned,
                        ArrayRef<IndexExpr> index, ElementEmitter &e) {
  Index from;
  for (auto [i, start, stride] :
       llvm::zip_equal(index, op.getStartIndices(), op.getStrides()))
    from.push_back(i * stride + IndexExpr(start));
  return e.element(op.getOperand(), from);
}

static Scalar emitReverse(stablehlo::ReverseOp op, unsigned,
                          ArrayRef<IndexExpr> index, ElementEmitter &e) {
  Index from(index.begin(), index.end());
  for (int64_t dim : op.getDimensions())
    from[dim] = IndexExpr(shapeOf(op.getOperand())[dim] - 1) - index[dim];
  return e.element(op.getOperand(), from);
}

static Scalar emitIota(stablehlo::IotaOp op, unsigned,
                       ArrayRef<IndexExpr> index, ElementEmitter &e) {
  IRBuilder &ir = e.ir();
  llvm::Value *position = e.value(index[op.getIotaDimension()]);
  Type type = getElementType(op.getResult());
  Type component = getComponentType(type);
  llvm::Type *carrier = getCarrierType(type, ir.getContext());
  if (!isa<FloatType>(component))
    return {ir.CreateTrunc(position, carrier)};
  Scalar result;
  // Signed 32-bit conversion has vector instructions everywhere.
  if (shapeOf(op.getResult())[op.getIotaDimension()] < (int64_t(1) << 31))
    position = ir.CreateTrunc(position, ir.getInt32Ty());
  result.re = roundToType(ir, ir.CreateSIToFP(position, carrier), component);
  if (isComplex(type))
    result.im = llvm::ConstantFP::get(carrier, 0.0);
  return result;
}

static Scalar emitPad(stablehlo::PadOp op, unsigned,
                      ArrayRef<IndexExpr> index, ElementEmitter &e) {
  IRBuilder &ir = e.ir();
  ArrayRef<int64_t> shape = shapeOf(op.getOperand());
  llvm::Value *inside = ir.getTrue();
  Index from;
  for (unsigned i = 0; i < index.size(); ++i) {
    IndexExpr at = index[i] - IndexExpr(op.getEdgePaddingLow()[i]);
    int64_t step = op.getInteriorPadding()[i] + 1;
    if (step > 1) {
      // Element k stands at k * step; negative positions are outside.
      int64_t span = shape[i] == 0 ? 0 : (shape[i] - 1) * step + 1;
      inside = ir.CreateAnd(inside, e.inBounds(at, span));
      llvm::Value *v = e.value(at);
      llvm::Value *by = ir.getInt64(step);
      inside = ir.CreateAnd(
          inside, ir.CreateICmpEQ(ir.CreateURem(v, by), ir.getInt64(0)));
      at = e.expr(ir.CreateUDiv(v, by), 0, std::max<int64_t>(shape[i] - 1, 0));
    } else {
      inside = ir.CreateAnd(inside, e.inBounds(at, shape[i]));
    }
    from.push_back(at);
  }
  return e.branch(
      inside, getElementType(op.getResult()),
      [&] { return e.element(op.getOperand(), from); },
      [&] { return e.element(op.getPaddingValue(), {}); });
}

static Scalar concatFrom(stablehlo::ConcatenateOp op, ArrayRef<IndexExpr> index,
                         ElementEmitter &e, unsigned operand, int64_t offset) {
  uint64_t dim = op.getDimension();
  OperandRange inputs = op.getInputs();
  Index from(index.begin(), index.end());
  from[dim] = index[dim] - IndexExpr(offset);
  // The last operand that is not empty needs no test.
  unsigned next = operand + 1;
  while (next < inputs.size() && shapeOf(inputs[next])[dim] == 0)
    ++next;
  if (next == inputs.size())
    return e.element(inputs[operand], from);
  int64_t extent = shapeOf(inputs[operand])[dim];
  if (extent == 0)
    return concatFrom(op, index, e, next, offset);
  if (index[dim].getLower() >= offset + extent)
    return concatFrom(op, index, e, next, offset + extent);
  llvm::Value *here = index[dim].getUpper() < offset + extent
                          ? e.ir().getTrue()
                          : e.ir().CreateICmpSLT(
                                e.value(index[dim]),
                                e.ir().getInt64(offset + extent));
  return e.branch(
      here, getElementType(op.getResult()),
      [&] { return e.element(inputs[operand], from); },
      [&] { return concatFrom(op, index, e, next, offset + extent); });
}

static Scalar emitConcatenate(stablehlo::ConcatenateOp op, unsigned,
                              ArrayRef<IndexExpr> index, ElementEmitter &e) {
  return concatFrom(op, index, e, 0, 0);
}

static Scalar emitDynamicSlice(stablehlo::DynamicSliceOp op, unsigned,
                               ArrayRef<IndexExpr> index, ElementEmitter &e) {
  ArrayRef<int64_t> shape = shapeOf(op.getOperand());
  Index from;
  for (auto [i, start] : llvm::enumerate(op.getStartIndices()))
    from.push_back(index[i] + clampedStart(e, e.element(start, {}),
                                           getElementType(start), shape[i],
                                           op.getSliceSizes()[i]));
  return e.element(op.getOperand(), from);
}

static Scalar emitGather(stablehlo::GatherOp op, unsigned,
                         ArrayRef<IndexExpr> index, ElementEmitter &e) {
  auto numbers = op.getDimensionNumbers();
  ArrayRef<int64_t> offsetDims = numbers.getOffsetDims();
  ArrayRef<int64_t> shape = shapeOf(op.getOperand());
  Value indices = op.getStartIndices();
  int64_t vectorDim = numbers.getIndexVectorDim();

  // Which of the start indices: the result's batch part of the index.
  Index batch, offset;
  for (auto [i, expr] : llvm::enumerate(index))
    (llvm::is_contained(offsetDims, i) ? offset : batch).push_back(expr);
  auto startAt = [&](int64_t component) {
    Index at;
    unsigned next = 0;
    for (int64_t d = 0, rank = shapeOf(indices).size(); d < rank; ++d)
      at.push_back(d == vectorDim ? IndexExpr(int64_t(component)) : batch[next++]);
    return e.element(indices, at);
  };

  Index from(shape.size());
  unsigned nextOffset = 0;
  for (unsigned d = 0; d < shape.size(); ++d)
    if (!llvm::is_contained(numbers.getCollapsedSliceDims(), d) &&
        !llvm::is_contained(numbers.getOperandBatchingDims(), d))
      from[d] = offset[nextOffset++];
  for (auto [component, d] : llvm::enumerate(numbers.getStartIndexMap()))
    from[d] = from[d] + clampedStart(e, startAt(component),
                                     getElementType(indices), shape[d],
                                     op.getSliceSizes()[d]);
  for (auto [d, indicesDim] :
       llvm::zip_equal(numbers.getOperandBatchingDims(),
                       numbers.getStartIndicesBatchingDims()))
    from[d] = batch[indicesDim < vectorDim ? indicesDim : indicesDim - 1];
  return e.element(op.getOperand(), from);
}

static Scalar emitMap(stablehlo::MapOp op, unsigned,
                      ArrayRef<IndexExpr> index, ElementEmitter &e) {
  SmallVector<Scalar> operands;
  for (Value operand : op.getInputs())
    operands.push_back(e.element(operand, index));
  return e.inlineRegion(op.getComputation(), operands).front();
}

static Scalar emitBarrier(stablehlo::OptimizationBarrierOp op, unsigned result,
                          ArrayRef<IndexExpr> index, ElementEmitter &e) {
  return e.element(op->getOperand(result), index);
}

void shoal::cpu::registerIndexOps(OpEmitters &emitters) {
  emitters.element<stablehlo::BroadcastInDimOp>(emitBroadcast, OpCost::Free);
  emitters.element<stablehlo::ReshapeOp>(emitReshape, OpCost::Free);
  emitters.element<stablehlo::TransposeOp>(emitTranspose, OpCost::Free);
  emitters.element<stablehlo::SliceOp>(emitSlice, OpCost::Free);
  emitters.element<stablehlo::ReverseOp>(emitReverse, OpCost::Free);
  emitters.element<stablehlo::IotaOp>(emitIota, OpCost::Cheap);
  emitters.element<stablehlo::PadOp>(emitPad, OpCost::Cheap);
  emitters.element<stablehlo::ConcatenateOp>(emitConcatenate, OpCost::Cheap);
  emitters.element<stablehlo::DynamicSliceOp>(emitDynamicSlice, OpCost::Cheap);
  emitters.element<stablehlo::GatherOp>(emitGather, OpCost::Medium);
  emitters.element<stablehlo::MapOp>(emitMap, OpCost::Medium);
  emitters.element<stablehlo::OptimizationBarrierOp>(emitBarrier, OpCost::Free);
}
