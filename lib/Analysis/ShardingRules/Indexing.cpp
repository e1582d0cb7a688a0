// Ops whose places are data: gather, scatter and their older forms.
#include "Models.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/ScalarBodies.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::stablehlo;

namespace shoal::rules {
namespace {

/// What gather and scatter have in common: an input addressed by indices, and
/// slices of it (gather's result, scatter's updates).
struct IndexedAccess {
  ArrayRef<int64_t> input, slices;
  int64_t indexVectorDim;
  ArrayRef<int64_t> offsetDims, collapsedDims, inputBatchDims, indicesBatchDims;
  /// Slices that cover a dimension are taken to start at 0, except along these.
  SmallVector<int64_t> shiftedDims = {};

  enum class Role {
    Window,     // Whole dimension of the input, in each slice.
    Batch,      // Of indices and slices: one slice each.
    SharedBatch, // The same, and of the input as well.
    Addressed,  // Of the input only: found through the indices.
    Partial,    // Of the slices only: part of an addressed dimension.
  };

  /// Calls `add(inputDim, indicesDim, slicesDim, size, role)` for each factor,
  /// along the slices' dimensions first, then the collapsed ones.
  template <typename Add> void forEachFactor(Add add) const {
    int64_t inputDim = 0, batch = 0;
    for (auto [slicesDim, size] : llvm::enumerate(slices)) {
      if (llvm::is_contained(offsetDims, int64_t(slicesDim))) {
        while (llvm::is_contained(collapsedDims, inputDim) ||
               llvm::is_contained(inputBatchDims, inputDim))
          ++inputDim;
        if (input[inputDim] == size &&
            !llvm::is_contained(shiftedDims, inputDim)) {
          add(inputDim, kNone, int64_t(slicesDim), size, Role::Window);
        } else {
          add(inputDim, kNone, kNone, input[inputDim], Role::Addressed);
          add(kNone, kNone, int64_t(slicesDim), size, Role::Partial);
        }
        ++inputDim;
        continue;
      }
      int64_t indicesDim = batch < indexVectorDim ? batch : batch + 1;
      ++batch;
      const auto *it = llvm::find(indicesBatchDims, indicesDim);
      if (it == indicesBatchDims.end())
        add(kNone, indicesDim, int64_t(slicesDim), size, Role::Batch);
      else
        add(inputBatchDims[it - indicesBatchDims.begin()], indicesDim,
            int64_t(slicesDim), size, Role::SharedBatch);
    }
    for (int64_t d : collapsedDims)
      add(d, kNone, kNone, input[d], Role::Addressed);
  }
};
using Role = IndexedAccess::Role;

/// All components of an index are needed together.
void mapIndexVector(RuleBuilder &builder, int64_t operand, Value indices,
                    int64_t dim) {
  if (dim < rankOf(indices))
    builder.mapOperand(operand, dim,
                       builder.createFactor(shapeOf(indices)[dim],
                                            FactorKind::NeedReplication));
}

//===----------------------------------------------------------------------===//
// gather
//===----------------------------------------------------------------------===//

template <typename Op>
ShardingRule makeGather(Op op) {
  GatherDimensionNumbersAttr dims = op.getDimensionNumbers();
  IndexedAccess access{shapeOf(op.getOperand()),
                       shapeOf(op.getResult()),
                       dims.getIndexVectorDim(),
                       dims.getOffsetDims(),
                       dims.getCollapsedSliceDims(),
                       dims.getOperandBatchingDims(),
                       dims.getStartIndicesBatchingDims()};
  RuleBuilder builder(op);
  access.forEachFactor([&](int64_t inputDim, int64_t indicesDim,
                           int64_t slicesDim, int64_t size, Role role) {
    int64_t factor = builder.createFactor(
        size, role == Role::Addressed ? FactorKind::Indexed
                                      : FactorKind::PassThrough);
    if (inputDim != kNone)
      builder.mapOperand(0, inputDim, factor);
    if (indicesDim != kNone)
      builder.mapOperand(1, indicesDim, factor);
    if (slicesDim != kNone)
      builder.mapResult(0, slicesDim, factor);
    // Found in one part only: the others hold zeros, and the sum is it.
    if (role == Role::Addressed)
      builder.last().reduction = ReductionKind::Add;
  });
  mapIndexVector(builder, 1, op.getStartIndices(), dims.getIndexVectorDim());
  return builder.movesData({0}).build();
}
ShardingRule gatherRule(GatherOp op) { return makeGather(op); }
ShardingRule dynamicGatherRule(DynamicGatherOp op) { return makeGather(op); }

//===----------------------------------------------------------------------===//
// scatter
//===----------------------------------------------------------------------===//

/// Dimensions along which updates may start elsewhere than at 0. (What then
/// lies outside is dropped element by element, so that even an update that
/// covers the dimension may be shifted along it.)
SmallVector<int64_t> getShiftedDims(ScatterOp op) {
  ScatterDimensionNumbersAttr dims = op.getScatterDimensionNumbers();
  DenseIntElementsAttr starts;
  bool known = matchPattern(op.getScatterIndices(), m_Constant(&starts));
  SmallVector<int64_t> shifted;
  for (auto [k, d] : llvm::enumerate(dims.getScatterDimsToOperandDims())) {
    bool zero = known;
    if (known) {
      // Components of one kind are `minor` apart from one another.
      ArrayRef<int64_t> shape = shapeOf(op.getScatterIndices());
      int64_t vector = dims.getIndexVectorDim(), minor = 1, i = 0;
      for (int64_t size : shape.drop_front(
               std::min<size_t>(shape.size(), vector + 1)))
        minor *= size;
      int64_t components =
          vector < int64_t(shape.size()) ? shape[vector] : 1;
      for (const APInt &start : starts.getValues<APInt>())
        zero &= i++ / minor % components != int64_t(k) || start.isZero();
    }
    if (!zero)
      shifted.push_back(d);
  }
  return shifted;
}

/// The kind by which every result combines its input with its update alone, if
/// that is one closed kind for all.
std::optional<ReductionKind> getScatterKind(ScatterOp op) {
  size_t n = op.getInputs().size();
  if (n == 1)
    return getReductionKind(op.getUpdateComputation());
  if (op.getUpdateComputation().empty())
    return std::nullopt;
  Block &body = op.getUpdateComputation().front();
  Operation *end = body.getTerminator();
  for (size_t i = 0; i < n; ++i) {
    auto add = end->getOperand(i).getDefiningOp<AddOp>();
    Value mine = body.getArgument(i), update = body.getArgument(n + i);
    if (!add ||
        !((add.getLhs() == mine && add.getRhs() == update) ||
          (add.getLhs() == update && add.getRhs() == mine)) ||
        getElementTypeOrSelf(mine.getType()).isInteger(1))
      return std::nullopt;
  }
  return ReductionKind::Add;
}

/// Operands are n inputs, the indices, n updates.
ShardingRule scatterRule(ScatterOp op) {
  size_t n = op.getInputs().size();
  ScatterDimensionNumbersAttr dims = op.getScatterDimensionNumbers();
  IndexedAccess access{shapeOf(op.getInputs()[0]),
                       shapeOf(op.getUpdates()[0]),
                       dims.getIndexVectorDim(),
                       dims.getUpdateWindowDims(),
                       dims.getInsertedWindowDims(),
                       dims.getInputBatchingDims(),
                       dims.getScatterIndicesBatchingDims(),
                       getShiftedDims(op)};
  std::optional<ReductionKind> kind = getScatterKind(op);
  // Updates are rounded one by one.
  if ((kind == ReductionKind::Add || kind == ReductionKind::Mul) &&
      isRoundedFloat(op->getResult(0).getType()))
    kind = std::nullopt;
  RuleBuilder builder(op);
  access.forEachFactor([&](int64_t inputDim, int64_t indicesDim,
                           int64_t slicesDim, int64_t size, Role role) {
    SmallVector<int64_t> operandDims(2 * n + 1, slicesDim);
    std::fill_n(operandDims.begin(), n, inputDim);
    operandDims[n] = indicesDim;
    FactorKind factorKind = FactorKind::PassThrough;
    // Updates of one place meet, parts of a slice are updates of their own.
    if (role == Role::Batch || (role == Role::Partial && kind))
      factorKind = FactorKind::Reduction;
    else if (role == Role::Addressed)
      factorKind = FactorKind::Indexed;
    builder.add(operandDims, SmallVector<int64_t>(n, inputDim), size,
                factorKind);
    if (factorKind != FactorKind::PassThrough)
      builder.last().reduction = kind;
  });
  mapIndexVector(builder, n, op.getScatterIndices(), dims.getIndexVectorDim());
  if (kind) {
    SmallVector<int64_t> summands;
    for (size_t i = 0; i < 2 * n + 1; ++i)
      if (i != n)
        summands.push_back(i);
    builder.passPartial(kindBit(*kind), summands);
  }
  return builder.build();
}

//===----------------------------------------------------------------------===//
// torch_index_select
//===----------------------------------------------------------------------===//

ShardingRule torchIndexSelectRule(TorchIndexSelectOp op) {
  int64_t dim = op.getDim(), batch = op.getBatchDims();
  ArrayRef<int64_t> in = shapeOf(op.getOperand()), index = shapeOf(op.getIndex());
  RuleBuilder builder(op);
  int64_t out = 0;
  for (auto [d, size] : llvm::enumerate(in)) {
    int64_t i = d;
    if (i < batch) {
      builder.add({i, i}, {out++}, size);
    } else if (i == dim) {
      builder.add({i, kNone}, {kNone}, size, FactorKind::Indexed);
      builder.last().reduction = ReductionKind::Add;
      for (int64_t k = batch; k < int64_t(index.size()); ++k)
        builder.add({kNone, k}, {out++}, index[k]);
    } else {
      builder.add({i, kNone}, {out++}, size);
    }
  }
  return builder.movesData({0}).build();
}

} // namespace

void attachIndexing(MLIRContext *context) {
  attach<GatherOp, gatherRule>(context);
  attach<DynamicGatherOp, dynamicGatherRule>(context);
  attach<ScatterOp, scatterRule>(context);
  attach<TorchIndexSelectOp, torchIndexSelectRule>(context);
}

} // namespace shoal::rules
