#include "shoal/Analysis/Cuttable.h"
#include "shoal/Analysis/OrderedForms.h"

#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

/// Dimensions addressed by data: each device accesses what falls into its
/// block. Reading needs something that the others can contribute.
static bool isIndexedCuttable(Operation *op, const ShardingRule &rule,
                              int64_t factor) {
  if (isa<sh::GatherOp>(op))
    return mergeKind(op, rule, factor).has_value();
  if (auto slice = dyn_cast<sh::DynamicSliceOp>(op)) {
    // A single element is broadcast by its owner.
    int64_t dim = rule.operands[0].findDim(factor);
    return dim >= 0 && (slice.getSliceSizes()[dim] == 1 ||
                        mergeKind(op, rule, factor).has_value());
  }
  return isa<sh::ScatterOp, sh::DynamicUpdateSliceOp>(op);
}

/// Along factors that only some tensors have, an op may still need everything:
/// the sides of a reshape that share no index, results that are not per index.
static bool isPassThroughCuttable(Operation *op, const ShardingRule &rule,
                                  int64_t f) {
  for (const TensorMapping &result : rule.results)
    if (!result.contains(f))
      return false;
  bool inOperand = false;
  for (const TensorMapping &operand : rule.operands)
    inOperand |= operand.contains(f);
  if (auto conv = dyn_cast<sh::ConvolutionOp>(op)) {
    // Groups are counted by an attribute that each device would have to
    // change: then only the batch dimension is shared.
    if (conv.getBatchGroupCount() > 1)
      return false;
    if (conv.getFeatureGroupCount() > 1)
      return !rule.operands[1].contains(f);
    return inOperand;
  }
  // (The last two: a slice's elements are found one by one.)
  return inOperand ||
         isa<sh::BroadcastInDimOp, sh::BroadcastOp, sh::ConstantOp, sh::IotaOp,
             sh::GatherOp, sh::DynamicSliceOp>(op);
}

/// Part of a dimension that is read through a window.
static bool isInWindow(const ShardingRule &rule, int64_t f) {
  for (int64_t t = 0; t < rule.getNumTensors(); ++t)
    for (const DimMapping &dim : rule.getTensor(t).dims)
      if (dim.window && llvm::is_contained(dim.factors, f))
        return true;
  return false;
}

/// Windows that lib/Partition fetches from neighbours: every tensor's part of
/// the result reads one stretch.
static bool isWindowCuttable(Operation *op, const ShardingRule &rule,
                             int64_t f) {
  int64_t dim = rule.results[0].findDim(f);
  if (dim < 0)
    return false;
  if (auto pad = dyn_cast<sh::PadOp>(op))
    return pad.getInteriorPadding()[dim] == 0;
  if (isa<sh::ConvolutionOp, sh::ReduceWindowOp>(op)) {
    // Forward windows over an operand that is not spread out by dilation.
    for (const TensorMapping &operand : rule.operands)
      if (int64_t d = operand.findDim(f); d >= 0) {
        const std::optional<WindowMap> &window = operand.dims[d].window;
        if (!window || window->baseDilation != 1 || window->dilation < 1 ||
            window->stride < 1 || operand.dims[d].factors.front() != f)
          return false;
      }
    return true;
  }
  return isa<sh::SliceOp, sh::ReverseOp, sh::ConcatenateOp>(op);
}

bool shoal::isFactorCuttable(Operation *op, const ShardingRule &rule,
                             int64_t f) {
  // Nothing is saved on empty tensors, and they have no blocks to speak of.
  auto isEmpty = [](Type type) {
    auto shaped = dyn_cast<RankedTensorType>(type);
    return shaped && llvm::is_contained(shaped.getShape(), 0);
  };
  if (llvm::any_of(op->getResultTypes(), isEmpty) ||
      llvm::any_of(op->getOperandTypes(), isEmpty))
    return false;
  const Factor &factor = rule.factors[f];
  // The numbers depend on the place in the whole tensor: each device makes its
  // own (bits), or all of them and keeps its own (rng).
  if (isa<sh::RngBitGeneratorOp>(op))
    return factor.size > 1 && isPlacewiseRandom(op, rule, f);
  if (isa<sh::RngOp>(op))
    return false;
  if (factor.kind == FactorKind::Window)
    return factor.size > 1 && isWindowCuttable(op, rule, f);
  if (factor.size <= 1 || isInWindow(rule, f))
    return false;
  switch (factor.kind) {
  case FactorKind::PassThrough:
    return isPassThroughCuttable(op, rule, f);
  case FactorKind::Reduction:
    if (auto conv = dyn_cast<sh::ConvolutionOp>(op))
      if (conv.getFeatureGroupCount() > 1 || conv.getBatchGroupCount() > 1)
        return false;
    // Bodies without a collective of their own: parts are gathered and
    // reduced once more.
    return factor.reduction.has_value() || isa<sh::ReduceOp>(op);
  case FactorKind::Indexed:
    return isIndexedCuttable(op, rule, f);
  case FactorKind::Ordered:
    return orderedFormOf(op, rule, f) != OrderedForm::None;
  case FactorKind::Window:
  case FactorKind::NeedReplication:
    return false;
  }
  return false;
}

std::optional<ReductionKind>
shoal::mergeKind(Operation *op, const ShardingRule &rule, int64_t f) {
  if (rule.factors[f].kind != FactorKind::Indexed ||
      !isa<sh::GatherOp, sh::DynamicSliceOp>(op))
    return std::nullopt;
  if (auto slice = dyn_cast<sh::DynamicSliceOp>(op))
    if (int64_t dim = rule.operands[0].findDim(f);
        dim < 0 || slice.getSliceSizes()[dim] == 1)
      return std::nullopt;
  for (const TensorMapping &result : rule.results)
    if (result.contains(f))
      return std::nullopt;
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  ReductionKind kind =
      element.isInteger(1) ? ReductionKind::Or : ReductionKind::Add;
  if (!getNeutralElement(kind, element))
    return std::nullopt;
  return kind;
}

bool shoal::isSelectingReduce(Operation *op) {
  auto reduce = dyn_cast<sh::ReduceOp>(op);
  if (!reduce || reduce.getBody().empty())
    return false;
  for (Operation &inner : reduce.getBody().front())
    if (!isa<sh::CompareOp, sh::SelectOp, sh::AndOp, sh::OrOp, sh::NotOp,
             sh::MaxOp, sh::MinOp, sh::ReturnOp>(inner))
      return false;
  // Logic on the data itself is not a choice among it.
  for (Value result : reduce.getBody().front().getTerminator()->getOperands())
    if (result.getDefiningOp<sh::AndOp>() || result.getDefiningOp<sh::OrOp>() ||
        result.getDefiningOp<sh::NotOp>() ||
        result.getDefiningOp<sh::CompareOp>())
      return false;
  return true;
}
