#include "ReductionGroup.h"

using namespace mlir;
using namespace shoal::cpu;

bool ReductionGroup::reducesMinor() const {
  for (int64_t d = fullShape.size() - 1; d >= 0; --d)
    if (fullShape[d] > 1)
      return llvm::is_contained(reductions.front().dims, d);
  return true;
}

std::optional<ReductionGroup> shoal::cpu::findReductionGroup(KernelEmitter &e) {
  ReductionGroup group;
  llvm::DenseMap<Operation *, unsigned> levels;
  for (Operation &op : e.getSource().body->front()) {
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
  if (group.reductions.empty())
    return std::nullopt;
  llvm::append_range(group.rowShape,
                     shapeOf(group.reductions.front().op.getResult(0)));
  group.rows = countElements(group.rowShape);
  group.columns = countElements(group.reducedShape());
  if (group.rows == 0 || group.columns <= 1)
    return std::nullopt;
  for (auto [i, output] : llvm::enumerate(e.outputValues())) {
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
