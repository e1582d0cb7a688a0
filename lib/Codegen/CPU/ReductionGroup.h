// The reductions of one kernel, where they all run over the same space: what
// row kernels and column reductions start from.
#ifndef SHOAL_LIB_CODEGEN_CPU_REDUCTIONGROUP_H
#define SHOAL_LIB_CODEGEN_CPU_REDUCTIONGROUP_H

#include "Reduction.h"

#include <optional>
#include <vector>

namespace shoal::cpu {

struct ReductionGroup {
  std::vector<Reduction> reductions;
  /// Depth of each reduction: 1 + the largest among those its operands need.
  llvm::SmallVector<unsigned> levels;
  unsigned numLevels = 0;
  /// Shape of the reduced operands, and of the results ("rows").
  llvm::ArrayRef<int64_t> fullShape;
  llvm::SmallVector<int64_t> rowShape;
  int64_t rows = 1, columns = 1;
  /// Outputs with the shape of the operands, and with one element per row.
  llvm::SmallVector<unsigned> fullOutputs, rowOutputs;

  /// Reduced dimensions of the full shape, and the others.
  llvm::SmallVector<int64_t> dims, keptDims;
  llvm::SmallVector<int64_t> reducedExtents;

  llvm::ArrayRef<int64_t> reducedShape() const { return reducedExtents; }
  Index fullIndex(llvm::ArrayRef<IndexExpr> row,
                  llvm::ArrayRef<IndexExpr> reduced) const;
  /// True if the last dimension of more than one element is reduced.
  bool reducesMinor() const;
  /// Computes and stores the outputs with one element per row.
  void storeRowOutputs(KernelEmitter &e, llvm::ArrayRef<IndexExpr> row) const;
};

/// None if the reductions or the outputs do not share one space, or a space is
/// empty. Without reductions: a group if the outputs are of two kinds, full
/// ones and one element for each leading part of their index.
std::optional<ReductionGroup> findReductionGroup(const KernelSource &source);

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_REDUCTIONGROUP_H
