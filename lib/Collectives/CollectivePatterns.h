// What the patterns of shoal-simplify-collectives share.
#ifndef SHOAL_COLLECTIVES_COLLECTIVEPATTERNS_H
#define SHOAL_COLLECTIVES_COLLECTIVEPATTERNS_H

#include "Prices.h"
#include "shoal/Analysis/Remarks.h"
#include "shoal/Support/TensorTypes.h"

#include "mlir/IR/PatternMatch.h"

namespace shoal {

/// What patterns ask and tell. Lives as long as they do.
struct PatternContext {
  Prices &prices;
  bool remarks;

  /// What a collective of that kind would take (of which tensor Prices::of asks
  /// for the bytes), on the devices that `from` is for.
  double seconds(CollectiveType kind, mlir::Type type, comm::GroupsAttr groups,
                 mlir::Operation *from) const {
    return prices.of(kind, comm::getTensorBytes(type), groups, from).seconds;
  }
  void tell(mlir::Operation *at, const llvm::Twine &what, double before,
            double after) const {
    remarkGain(remarks, at, what, before, after);
  }
};

template <typename Op>
struct CollectivePattern : mlir::OpRewritePattern<Op> {
  CollectivePattern(mlir::MLIRContext *context, const PatternContext &c)
      : mlir::OpRewritePattern<Op>(context), c(c) {}
  const PatternContext &c;
};

/// The op that makes `value` right before its use: in the same block, so that
/// neither runs more often than the other.
template <typename Op>
Op definitionOf(mlir::Value value, mlir::Operation *user) {
  mlir::Operation *def = value.getDefiningOp();
  return def && def->getBlock() == user->getBlock() ? mlir::dyn_cast<Op>(def)
                                                    : Op();
}

/// What all rewritten collectives keep of the one that they come from.
template <typename New, typename... Args>
New makeLike(mlir::PatternRewriter &b, comm::CollectiveOpInterface like,
             Args &&...args) {
  return New::create(b, like->getLoc(), std::forward<Args>(args)...,
                     like.getReasonAttr(), like.getProvenanceAttr());
}

/// Collectives whose operands other collectives make.
void addNeighbourPatterns(mlir::RewritePatternSet &patterns,
                          const PatternContext &context);
/// Collectives beside conversions, slices, sums and reductions.
void addLocalOpPatterns(mlir::RewritePatternSet &patterns,
                        const PatternContext &context);

} // namespace shoal

#endif // SHOAL_COLLECTIVES_COLLECTIVEPATTERNS_H
