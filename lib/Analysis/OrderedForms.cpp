#include "shoal/Analysis/OrderedForms.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/ScalarBodies.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

static Type elementOf(Value value) {
  return getElementTypeOrSelf(value.getType());
}

OrderedForm shoal::orderedFormOf(Operation *op, const ShardingRule &rule,
                                 int64_t f) {
  if (isa<chlo::TopKOp>(op)) {
    // Padding takes the least number of the total order. With all elements
    // asked for it is a sort.
    Type element = elementOf(op->getOperand(0));
    if (auto type = dyn_cast<FloatType>(element))
      if (!APFloat::semanticsHasInf(type.getFloatSemantics()))
        return OrderedForm::None;
    if (!element.isIntOrFloat() || rule.results[0].contains(f) ||
        !elementOf(op->getResult(1)).isSignlessInteger(32))
      return OrderedForm::None;
    return OrderedForm::TopK;
  }
  // (A running sum of few bits is rounded at every step.)
  if (isa<sh::ReduceWindowOp>(op) && getScanDim(op))
    return isRoundedFloat(op->getResult(0).getType()) ? OrderedForm::None
                                                      : OrderedForm::Scan;
  if (auto sort = dyn_cast<sh::SortOp>(op))
    return isElementwiseBody(sort.getComparator()) ? OrderedForm::Exchange
                                                   : OrderedForm::None;
  if (isa<sh::FftOp>(op) && rule.results[0].contains(f))
    return OrderedForm::Transform;
  if (isa<sh::TriangularSolveOp>(op) && rule.operands[0].contains(f) &&
      rule.operands[1].contains(f))
    return OrderedForm::Substitute;
  return OrderedForm::None;
}

int64_t shoal::exchangeRounds(int64_t block) {
  int64_t rounds = 0;
  while ((int64_t(1) << rounds) < block + 1)
    ++rounds;
  return rounds;
}

bool shoal::comparatorUses(Operation *sort, unsigned i) {
  Block &body = cast<sh::SortOp>(sort).getComparator().front();
  return !body.getArgument(2 * i).use_empty() ||
         !body.getArgument(2 * i + 1).use_empty();
}

int64_t shoal::transformHelper(const PlacementState &state, int64_t dim,
                               ArrayRef<MeshAtom> atoms) {
  int64_t parts = partCount(ArrayRef<uint8_t>(state.dims[dim]), atoms);
  int64_t best = -1;
  auto waste = [&](int64_t d) {
    return double(ceilDiv(state.blocks[d], parts)) / double(state.blocks[d]);
  };
  for (int64_t d = 0; d < int64_t(state.blocks.size()); ++d)
    if (d != dim && state.blocks[d] > 1 && (best < 0 || waste(d) < waste(best)))
      best = d;
  return best;
}

/// One dimension, the last, of n = p·m elements, m a multiple of p.
static bool isDividedTransform(sh::FftOp fft, const PlacementState &state,
                               ArrayRef<MeshAtom> atoms) {
  int64_t last = int64_t(state.dims.size()) - 1;
  int64_t parts = partCount(ArrayRef<uint8_t>(state.dims[last]), atoms);
  return fft.getFftLength().size() == 1 &&
         fft.getFftLength()[0] == parts * state.blocks[last] &&
         state.blocks[last] % parts == 0;
}

/// Programs must not grow with the number of devices.
constexpr int64_t kMostSubstitutions = 16;

bool shoal::isOrderedFormValid(Operation *op, const OpModel &model,
                               const OpForm &form, ArrayRef<MeshAtom> atoms) {
  const ShardingRule &rule = model.getRule();
  for (int64_t f = 0; f < rule.getNumFactors(); ++f) {
    if (form.factors[f].empty() || rule.factors[f].kind != FactorKind::Ordered)
      continue;
    OrderedForm how = orderedFormOf(op, rule, f);
    // A step for each part.
    if (how == OrderedForm::Substitute &&
        partCount(form.factors[f], atoms) > kMostSubstitutions)
      return false;
    if (how != OrderedForm::Exchange && how != OrderedForm::Transform)
      continue;
    PlacementState state = model.placement(form, 0);
    // Rows of an exchange are single elements.
    if (how == OrderedForm::Exchange) {
      if (localElements(state) != form.blocks[f])
        return false;
    } else if (transformHelper(state, rule.operands[0].findDim(f), atoms) < 0 &&
               !isDividedTransform(cast<sh::FftOp>(op), state, atoms)) {
      return false;
    }
  }
  return true;
}

bool shoal::isPlacewiseRandom(Operation *op, const ShardingRule &rule,
                              int64_t f) {
  auto random = dyn_cast<sh::RngBitGeneratorOp>(op);
  if (!random || rule.operands[0].contains(f) || !rule.results[1].contains(f))
    return false;
  auto state = cast<RankedTensorType>(op->getOperand(0).getType());
  bool threeFry = random.getRngAlgorithm() == sh::RngAlgorithm::THREE_FRY;
  if (!state.getElementType().isInteger(64) || state.getRank() != 1 ||
      (state.getDimSize(0) != 2 && (threeFry || state.getDimSize(0) != 3)))
    return false;
  Type element = elementOf(op->getResult(1));
  if (!element.isIntOrFloat())
    return false;
  unsigned width = element.getIntOrFloatBitWidth();
  return width == 8 || width == 16 || width == 32 || width == 64;
}

int64_t shoal::orderedBytes(Operation *op, const OpModel &model,
                            const OpForm &form, ArrayRef<MeshAtom> atoms) {
  const ShardingRule &rule = model.getRule();
  int64_t bytes = 0;
  for (int64_t f = 0; f < rule.getNumFactors(); ++f) {
    if (form.factors[f].empty() || rule.factors[f].kind != FactorKind::Ordered)
      continue;
    int64_t parts = partCount(form.factors[f], atoms);
    // Elements a device holds of operand 0, for each index of the factor.
    int64_t row = localElements(model.placement(form, 0)) /
                  std::max<int64_t>(1, form.blocks[f]);
    switch (orderedFormOf(op, rule, f)) {
    case OrderedForm::None:
      break;
    case OrderedForm::TopK: {
      int64_t k =
          std::min<int64_t>(cast<chlo::TopKOp>(op).getK(), form.blocks[f]);
      bytes += (parts - 1) * k * row *
               (elementBytesOf(op->getResult(0).getType()) + 4);
      break;
    }
    case OrderedForm::Scan:
      for (Type type : op->getResultTypes())
        bytes += (parts - 1) * row * elementBytesOf(type);
      break;
    case OrderedForm::Substitute:
      // The latency of a step is worth some bytes.
      bytes +=
          parts * 16 +
          parts * broadcastBytes(
                      parts, localElements(model.placement(form, 1)) *
                                 elementBytesOf(op->getResult(0).getType()));
      break;
    case OrderedForm::Exchange: {
      int64_t moved = 0, keys = 0;
      for (auto [i, type] : llvm::enumerate(op->getOperandTypes())) {
        moved += elementBytesOf(type);
        if (comparatorUses(op, i))
          keys += elementBytesOf(type);
      }
      // Keys looked at and counts that come back, and the worth of a
      // collective's latency for each.
      constexpr int64_t latency = 32;
      bytes += moved * form.blocks[f] * (parts - 1) / parts +
               exchangeRounds(form.blocks[f]) *
                   ((parts - 1) * (parts - 1) * (keys + 8) + latency);
      break;
    }
    case OrderedForm::Transform: {
      PlacementState state = model.placement(form, 0);
      int64_t dim = rule.operands[0].findDim(f);
      int64_t helper = transformHelper(state, dim, atoms);
      int64_t local =
          localElements(state) * elementBytesOf(op->getResult(0).getType());
      if (helper < 0) {
        bytes += 3 * allToAllBytes(parts, local);
        break;
      }
      int64_t padded = local / state.blocks[helper] * parts *
                       ceilDiv(state.blocks[helper], parts);
      bytes += 2 * allToAllBytes(parts, padded);
      break;
    }
    }
  }
  return bytes;
}
