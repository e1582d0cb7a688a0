// Kernels with reductions over minor dimensions and ops on the same rows
// (softmax, layer norm, cross entropy, plain sums): one row at a time. The
// reductions of one depth share a loop over the row; results of costly ops
// that several loops need are kept in a scratch row.

#include "ReductionGroup.h"

using namespace mlir;
using namespace shoal::cpu;

namespace {
struct RowKernel {
  KernelEmitter &e;
  ReductionGroup &group;

  /// Values of the full shape that are read back from scratch, with the first
  /// loop that computes them (loops are numbered from 1; the one that stores
  /// the outputs is last).
  struct Kept {
    unsigned firstLoop;
    KernelEmitter::Array array;
  };
  llvm::MapVector<Value, Kept> kept;
  unsigned lastLoop;

  SmallVector<Value> rootsOf(unsigned loop) {
    SmallVector<Value> roots;
    if (loop == lastLoop) {
      for (unsigned i : group.fullOutputs)
        roots.push_back(e.outputValues()[i]);
      return roots;
    }
    for (auto [reduction, level] :
         llvm::zip_equal(group.reductions, group.levels))
      if (level == loop)
        llvm::append_range(roots, reduction.op.getInputs());
    return roots;
  }

  bool isElementwise(Operation *op) {
    const OpEmitter *emitter = op ? e.getEmitters().lookup(op) : nullptr;
    return emitter && emitter->kind == OpEmitter::Kind::Scalar;
  }

  /// Values needed by a loop at its own index, not looking behind kept ones
  /// that an earlier loop computes.
  void collect(Value value, unsigned loop,
               llvm::SmallPtrSetImpl<void *> &needed) {
    if (shapeOf(value) != group.fullShape ||
        !needed.insert(value.getAsOpaquePointer()).second)
      return;
    auto it = kept.find(value);
    if (it != kept.end() && it->second.firstLoop < loop)
      return;
    Operation *op = value.getDefiningOp();
    if (isElementwise(op))
      for (Value operand : op->getOperands())
        collect(operand, loop, needed);
  }

  /// Chooses the next value to keep: the last costly op that several loops
  /// compute. Null if there is none.
  Value nextToKeep(unsigned &firstLoop) {
    SmallVector<llvm::SmallPtrSet<void *, 16>> needed(lastLoop + 1);
    for (unsigned loop = 1; loop <= lastLoop; ++loop)
      for (Value root : rootsOf(loop))
        collect(root, loop, needed[loop]);
    for (Operation &op : llvm::reverse(e.getSource().body->front())) {
      const OpEmitter *emitter = e.getEmitters().lookup(&op);
      if (!emitter || emitter->cost < OpCost::Medium ||
          op.getNumResults() != 1 || kept.count(op.getResult(0)))
        continue;
      unsigned loops = 0;
      for (unsigned loop = lastLoop; loop >= 1; --loop)
        if (needed[loop].count(op.getResult(0).getAsOpaquePointer())) {
          ++loops;
          firstLoop = loop;
        }
      if (loops > 1)
        return op.getResult(0);
    }
    return nullptr;
  }

  void chooseKept() {
    constexpr int64_t scratchLimit = 1 << 20;
    lastLoop = group.numLevels + 1;
    while (kept.size() < 8 &&
           int64_t(kept.size() + 1) * group.columns * 8 <= scratchLimit) {
      unsigned firstLoop = 0;
      Value value = nextToKeep(firstLoop);
      if (!value)
        return;
      kept[value] = {firstLoop,
                     e.localArray(getElementType(value), group.columns)};
    }
  }

  /// Puts kept values into the scope of a loop body, or into scratch.
  void recallKept(unsigned loop, ArrayRef<IndexExpr> full,
                  const IndexExpr &column) {
    for (auto &[value, k] : kept)
      if (k.firstLoop < loop)
        e.remember(value, full, e.loadArray(k.array, column));
  }
  void storeKept(unsigned loop, ArrayRef<IndexExpr> full,
                 const IndexExpr &column) {
    for (auto &[value, k] : kept)
      if (k.firstLoop == loop)
        e.storeArray(k.array, column, e.element(value, full));
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
    e.forSpace(group.reducedShape(), site, [&](ArrayRef<IndexExpr> reduced) {
      Index full = group.fullIndex(row, reduced);
      IndexExpr column = e.linearize(reduced, group.reducedShape());
      recallKept(level, full, column);
      for (auto &[reduction, accumulators] : running)
        reduction->step(e, accumulators, full);
      storeKept(level, full, column);
    });
    for (auto &[reduction, accumulators] : running)
      for (auto [value, result] :
           llvm::zip_equal(reduction->op.getResults(),
                           reduction->finish(e, accumulators)))
        e.remember(value, row, result);
  }

  void emit() {
    chooseKept();
    int64_t cost = 0;
    for (Value output : e.outputValues())
      cost = std::max(cost, elementCost(output, e.getEmitters()));
    // The cost of an output counts the reductions it needs already.
    int64_t rowCost = std::max(cost, group.columns * minElementCost);
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
              recallKept(lastLoop, full,
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
  std::optional<ReductionGroup> group = findReductionGroup(e);
  if (!group)
    return false;
  RowKernel{e, *group, {}, 0}.emit();
  return true;
}
