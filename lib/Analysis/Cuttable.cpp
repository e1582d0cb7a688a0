#include "shoal/Analysis/Cuttable.h"

#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

/// gather and scatter: a dimension addressed by data can be cut when every
/// index addresses a single element of it (a slice of size 1).
static bool isIndexedCuttable(Operation *op, const ShardingRule &rule,
                              int64_t factor) {
  if (auto gather = dyn_cast<sh::GatherOp>(op)) {
    int64_t dim = rule.operands[0].findDim(factor);
    return dim >= 0 && gather.getSliceSizes()[dim] == 1 &&
           llvm::is_contained(
               gather.getDimensionNumbers().getStartIndexMap(), dim);
  }
  if (auto scatter = dyn_cast<sh::ScatterOp>(op)) {
    if (scatter.getInputs().size() != 1)
      return false;
    int64_t dim = rule.operands[0].findDim(factor);
    auto numbers = scatter.getScatterDimensionNumbers();
    return dim >= 0 &&
           llvm::is_contained(numbers.getInsertedWindowDims(), dim) &&
           llvm::is_contained(numbers.getScatterDimsToOperandDims(), dim);
  }
  // One element (dynamic_slice) or any stretch (dynamic_update_slice): the
  // lowering masks by position.
  if (auto slice = dyn_cast<sh::DynamicSliceOp>(op)) {
    int64_t dim = rule.operands[0].findDim(factor);
    return dim >= 0 && slice.getSliceSizes()[dim] == 1;
  }
  return isa<sh::DynamicUpdateSliceOp>(op);
}

bool shoal::isFactorCuttable(Operation *op, const ShardingRule &rule,
                             int64_t f) {
  // Random numbers depend on the position in the whole tensor.
  if (isa<sh::RngOp, sh::RngBitGeneratorOp>(op))
    return false;
  const Factor &factor = rule.factors[f];
  switch (factor.kind) {
  case FactorKind::PassThrough:
    return true;
  case FactorKind::Reduction:
    return factor.reduction.has_value();
  case FactorKind::Indexed:
    return isIndexedCuttable(op, rule, f);
  case FactorKind::Window:
  case FactorKind::Ordered:
  case FactorKind::NeedReplication:
    return false;
  }
  return false;
}

bool shoal::passesSums(Operation *op) {
  return !isa<sh::MaxOp, sh::MinOp>(op);
}

bool shoal::isCheapSource(Operation *op) {
  if (op->getNumResults() != 1 || op->getNumRegions() != 0)
    return false;
  if (isa<sh::ConstantOp, sh::IotaOp>(op))
    return true;
  return isa<sh::BroadcastInDimOp, sh::ReshapeOp, sh::ConvertOp, sh::CompareOp,
             sh::AddOp, sh::SubtractOp, sh::MulOp, sh::SelectOp, sh::AndOp,
             sh::TransposeOp, sh::NegOp, sh::OrOp, sh::NotOp>(op);
}
