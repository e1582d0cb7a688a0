// Device-local forms along dimensions whose elements depend on one another in
// order: what partitioning can do with such a factor when it is cut, and what
// that moves inside the op. All of them are "local part, exchange of little,
// rest of the work"; lib/Partition/LowerOrdered*.cpp has the lowerings.
#ifndef SHOAL_ANALYSIS_ORDEREDFORMS_H
#define SHOAL_ANALYSIS_ORDEREDFORMS_H

#include "shoal/Analysis/OpForm.h"

namespace shoal {

enum class OrderedForm {
  /// None: the factor stays whole. Its cut can move to another dimension.
  None,
  /// The k best of each part, gathered, and of these the k best.
  TopK,
  /// Scan of each part, then the total of the parts before it.
  Scan,
  /// Sort of each part; searches for the places where each sorted part is to
  /// be divided; exchange of these pieces; sort of what came.
  Exchange,
  /// Fourier transform: the cut goes to another dimension and back, or, with no
  /// other dimension, the transform is divided into two shorter ones.
  Transform,
  /// Substitution block by block: found unknowns go to everyone.
  Substitute,
};

/// How the op is computed with ordered factor `f` cut.
OrderedForm orderedFormOf(mlir::Operation *op, const ShardingRule &rule,
                          int64_t f);

/// Random bits that depend on the place: any part can be made alone.
bool isPlacewiseRandom(mlir::Operation *op, const ShardingRule &rule,
                       int64_t f);

/// A running reduction along dimension `dim`: result i is made of elements
/// [0, i], or [i, n) if `reverse`.
struct ScanDim {
  int64_t dim;
  bool reverse;
};
/// The dimension along which a reduce_window is a scan with an initial value
/// that changes nothing, all its other windows being single elements.
std::optional<ScanDim> getScanDim(mlir::Operation *op);

/// Whether cut ordered factors leave the room that their lowering needs.
bool isOrderedFormValid(mlir::Operation *op, const OpModel &model,
                        const OpForm &form, llvm::ArrayRef<MeshAtom> atoms);

/// Rounds of the searches that divide sorted parts of `block` elements.
int64_t exchangeRounds(int64_t block);
/// Whether a comparator looks at operand `i` of its sort.
bool comparatorUses(mlir::Operation *sort, unsigned i);

/// The dimension that takes the cut of `dim` during a transform along it: the
/// one with the least padding; -1 if there is none.
int64_t transformHelper(const PlacementState &state, int64_t dim,
                        llvm::ArrayRef<MeshAtom> atoms);

/// Bytes each device sends inside the op for its cut ordered factors.
int64_t orderedBytes(mlir::Operation *op, const OpModel &model,
                     const OpForm &form, llvm::ArrayRef<MeshAtom> atoms);

} // namespace shoal

#endif // SHOAL_ANALYSIS_ORDEREDFORMS_H
