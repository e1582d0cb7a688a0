// Ops that change part of an operand: dynamic_update_slice and scatter. The
// result may be given the operand's memory; then only the change is written.

#include "KernelEmitter.h"

#include "dialects/StableHLO/StableHLO.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal::cpu;

namespace {
/// The chunks of an update are ranges of one dimension of the result, in which
/// the update covers all and moves nowhere; -1 where there is no such one.
struct Partition {
  int dim = -1;
  int64_t extent = 1;
  int64_t chunks = 1;

  void choose(int d, int64_t size, int64_t elements) {
    constexpr int64_t elementsPerChunk = 1 << 15;
    int64_t count =
        std::min<int64_t>(size, llvm::divideCeil(elements, elementsPerChunk));
    if (count <= 1)
      return;
    dim = d;
    extent = size;
    block = llvm::divideCeil(size, count);
    chunks = llvm::divideCeil(size, block);
  }
  int64_t block = 1;

  std::pair<llvm::Value *, llvm::Value *> bounds(BufferEmitter &b) const {
    IRBuilder &ir = b.e.ir();
    llvm::Value *size = ir.getInt64(block);
    return {ir.CreateMul(b.chunkBegin, size, "", true, true),
            ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin,
                                     ir.CreateMul(b.chunkEnd, size, "", true,
                                                  true),
                                     ir.getInt64(extent))};
  }
};
} // namespace

/// Copies the part of `operand` that the running chunks own into the result,
/// unless they are one buffer.
static void copyPart(BufferEmitter &b, unsigned result, Value operand,
                     const Partition &partition) {
  if (partition.dim < 0)
    return b.copyOperand(result, operand);
  IRBuilder &ir = b.e.ir();
  auto [lower, upper] = partition.bounds(b);
  ArrayRef<int64_t> shape = shapeOf(operand);
  ArrayRef<int64_t> outer = shape.take_front(partition.dim);
  ArrayRef<int64_t> inner = shape.drop_front(partition.dim + 1);
  llvm::Value *from = b.pointer(operand);
  if (!from) {
    b.e.forShape(outer, [&](ArrayRef<IndexExpr> major) {
      b.e.forLoop(lower, upper, partition.extent, [&](IndexExpr at) {
        b.e.forSpace(inner, operand.getAsOpaquePointer(),
                     [&](ArrayRef<IndexExpr> minor) {
                       Index index(major.begin(), major.end());
                       index.push_back(at);
                       llvm::append_range(index, minor);
                       b.store(result, index, b.e.element(operand, index));
                     });
      });
    });
    return;
  }
  llvm::Value *to = b.result(result);
  int64_t unit = countElements(inner) * getElementBytes(getElementType(operand));
  b.e.ifThenElse(ir.CreateICmpNE(from, to), [&] {
    b.e.forLoop(countElements(outer), [&](IndexExpr i) {
      llvm::Value *offset =
          ir.CreateAdd(b.e.value(i * (partition.extent * unit)),
                       ir.CreateMul(lower, ir.getInt64(unit)));
      ir.CreateMemCpy(ir.CreateInBoundsGEP(ir.getInt8Ty(), to, offset),
                      llvm::MaybeAlign(),
                      ir.CreateInBoundsGEP(ir.getInt8Ty(), from, offset),
                      llvm::MaybeAlign(),
                      ir.CreateMul(ir.CreateSub(upper, lower),
                                   ir.getInt64(unit)));
    });
  });
}

//===----------------------------------------------------------------------===//
// dynamic_update_slice
//===----------------------------------------------------------------------===//

static Partition partitionOf(stablehlo::DynamicUpdateSliceOp op) {
  Partition partition;
  ArrayRef<int64_t> shape = shapeOf(op.getOperand());
  ArrayRef<int64_t> update = shapeOf(op.getUpdate());
  for (unsigned d = 0; d < shape.size() && partition.dim < 0; ++d)
    if (shape[d] == update[d])
      partition.choose(d, shape[d], countElements(update));
  return partition;
}

static void emitUpdateSlice(stablehlo::DynamicUpdateSliceOp op,
                            BufferEmitter &b) {
  ElementEmitter &e = b.e;
  IRBuilder &ir = e.ir();
  Partition partition = partitionOf(op);
  ArrayRef<int64_t> shape = shapeOf(op.getOperand());
  ArrayRef<int64_t> update = shapeOf(op.getUpdate());
  Index start;
  for (auto [d, value] : llvm::enumerate(op.getStartIndices())) {
    int64_t room = shape[d] - update[d];
    if (room == 0) {
      start.push_back(IndexExpr(0));
      continue;
    }
    llvm::Value *v = e.toIndex(e.element(value, {}), getElementType(value));
    if (getElementType(value).isUnsignedInteger(64))
      v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::umin, v,
                                   ir.getInt64(room));
    v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smax, v, ir.getInt64(0));
    v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, v, ir.getInt64(room));
    start.push_back(e.expr(v, 0, room));
  }
  copyPart(b, 0, op.getOperand(), partition);

  auto write = [&](ArrayRef<IndexExpr> at) {
    Index to;
    for (auto [first, offset] : llvm::zip_equal(start, at))
      to.push_back(first + offset);
    b.store(0, to, e.element(op.getUpdate(), at));
  };
  if (partition.dim < 0) {
    e.forSpace(update, op, write, /*parallel=*/true);
    return;
  }
  auto [lower, upper] = partition.bounds(b);
  e.forShape(update.take_front(partition.dim), [&](ArrayRef<IndexExpr> major) {
    auto each = [&](IndexExpr i) {
      e.forSpace(
          update.drop_front(partition.dim + 1), op,
          [&](ArrayRef<IndexExpr> minor) {
            Index at(major.begin(), major.end());
            at.push_back(i);
            llvm::append_range(at, minor);
            write(at);
          },
          /*parallel=*/true);
    };
    if (countElements(update.drop_front(partition.dim + 1)) == 1)
      e.parallelLoop(lower, upper, partition.extent, each);
    else
      e.forLoop(lower, upper, partition.extent, each);
  });
}

//===----------------------------------------------------------------------===//
// scatter
//===----------------------------------------------------------------------===//

namespace {
struct Scatter {
  stablehlo::ScatterOp op;
  ArrayRef<int64_t> shape, updateShape;
  ArrayRef<int64_t> windowDims;
  /// Operand dimension of each window dimension.
  SmallVector<int64_t> windowToOperand;
  Partition partition;
  /// Window dimension that the partition cuts, as a number among windowDims.
  int partitionWindow = -1;

  explicit Scatter(stablehlo::ScatterOp op) : op(op) {
    auto numbers = op.getScatterDimensionNumbers();
    shape = shapeOf(op.getInputs().front());
    updateShape = shapeOf(op.getUpdates().front());
    windowDims = numbers.getUpdateWindowDims();
    for (int64_t d = 0, rank = shape.size(); d < rank; ++d)
      if (!llvm::is_contained(numbers.getInsertedWindowDims(), d) &&
          !llvm::is_contained(numbers.getInputBatchingDims(), d))
        windowToOperand.push_back(d);
    for (auto [w, d] : llvm::enumerate(windowToOperand)) {
      if (partition.dim >= 0)
        break;
      if (updateShape[windowDims[w]] != shape[d] || shape[d] < 64 ||
          llvm::is_contained(numbers.getScatterDimsToOperandDims(), d))
        continue;
      // A range is at least a cache line: neighbours do not share one.
      partition.choose(d, shape[d],
                       std::min(countElements(updateShape) +
                                    countElements(shape),
                                shape[d] * 2048));
      if (partition.dim >= 0)
        partitionWindow = w;
    }
  }
};
} // namespace

static void emitScatter(stablehlo::ScatterOp op, BufferEmitter &b) {
  ElementEmitter &e = b.e;
  IRBuilder &ir = e.ir();
  Scatter scatter(op);
  auto numbers = op.getScatterDimensionNumbers();
  ArrayRef<int64_t> shape = scatter.shape;
  for (auto [i, input] : llvm::enumerate(op.getInputs()))
    copyPart(b, i, input, scatter.partition);

  Value indices = op.getScatterIndices();
  int64_t vectorDim = numbers.getIndexVectorDim();
  SmallVector<int64_t> scatterShape, windowShape;
  for (auto [d, extent] : llvm::enumerate(scatter.updateShape))
    (llvm::is_contained(scatter.windowDims, d) ? windowShape : scatterShape)
        .push_back(extent);
  if (countElements(windowShape) == 0)
    return;

  auto update = [&](ArrayRef<IndexExpr> position, const Index &start,
                    ArrayRef<IndexExpr> window) {
    Index to = start;
    for (auto [d, offset] : llvm::zip_equal(scatter.windowToOperand, window))
      to[d] = to[d] + offset;
    llvm::Value *inside = ir.getTrue();
    for (auto [i, extent] : llvm::zip_equal(to, shape))
      inside = ir.CreateAnd(inside, e.inBounds(i, extent));
    Index from;
    unsigned nextWindow = 0, nextPosition = 0;
    for (unsigned d = 0; d < scatter.updateShape.size(); ++d)
      from.push_back(llvm::is_contained(scatter.windowDims, d)
                         ? window[nextWindow++]
                         : position[nextPosition++]);
    e.ifThenElse(inside, [&] {
      SmallVector<Scalar> arguments;
      for (unsigned i = 0; i < op.getInputs().size(); ++i)
        arguments.push_back(b.load(i, to));
      for (Value value : op.getUpdates())
        arguments.push_back(e.element(value, from));
      SmallVector<Scalar> combined =
          e.inlineRegion(op.getUpdateComputation(), arguments);
      for (auto [i, value] : llvm::enumerate(combined))
        b.store(i, to, value);
    });
  };

  e.forShape(scatterShape, [&](ArrayRef<IndexExpr> position) {
    // Where the window of this position starts. Start indices far outside are
    // brought near, still outside: sums with offsets must not overflow.
    Index start(shape.size());
    auto toOperand = numbers.getScatterDimsToOperandDims();
    for (auto [component, d] : llvm::enumerate(toOperand)) {
      Index at;
      unsigned next = 0;
      for (int64_t i = 0, rank = shapeOf(indices).size(); i < rank; ++i)
        at.push_back(i == vectorDim ? IndexExpr(int64_t(component))
                                    : position[next++]);
      int64_t far = int64_t(1) << 40;
      llvm::Value *v =
          e.toIndex(e.element(indices, at), getElementType(indices));
      if (getElementType(indices).isUnsignedInteger(64))
        v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::umin, v,
                                     ir.getInt64(far));
      v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smax, v, ir.getInt64(-far));
      v = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, v, ir.getInt64(far));
      start[d] = e.expr(v, -far, far);
    }
    for (auto [d, indicesDim] :
         llvm::zip_equal(numbers.getInputBatchingDims(),
                         numbers.getScatterIndicesBatchingDims()))
      start[d] =
          position[indicesDim < vectorDim ? indicesDim : indicesDim - 1];

    if (scatter.partitionWindow < 0) {
      e.forSpace(windowShape, op, [&](ArrayRef<IndexExpr> window) {
        update(position, start, window);
      });
      return;
    }
    auto [lower, upper] = scatter.partition.bounds(b);
    ArrayRef<int64_t> windows(windowShape);
    unsigned cut = scatter.partitionWindow;
    e.forShape(windows.take_front(cut), [&](ArrayRef<IndexExpr> major) {
      e.forLoop(lower, upper, scatter.partition.extent, [&](IndexExpr i) {
        e.forSpace(windows.drop_front(cut + 1), op,
                   [&](ArrayRef<IndexExpr> minor) {
                     Index window(major.begin(), major.end());
                     window.push_back(i);
                     llvm::append_range(window, minor);
                     update(position, start, window);
                   });
      });
    });
  });
}

void shoal::cpu::registerUpdateOps(OpEmitters &emitters) {
  OpEmitter &slice =
      emitters.buffer<stablehlo::DynamicUpdateSliceOp>(emitUpdateSlice);
  slice.chunks = [](Operation *op) {
    return partitionOf(cast<stablehlo::DynamicUpdateSliceOp>(op)).chunks;
  };
  slice.overwrites = [](Operation *) { return SmallVector<int>{0}; };
  slice.flops = [](Operation *) { return int64_t(0); };

  OpEmitter &scatter = emitters.buffer<stablehlo::ScatterOp>(emitScatter);
  scatter.chunks = [](Operation *op) {
    return Scatter(cast<stablehlo::ScatterOp>(op)).partition.chunks;
  };
  scatter.overwrites = [](Operation *op) {
    SmallVector<int> operands;
    for (unsigned i = 0; i < op->getNumResults(); ++i)
      operands.push_back(i);
    return operands;
  };
}
