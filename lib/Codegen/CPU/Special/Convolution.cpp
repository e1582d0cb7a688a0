// stablehlo.convolution, every form of it, as blocks of matrix products.
//
// Within a group the result is a matrix of output positions (batch, spatial)
// by output features: the product of `patches`, positions by (window, input
// features), and of the kernel, (window, input features) by output features. A
// block of positions is a chunk. Patches and kernel are packed with padding,
// dilation, reversal and layout resolved, so that only packing knows of them;
// the product is a vectorizable loop nest. f32 and bf16 go another way
// (LibraryConvolution.cpp), and so do depthwise convolutions
// (DepthwiseConvolution.cpp).
#include "Convolution.h"
#include "lib/Codegen/CPU/Convert.h"
#include "lib/Codegen/CPU/ScalarMath.h"

#include "dialects/StableHLO/StableHLO.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace shoal::cpu {

ConvolutionGeometry::ConvolutionGeometry(stablehlo::ConvolutionOp op) {
  stablehlo::ConvDimensionNumbersAttr numbers = op.getDimensionNumbers();
  ArrayRef<int64_t> lhs = shapeOfTensor(op.getLhs());
  ArrayRef<int64_t> rhs = shapeOfTensor(op.getRhs());
  ArrayRef<int64_t> out = shapeOfTensor(op->getResult(0));
  featureGroups = op.getFeatureGroupCount();
  batchGroups = op.getBatchGroupCount();
  groups = featureGroups * batchGroups;
  inFeatures = rhs[numbers.getKernelInputFeatureDimension()];
  outFeatures = rhs[numbers.getKernelOutputFeatureDimension()] / groups;
  positions.push_back(out[numbers.getOutputBatchDimension()]);
  SmallVector<int64_t> spatial;
  for (int64_t d : numbers.getOutputSpatialDimensions())
    positions.push_back(out[d]);
  for (int64_t d : numbers.getInputSpatialDimensions())
    spatial.push_back(lhs[d]);
  for (int64_t d : numbers.getKernelSpatialDimensions())
    window.push_back(rhs[d]);
  dims = getWindow(spatial, window, op.getWindowStrides(), op.getPadding(),
                   op.getLhsDilation(), op.getRhsDilation());
  if (auto reversal = op.getWindowReversal())
    for (auto [dim, reversed] : llvm::zip(dims, *reversal))
      dim.reversed = reversed;
  rows = countOf(positions);
  inner = countOf(window) * inFeatures;
  // Patches of a block stay in the second-level cache where they can; each
  // call packs the kernel again, which 128 rows of products pay for.
  constexpr int64_t patchElements = 1 << 16;
  block = std::clamp<int64_t>(patchElements / std::max<int64_t>(inner, 1), 128,
                              1024);
  block = std::min(block, std::max<int64_t>(rows, 1));
  blocks = llvm::divideCeil(rows, block);
}

namespace {
class Convolution {
public:
  Convolution(stablehlo::ConvolutionOp op, BufferEmitter &b)
      : op(op), b(b), e(b.e), ir(b.e.ir()), g(op),
        numbers(op.getDimensionNumbers()), lhsType(getElementType(op.getLhs())),
        rhsType(getElementType(op.getRhs())),
        outType(getElementType(op->getResult(0))),
        sumType(convolutionSumType(outType)) {}

  void run() {
    if (g.rows == 0 || g.outFeatures == 0)
      return;
    patches = e.localBuffer(g.block * g.inner * getElementBytes(sumType));
    kernel = e.localBuffer(g.inner * g.outFeatures * getElementBytes(sumType));
    sums = e.localBuffer(g.block * g.outFeatures * getElementBytes(sumType));
    Type i64 = IntegerType::get(op->getContext(), 64);
    Variable packedGroup = e.variable(i64);
    e.set(packedGroup, {ir.getInt64(-1)});
    e.forLoop(
        b.chunkBegin, b.chunkEnd, g.groups * g.blocks, [&](IndexExpr chunk) {
          auto [group, block] = e.divMod(chunk, g.blocks);
          llvm::Value *number = e.value(group);
          llvm::Value *isNew = ir.CreateICmpNE(e.get(packedGroup).re, number);
          e.ifThenElse(isNew, [&, group = group] { packKernel(group); });
          e.set(packedGroup, {number});
          llvm::Value *first =
              ir.CreateMul(e.value(block), ir.getInt64(g.block));
          llvm::Value *count = ir.CreateBinaryIntrinsic(
              llvm::Intrinsic::smin, ir.getInt64(g.block),
              ir.CreateSub(ir.getInt64(g.rows), first));
          packPatches(group, first, count);
          multiply(count);
          storeSums(group, first, count);
        });
  }

private:
  Index lhsIndex(IndexExpr group, ArrayRef<IndexExpr> position,
                 ArrayRef<IndexExpr> spatial, IndexExpr feature) {
    Index index(numbers.getInputSpatialDimensions().size() + 2);
    IndexExpr batch = position[0];
    if (g.batchGroups > 1)
      batch = batch + group * g.positions[0];
    if (g.featureGroups > 1)
      feature = feature + group * g.inFeatures;
    index[numbers.getInputBatchDimension()] = batch;
    index[numbers.getInputFeatureDimension()] = feature;
    for (auto [d, at] : llvm::zip(numbers.getInputSpatialDimensions(), spatial))
      index[d] = at;
    return index;
  }

  void packKernel(IndexExpr group) {
    e.forShape(g.window, [&](ArrayRef<IndexExpr> w) {
      e.forLoop(g.inFeatures, [&](IndexExpr i) {
        IndexExpr row = e.linearize(w, g.window) * g.inFeatures + i;
        e.forLoop(g.outFeatures, [&](IndexExpr o) {
          Index index(g.window.size() + 2);
          index[numbers.getKernelInputFeatureDimension()] = i;
          index[numbers.getKernelOutputFeatureDimension()] =
              group * g.outFeatures + o;
          for (auto [d, at] :
               llvm::zip(numbers.getKernelSpatialDimensions(), w))
            index[d] = at;
          Scalar value = convertScalar(ir, e.element(op.getRhs(), index),
                                       rhsType, sumType);
          storeElement(ir, sumType, value, kernel,
                       e.value(row * g.outFeatures + o));
        });
      });
    });
  }

  void packPatches(IndexExpr group, llvm::Value *first, llvm::Value *count) {
    e.forLoop(ir.getInt64(0), count, g.block, [&](IndexExpr row) {
      IndexExpr number =
          e.expr(ir.CreateAdd(first, e.value(row)), 0, g.rows - 1);
      Index position = e.delinearize(number, g.positions);
      e.forShape(g.window, [&](ArrayRef<IndexExpr> w) {
        WindowIndex where =
            locate(e, g.dims, ArrayRef(position).drop_front(), w);
        IndexExpr start =
            row * g.inner + e.linearize(w, g.window) * g.inFeatures;
        auto copy = [&] {
          e.forLoop(g.inFeatures, [&](IndexExpr i) {
            Index from = lhsIndex(group, position, where.index, i);
            Scalar value = convertScalar(ir, e.element(op.getLhs(), from),
                                         lhsType, sumType);
            storeElement(ir, sumType, value, patches, e.value(start + i));
          });
        };
        auto clear = [&] {
          e.forLoop(g.inFeatures, [&](IndexExpr i) {
            storeElement(ir, sumType, zeroScalar(ir, sumType), patches,
                         e.value(start + i));
          });
        };
        if (where.inside)
          e.ifThenElse(where.inside, copy, clear);
        else
          copy();
      });
    });
  }

  void multiply(llvm::Value *count) {
    auto sumAt = [&](IndexExpr row, IndexExpr o) {
      return e.value(row * g.outFeatures + o);
    };
    e.forLoop(ir.getInt64(0), count, g.block, [&](IndexExpr row) {
      e.forLoop(g.outFeatures, [&](IndexExpr o) {
        storeElement(ir, sumType, zeroScalar(ir, sumType), sums, sumAt(row, o));
      });
      e.forLoop(g.inner, [&](IndexExpr k) {
        Scalar x =
            loadElement(ir, sumType, patches, e.value(row * g.inner + k));
        e.forLoop(ir.getInt64(0), ir.getInt64(g.outFeatures), g.outFeatures,
                  [&](IndexExpr o) {
                    Scalar y = loadElement(ir, sumType, kernel,
                                           e.value(k * g.outFeatures + o));
                    llvm::Value *at = sumAt(row, o);
                    Scalar sum = loadElement(ir, sumType, sums, at);
                    storeElement(ir, sumType,
                                 emitAdd(ir, sumType, sum,
                                         emitMultiply(ir, sumType, x, y)),
                                 sums, at);
                  });
      });
    });
  }

  void storeSums(IndexExpr group, llvm::Value *first, llvm::Value *count) {
    e.forLoop(ir.getInt64(0), count, g.block, [&](IndexExpr row) {
      IndexExpr number =
          e.expr(ir.CreateAdd(first, e.value(row)), 0, g.rows - 1);
      Index position = e.delinearize(number, g.positions);
      e.forLoop(g.outFeatures, [&](IndexExpr o) {
        Index index(g.window.size() + 2);
        index[numbers.getOutputBatchDimension()] = position[0];
        index[numbers.getOutputFeatureDimension()] = group * g.outFeatures + o;
        for (auto [d, at] : llvm::zip(numbers.getOutputSpatialDimensions(),
                                      ArrayRef(position).drop_front()))
          index[d] = at;
        Scalar sum =
            loadElement(ir, sumType, sums, e.value(row * g.outFeatures + o));
        b.store(0, index, convertScalar(ir, sum, sumType, outType));
      });
    });
  }

  stablehlo::ConvolutionOp op;
  BufferEmitter &b;
  ElementEmitter &e;
  IRBuilder &ir;
  ConvolutionGeometry g;
  stablehlo::ConvDimensionNumbersAttr numbers;
  Type lhsType, rhsType, outType, sumType;
  llvm::Value *patches = nullptr, *kernel = nullptr, *sums = nullptr;
};
} // namespace

void registerConvolutionOps(OpEmitters &emitters) {
  OpEmitter &emitter = emitters.buffer<stablehlo::ConvolutionOp>(
      [](stablehlo::ConvolutionOp op, BufferEmitter &b) {
        if (isDepthwise(op))
          emitDepthwise(op, b);
        else if (!emitLibraryConvolution(op, b))
          Convolution(op, b).run();
      });
  emitter.chunks = [](Operation *op) {
    auto convolution = cast<stablehlo::ConvolutionOp>(op);
    if (isDepthwise(convolution))
      return depthwiseChunks(convolution);
    if (std::optional<int64_t> chunks = libraryConvolutionChunks(convolution))
      return *chunks;
    ConvolutionGeometry g(convolution);
    return std::max<int64_t>(g.groups * g.blocks, 1);
  };
  emitter.flops = [](Operation *op) {
    ConvolutionGeometry g(cast<stablehlo::ConvolutionOp>(op));
    return 2 * g.groups * g.rows * g.inner * g.outFeatures;
  };
}

} // namespace shoal::cpu
