// Convolutions with one input feature in each group. Matrix products of single
// columns waste what packing costs; here a row of sums is kept, and for each
// window element one loop over it adds products. What a row is follows the
// layout: all features of a position where features are minor, else all columns
// of a feature.
#include "Convolution.h"
#include "lib/Codegen/CPU/ScalarMath.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace shoal::cpu {

namespace {
bool featuresAreMinor(stablehlo::ConvolutionOp op) {
  auto numbers = op.getDimensionNumbers();
  int64_t last = shapeOfTensor(op.getLhs()).size() - 1;
  return numbers.getInputFeatureDimension() == last &&
         numbers.getOutputFeatureDimension() == last;
}
bool columnsAreMinor(stablehlo::ConvolutionOp op) {
  auto numbers = op.getDimensionNumbers();
  int64_t last = shapeOfTensor(op.getLhs()).size() - 1;
  return !numbers.getInputSpatialDimensions().empty() &&
         numbers.getInputSpatialDimensions().back() == last &&
         numbers.getOutputSpatialDimensions().back() == last;
}

class Depthwise {
public:
  Depthwise(stablehlo::ConvolutionOp op, BufferEmitter &b)
      : op(op), b(b), e(b.e), ir(b.e.ir()), g(op),
        numbers(op.getDimensionNumbers()), lhsType(getElementType(op.getLhs())),
        rhsType(getElementType(op.getRhs())),
        outType(getElementType(op->getResult(0))),
        sumType(convolutionSumType(outType)),
        features(g.groups * g.outFeatures) {}

  /// Positions in a chunk, where a chunk is some positions.
  static constexpr int64_t block = 128;

  void run() {
    if (g.rows == 0 || features == 0)
      return;
    if (featuresAreMinor(op))
      runPositions();
    else
      runColumns();
  }

private:
  Index lhsIndex(IndexExpr batch, IndexExpr feature,
                 ArrayRef<IndexExpr> spatial) {
    Index index(spatial.size() + 2);
    index[numbers.getInputBatchDimension()] = batch;
    index[numbers.getInputFeatureDimension()] = feature;
    for (auto [d, at] : llvm::zip(numbers.getInputSpatialDimensions(), spatial))
      index[d] = at;
    return index;
  }
  Scalar lhsElement(IndexExpr batch, IndexExpr feature,
                    ArrayRef<IndexExpr> spatial) {
    return convertScalar(
        ir, e.element(op.getLhs(), lhsIndex(batch, feature, spatial)), lhsType,
        sumType);
  }
  Scalar kernelElement(IndexExpr feature, ArrayRef<IndexExpr> w) {
    Index index(w.size() + 2);
    index[numbers.getKernelInputFeatureDimension()] = IndexExpr(0);
    index[numbers.getKernelOutputFeatureDimension()] = feature;
    for (auto [d, at] : llvm::zip(numbers.getKernelSpatialDimensions(), w))
      index[d] = at;
    return convertScalar(ir, e.element(op.getRhs(), index), rhsType, sumType);
  }
  void store(IndexExpr batch, IndexExpr feature, ArrayRef<IndexExpr> spatial,
             Scalar sum) {
    Index index(spatial.size() + 2);
    index[numbers.getOutputBatchDimension()] = batch;
    index[numbers.getOutputFeatureDimension()] = feature;
    for (auto [d, at] :
         llvm::zip(numbers.getOutputSpatialDimensions(), spatial))
      index[d] = at;
    b.store(0, index, convertScalar(ir, sum, sumType, outType));
  }
  void addTo(llvm::Value *at, Scalar x, Scalar y) {
    Scalar sum = loadElement(ir, sumType, sums, at);
    sum = emitAdd(ir, sumType, sum, emitMultiply(ir, sumType, x, y));
    storeElement(ir, sumType, sum, sums, at);
  }
  void forRow(int64_t size, llvm::function_ref<void(IndexExpr)> body) {
    e.forLoop(ir.getInt64(0), ir.getInt64(size), size, body);
  }
  void clear(int64_t size) {
    forRow(size, [&](IndexExpr i) {
      storeElement(ir, sumType, zeroScalar(ir, sumType), sums, e.value(i));
    });
  }
  void whenInside(llvm::Value *inside, llvm::function_ref<void()> body) {
    if (inside)
      e.ifThenElse(inside, body);
    else
      body();
  }

  void runPositions() {
    int64_t bytes = features * getElementBytes(sumType);
    sums = e.localBuffer(bytes);
    llvm::Value *kernel = e.localBuffer(countOf(g.window) * bytes);
    e.forShape(g.window, [&](ArrayRef<IndexExpr> w) {
      IndexExpr row = e.linearize(w, g.window) * features;
      forRow(features, [&](IndexExpr o) {
        storeElement(ir, sumType, kernelElement(o, w), kernel,
                     e.value(row + o));
      });
    });
    int64_t blocks = llvm::divideCeil(g.rows, block);
    e.forLoop(b.chunkBegin, b.chunkEnd, blocks, [&](IndexExpr chunk) {
      llvm::Value *first = ir.CreateMul(e.value(chunk), ir.getInt64(block));
      llvm::Value *end = ir.CreateBinaryIntrinsic(
          llvm::Intrinsic::smin, ir.CreateAdd(first, ir.getInt64(block)),
          ir.getInt64(g.rows));
      e.forLoop(first, end, g.rows, [&](IndexExpr number) {
        Index position = e.delinearize(number, g.positions);
        ArrayRef<IndexExpr> spatial = ArrayRef(position).drop_front();
        clear(features);
        e.forShape(g.window, [&](ArrayRef<IndexExpr> w) {
          WindowIndex where = locate(e, g.dims, spatial, w);
          IndexExpr row = e.linearize(w, g.window) * features;
          whenInside(where.inside, [&] {
            forRow(features, [&](IndexExpr o) {
              IndexExpr feature = e.divMod(o, g.outFeatures).first;
              addTo(e.value(o), lhsElement(position[0], feature, where.index),
                    loadElement(ir, sumType, kernel, e.value(row + o)));
            });
          });
        });
        forRow(features, [&](IndexExpr o) {
          store(position[0], o, spatial,
                loadElement(ir, sumType, sums, e.value(o)));
        });
      });
    });
  }

  void runColumns() {
    int64_t columns = g.positions.back();
    sums = e.localBuffer(columns * getElementBytes(sumType));
    ArrayRef<int64_t> outer = ArrayRef(g.positions).drop_front().drop_back();
    const WindowDim &last = g.dims.back();
    int64_t count = g.positions[0] * features;
    e.forLoop(b.chunkBegin, b.chunkEnd, count, [&](IndexExpr chunk) {
      auto [batch, o] = e.divMod(chunk, features);
      IndexExpr feature = e.divMod(o, g.outFeatures).first;
      e.forShape(outer, [&, batch = batch, o = o](ArrayRef<IndexExpr> at) {
        clear(columns);
        e.forShape(g.window, [&](ArrayRef<IndexExpr> w) {
          WindowIndex where =
              locate(e, ArrayRef(g.dims).drop_back(), at, w.drop_back());
          whenInside(where.inside, [&] {
            Scalar y = kernelElement(o, w);
            WindowRange range = outputsInside(e, last, columns, w.back());
            e.forLoop(range.low, range.high, columns, [&](IndexExpr c) {
              Index spatial(where.index);
              spatial.push_back(c * last.stride + range.offset);
              addTo(e.value(c), lhsElement(batch, feature, spatial), y);
            });
          });
        });
        forRow(columns, [&](IndexExpr c) {
          Index spatial(at.begin(), at.end());
          spatial.push_back(c);
          store(batch, o, spatial, loadElement(ir, sumType, sums, e.value(c)));
        });
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
  int64_t features;
  llvm::Value *sums = nullptr;
};
} // namespace

bool isDepthwise(stablehlo::ConvolutionOp op) {
  ConvolutionGeometry g(op);
  if (g.featureGroups < 4 || g.batchGroups != 1 || g.inFeatures != 1)
    return false;
  return featuresAreMinor(op) ||
         (columnsAreMinor(op) && g.dims.back().baseDilation == 1 &&
          g.positions.back() > 4);
}

void emitDepthwise(stablehlo::ConvolutionOp op, BufferEmitter &b) {
  Depthwise(op, b).run();
}

int64_t depthwiseChunks(stablehlo::ConvolutionOp op) {
  ConvolutionGeometry g(op);
  int64_t chunks = featuresAreMinor(op)
                       ? llvm::divideCeil(g.rows, Depthwise::block)
                       : g.positions[0] * g.groups * g.outFeatures;
  return std::max<int64_t>(chunks, 1);
}

} // namespace shoal::cpu
