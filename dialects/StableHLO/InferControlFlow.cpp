// Control flow, tuples, tokens and collectives.
#include "dialects/StableHLO/InferTypes.h"

using namespace mlir;
using namespace mlir::hlo;
using namespace mlir::stablehlo;

//===----------------------------------------------------------------------===//
// Branches
//===----------------------------------------------------------------------===//

/// Results are what any branch may give.
static LogicalResult inferBranches(std::optional<Location> location,
                                   RegionRange branches,
                                   SmallVectorImpl<Type> &inferred) {
  if (branches.empty())
    return emitOptionalError(location, "expect at least one branch");
  SmallVector<ReturnOp> returns;
  for (auto [i, branch] : llvm::enumerate(branches)) {
    if (branch->empty())
      return emitOptionalError(location, "branch ", i, " is empty");
    if (branch->front().getNumArguments() != 0)
      return emitOptionalError(location, "branch ", i,
                               " must have 0 arguments, but "
                               "found ",
                               branch->front().getNumArguments());
    ReturnOp ret = getRegionReturn(*branch);
    if (!ret)
      return emitOptionalError(location, "branch ", i,
                               " does not end in a return");
    if (!returns.empty() &&
        !isCompatibleForHloTypeInference(returns.front()->getOperandTypes(),
                                         ret->getOperandTypes()))
      return emitOptionalError(
          location, "branch 0 and branch ", i,
          " have mismatched return types: ", returns.front()->getOperandTypes(),
          " vs ", ret->getOperandTypes());
    returns.push_back(ret);
  }
  for (unsigned i = 0, e = returns.front()->getNumOperands(); i < e; ++i) {
    SmallVector<Type> types;
    for (ReturnOp ret : returns)
      types.push_back(ret->getOperand(i).getType());
    auto type = inferLeastSpecificType(location, types);
    if (failed(type))
      return failure();
    inferred.push_back(*type);
  }
  return success();
}

/// The number of the branch is a scalar.
static LogicalResult verifyScalar(std::optional<Location> location, Value value,
                                  StringRef name) {
  auto type = getTensor(value);
  if (!type || type.getRank() != 0)
    return emitOptionalError(location,
                             "operand should be rank 0 tensor but got ", name,
                             " of ", value.getType());
  return success();
}

STABLEHLO_INFER_TYPES(IfOp) {
  if (failed(verifyScalar(location, op.getPred(), "a predicate")))
    return failure();
  return inferBranches(location, op.getRegions(), inferred);
}

STABLEHLO_INFER_TYPES(CaseOp) {
  if (failed(verifyScalar(location, op.getIndex(), "an index")))
    return failure();
  return inferBranches(location, op.getRegions(), inferred);
}

STABLEHLO_INFER_TYPES(WhileOp) {
  llvm::append_range(inferred, op.getOperands().getTypes());
  return success();
}

//===----------------------------------------------------------------------===//
// Tokens, tuples, barriers
//===----------------------------------------------------------------------===//

STABLEHLO_INFER_TYPES(AfterAllOp) {
  inferred.push_back(TokenType::get(context));
  return success();
}

STABLEHLO_INFER_TYPES(OptimizationBarrierOp) {
  llvm::append_range(inferred, op.getOperands().getTypes());
  return success();
}

STABLEHLO_INFER_TYPES(TupleOp) {
  inferred.push_back(TupleType::get(context, op.getOperands().getTypes()));
  return success();
}

STABLEHLO_INFER_TYPES(GetTupleElementOp) {
  auto tuple = dyn_cast<TupleType>(op.getOperand().getType());
  if (!tuple)
    return emitOptionalError(location, "expected a tuple, got ",
                             op.getOperand().getType());
  // The attribute is a signless i32 whose accessor is unsigned.
  int64_t index = op.getIndexAttr().getValue().getSExtValue();
  if (index < 0 || index >= static_cast<int64_t>(tuple.size()))
    return emitOptionalError(location, "index ", index,
                             " is out of bounds of operand with size ",
                             tuple.size());
  inferred.push_back(tuple.getType(index));
  return success();
}

//===----------------------------------------------------------------------===//
// Communication
//===----------------------------------------------------------------------===//

STABLEHLO_INFER_TYPES(SendOp) {
  inferred.push_back(TokenType::get(context));
  return success();
}

STABLEHLO_INFER_TYPES(OutfeedOp) {
  inferred.push_back(TokenType::get(context));
  return success();
}

STABLEHLO_INFER_TYPES(AsyncDoneOp) {
  auto future = dyn_cast<FutureType>(op.getOperand().getType());
  if (!future)
    return emitOptionalError(location, "expected a future");
  llvm::append_range(inferred, future.getTypes());
  return success();
}

STABLEHLO_INFER_TYPES(AllReduceOp) {
  if (op.getComputation().empty()) {
    llvm::append_range(inferred, op.getOperands().getTypes());
    return success();
  }
  // One body folds each of the operands.
  for (Value operand : op.getOperands()) {
    SmallVector<Type> elements;
    if (failed(verifyReducer(location, op.getComputation(), {operand.getType()},
                             {operand.getType()}, elements)))
      return failure();
    inferred.push_back(getSameShapeTensorType(
        cast<ShapedType>(operand.getType()), elements.front()));
  }
  return success();
}

STABLEHLO_INFER_TYPES(AllToAllOp) {
  int64_t split = op.getSplitDimension(), concat = op.getConcatDimension(),
          count = op.getSplitCount();
  if (count <= 0)
    return emitOptionalError(location, "AllToAll split_count must be > 0");
  for (Value operand : op.getOperands()) {
    auto type = getTensor(operand);
    if (!type || !isDimInRange(split, type.getRank()))
      return emitOptionalError(location, "AllToAll split_dimension ", split,
                               " is out-of-bounds for input ",
                               operand.getType());
    if (!isDimInRange(concat, type.getRank()))
      return emitOptionalError(location, "AllToAll concat_dimension ", concat,
                               " is out-of-bounds for input ", type);
    SmallVector<int64_t> shape(type.getShape()), bounds;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      bounds.push_back(getBound(encodingToBounds(type.getEncoding()), dim));
    auto exchange = [&](SmallVectorImpl<int64_t> &sizes) -> LogicalResult {
      if (isStaticDimSize(sizes[split])) {
        if (sizes[split] % count != 0)
          return emitOptionalError(
              location, "split dimension has size ", sizes[split],
              ", expected to be a multiple of split_count ", count);
        sizes[split] /= count;
      }
      if (isStaticDimSize(sizes[concat]) &&
          llvm::MulOverflow(sizes[concat], count, sizes[concat]))
        return emitOptionalError(location, "size of the result overflows");
      return success();
    };
    if (failed(exchange(shape)) || failed(exchange(bounds)))
      return failure();
    inferred.push_back(getBoundedTensor(shape, type.getElementType(), bounds));
  }
  return success();
}
