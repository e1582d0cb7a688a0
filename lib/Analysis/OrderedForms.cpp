#include "shoal/Analysis/OrderedForms.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/StableHLO/StableHLO.h"

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
  if (isa<sh::ReduceWindowOp>(op) && getScanDim(op))
    return OrderedForm::Scan;
  return OrderedForm::None;
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
      int64_t k = std::min<int64_t>(cast<chlo::TopKOp>(op).getK(), form.blocks[f]);
      bytes += (parts - 1) * k * row *
               (elementBytesOf(op->getResult(0).getType()) + 4);
      break;
    }
    case OrderedForm::Scan:
      for (Type type : op->getResultTypes())
        bytes += (parts - 1) * row * elementBytesOf(type);
      break;
    }
  }
  return bytes;
}
