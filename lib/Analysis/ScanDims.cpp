// Which window reductions are scans.
#include "shoal/Analysis/OrderedForms.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/ScalarBodies.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

std::optional<ScanDim> shoal::getScanDim(Operation *op) {
  auto reduce = dyn_cast<sh::ReduceWindowOp>(op);
  if (!reduce)
    return std::nullopt;
  auto at = [](std::optional<ArrayRef<int64_t>> list, size_t i) {
    return list && !list->empty() ? (*list)[i] : int64_t(1);
  };
  auto shape = cast<RankedTensorType>(op->getOperand(0).getType()).getShape();
  SmallVector<int64_t> padding(2 * shape.size(), 0);
  if (auto given = reduce.getPadding())
    padding.assign(given->value_begin<int64_t>(), given->value_end<int64_t>());
  std::optional<ScanDim> found;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (at(reduce.getWindowStrides(), d) != 1 ||
        at(reduce.getBaseDilations(), d) != 1)
      return std::nullopt;
    int64_t window = reduce.getWindowDimensions()[d];
    int64_t low = padding[2 * d], high = padding[2 * d + 1];
    if (window == 1) {
      if (low || high)
        return std::nullopt;
      continue;
    }
    // The whole dimension is read from one end on.
    if (found || at(reduce.getWindowDilations(), d) != 1 || window < shape[d] ||
        !((low == window - 1 && high == 0) || (low == 0 && high == window - 1)))
      return std::nullopt;
    found = ScanDim{int64_t(d), low == 0};
  }
  if (!found || !isElementwiseBody(reduce.getBody()) ||
      !isNeutral(reduce.getBody(), SmallVector<Value>(reduce.getInitValues())))
    return std::nullopt;
  return found;
}
