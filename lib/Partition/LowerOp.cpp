// One op in its form: operands brought to the placements the form demands,
// padding masked, then the device-local op.

#include "Partitioner.h"

#include "dialects/Shoal/ShardingRule.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/Cuttable.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

//===----------------------------------------------------------------------===//
// OpLowering
//===----------------------------------------------------------------------===//

SmallVector<Type> OpLowering::localResultTypes() {
  SmallVector<Type> types;
  for (size_t r = 0; r < model.numResults(); ++r) {
    Type type = op->getResult(r).getType();
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      type = RankedTensorType::get(
          model.placement(form, model.numOperands() + r).blocks,
          tensor.getElementType(), tensor.getEncoding());
    types.push_back(type);
  }
  return types;
}

AtomList OpLowering::atomsOf(size_t tensor, int64_t dim) {
  return model.placement(form, tensor).dims[dim];
}
bool OpLowering::isCut(size_t tensor, int64_t dim) {
  return !atomsOf(tensor, dim).empty();
}
int64_t OpLowering::blockOf(size_t tensor, int64_t dim) {
  return model.placement(form, tensor).blocks[dim];
}
Value OpLowering::offsetOf(size_t tensor, int64_t dim) {
  return b.mul(b.axisIndex(atomsOf(tensor, dim)),
               b.scalarInt(blockOf(tensor, dim), b.getI32Type()));
}

/// Where a cut reduction factor does not divide, the last parts hold padding
/// that would enter the result: it is replaced by the neutral element.
void OpLowering::maskReducedPadding(SmallVector<Value> &operands) {
  const ShardingRule &rule = model.getRule();
  for (size_t f = 0; f < form.factors.size(); ++f) {
    const Factor &factor = rule.factors[f];
    if (form.factors[f].empty() || factor.kind != FactorKind::Reduction ||
        !factor.reduction)
      continue;
    int64_t parts = partCount(form.factors[f], mesh.atoms());
    if (parts * form.blocks[f] == factor.size)
      continue;
    for (size_t t = 0; t < operands.size(); ++t) {
      int64_t dim = rule.operands[t].findDim(f);
      // What windows read beyond the end is filled when it is fetched.
      if (dim < 0 || rule.operands[t].dims[dim].window)
        continue;
      Type element = b.elementOf(operands[t]);
      // Indices of a scatter: its masked updates make them harmless.
      if (isa<sh::ScatterOp>(op) &&
          t == cast<sh::ScatterOp>(op).getInputs().size())
        continue;
      bool isProduct = isa<sh::DotGeneralOp, sh::DotOp, sh::ConvolutionOp>(op);
      Attribute fill = isProduct
                           ? getFiller(element)
                           : getNeutralOrFiller(*factor.reduction, element);
      PlacementState state = model.placement(form, t);
      operands[t] = b.maskPadding(operands[t], dim, state.dims[dim],
                                  model.shape(t)[dim], fill);
    }
  }
}

SmallVector<Value> OpLowering::cloneLocal(ArrayRef<Value> operands) {
  Operation *clone = op->clone();
  clone->setOperands(operands);
  stripShardings(clone);
  for (auto [result, type] :
       llvm::zip_equal(clone->getResults(), localResultTypes()))
    result.setType(type);
  b.insert(clone);
  return SmallVector<Value>(clone->getResults());
}

FailureOr<SmallVector<Value>> OpLowering::lower(SmallVector<Value> operands) {
  maskReducedPadding(operands);
  if (isa<sh::ConstantOp>(op))
    return lowerConstant();
  if (isa<sh::IotaOp>(op))
    return lowerIota();
  if (isa<sh::GatherOp>(op))
    return lowerGather(operands);
  if (isa<sh::ScatterOp>(op))
    return lowerScatter(operands);
  if (isa<sh::DynamicSliceOp>(op))
    return lowerDynamicSlice(operands);
  if (isa<sh::DynamicUpdateSliceOp>(op))
    return lowerDynamicUpdateSlice(operands);
  if (isMerged())
    return lowerMergedReduce(operands);
  if (isa<sh::RngBitGeneratorOp>(op))
    return lowerRandomBits(operands);
  for (size_t f = 0; f < form.factors.size(); ++f)
    if (!form.factors[f].empty() &&
        model.getRule().factors[f].kind == FactorKind::Ordered)
      return lowerOrdered(operands, f);
  if (isa<sh::SliceOp>(op))
    return lowerSlice(operands);
  if (isa<sh::PadOp>(op))
    return lowerPad(operands);
  if (isa<sh::ReverseOp>(op))
    return lowerReverse(operands);
  if (isa<sh::ConcatenateOp>(op))
    return lowerConcatenate(operands);
  if (isa<sh::ConvolutionOp>(op))
    return lowerConvolution(operands);
  if (isa<sh::ReduceWindowOp>(op))
    return lowerReduceWindow(operands);
  if (isa<sh::SelectAndScatterOp>(op))
    return lowerSelectAndScatter(operands);
  return cloneLocal(operands);
}

//===----------------------------------------------------------------------===//
// Forms and operands
//===----------------------------------------------------------------------===//

OpForm Partitioner::formOf(Operation *op, OpModel &model) {
  if (auto attr = op->getAttrOfType<FormAttr>(ShoalDialect::kFormAttr))
    return model.fromAttr(attr, op);
  // Without a form: what the results' shardings say, then what the operands
  // have along factors that no result has.
  OpForm form = model.replicated();
  if (hasResultState(op))
    for (size_t r = 0; r < model.numResults(); ++r)
      model.extend(form, model.numOperands() + r, resultState(op, r));
  for (size_t t = 0; t < model.numOperands(); ++t) {
    OpForm extended = form;
    model.extend(extended, t, values.lookup(op->getOperand(t)).state);
    for (size_t f = 0; f < form.factors.size(); ++f) {
      bool inResult = false;
      for (const TensorMapping &result : model.getRule().results)
        inResult |= result.contains(f);
      if (inResult && hasResultState(op))
        extended.factors[f] = form.factors[f],
        extended.blocks[f] = form.blocks[f];
    }
    if (model.isValid(extended))
      form = extended;
  }
  return model.isValid(form) ? form : model.replicated();
}

/// The function that says what a composite computes; null if there is none.
static func::FuncOp getDecomposition(sh::CompositeOp op) {
  auto func = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      op, op.getDecompositionAttr());
  if (!func || func.isExternal() ||
      func.getArgumentTypes() != op->getOperandTypes() ||
      func.getResultTypes() != op->getResultTypes())
    return {};
  return func;
}

/// The decomposition, its arguments placed as the composite's rule says;
/// inside, ops go along with their operands.
LogicalResult Partitioner::partitionComposite(Operation *op, func::FuncOp body,
                                              OpModel &model,
                                              const OpForm &form,
                                              ArrayRef<Value> operands,
                                              LocalBuilder &b) {
  // A copy: the function is for several composites, and values are kept here
  // by what they were.
  OwningOpRef<func::FuncOp> copy = body.clone();
  copy->walk([](Operation *inner) {
    inner->removeAttr(ShoalDialect::kFormAttr);
    inner->removeAttr(ShoalDialect::kShardingsAttr);
  });
  Block &block = copy->getBody().front();
  for (auto [t, argument] : llvm::enumerate(block.getArguments()))
    set(argument, operands[t], model.placement(form, t));
  reshards.emplace_back();
  LogicalResult result = partitionBlock(block, b);
  if (succeeded(result))
    for (auto [r, value] :
         llvm::enumerate(block.getTerminator()->getOperands())) {
      PlacementState want = model.placement(form, model.numOperands() + r);
      set(op->getResult(r), get(value, want, op, b), want);
    }
  reshards.pop_back();
  return result;
}

LogicalResult Partitioner::partitionByRule(Operation *op, OpModel &model,
                                           LocalBuilder &b) {
  OpForm form = formOf(op, model);
  if (!model.isValid(form))
    return op->emitError("its form cannot be computed in parts: ")
           << model.toAttr(form);
  SmallVector<Value> operands;
  for (size_t t = 0; t < model.numOperands(); ++t) {
    PlacementState want = model.placement(form, t);
    remarkGather(op, model, form, t, want);
    operands.push_back(get(op->getOperand(t), want, op, b));
  }
  b.setLoc(op->getLoc());
  if (auto composite = dyn_cast<sh::CompositeOp>(op))
    if (func::FuncOp body = getDecomposition(composite))
      return partitionComposite(op, body, model, form, operands, b);
  FailureOr<SmallVector<Value>> results =
      OpLowering(op, model, form, mesh, b).lower(operands);
  if (failed(results))
    return failure();
  for (size_t r = 0; r < results->size(); ++r)
    set(op->getResult(r), (*results)[r],
        model.placement(form, model.numOperands() + r));
  return success();
}

/// The value as its maker gives it: what a reshard makes of it, the user needs.
static Value beforeReshards(Value value) {
  while (auto reshard = value.getDefiningOp<ReshardOp>())
    value = reshard.getInput();
  return value;
}

void Partitioner::remarkGather(Operation *op, OpModel &model,
                               const OpForm &form, size_t operand,
                               const PlacementState &want) {
  PlacementState have =
      values.lookup(beforeReshards(op->getOperand(operand))).state;
  const TensorMapping &mapping = model.getRule().operands[operand];
  for (size_t d = 0; d < have.dims.size() && d < mapping.dims.size(); ++d) {
    // (Cut along another dimension instead: nothing is gathered whole.)
    if (have.dims[d].empty() || !want.dims[d].empty() ||
        llvm::all_of(have.dims[d], [&](uint8_t atom) {
          return (want.cut() & atomBit(atom)) != 0;
        }))
      continue;
    // (One that could be cut was left whole by cost.)
    if (llvm::any_of(mapping.dims[d].factors,
                     [&](int64_t f) { return model.canCut(f); }))
      continue;
    for (int64_t f : mapping.dims[d].factors) {
      const ReshardPlan &plan = mesh.planner().plan(
          have, want, model.shape(operand),
          elementBytesOf(op->getOperand(operand).getType()));
      if (llvm::none_of(plan.steps, [](const ReshardStep &step) {
            return step.kind == ReshardKind::AllGather;
          }))
        return; // The cut moves to another dimension.
      InFlightDiagnostic remark = op->emitRemark("operand ");
      remark << operand << " is gathered along dimension " << d << " ("
             << plan.bytes << " bytes sent per device): ";
      if (auto call = dyn_cast<sh::CustomCallOp>(op); call && !hasUserRule(op))
        remark << "nothing says how calls of '" << call.getCallTargetName()
               << "' can be computed in parts; an attribute sdy.sharding_rule, "
                  "or shoal.rule for all calls of the name, does";
      else if (const Factor &factor = model.getRule().factors[f];
               factor.kind == FactorKind::Reduction && !factor.reduction)
        remark << "what its body makes of parts of that dimension cannot be "
                  "combined; it needs them one after the other";
      else
        remark << "the op cannot be computed in parts along a "
               << stringifyFactorKind(factor.kind) << " dimension";
      return;
    }
  }
}

LogicalResult Partitioner::partitionReplicated(Operation *op, LocalBuilder &b) {
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    PlacementState want =
        PlacementState::replicated(shapeOf(operand.getType()));
    LocalValue have = values.lookup(beforeReshards(operand));
    if (have.value && have.state != want) {
      const ReshardPlan &plan =
          mesh.planner().plan(have.state, want, shapeOf(operand.getType()),
                              elementBytesOf(operand.getType()));
      if (plan.bytes)
        op->emitRemark("is computed as a whole on every device (")
            << plan.bytes
            << " bytes sent per device for an operand): there is no sharding "
               "rule for it";
    }
    operands.push_back(get(operand, want, op, b));
  }
  Operation *clone = op->clone();
  clone->setOperands(operands);
  stripShardings(clone);
  b.insert(clone);
  for (auto [old, result] :
       llvm::zip_equal(op->getResults(), clone->getResults()))
    set(old, result, PlacementState::replicated(shapeOf(old.getType())));
  return success();
}
