// Which element of a tensor belongs to a point of an iteration space.
//
// The iteration space of a contraction is the product of its loops (atoms).
// An access gives, for each dimension of a tensor, the index as a sum of loop
// counters times coefficients, plus a constant: enough for every fused
// transpose, reshape, broadcast, slice and reverse, and for windows.
#ifndef SHOAL_LIB_CODEGEN_GPU_CONTRACTION_ACCESS_H
#define SHOAL_LIB_CODEGEN_GPU_CONTRACTION_ACCESS_H

#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace shoal::contraction {

/// What a loop does: both operands and the result have it, lhs and result, rhs
/// and result, or both operands only. Inner: in attention, what queries and
/// keys are multiplied over (M: queries, K: keys, N: values).
enum class Role { Batch, M, N, K, Inner };

struct Atom {
  Role role;
  int64_t size;
};

struct Term {
  unsigned atom;
  int64_t coefficient;
  bool operator==(const Term &) const = default;
};

/// offset + sum of coefficient · counter; terms from major to minor.
struct DimIndex {
  int64_t offset = 0;
  llvm::SmallVector<Term, 2> terms;
  bool operator==(const DimIndex &) const = default;
};
using Access = llvm::SmallVector<DimIndex>;

/// A loop that has to become two (the minor one of size `inner`) before a
/// reshape can be followed.
struct Split {
  unsigned atom;
  int64_t inner;
};

/// The index that walks all of the given atoms, row-major. Atoms of size 1 are
/// left out: a dimension of size 1 has one index.
DimIndex rowMajor(llvm::ArrayRef<unsigned> atoms, llvm::ArrayRef<Atom> space);

/// The atoms of an index that walks a whole dimension of `size` row-major, from
/// major to minor; none if it is another kind of index.
std::optional<llvm::SmallVector<unsigned>>
wholeDimension(const DimIndex &index, int64_t size, llvm::ArrayRef<Atom> space);

/// The access to a tensor of `shape` that is the same elements in row-major
/// order as one of `fromShape` accessed by `from`. None if it cannot be said;
/// `split`, if it is then set, makes it possible.
std::optional<Access> reshapeAccess(const Access &from,
                                    llvm::ArrayRef<int64_t> fromShape,
                                    llvm::ArrayRef<int64_t> shape,
                                    llvm::ArrayRef<Atom> space,
                                    std::optional<Split> &split);

/// The access to the op's operand 0 when its result is accessed by `result`:
/// transpose, reshape, broadcast_in_dim, slice, reverse. None for other ops and
/// where reshapeAccess fails.
std::optional<Access> operandAccess(mlir::Operation *op, const Access &result,
                                    llvm::ArrayRef<Atom> space,
                                    std::optional<Split> &split);

/// The access to the op's result when its operand 0 is accessed by `operand`,
/// for ops that keep every element: transpose, reshape, broadcast_in_dim of
/// unit dimensions.
std::optional<Access> resultAccess(mlir::Operation *op, const Access &operand,
                                   llvm::ArrayRef<Atom> space,
                                   std::optional<Split> &split);

/// If a scalar region can compute the op element by element.
bool isElementwise(mlir::Operation *op);

} // namespace shoal::contraction

#endif // SHOAL_LIB_CODEGEN_GPU_CONTRACTION_ACCESS_H
