#include "shoal/Analysis/OpForm.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/Cuttable.h"
#include "shoal/Analysis/OrderedForms.h"
#include "shoal/Analysis/ScalarBodies.h"
#include "shoal/Analysis/ShardedView.h"
#include "shoal/Analysis/ShardingRules.h"

using namespace mlir;
using namespace shoal;

/// A slice of single elements along a dimension: where that is cut, one device
/// has them, the others contribute nothing, and the result is a sum to be. For
/// forms this says more than that the result's one index is the operand's.
static void refineSingleElements(Operation *op, ShardingRule &rule) {
  if (!isa<stablehlo::SliceOp>(op))
    return;
  auto in = cast<RankedTensorType>(op->getOperand(0).getType());
  auto out = cast<RankedTensorType>(op->getResult(0).getType());
  bool isBool = in.getElementType().isInteger(1);
  ReductionKind kind = isBool ? ReductionKind::Or : ReductionKind::Add;
  if (!getNeutralElement(kind, in.getElementType()))
    return;
  for (int64_t d = 0; d < in.getRank(); ++d) {
    if (out.getDimSize(d) != 1 || in.getDimSize(d) == 1)
      continue;
    int64_t f = rule.results[0].dims[d].factors.front();
    rule.factors[f].size = 1;
    rule.factors[f].kind = FactorKind::PassThrough;
    rule.operands[0].dims[d].factors = {rule.getNumFactors()};
    rule.operands[0].dims[d].window.reset();
    Factor elements;
    elements.size = in.getDimSize(d);
    elements.kind = FactorKind::Indexed;
    elements.reduction = kind;
    rule.factors.push_back(elements);
  }
}

std::optional<OpModel> OpModel::get(Operation *op, MeshModel &mesh) {
  std::optional<ShardingRule> rule = getFormRule(op);
  if (!rule || rule->operands.size() != op->getNumOperands() ||
      rule->results.size() != op->getNumResults())
    return std::nullopt;
  OpModel model;
  model.mesh = &mesh;
  model.op = op;
  model.rule = std::move(*rule);
  auto addShape = [&](Type type) {
    ArrayRef<int64_t> shape = shapeOf(type);
    model.shapes.push_back({shape.begin(), shape.end()});
  };
  for (Type type : op->getOperandTypes())
    addShape(type);
  for (Type type : op->getResultTypes())
    addShape(type);
  refineSingleElements(op, model.rule);
  // Reading by index from a cut dimension: one device has the element, the
  // others contribute zero.
  for (int64_t f = 0; f < model.rule.getNumFactors(); ++f)
    if (std::optional<ReductionKind> kind = mergeKind(op, model.rule, f))
      model.rule.factors[f].reduction = kind;
  for (int64_t f = 0; f < model.rule.getNumFactors(); ++f)
    model.cuttable.push_back(isFactorCuttable(op, model.rule, f));
  model.findGranules();
  return model;
}

OpForm OpModel::replicated() const {
  OpForm form;
  form.factors.resize(rule.factors.size());
  for (const Factor &factor : rule.factors)
    form.blocks.push_back(factor.size);
  return form;
}

void OpModel::addToDim(OpForm &form, const DimMapping &dim,
                       ArrayRef<uint8_t> list, int64_t block, int64_t size,
                       bool &complete) const {
  AtomSet taken = form.cut() | form.partialIn;
  size_t at = 0;
  for (size_t k = 0; k < dim.factors.size() && at < list.size(); ++k) {
    int64_t f = dim.factors[k];
    int64_t factorSize = rule.factors[f].size;
    bool last = k + 1 == dim.factors.size();
    if (factorSize == 1 && !last)
      continue;
    if (!cuttable[f])
      break;
    // As many atoms as fit into this factor; the rest, if it divides exactly,
    // goes on to the next, minor one.
    size_t take = 0;
    int64_t parts = 1;
    while (at + take < list.size()) {
      int64_t next = parts * mesh->atoms()[list[at + take]].size;
      if (!last && next > factorSize)
        break;
      parts = next;
      ++take;
    }
    ArrayRef<uint8_t> mine = list.slice(at, take);
    if (!form.factors[f].empty()) {
      // Another tensor has spoken: keep it if it agrees, else the rest of this
      // dimension stays out.
      if (ArrayRef<uint8_t>(form.factors[f]) != mine) {
        complete = false;
        return;
      }
    } else if (take) {
      bool clash = false;
      for (uint8_t atom : mine)
        clash |= (taken & atomBit(atom)) != 0;
      if (clash) {
        complete = false;
        return;
      }
      form.factors[f].assign(mine.begin(), mine.end());
      // The tensor's own block, where the dimension is this factor alone or
      // whole multiples of what is minor to it.
      int64_t minor = 1;
      for (size_t m = k + 1; m < dim.factors.size(); ++m)
        minor *= rule.factors[dim.factors[m]].size;
      int64_t natural = defaultBlock(f, parts);
      if (at == 0 && at + take == list.size() && !isWindowed(dim) &&
          size == factorSize * minor && block % minor == 0 &&
          block / minor % granules[f] == 0 &&
          block / minor * parts >= factorSize)
        natural = block / minor;
      form.blocks[f] = natural;
    }
    at += take;
    if (at < list.size() && (last || parts != factorSize))
      break;
  }
  if (at < list.size())
    complete = false;
}

bool OpModel::extend(OpForm &form, size_t tensor,
                     const PlacementState &state) const {
  bool complete = true;
  const TensorMapping &mapping = rule.getTensor(tensor);
  for (size_t d = 0; d < state.dims.size() && d < mapping.dims.size(); ++d)
    if (!state.dims[d].empty())
      addToDim(form, mapping.dims[d], state.dims[d], state.blocks[d],
               shapes[tensor][d], complete);
  return complete;
}

SmallVector<OpForm, 2> OpModel::displaced(size_t tensor,
                                          const PlacementState &state) const {
  const TensorMapping &mapping = rule.getTensor(tensor);
  AtomList moved;
  SmallVector<int64_t> origins;
  PlacementState kept = state;
  for (size_t d = 0; d < state.dims.size() && d < mapping.dims.size(); ++d)
    if (llvm::any_of(mapping.dims[d].factors, [&](int64_t f) {
          return !cuttable[f] || rule.factors[f].kind == FactorKind::Ordered;
        })) {
      moved.append(state.dims[d]);
      if (!state.dims[d].empty())
        llvm::append_range(origins, mapping.dims[d].factors);
      kept.dims[d].clear();
      kept.blocks[d] = shapes[tensor][d];
    }
  if (moved.empty())
    return {};
  OpForm base = replicated();
  extend(base, tensor, kept);
  int64_t extra = partCount(ArrayRef<uint8_t>(moved), mesh->atoms());
  struct Target {
    OpForm form;
    int elsewhere;
    int64_t padded; // Parts of the result that a device computes, in all.
  };
  SmallVector<Target, 4> targets;
  for (int64_t f = 0; f < rule.getNumFactors(); ++f) {
    // Another ordered dimension may take the cut as well: its form has a price.
    bool isFree = rule.factors[f].kind == FactorKind::PassThrough;
    bool isOrdered = rule.factors[f].kind == FactorKind::Ordered &&
                     !llvm::is_contained(origins, f);
    if (!cuttable[f] || !(isFree || isOrdered) || base.blocks[f] < 2)
      continue;
    OpForm form = base;
    int64_t parts = extra * partCount(base.factors[f], mesh->atoms());
    form.factors[f].append(moved);
    form.blocks[f] = ceilDiv(rule.factors[f].size, parts);
    if (!isValid(form))
      continue;
    // Per mille of the work that each device does.
    targets.push_back({form, isOrdered + !mapping.contains(f),
                       1000 * form.blocks[f] / rule.factors[f].size});
  }
  llvm::stable_sort(targets, [](const Target &a, const Target &b) {
    return std::pair(a.elsewhere, a.padded) < std::pair(b.elsewhere, b.padded);
  });
  SmallVector<OpForm, 2> forms;
  for (Target &target : targets)
    if (forms.size() < 2)
      forms.push_back(std::move(target.form));
  return forms;
}

bool OpModel::takePartial(OpForm &form, size_t operand,
                          const PlacementState &state) const {
  if (!state.partial)
    return false;
  const PartialPass *pass = rule.findPartialPass(
      static_cast<ReductionKind>(state.partialKind), operand);
  if (!pass || (state.partial & form.cut()))
    return false;
  // Sums of few bits are moved, but not computed with: each device would round.
  ReductionKind kind = static_cast<ReductionKind>(state.partialKind);
  if ((kind == ReductionKind::Add || kind == ReductionKind::Mul) &&
      pass->kinds != kAnyKind &&
      (isRoundedFloat(op->getOperand(operand).getType()) ||
       llvm::any_of(op->getResultTypes(), isRoundedFloat)))
    return false;
  uint64_t operands = 0;
  for (int64_t i : pass->operands) {
    if (i >= 64)
      return false; // One bit per operand is what a form has.
    operands |= uint64_t(1) << i;
  }
  if (form.partialIn && (form.partialIn != state.partial ||
                         form.partialKind != state.partialKind ||
                         form.partialOperands != operands))
    return false;
  form.partialIn = state.partial;
  form.partialKind = state.partialKind;
  form.partialOperands = operands;
  return true;
}

AtomSet OpModel::reducedAtoms(const OpForm &form, size_t result) const {
  AtomSet set = 0;
  for (size_t f = 0; f < form.factors.size(); ++f) {
    if (form.factors[f].empty() || !rule.factors[f].reduction)
      continue;
    if (rule.results[result].contains(f))
      continue;
    for (uint8_t atom : form.factors[f])
      set |= atomBit(atom);
  }
  return set;
}

std::optional<unsigned> OpModel::reductionKind(const OpForm &form) const {
  std::optional<unsigned> kind;
  for (size_t r = 0; r < numResults(); ++r)
    for (size_t f = 0; f < form.factors.size(); ++f) {
      if (form.factors[f].empty() || !rule.factors[f].reduction ||
          rule.results[r].contains(f))
        continue;
      unsigned mine = static_cast<unsigned>(*rule.factors[f].reduction);
      if (kind && *kind != mine)
        return std::nullopt;
      kind = mine;
    }
  if (form.partialIn) {
    if (kind && *kind != form.partialKind)
      return std::nullopt;
    kind = form.partialKind;
  }
  return kind ? kind : std::optional<unsigned>(0);
}

bool OpModel::isSummedOver(int64_t f) const {
  if (!rule.factors[f].reduction)
    return false;
  for (const TensorMapping &result : rule.results)
    if (!result.contains(f))
      return true;
  return false;
}

bool OpModel::joinsSum(int64_t operand, int64_t f) const {
  for (const PartialPass &pass : rule.partial) {
    if (!pass.allows(*rule.factors[f].reduction) ||
        !llvm::is_contained(pass.operands, operand))
      continue;
    for (int64_t other : pass.operands)
      if (rule.operands[other].contains(f))
        return true;
  }
  return false;
}

SmallVector<OpForm, 2>
OpModel::reconciled(size_t one, const PlacementState &oneState, size_t other,
                    const PlacementState &otherState) const {
  if (!isa<stablehlo::DotGeneralOp>(op))
    return {};
  const TensorMapping &a = rule.getTensor(one), &b = rule.getTensor(other);
  // Whole dimensions whose atoms the two do not agree on.
  AtomList moved;
  PlacementState keptA = oneState, keptB = otherState;
  keptA.partial = keptB.partial = 0;
  auto drop = [&](PlacementState &kept, size_t d, size_t tensor) {
    kept.dims[d].clear();
    kept.blocks[d] = shapes[tensor][d];
  };
  for (size_t d = 0; d < a.dims.size(); ++d)
    for (size_t e = 0; e < b.dims.size(); ++e) {
      if (a.dims[d].factors == b.dims[e].factors ||
          llvm::none_of(oneState.dims[d], [&](uint8_t atom) {
            return llvm::is_contained(otherState.dims[e], atom);
          }))
        continue;
      ArrayRef<uint8_t> longer = oneState.dims[d];
      if (otherState.dims[e].size() > longer.size())
        longer = otherState.dims[e];
      for (uint8_t atom : longer)
        if (!llvm::is_contained(moved, atom))
          moved.push_back(atom);
      drop(keptA, d, one);
      drop(keptB, e, other);
    }
  if (moved.empty())
    return {};
  OpForm base = replicated();
  extend(base, one, keptA);
  extend(base, other, keptB);
  SmallVector<OpForm, 2> forms;
  int64_t extra = partCount(ArrayRef<uint8_t>(moved), mesh->atoms());
  for (int64_t f = 0; f < rule.getNumFactors(); ++f) {
    if (!cuttable[f] || !a.contains(f) || !b.contains(f))
      continue;
    int64_t parts = extra * partCount(base.factors[f], mesh->atoms());
    OpForm form = base;
    form.factors[f].append(moved);
    form.blocks[f] = ceilDiv(rule.factors[f].size, parts);
    // Devices without a part would be idle.
    if (rule.factors[f].size < parts || !isValid(form))
      continue;
    forms.push_back(std::move(form));
  }
  return forms;
}

PlacementState OpModel::placement(const OpForm &form, size_t tensor) const {
  PlacementState state = PlacementState::replicated(shapes[tensor]);
  const TensorMapping &mapping = rule.getTensor(tensor);
  for (size_t d = 0; d < mapping.dims.size(); ++d) {
    const DimMapping &dim = mapping.dims[d];
    int64_t block = 1;
    // Where windows and their taps are shared, a device's stretch is that of
    // its windows, with all taps.
    bool both = tensor < numOperands() && sharesWindowsAndTaps(form, dim);
    for (int64_t f : dim.factors) {
      if (both && rule.factors[f].kind == FactorKind::Reduction)
        continue;
      state.dims[d].append(form.factors[f].begin(), form.factors[f].end());
      block *= form.blocks[f];
    }
    if (state.dims[d].empty())
      continue;
    // Where windows map other positions than the result's, the operand has a
    // size and a block of its own.
    int64_t n = shapes[tensor][d], product = 1;
    for (int64_t f : dim.factors)
      product *= rule.factors[f].size;
    if (tensor < numOperands() && (product != n || isWindowed(dim)))
      block = ceilDiv(n, partCount(state.dims[d], mesh->atoms()));
    state.blocks[d] = block;
  }
  bool isOperand = tensor < numOperands();
  unsigned kind = reductionKind(form).value_or(0);
  if (isOperand) {
    if (tensor < 64 && (form.partialOperands >> tensor & 1))
      state.partial |= form.partialIn;
    // An operand that enters the sum (a scatter's input, the initial value of
    // a reduction) but lacks a cut reduction factor would be counted once per
    // device of that factor, so it must be split into summands as well.
    for (size_t f = 0; f < form.factors.size(); ++f)
      if (!form.factors[f].empty() && isSummedOver(f) && !mapping.contains(f) &&
          joinsSum(tensor, f))
        for (uint8_t atom : form.factors[f])
          state.partial |= atomBit(atom);
  } else {
    state.partial = reducedAtoms(form, tensor - numOperands());
    if (form.partialOperands)
      state.partial |= form.partialIn;
  }
  state.partial &= ~state.cut();
  state.partialKind = state.partial ? kind : 0;
  return state;
}

bool OpModel::isValid(const OpForm &form) const {
  AtomSet seen = form.partialIn;
  for (size_t f = 0; f < form.factors.size(); ++f) {
    if (!form.factors[f].empty() && !cuttable[f])
      return false;
    for (uint8_t atom : form.factors[f]) {
      if (seen & atomBit(atom))
        return false;
      seen |= atomBit(atom);
    }
  }
  if (!reductionKind(form) || !hasValidWindows(form) ||
      !isOrderedFormValid(op, *this, form, mesh->atoms()))
    return false;
  // In a compound dimension a cut minor factor needs all major ones cut to
  // single elements, or the parts would not be contiguous; and it must divide,
  // or its padding would lie inside the dimension instead of at its end.
  for (int64_t t = 0; t < rule.getNumTensors(); ++t)
    for (const DimMapping &dim : rule.getTensor(t).dims) {
      if (isWindowed(dim))
        continue;
      bool open = false;
      int64_t major = 1;
      for (int64_t f : dim.factors) {
        if (open && !form.factors[f].empty())
          return false;
        int64_t parts = partCount(form.factors[f], mesh->atoms());
        if (major > 1 && !form.factors[f].empty() &&
            parts * form.blocks[f] != rule.factors[f].size)
          return false;
        if (parts != rule.factors[f].size || (parts > 1 && form.blocks[f] != 1))
          open = true;
        major *= rule.factors[f].size;
      }
    }
  return true;
}

int64_t OpModel::innerBytes(const OpForm &form) const {
  int64_t bytes = 0;
  // The owner of the element that a dynamic_slice reads broadcasts it.
  if (isa<stablehlo::DynamicSliceOp>(op)) {
    int64_t owners = 1;
    for (size_t f = 0; f < form.factors.size(); ++f)
      if (rule.factors[f].kind == FactorKind::Indexed &&
          !rule.factors[f].reduction)
        owners *= partCount(form.factors[f], mesh->atoms());
    bytes +=
        broadcastBytes(owners, localElements(placement(form, numOperands())) *
                                   elementBytesOf(op->getResult(0).getType()));
  }
  bytes += orderedBytes(op, *this, form, mesh->atoms());
  for (size_t f = 0; f < form.factors.size(); ++f) {
    if (form.factors[f].empty())
      continue;
    int64_t parts = partCount(form.factors[f], mesh->atoms());
    const Factor &factor = rule.factors[f];
    if (factor.kind == FactorKind::Reduction && !factor.reduction)
      for (size_t r = 0; r < numResults(); ++r)
        bytes += (parts - 1) *
                 localElements(placement(form, numOperands() + r)) *
                 elementBytesOf(op->getResult(r).getType());
  }
  for (size_t t = 0; t < numOperands(); ++t)
    bytes += fetchedBytes(form, t);
  return bytes;
}

FormAttr OpModel::toAttr(const OpForm &form) const {
  SmallVector<DimShardingAttr> factors;
  for (size_t f = 0; f < form.factors.size(); ++f)
    factors.push_back(mesh->toDimSharding(form.factors[f], form.blocks[f],
                                          rule.factors[f].size));
  return FormAttr::get(mesh->meshRef(), factors,
                       form.partialIn ? partialStrategy(form.partialOperands)
                                      : std::string());
}

OpForm OpModel::fromAttr(FormAttr attr, Operation *op) const {
  OpForm form = replicated();
  for (size_t f = 0; f < form.factors.size() && f < attr.getFactors().size();
       ++f) {
    DimShardingAttr factor = attr.getFactors()[f];
    form.factors[f] = mesh->toAtoms(factor.getAxes());
    if (!form.factors[f].empty())
      form.blocks[f] = factor.getBlock()
                           ? factor.getBlock()
                           : ceilDiv(rule.factors[f].size,
                                     partCount(form.factors[f], mesh->atoms()));
  }
  // Over which atoms operands come in partial is what the results are partial
  // over beyond the op's own reductions.
  StringRef strategy = attr.getStrategy();
  if (strategy.consume_front("partial(") && numResults()) {
    PlacementState declared =
        mesh->toPlacement(getResultSharding(op, 0), op->getResult(0).getType());
    form.partialIn = declared.partial & ~reducedAtoms(form, 0);
    form.partialKind = declared.partialKind;
    unsigned operand;
    while (!strategy.consumeInteger(10, operand)) {
      if (operand < 64)
        form.partialOperands |= uint64_t(1) << operand;
      strategy.consume_front(",");
    }
    if (!form.partialIn)
      form.partialOperands = 0;
  }
  return form;
}
