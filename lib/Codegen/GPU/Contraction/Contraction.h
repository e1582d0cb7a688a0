// A kernel with one dot_general or convolution, as loops over atoms.
#ifndef SHOAL_LIB_CODEGEN_GPU_CONTRACTION_CONTRACTION_H
#define SHOAL_LIB_CODEGEN_GPU_CONTRACTION_CONTRACTION_H

#include "Access.h"

#include "mlir/IR/Block.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace shoal::contraction {

/// A dimension of a tensor as memory: `size` elements, `stride` elements apart.
/// Where the index is outside [0, size), the element counts as zero.
struct MemoryDim {
  int64_t size = 1, stride = 0;
  DimIndex index;
  /// The index is just this atom's counter, and size its size.
  std::optional<unsigned> atom;
};

/// What a scalar region takes from outside: an element of a kernel argument,
/// or the value of an iota at a point.
struct Leaf {
  mlir::Value value;
  Access access;
  /// For an argument: where it lies, `start` elements after its base. For an
  /// iota: one dimension, whose index is the value.
  int64_t start = 0;
  llvm::SmallVector<MemoryDim, 4> memory;
  bool isIota = false;

  mlir::Type elementType() const {
    return mlir::cast<mlir::ShapedType>(value.getType()).getElementType();
  }
  /// If the index depends on the atom.
  bool uses(unsigned atom) const;
};

/// A value that is computed element by element from leaves.
struct Expression {
  mlir::Value value;
  Access access;
  /// A contraction whose sums the expression may use, accessed so.
  mlir::Operation *root = nullptr;
  Access rootAccess;
  /// A second one.
  mlir::Operation *partner = nullptr;
  Access partnerAccess;
  llvm::SmallVector<Leaf, 4> leaves;
  /// It is 0 wherever all leaves are 0: zeros outside need no mask.
  bool keepsZero = true;

  mlir::Type elementType() const {
    return mlir::cast<mlir::ShapedType>(value.getType()).getElementType();
  }
};

/// Products of groups of uneven sizes (ragged_dot): operands are selected to be
/// zero where the place along an atom is outside [from, to), two bounds for
/// each group, in memory (prefix sums of the groups' sizes). Only steps of the
/// reduction inside are made.
struct Interval {
  /// The place: an iota, plus a constant.
  Expression place, from, to;
  /// The operands without the selection, which are equal inside; without a
  /// value where the operand is to be taken as it is.
  Expression lhs, rhs;
  bool hasInside = false;
};

/// Attention whose scores are, by their place alone, one constant outside some
/// bounds: causal masks, sliding windows.
struct Band {
  /// Inside, constant + plus - minus >= 0. Both are iotas; either may have no
  /// value (and is 0).
  struct Bound {
    Expression plus, minus;
    int64_t constant = 0;
  };
  llvm::SmallVector<Bound, 2> bounds;
  /// Scores outside are at most this, in the scores' type.
  llvm::APFloat fill{0.0};
};

struct Contraction {
  mlir::Operation *root = nullptr;
  /// The loops as the accesses name them (`walked`), and after merging those
  /// that are one in all memory, as memory names them. Atoms of one role are
  /// listed from major to minor.
  llvm::SmallVector<Atom> walked, space;
  Expression lhs, rhs;
  /// Attention: the keys, and the scores after what is done to them.
  llvm::SmallVector<Expression, 2> others;
  /// One per result of the kernel, and where it lies.
  llvm::SmallVector<Expression, 2> outputs;
  llvm::SmallVector<llvm::SmallVector<MemoryDim, 4>, 2> outputMemory;
  /// The access to `root`'s result.
  Access rootAccess;
  std::optional<Interval> interval;
  std::optional<Band> band;

  llvm::SmallVector<Expression *> expressions();
  llvm::SmallVector<unsigned> atomsOf(Role role) const;
  int64_t sizeOf(Role role) const;
};

/// A value, and which element of it belongs to a point.
struct Accessed {
  mlir::Value value;
  Access access;
};

/// Looks through ops that only move elements.
Accessed throughMoves(Accessed at, llvm::ArrayRef<Atom> walked);

/// Reads the kernel's body; none if it is not a contraction that this strategy
/// knows (no diagnostic).
std::optional<Contraction> analyzeContraction(mlir::Block &body);

/// Clones what `expression` computes as ops on rank-0 tensors at the builder's
/// insertion point. `leaf(i)` gives the rank-0 value of leaf i; `root` that of
/// the root's result before it was rounded, which is used where the expression
/// widens the result to that type anyway; `partner` likewise.
mlir::Value emitScalar(mlir::OpBuilder &builder, const Contraction &contraction,
                       const Expression &expression,
                       llvm::function_ref<mlir::Value(unsigned)> leaf,
                       mlir::Value root, mlir::Value partner = {});

/// Fills in the leaves of an expression whose value, access and root are set;
/// false if it has an op that is not known (or a split is needed).
bool collectLeaves(Expression &expression, llvm::ArrayRef<Atom> walked,
                   std::optional<Split> &split);

/// Accesses of the values of `body` that are computed from `root`'s result,
/// element by element or moved; false if one uses it otherwise (such values are
/// not known then, the others are).
bool followResult(mlir::Block &body, mlir::Operation *root,
                  const Access &access, llvm::ArrayRef<Atom> walked,
                  llvm::DenseMap<mlir::Value, Access> &known,
                  std::optional<Split> &split);

/// Adds the outputs `values` of `body`, made of `contraction.root`'s result.
bool collectOutputs(mlir::Block &body, mlir::ValueRange values,
                    Contraction &contraction, std::optional<Split> &split);

/// Sets `interval` if the operands have one (Interval.cpp).
void findInterval(Contraction &contraction);

/// Sets `band` if the attention's scores have one (Band.cpp).
void findBand(Contraction &contraction, const Expression &scores);

/// Sets memory and merges atoms, when all expressions are collected.
void finishMemory(Contraction &contraction);

/// Makes atoms that no memory tells apart one (MergeAtoms.cpp).
void mergeAtoms(Contraction &contraction);

/// If a tile may hold several values of the atom's counter: a view's index is
/// that counter, plus what is the same for the whole tile.
bool isTileable(const Contraction &contraction, unsigned atom);

/// Gives each of M, N and K an atom that can be tiled, of size 1 if it has
/// none.
void completeRoles(Contraction &contraction);

} // namespace shoal::contraction

#endif // SHOAL_LIB_CODEGEN_GPU_CONTRACTION_CONTRACTION_H
