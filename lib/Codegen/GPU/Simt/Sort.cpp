// sort and top_k: a stable merge sort in which every element finds its own place
// in the merged run, by binary search in the other one. The first launch sorts
// tiles, a block each; each launch after it merges runs of twice the length.
// Elements go back and forth between two halves of scratch memory.
#include "SimtEmitter.h"

#include "lib/Codegen/CPU/ScalarMath.h"
#include "lib/Codegen/CPU/Special/Special.h"

#include "dialects/CHLO/CHLO.h"
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
/// What is sorted: lines of n elements, each some values.
struct SortSpec {
  Operation *op = nullptr;
  SmallVector<Type> types;
  SmallVector<int64_t> outer; ///< shape of the lines
  int64_t lines = 1, n = 1;
  /// Values of element i of a line.
  std::function<SmallVector<Scalar>(SimtEmitter &, ArrayRef<IndexExpr> line,
                                    IndexExpr i)>
      read;
  /// Stores them as element i of the sorted line.
  std::function<void(SimtEmitter &, ArrayRef<IndexExpr> line, IndexExpr i,
                     ArrayRef<Scalar>)>
      write;
  /// Whether x goes before y.
  std::function<llvm::Value *(SimtEmitter &, ArrayRef<Scalar> x,
                              ArrayRef<Scalar> y)>
      before;
  /// Offsets in scratch memory: of each value two arrays of all elements.
  SmallVector<std::array<int64_t, 2>> places;
  /// Of tiles, a power of two; threads of their blocks.
  int64_t tile = 1;
};

class Sorter {
public:
  Sorter(SimtEmitter &e, const SortSpec &spec)
      : e(e), ir(e.ir()), spec(spec),
        i64(IntegerType::get(spec.op->getContext(), 64)) {}

  /// Sorts tiles; `last` if a line is one tile.
  void sortTiles(bool last) {
    int64_t tiles = llvm::divideCeil(spec.n, spec.tile);
    e.blockLoop(spec.lines * tiles, [&](IndexVar *unit) {
      auto [line, tile] = e.divMod(IndexExpr(unit), tiles);
      llvm::Value *thread = ir.CreateZExt(e.threadInBlock(), ir.getInt64Ty());
      llvm::Value *low = ir.CreateMul(e.value(tile), ir.getInt64(spec.tile));
      llvm::Value *at = ir.CreateAdd(low, thread);
      llvm::Value *high = ir.CreateBinaryIntrinsic(
          llvm::Intrinsic::smin, ir.CreateAdd(low, ir.getInt64(spec.tile)),
          ir.getInt64(spec.n));
      llvm::Value *active = ir.CreateICmpSLT(at, high);
      llvm::Value *base = ir.CreateMul(e.value(line), ir.getInt64(spec.n));
      Index lineIndex = e.delinearize(line, spec.outer);
      e.ifThenElse(active, [&] {
        store(ir.getInt64(0), ir.CreateAdd(base, at),
              spec.read(e, lineIndex, e.expr(at, 0, spec.n - 1)));
      });
      e.barrier();
      // One pass in the code for all widths: `side` says where elements are.
      Variable width = e.variable(i64), side = e.variable(i64);
      e.set(width, {ir.getInt64(1)});
      e.set(side, {ir.getInt64(0)});
      e.whileLoop(
          [&] {
            return ir.CreateICmpSLT(e.get(width).re, ir.getInt64(spec.tile));
          },
          [&] {
            llvm::Value *w = e.get(width).re, *from = e.get(side).re;
            llvm::Value *to = ir.CreateXor(from, 1);
            e.ifThenElse(active, [&] {
              SmallVector<Scalar> own = load(from, ir.CreateAdd(base, at));
              llvm::Value *place = findPlace(own, from, base, at, w, high);
              store(to, ir.CreateAdd(base, place), own);
            });
            e.set(width, {ir.CreateShl(w, 1)});
            e.set(side, {to});
            e.barrier();
          });
      if (last)
        e.ifThenElse(active, [&] {
          spec.write(e, lineIndex, e.expr(at, 0, spec.n - 1),
                     load(e.get(side).re, ir.CreateAdd(base, at)));
        });
      e.barrier();
    });
  }

  /// Merges runs of `width`, which lie on side `from`.
  void merge(int64_t width, unsigned from, bool last) {
    e.gridLoop(spec.lines * spec.n, [&](IndexVar *element) {
      auto [line, i] = e.divMod(IndexExpr(element), spec.n);
      llvm::Value *at = e.value(i);
      llvm::Value *base = ir.CreateMul(e.value(line), ir.getInt64(spec.n));
      llvm::Value *side = ir.getInt64(from);
      SmallVector<Scalar> own = load(side, ir.CreateAdd(base, at));
      llvm::Value *place = findPlace(own, side, base, at, ir.getInt64(width),
                                     ir.getInt64(spec.n));
      if (last)
        spec.write(e, e.delinearize(line, spec.outer),
                   e.expr(place, 0, spec.n - 1), own);
      else
        store(ir.getInt64(from ^ 1), ir.CreateAdd(base, place), own);
    });
  }

private:
  llvm::Value *address(unsigned k, llvm::Value *side) {
    // Both arrays of a value stand one after the other.
    auto [first, second] = spec.places[k];
    return ir.CreateInBoundsGEP(
        ir.getInt8Ty(), e.scratch(first),
        ir.CreateMul(side, ir.getInt64(second - first)));
  }
  SmallVector<Scalar> load(llvm::Value *side, llvm::Value *index) {
    SmallVector<Scalar> values;
    for (auto [k, type] : llvm::enumerate(spec.types))
      values.push_back(cpu::loadElement(ir, type, address(k, side), index));
    return values;
  }
  void store(llvm::Value *side, llvm::Value *index, ArrayRef<Scalar> values) {
    for (auto [k, type] : llvm::enumerate(spec.types))
      cpu::storeElement(ir, type, values[k], address(k, side), index);
  }

  /// The place of element `at` (values `own`) once its run of length `width` is
  /// merged with the neighbour; nothing is at or behind `end`.
  llvm::Value *findPlace(ArrayRef<Scalar> own, llvm::Value *side,
                         llvm::Value *base, llvm::Value *at, llvm::Value *width,
                         llvm::Value *end) {
    auto smin = [&](llvm::Value *a, llvm::Value *b) {
      return ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, a, b);
    };
    // Runs start at multiples of the width, a power of two.
    llvm::Value *mask = ir.CreateSub(width, ir.getInt64(1));
    llvm::Value *start = ir.CreateAnd(at, ir.CreateNot(mask));
    llvm::Value *isRight =
        ir.CreateICmpNE(ir.CreateAnd(at, width), ir.getInt64(0));
    llvm::Value *pair = ir.CreateAnd(start, ir.CreateNot(width));
    llvm::Value *other =
        ir.CreateSelect(isRight, pair, ir.CreateAdd(start, width));
    llvm::Value *low = smin(other, end);
    llvm::Value *high = smin(ir.CreateAdd(other, width), end);
    // How many elements of the other run go before this one: of equal ones
    // those of the left run do.
    Variable lower = e.variable(i64), upper = e.variable(i64);
    e.set(lower, {low});
    e.set(upper, {high});
    e.whileLoop(
        [&] { return ir.CreateICmpSLT(e.get(lower).re, e.get(upper).re); },
        [&] {
          llvm::Value *l = e.get(lower).re, *u = e.get(upper).re;
          llvm::Value *middle = ir.CreateLShr(ir.CreateAdd(l, u), 1);
          SmallVector<Scalar> there = load(side, ir.CreateAdd(base, middle));
          // One comparison: the comparator is inlined once.
          SmallVector<Scalar> x, y;
          for (auto [mine, its] : llvm::zip_equal(own, there)) {
            x.push_back(cpu::selectScalar(ir, isRight, mine, its));
            y.push_back(cpu::selectScalar(ir, isRight, its, mine));
          }
          llvm::Value *xFirst = spec.before(e, x, y);
          // Right: those that this one does not go before. Left: those that go
          // before this one.
          llvm::Value *itsFirst = ir.CreateXor(xFirst, isRight);
          e.set(lower, {ir.CreateSelect(
                           itsFirst, ir.CreateAdd(middle, ir.getInt64(1)), l)});
          e.set(upper, {ir.CreateSelect(itsFirst, u, middle)});
        });
    llvm::Value *count = ir.CreateSub(e.get(lower).re, low);
    return ir.CreateAdd(ir.CreateAdd(pair, ir.CreateSub(at, start)), count);
  }

  SimtEmitter &e;
  IRBuilder &ir;
  const SortSpec &spec;
  Type i64;
};

void addSteps(SortSpec spec, SimtKernel &kernel) {
  kernel.form = "sort";
  kernel.flops = spec.lines * spec.n *
                 std::max<int64_t>(1, llvm::Log2_64_Ceil(std::max<int64_t>(
                                          spec.n, 1)));
  if (spec.lines * spec.n == 0) {
    kernel.steps.push_back({32, [](SimtEmitter &) {}});
    return;
  }
  constexpr int64_t largestTile = 512;
  spec.tile = std::min<int64_t>(largestTile, llvm::PowerOf2Ceil(spec.n));
  for (Type type : spec.types) {
    int64_t bytes = spec.lines * spec.n * getElementBytes(type);
    int64_t first = kernel.reserve(bytes), second = kernel.reserve(bytes);
    spec.places.push_back({first, second});
  }
  bool one = spec.n <= spec.tile;
  // Whole warps.
  int64_t threads = llvm::alignTo(spec.tile, 32);
  kernel.steps.push_back({threads, [spec, one](SimtEmitter &e) {
                            Sorter(e, spec).sortTiles(one);
                          }});
  unsigned side = llvm::Log2_64(spec.tile) % 2;
  for (int64_t width = spec.tile; width < spec.n; width *= 2, side ^= 1)
    kernel.steps.push_back(
        {defaultBlock, [spec, width, side](SimtEmitter &e) {
           Sorter(e, spec).merge(width, side, width * 2 >= spec.n);
         }});
}

Index insert(ArrayRef<IndexExpr> line, int64_t dim, IndexExpr i) {
  Index index(line.begin(), line.end());
  index.insert(index.begin() + dim, i);
  return index;
}

void makeSort(stablehlo::SortOp op, const KernelSource &, SimtKernel &kernel) {
  ArrayRef<int64_t> shape = shapeOf(op->getOperand(0));
  int64_t dim = op.getDimension();
  if (dim < 0)
    dim += shape.size();
  SortSpec spec;
  spec.op = op;
  for (Value operand : op->getOperands())
    spec.types.push_back(getElementType(operand));
  spec.outer.assign(shape.begin(), shape.end());
  spec.outer.erase(spec.outer.begin() + dim);
  spec.lines = countElements(spec.outer);
  spec.n = shape[dim];
  spec.read = [op, dim](SimtEmitter &e, ArrayRef<IndexExpr> line,
                        IndexExpr i) {
    SmallVector<Scalar> values;
    for (Value operand : op->getOperands())
      values.push_back(e.element(operand, insert(line, dim, i)));
    return values;
  };
  spec.write = [op, dim](SimtEmitter &e, ArrayRef<IndexExpr> line, IndexExpr i,
                         ArrayRef<Scalar> values) {
    for (auto [k, value] : llvm::enumerate(values))
      if (const KernelEmitter::Array *array = resultArray(e, op, k))
        e.storeArray(*array,
                     e.linearize(insert(line, dim, i), array->type.getShape()),
                     value);
  };
  spec.before = [op](SimtEmitter &e, ArrayRef<Scalar> x, ArrayRef<Scalar> y) {
    SmallVector<Scalar> arguments;
    for (auto [left, right] : llvm::zip_equal(x, y)) {
      arguments.push_back(left);
      arguments.push_back(right);
    }
    return e.inlineRegion(op->getRegion(0), arguments).front().re;
  };
  addSteps(std::move(spec), kernel);
}

void makeTopK(chlo::TopKOp op, const KernelSource &, SimtKernel &kernel) {
  Value operand = op.getOperand();
  ArrayRef<int64_t> shape = shapeOf(operand);
  int64_t k = shapeOf(op->getResult(0)).back();
  Type type = getElementType(operand);
  Type indexType = getElementType(op->getResult(1));
  SortSpec spec;
  spec.op = op;
  spec.types = {type, indexType};
  spec.outer.assign(shape.begin(), shape.end() - 1);
  spec.lines = countElements(spec.outer);
  spec.n = k == 0 ? 0 : shape.back();
  spec.read = [operand, indexType](SimtEmitter &e, ArrayRef<IndexExpr> line,
                                   IndexExpr i) {
    Scalar number = {e.ir().CreateTrunc(
        e.value(i), cpu::getCarrierType(indexType, e.ir().getContext()))};
    return SmallVector<Scalar>{e.element(operand, insert(line, line.size(), i)),
                               number};
  };
  spec.write = [op, k](SimtEmitter &e, ArrayRef<IndexExpr> line, IndexExpr i,
                       ArrayRef<Scalar> values) {
    e.ifThenElse(e.inBounds(i, k), [&] {
      IndexExpr within = e.expr(e.value(i), 0, k - 1);
      for (auto [r, value] : llvm::enumerate(values))
        if (const KernelEmitter::Array *array = resultArray(e, op, r))
          e.storeArray(*array,
                       e.linearize(insert(line, line.size(), within),
                                   array->type.getShape()),
                       value);
    });
  };
  spec.before = [type](SimtEmitter &e, ArrayRef<Scalar> x,
                       ArrayRef<Scalar> y) {
    return cpu::emitCompare(e.ir(), cpu::Comparison::GT, type, x[0], y[0],
                            /*totalOrder=*/true);
  };
  addSteps(std::move(spec), kernel);
}
} // namespace

void shoal::gpu::simt::addSortForms(OpForms &forms) {
  forms.add<stablehlo::SortOp>(makeSort);
  forms.add<chlo::TopKOp>(makeTopK);
}
