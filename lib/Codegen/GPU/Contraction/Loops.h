// The loops of a dot_general or a convolution.
#ifndef SHOAL_LIB_CODEGEN_GPU_CONTRACTION_LOOPS_H
#define SHOAL_LIB_CODEGEN_GPU_CONTRACTION_LOOPS_H

#include "Access.h"

namespace shoal::contraction {

struct Loops {
  llvm::SmallVector<Atom> space;
  Access lhs, rhs, result;
  /// Operand indices may be outside (a convolution's padding).
  bool padded = false;

  unsigned count = 0;
  /// Adds a loop, cut as `parts` says; its index.
  DimIndex add(Role role, int64_t size,
               llvm::ArrayRef<llvm::SmallVector<int64_t>> parts);

  /// For each atom, the loop it is a part of, and which part.
  llvm::SmallVector<std::pair<unsigned, unsigned>> origin;
  /// Notes the split in `parts` (sizes of the parts of each loop, major first).
  void split(Split split,
             llvm::SmallVector<llvm::SmallVector<int64_t>> &parts) const;
};

/// The loops of `root`, each cut as `parts` says (empty: none is cut). None if
/// it is an op or a form that the strategy does not know.
std::optional<Loops> loopsOf(mlir::Operation *root,
                             llvm::ArrayRef<llvm::SmallVector<int64_t>> parts);

} // namespace shoal::contraction

#endif // SHOAL_LIB_CODEGEN_GPU_CONTRACTION_LOOPS_H
