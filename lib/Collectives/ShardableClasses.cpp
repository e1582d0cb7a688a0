#include "ShardChoice.h"
#include "UniformValues.h"

#include "shoal/Analysis/ScalarBodies.h"
#include "shoal/Support/TensorTypes.h"

#include "dialects/Shoal/Axes.h"
#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using shoal::comm::GroupsAttr;
namespace sh = mlir::stablehlo;

namespace shoal {

/// Whether the sum of what shards of a factor give is what the op gives.
static bool sumsUp(Operation *op, const PartFactor &factor) {
  auto reduce = dyn_cast<sh::ReduceOp>(op);
  if (!reduce)
    return isa<sh::DotGeneralOp, sh::DotOp, sh::ConvolutionOp>(op) &&
           !isRoundedFloat(op->getResult(0).getType());
  // The initial value counts once for each device.
  switch (*factor.reduction) {
  case ReductionKind::Min:
  case ReductionKind::Max:
  case ReductionKind::And:
  case ReductionKind::Or:
    return true;
  default:
    return isNeutral(reduce.getBody(),
                     SmallVector<Value>(reduce.getInitValues())) &&
           !isRoundedFloat(op->getResult(0).getType());
  }
}

/// Whether shards are of the same size for all that the factor connects: it
/// divides, or there is padding that nothing is mixed with.
static bool divides(Operation *op, const PartFactor &factor, int64_t parts) {
  if (factor.size % parts == 0)
    return true;
  auto isSimple = [&](Value value, unsigned dim) {
    return typeOf(value).getDimSize(dim) == factor.size;
  };
  return !factor.reduces && factor.size > parts &&
         llvm::all_of(factor.operands,
                      [&](auto place) {
                        return isSimple(op->getOperand(place.first),
                                        place.second);
                      }) &&
         llvm::all_of(factor.results, [&](auto place) {
           return isSimple(op->getResult(place.first), place.second);
         });
}

IndexClasses shardableClasses(func::FuncOp func, GroupsAttr groups,
                              const UniformValues &uniform) {
  int64_t parts = groups.getGroupSize(func);
  MeshAttr mesh = groups.getMesh(func);
  auto isUniform = [&uniform](Value value) { return uniform.contains(value); };
  IndexClasses::Filter filter;
  filter.factor = [=, &uniform](Operation *op, const PartFactor &factor) {
    GroupsAttr theirs;
    if (auto slice = dyn_cast<comm::AllSliceOp>(op))
      theirs = slice.getGroups();
    else if (auto collective = dyn_cast<comm::CollectiveOpInterface>(op))
      theirs = collective.getCollectiveGroups();
    if (theirs && (theirs.isTable() ||
                   axesOverlap(theirs.getAxes(), groups.getAxes(), mesh)))
      return false;
    return llvm::all_of(op->getOperands(), isUniform) &&
           llvm::all_of(op->getResults(), isUniform) &&
           divides(op, factor, parts) &&
           (!factor.reduces || sumsUp(op, factor)) &&
           uniform.isReachedTogether(op);
  };
  filter.flow = [&uniform](Operation *op, unsigned i) {
    if (!uniform.contains(op->getResult(i)) || !uniform.isReachedTogether(op))
      return false;
    if (auto loop = dyn_cast<sh::WhileOp>(op))
      return loop.getCond().getArgument(i).use_empty();
    return true;
  };
  return IndexClasses(func, std::move(filter));
}

} // namespace shoal
