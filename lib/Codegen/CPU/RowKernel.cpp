// Kernels with reductions over minor dimensions and ops on the same rows
// (softmax, layer norm, cross entropy, plain sums): one row at a time. The
// reductions of one depth share a loop over the row; what several loops need is
// kept in scratch rows (RowPlan).

#include "RowPlan.h"

using namespace mlir;
using namespace shoal::cpu;

namespace {
struct RowKernel {
  KernelEmitter &e;
  ReductionGroup &group;

  RowPlan plan;
  /// The scratch rows of the plan.
  SmallVector<KernelEmitter::Array> rows;

  /// Puts kept values into the scope of a loop body, or into scratch.
  void recallKept(unsigned pass, ArrayRef<IndexExpr> full,
                  const IndexExpr &column) {
    for (const RowPlan::Kept &k : plan.kept)
      if (k.firstPass < pass && pass <= k.lastPass)
        e.remember(k.value, full, e.loadArray(rows[k.row], column));
  }
  void storeKept(unsigned pass, ArrayRef<IndexExpr> full,
                 const IndexExpr &column) {
    for (const RowPlan::Kept &k : plan.kept)
      if (k.firstPass == pass)
        e.storeArray(rows[k.row], column, e.element(k.value, full));
  }

  void reduceLevel(unsigned level, ArrayRef<IndexExpr> row) {
    SmallVector<std::pair<Reduction *, SmallVector<Variable>>> running;
    for (auto [reduction, itsLevel] :
         llvm::zip_equal(group.reductions, group.levels))
      if (itsLevel == level)
        running.push_back({&reduction, reduction.start(e)});
    if (running.empty())
      return;
    const void *site = running.front().first->op;
    e.forSpace(
        group.reducedShape(), site,
        [&](ArrayRef<IndexExpr> reduced) {
          Index full = group.fullIndex(row, reduced);
          IndexExpr column = e.linearize(reduced, group.reducedShape());
          recallKept(level, full, column);
          for (auto &[reduction, accumulators] : running)
            reduction->step(e, accumulators, full);
          storeKept(level, full, column);
        },
        // Accumulators are registers; what lies in memory is private to a
        // column.
        /*parallel=*/true);
    for (auto &[reduction, accumulators] : running)
      for (auto [value, result] : llvm::zip_equal(
               reduction->op.getResults(), reduction->finish(e, accumulators)))
        e.remember(value, row, result);
  }

  void emit() {
    std::shared_ptr<const RowPlan> &known = e.getFacts().rowPlan;
    if (!known)
      known = std::make_shared<RowPlan>(planRow(e, group));
    plan = *known;
    for (Type type : plan.rows)
      rows.push_back(e.localArray(type, group.columns));
    int64_t rowCost = group.columns * std::max(plan.columnCost, minElementCost);
    e.getFacts().flops += group.rows * rowCost;
    e.parallelUnits(group.rows, rowCost, [&](IndexVar *unit) {
      Index row = e.splitVar(unit, group.rowShape);
      for (unsigned level = 1; level <= group.numLevels; ++level)
        reduceLevel(level, row);
      if (!group.fullOutputs.empty()) {
        const void *site = e.getSource().body;
        e.forSpace(
            group.reducedShape(), site,
            [&](ArrayRef<IndexExpr> reduced) {
              Index full = group.fullIndex(row, reduced);
              recallKept(plan.numPasses, full,
                         e.linearize(reduced, group.reducedShape()));
              e.storeOutputs(group.fullOutputs, full);
            },
            /*parallel=*/true);
      }
      group.storeRowOutputs(e, row);
    });
  }
};
} // namespace

bool shoal::cpu::emitRowKernel(KernelEmitter &e) {
  std::optional<ReductionGroup> group = findReductionGroup(e.getSource());
  if (!group || group->numLevels >= mostRowPasses)
    return false;
  RowKernel{e, *group, {}, {}}.emit();
  return true;
}
