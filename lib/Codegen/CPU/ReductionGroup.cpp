#include "ReductionGroup.h"

using namespace mlir;
using namespace shoal::cpu;

bool ReductionGroup::reducesMinor() const {
  for (int64_t d = fullShape.size() - 1; d >= 0; --d)
    if (fullShape[d] > 1)
      return llvm::is_contained(dims, d);
  return true;
}

Index ReductionGroup::fullIndex(ArrayRef<IndexExpr> row,
                                ArrayRef<IndexExpr> reduced) const {
  Index index(fullShape.size());
  for (auto [i, d] : llvm::enumerate(keptDims))
    index[d] = row[i];
  for (auto [i, d] : llvm::enumerate(dims))
    index[d] = reduced[i];
  return index;
}

/// Without reductions the outputs say what a row is.
static bool findRows(OperandRange outputs, ReductionGroup &group) {
  for (Value output : outputs)
    if (countElements(shapeOf(output)) > countElements(group.fullShape) ||
        group.fullShape.empty())
      group.fullShape = shapeOf(output);
  int64_t rows = -1;
  for (Value output : outputs)
    if (shapeOf(output) != group.fullShape) {
      int64_t count = countElements(shapeOf(output));
      if (rows >= 0 && count != rows)
        return false;
      rows = count;
    }
  if (rows < 0)
    return false;
  int64_t product = 1, rank = group.fullShape.size(), kept = 0;
  while (kept < rank && product < rows)
    product *= group.fullShape[kept++];
  if (product != rows)
    return false;
  for (int64_t d = kept; d < rank; ++d)
    group.dims.push_back(d);
  return true;
}

std::optional<ReductionGroup> shoal::cpu::findReductionGroup(const KernelSource &source) {
  OperandRange outputs = source.body->front().getTerminator()->getOperands();
  ReductionGroup group;
  llvm::DenseMap<Operation *, unsigned> levels;
  for (Operation &op : source.body->front()) {
    unsigned level = 0;
    for (Value operand : op.getOperands())
      if (Operation *producer = operand.getDefiningOp())
        level = std::max(level, levels.lookup(producer));
    if (auto reduce = dyn_cast<stablehlo::ReduceOp>(op)) {
      ++level;
      Reduction reduction(reduce);
      ArrayRef<int64_t> shape = shapeOf(reduce.getInputs().front());
      if (!group.reductions.empty() &&
          (shape != group.fullShape ||
           reduction.dims != group.reductions.front().dims))
        return std::nullopt;
      group.fullShape = shape;
      group.reductions.push_back(std::move(reduction));
      group.levels.push_back(level);
    }
    levels[&op] = level;
    group.numLevels = std::max(group.numLevels, level);
  }
  if (!group.reductions.empty())
    group.dims = group.reductions.front().dims;
  else if (!findRows(outputs, group))
    return std::nullopt;
  for (int64_t d = 0, rank = group.fullShape.size(); d < rank; ++d) {
    bool reduced = llvm::is_contained(group.dims, d);
    (reduced ? group.reducedExtents : group.rowShape)
        .push_back(group.fullShape[d]);
    if (!reduced)
      group.keptDims.push_back(d);
  }
  group.rows = countElements(group.rowShape);
  group.columns = countElements(group.reducedShape());
  if (group.rows == 0 || group.columns <= 1)
    return std::nullopt;
  for (auto [i, output] : llvm::enumerate(outputs)) {
    ArrayRef<int64_t> shape = shapeOf(output);
    if (shape == group.fullShape)
      group.fullOutputs.push_back(i);
    else if (countElements(shape) == group.rows)
      group.rowOutputs.push_back(i);
    else
      return std::nullopt;
  }
  return group;
}

void ReductionGroup::storeRowOutputs(KernelEmitter &e,
                                     ArrayRef<IndexExpr> row) const {
  IndexExpr linear = e.linearize(row, rowShape);
  for (unsigned i : rowOutputs) {
    ArrayRef<int64_t> shape = shapeOf(e.outputValues()[i]);
    Index index = shape == ArrayRef<int64_t>(rowShape)
                      ? Index(row.begin(), row.end())
                      : e.delinearize(linear, shape);
    e.storeOutputs({i}, index);
  }
}
