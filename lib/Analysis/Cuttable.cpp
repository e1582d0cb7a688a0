#include "shoal/Analysis/Cuttable.h"
#include "shoal/Analysis/OrderedForms.h"
#include "shoal/Analysis/ScalarBodies.h"

#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Matchers.h"

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
  // (slice: of single elements, see OpModel::get.)
  return isa<sh::ScatterOp, sh::DynamicUpdateSliceOp, sh::SliceOp>(op);
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

/// Windows whose elements lib/Partition fetches from neighbours: each part of
/// the result reads one stretch.
static bool isWindowCuttable(Operation *op, const ShardingRule &rule,
                             int64_t f) {
  if (!isa<sh::SliceOp, sh::PadOp, sh::ReverseOp, sh::ConcatenateOp,
           sh::ConvolutionOp, sh::ReduceWindowOp, sh::SelectAndScatterOp>(op))
    return false;
  return rule.results[0].contains(f);
}

/// A sum or product whose every step is rounded to few bits.
static bool isRoundedSum(Operation *op, ReductionKind kind) {
  return (kind == ReductionKind::Add || kind == ReductionKind::Mul) &&
         isRoundedFloat(op->getResult(0).getType());
}

/// The taps of a window may be shared if each is read by one device. Padding
/// in windows takes the initial value, once for each tap; if that changes
/// anything, it must be the same on all devices.
static bool isTapCuttable(Operation *op, const ShardingRule &rule, int64_t f) {
  if (isa<sh::ConvolutionOp>(op))
    return true;
  auto reduce = dyn_cast<sh::ReduceWindowOp>(op);
  if (!reduce || !rule.factors[f].reduction)
    return false;
  ReductionKind kind = *rule.factors[f].reduction;
  if (isRoundedSum(op, kind))
    return false;
  DenseElementsAttr init;
  if (!matchPattern(rootOf(reduce.getInitValues()[0]), m_Constant(&init)) ||
      !init.isSplat())
    return false;
  Type element = init.getElementType();
  TypedAttr neutral = getNeutralElement(kind, element);
  if (!neutral || isa<ComplexType>(element))
    return false;
  Attribute value = init.getSplatValue<Attribute>();
  auto number = dyn_cast<FloatAttr>(value);
  return value == neutral ||
         (kind == ReductionKind::Add && number && number.getValue().isZero());
}

/// Any body may be applied to parts that follow one another in the order of the
/// elements, as those of the major dimension do: it is associative, but picks
/// the first of several, say, or multiplies matrices.
static bool hasOrderedParts(Operation *op, const ShardingRule &rule,
                            int64_t f) {
  auto reduce = dyn_cast<sh::ReduceOp>(op);
  if (!reduce)
    return false;
  int64_t dim = rule.operands[0].findDim(f);
  auto shape = cast<RankedTensorType>(reduce.getInputs()[0].getType());
  return llvm::none_of(reduce.getDimensions(), [&](int64_t d) {
    return d < dim && shape.getDimSize(d) != 1;
  });
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
  // A single window over a cut dimension is made where its elements are.
  if (factor.kind == FactorKind::Window)
    return isWindowCuttable(op, rule, f);
  if (factor.size <= 1)
    return false;
  if (isInWindow(rule, f))
    return factor.kind == FactorKind::Reduction && isTapCuttable(op, rule, f);
  switch (factor.kind) {
  case FactorKind::PassThrough:
    return isPassThroughCuttable(op, rule, f);
  case FactorKind::Reduction:
    // Bodies without a collective of their own: parts are gathered and
    // reduced once more.
    return factor.reduction.has_value() || hasOrderedParts(op, rule, f);
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
