// Reductions whose minor dimension is kept (sums of columns): a tile of the
// results stays in accumulators while the operands go by row after row, so
// that the innermost loop is over contiguous memory.

#include "ReductionGroup.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal::cpu;

namespace {
struct ColumnReduction {
  KernelEmitter &e;
  ReductionGroup &group;
  SmallVector<SmallVector<KernelEmitter::Array>> accumulators;

  /// Rows of operands combined per pass over the tile: saves traffic to the
  /// accumulators.
  static constexpr int64_t unroll = 4;

  /// One pass over the tile [lower, upper) of the minor kept dimensions.
  void overTile(llvm::Value *lower, llvm::Value *upper, int64_t minor,
                ArrayRef<IndexExpr> outer, ArrayRef<int64_t> minorShape,
                const IndexExpr &tileStart,
                llvm::function_ref<void(Index, IndexExpr)> body) {
    auto at = [&](IndexExpr j) {
      Index kept(outer.begin(), outer.end());
      if (j.isConstant())
        kept.append(minorShape.size(), IndexExpr(0));
      else
        llvm::append_range(kept, e.splitVar(j.getTerms()[0].var, minorShape));
      body(kept, j - tileStart);
    };
    e.parallelLoop(lower, upper, minor, at);
  }

  void emit() {
    // Kept dimensions after the last reduced one are contiguous in a tile.
    const Reduction &first = group.reductions.front();
    ArrayRef<int64_t> rowShape = group.rowShape;
    unsigned outerDims = llvm::count_if(
        first.keptDims, [&](int64_t d) { return d < first.dims.back(); });
    ArrayRef<int64_t> outerShape = rowShape.take_front(outerDims);
    ArrayRef<int64_t> minorShape = rowShape.drop_front(outerDims);
    int64_t outer = countElements(outerShape);
    int64_t minor = countElements(minorShape);
    int64_t tile = outer * llvm::divideCeil(minor, 256) < 8 ? 64 : 256;
    tile = std::min(tile, minor);
    int64_t tiles = llvm::divideCeil(minor, tile);

    int64_t cost = 0;
    for (Reduction &reduction : group.reductions) {
      auto &arrays = accumulators.emplace_back();
      for (Type type : reduction.accumulatorTypes)
        arrays.push_back(e.localArray(type, tile));
      cost += elementCost(reduction.op.getResult(0), e.getEmitters());
    }
    e.getFacts().flops += cost * group.rows;

    SmallVector<int64_t> unitShape(outerShape);
    unitShape.push_back(tiles);
    e.parallelUnits(outer * tiles, cost * tile, [&](IndexVar *unit) {
      Index units = e.splitVar(unit, unitShape);
      IndexExpr tileStart = units.pop_back_val() * tile;
      IRBuilder &ir = e.ir();
      llvm::Value *lower = e.value(tileStart);
      llvm::Value *upper = ir.CreateAdd(lower, ir.getInt64(tile), "", true, true);
      if (minor % tile != 0)
        upper = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, upper,
                                         ir.getInt64(minor));
      auto pass = [&](llvm::function_ref<void(Index, IndexExpr)> body) {
        overTile(lower, upper, minor, units, minorShape, tileStart, body);
      };

      SmallVector<SmallVector<Scalar>> initial;
      for (Reduction &reduction : group.reductions)
        initial.push_back(reduction.initial(e));
      pass([&](Index, IndexExpr slot) {
        for (auto [arrays, values] : llvm::zip_equal(accumulators, initial))
          for (auto [array, value] : llvm::zip_equal(arrays, values))
            e.storeArray(array, slot, value);
      });

      ArrayRef<int64_t> reduced = group.reducedShape();
      int64_t last = reduced.back();
      auto rows = [&](ArrayRef<IndexExpr> major, IndexExpr start, int64_t n) {
        pass([&](Index kept, IndexExpr slot) {
          for (auto [reduction, arrays] :
               llvm::zip_equal(group.reductions, accumulators)) {
            SmallVector<Scalar> values;
            for (KernelEmitter::Array &array : arrays)
              values.push_back(e.loadArray(array, slot));
            for (int64_t u = 0; u < n; ++u) {
              Index at(major.begin(), major.end());
              at.push_back(start + IndexExpr(u));
              values = reduction.combine(e, values,
                                         reduction.operandIndex(kept, at));
            }
            for (auto [array, value] : llvm::zip_equal(arrays, values))
              e.storeArray(array, slot, value);
          }
        });
      };
      e.forShape(reduced.drop_back(), [&](ArrayRef<IndexExpr> major) {
        e.forLoop(last / unroll,
                  [&](IndexExpr i) { rows(major, i * unroll, unroll); });
        if (last % unroll != 0)
          rows(major, IndexExpr(last - last % unroll), last % unroll);
      });

      pass([&](Index kept, IndexExpr slot) {
        for (auto [reduction, arrays] :
             llvm::zip_equal(group.reductions, accumulators)) {
          SmallVector<Scalar> values;
          for (KernelEmitter::Array &array : arrays)
            values.push_back(e.loadArray(array, slot));
          for (auto [value, result] :
               llvm::zip_equal(reduction.op.getResults(),
                               reduction.round(e, values)))
            e.remember(value, kept, result);
        }
        group.storeRowOutputs(e, kept);
      });
    });
  }
};
} // namespace

bool shoal::cpu::emitColumnReduction(KernelEmitter &e) {
  std::optional<ReductionGroup> group = findReductionGroup(e.getSource());
  if (!group || group->reductions.empty() || group->reducesMinor() || group->numLevels != 1 ||
      !group->fullOutputs.empty())
    return false;
  ColumnReduction{e, *group, {}}.emit();
  return true;
}
