// What a row kernel keeps between its passes over a row.
#ifndef SHOAL_LIB_CODEGEN_CPU_ROWPLAN_H
#define SHOAL_LIB_CODEGEN_CPU_ROWPLAN_H

#include "ReductionGroup.h"

namespace shoal::cpu {

/// A row kernel passes over a row once for each level of its reductions, and
/// once more for its outputs. A value that several passes need is computed again
/// or kept in a scratch row, whichever makes the passes cheaper together.
struct RowPlan {
  struct Kept {
    mlir::Value value;
    /// The pass that computes and stores it, and the last one that reads it
    /// (passes count from 1).
    unsigned firstPass, lastPass;
    /// Scratch row; values that are not kept at the same time share one.
    unsigned row;
  };
  std::vector<Kept> kept;
  /// Element types of the scratch rows.
  llvm::SmallVector<mlir::Type> rows;
  unsigned numPasses = 0;
  /// Cost of all passes for one column, in units of a simple scalar operation.
  int64_t columnCost = 0;
};

/// Of a row kernel; fusion stops far below.
inline constexpr unsigned mostRowPasses = 255;

/// For groups of fewer levels than that.
RowPlan planRow(KernelEmitter &e, const ReductionGroup &group);

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_ROWPLAN_H
