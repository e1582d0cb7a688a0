// Counted loops of known length that stack a row of something in each
// iteration, and loops that walk over such rows (lax.scan and its gradient).
#ifndef SHOAL_ANALYSIS_LOOPSTACKS_H
#define SHOAL_ANALYSIS_LOOPSTACKS_H

#include "shoal/Analysis/HostScalars.h"

#include "dialects/StableHLO/StableHLO.h"

#include <optional>

namespace shoal {

struct StackLoop {
  mlir::stablehlo::WhileOp op;
  CountedLoop loop;
  int64_t begin = 0, trips = 0;

  mlir::Block &body() const { return op->getRegion(1).front(); }
  mlir::Operation *yield() const { return body().getTerminator(); }
  mlir::Value iv() const { return body().getArgument(loop.ivIndex); }
  /// The loop's operand where the body's argument never changes.
  mlir::Value invariant(mlir::BlockArgument argument) const;
  int64_t counterAt(int64_t trip) const { return begin + trip * loop.step; }
};

/// The loop, if it has 2 to 4096 iterations, known from its text.
std::optional<StackLoop> getStackLoop(mlir::stablehlo::WhileOp op,
                                      const HostScalars &scalars);

/// The integer that `value` is in an iteration, if it depends on the counter
/// and constants alone.
std::optional<int64_t> evaluateAt(mlir::Value value, const StackLoop &loop,
                                  int64_t trip);

/// A slice of one row of a value from outside the loop, and which row in each
/// iteration.
struct SlicedRow {
  mlir::Value source;
  llvm::SmallVector<int64_t> at;
};
std::optional<SlicedRow> rowOf(mlir::stablehlo::DynamicSliceOp op,
                               const StackLoop &loop);

/// What a loop stacks in a result, row by row, each row once, and which row in
/// each iteration.
struct StackedRows {
  mlir::stablehlo::DynamicUpdateSliceOp op;
  llvm::SmallVector<int64_t> at;
};
std::optional<StackedRows> stackedIn(mlir::Value result, const StackLoop &loop);

/// In which iteration of the second loop what each iteration of the first one
/// has stacked is read. Nothing where not all rows are, or where the stack has
/// others than one for each iteration.
std::optional<llvm::SmallVector<int64_t>> orderOfReads(const StackedRows &stack,
                                                       const SlicedRow &row);

} // namespace shoal

#endif // SHOAL_ANALYSIS_LOOPSTACKS_H
