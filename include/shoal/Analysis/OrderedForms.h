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

/// Bytes each device sends inside the op for its cut ordered factors.
int64_t orderedBytes(mlir::Operation *op, const OpModel &model,
                     const OpForm &form, llvm::ArrayRef<MeshAtom> atoms);

} // namespace shoal

#endif // SHOAL_ANALYSIS_ORDEREDFORMS_H
