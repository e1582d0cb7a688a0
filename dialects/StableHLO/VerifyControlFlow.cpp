#include "dialects/StableHLO/InferTypes.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

LogicalResult WhileOp::verify() {
  for (auto [region, name] :
       {std::pair(&getCond(), "condition"), std::pair(&getBody(), "body")}) {
    if (!isCompatibleForHloTypeInference(region->front().getArgumentTypes(),
                                         getOperandTypes()))
      return emitOpError() << "expect operands to be compatible with " << name
                           << " block arguments but got "
                           << region->front().getArgumentTypes() << " vs "
                           << getOperandTypes();
  }
  ReturnOp cond = getRegionReturn(getCond()), body = getRegionReturn(getBody());
  if (!cond || !body)
    return emitOpError() << "expects condition and body to end in a return";
  auto pred = cond->getNumOperands() == 1
                  ? dyn_cast<RankedTensorType>(cond->getOperand(0).getType())
                  : RankedTensorType();
  if (!pred || pred.getRank() != 0 || !pred.getElementType().isInteger(1))
    return emitOpError()
           << "expect condition block return a zero-ranked tensor of i1 but "
              "got "
           << cond->getOperandTypes();
  if (!isCompatibleForHloTypeInference(body->getOperandTypes(),
                                       getOperandTypes()))
    return emitOpError()
           << "expect operands to be compatible with body block return types "
              "but got "
           << getOperandTypes() << " vs " << body->getOperandTypes();
  return success();
}

//===----------------------------------------------------------------------===//
// custom_call
//===----------------------------------------------------------------------===//

/// A layout per value: the dimensions of a tensor from minor to major; empty
/// for tokens and whatever else has no dimensions.
static LogicalResult verifyLayouts(Operation *op, TypeRange types,
                                   ArrayAttr layouts, StringRef name) {
  if (layouts.size() != types.size())
    return op->emitOpError()
           << "Number of " << name << "s must match the number of " << name
           << " layouts, " << types.size() << " != " << layouts.size();
  for (auto [i, pair] : llvm::enumerate(llvm::zip(types, layouts))) {
    Type type = std::get<0>(pair);
    auto layout = cast<DenseIntElementsAttr>(std::get<1>(pair));
    auto tensor = dyn_cast<ShapedType>(type);
    if (isa<TupleType>(type))
      return op->emitOpError()
             << "Tuple types are not fully supported with layout "
                "constraints yet";
    if (!tensor) {
      if (layout.getNumElements() != 0)
        return op->emitOpError()
               << "Only tensor types can have non-empty layout: " << name
               << " #" << i << " of type " << type << " has layout " << layout;
      continue;
    }
    if (!tensor.hasRank())
      continue;
    SmallVector<int64_t> dims;
    for (APInt dim : layout.getValues<APInt>())
      dims.push_back(dim.getSExtValue());
    SmallVector<int64_t> sorted(dims);
    llvm::sort(sorted);
    bool isPermutation = static_cast<int64_t>(dims.size()) == tensor.getRank();
    for (auto [dim, value] : llvm::enumerate(sorted))
      isPermutation &= value == static_cast<int64_t>(dim);
    if (!isPermutation)
      return op->emitOpError()
             << "incorrect layout " << layout << " for type " << type
             << ", layout must be a permutation of [0, " << tensor.getRank()
             << ")";
  }
  return success();
}

/// The type that `indices` lead to through nested tuples; null if they do not.
static Type getNestedType(Type type, ArrayRef<int64_t> indices) {
  for (int64_t index : indices) {
    auto tuple = dyn_cast_if_present<TupleType>(type);
    if (!tuple || index < 0 || index >= static_cast<int64_t>(tuple.size()))
      return {};
    type = tuple.getType(index);
  }
  return type;
}

LogicalResult CustomCallOp::verify() {
  std::optional<ArrayAttr> operandLayouts = getOperandLayouts(),
                           resultLayouts = getResultLayouts();
  if (operandLayouts.has_value() != resultLayouts.has_value())
    return emitOpError()
           << "Layout attributes should be specified for either both operands "
              "and results or none.";
  if (operandLayouts) {
    // Results given as one tuple have their layouts one by one.
    SmallVector<Type> results(getResultTypes());
    if (results.size() == 1)
      if (auto tuple = dyn_cast<TupleType>(results.front())) {
        results.assign(tuple.begin(), tuple.end());
      }
    if (failed(verifyLayouts(*this, getOperandTypes(), *operandLayouts,
                             "operand")) ||
        failed(verifyLayouts(*this, results, *resultLayouts, "result")))
      return failure();
  }
  for (Attribute attr : getOutputOperandAliases()) {
    auto alias = cast<OutputOperandAliasAttr>(attr);
    int64_t operand = alias.getOperandIndex();
    if (operand < 0 || operand >= static_cast<int64_t>(getNumOperands()))
      return emitOpError()
             << "expects operandIndex in the output_operand_alias attribute to "
                "be in range [0, "
             << getNumOperands() << "); got: " << operand << ".";
    Type from = getNestedType(getOperand(operand).getType(),
                              alias.getOperandTupleIndices());
    // With several results the first index chooses one.
    ArrayRef<int64_t> path = alias.getOutputTupleIndices();
    Type to;
    if (getNumResults() == 1 &&
        (path.empty() || isa<TupleType>(getResult(0).getType()))) {
      to = getNestedType(getResult(0).getType(), path);
    } else if (!path.empty() && path.front() >= 0 &&
               path.front() < static_cast<int64_t>(getNumResults())) {
      to = getNestedType(getResult(path.front()).getType(), path.drop_front());
    }
    if (!from || !to)
      return emitOpError() << "output_operand_alias " << alias
                           << " names no operand or no output";
    if (from != to)
      return emitOpError()
             << "shapes mismatch in the output_operand_alias attribute: "
                "operand part has type "
             << from << " and output part has type " << to;
  }
  return success();
}

void CustomCallOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  if (!getHasSideEffect())
    return;
  effects.emplace_back(MemoryEffects::Allocate::get());
  effects.emplace_back(MemoryEffects::Free::get());
  effects.emplace_back(MemoryEffects::Write::get());
  effects.emplace_back(MemoryEffects::Read::get());
}

//===----------------------------------------------------------------------===//
// composite
//===----------------------------------------------------------------------===//

/// Names such as "dialect.op", of letters, digits and underscores.
static bool isCompositeName(StringRef name) {
  SmallVector<StringRef> parts;
  name.split(parts, '.');
  if (parts.size() < 2 || name.empty() || !llvm::isAlpha(name.front()))
    return false;
  return llvm::all_of(llvm::enumerate(parts), [](auto part) {
    return !part.value().empty() && llvm::all_of(part.value(), [&](char c) {
      return llvm::isAlnum(c) || c == '_' || (c == '$' && part.index() > 0);
    });
  });
}

LogicalResult CompositeOp::verify() {
  if (!isCompositeName(getName()))
    return emitOpError() << "name must be a valid namespaced op name, got \""
                         << getName() << "\"";
  return success();
}

LogicalResult CompositeOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto callee = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(
      *this, getDecompositionAttr());
  if (!callee)
    return emitOpError() << "reference to undefined function '"
                         << getDecomposition() << "'";
  // Regions are arguments of the composite that its decomposition may not have.
  if (!isCompatibleForHloTypeInference(TypeRange(callee.getArgumentTypes()),
                                       getOperandTypes()) ||
      !isCompatibleForHloTypeInference(TypeRange(callee.getResultTypes()),
                                       getResultTypes()))
    return emitOpError() << "has mismatched types with its decomposition '"
                         << getDecomposition()
                         << "': " << callee.getFunctionType();
  return success();
}
