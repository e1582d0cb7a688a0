// The dialect: what it registers, and the checks of attributes that it puts on
// operations of other dialects.
#include "dialects/SDY/SDY.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace mlir::sdy;

#include "dialects/SDY/SDYDialect.cpp.inc"
#include "dialects/SDY/SDYEnums.cpp.inc"

void SdyDialect::initialize() {
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "dialects/SDY/SDY.cpp.inc"
      >();
  registerBytecode();
}

/// The types that the shardings of `op` belong to: its results, or for a
/// terminator-like op without results its operands; tuples count as their
/// elements.
static SmallVector<Type> shardedTypes(Operation *op) {
  SmallVector<Type> types;
  for (Type type : op->getResultTypes()) {
    if (auto tuple = dyn_cast<TupleType>(type))
      tuple.getFlattenedTypes(types);
    else
      types.push_back(type);
  }
  return types;
}

static LogicalResult verifyRule(Operation *op, OpShardingRuleAttr rule) {
  auto checkSide = [&](ArrayRef<TensorMappingAttr> mappings, TypeRange types,
                       StringRef side) -> LogicalResult {
    if (mappings.size() != types.size())
      return op->emitOpError("sharding rule maps ")
             << mappings.size() << " " << side << "s, but the op has "
             << types.size();
    for (auto [index, pair] : llvm::enumerate(llvm::zip(mappings, types))) {
      auto [mapping, type] = pair;
      auto shaped = dyn_cast<ShapedType>(type);
      int64_t rank = shaped && shaped.hasRank() ? shaped.getRank() : 0;
      if (rank != int64_t(mapping.getDimMappings().size()))
        return op->emitOpError("sharding rule gives ")
               << side << " " << index << " " << mapping.getDimMappings().size()
               << " dimensions, but its "
               << "rank is " << rank;
      llvm::SmallDenseSet<int64_t> seen;
      for (DimMappingAttr dim : mapping.getDimMappings())
        for (int64_t factor : dim.getFactorIndices())
          if (!seen.insert(factor).second)
            return op->emitOpError("sharding rule uses factor ")
                   << factorName(factor) << " twice in " << side << " "
                   << index;
    }
    return success();
  };
  if (failed(checkSide(rule.getOperandMappings(), op->getOperandTypes(),
                       "operand")) ||
      failed(
          checkSide(rule.getResultMappings(), op->getResultTypes(), "result")))
    return failure();
  return success();
}

LogicalResult SdyDialect::verifyOperationAttribute(Operation *op,
                                                   NamedAttribute attribute) {
  if (attribute.getName() == kShardingRuleAttr) {
    auto rule = dyn_cast<OpShardingRuleAttr>(attribute.getValue());
    if (!rule)
      return op->emitOpError("'sdy.sharding_rule' must be an "
                             "#sdy.op_sharding_rule");
    return verifyRule(op, rule);
  }
  if (attribute.getName() != kShardingAttr)
    return success();

  auto perValue = dyn_cast<TensorShardingPerValueAttr>(attribute.getValue());
  if (!perValue)
    return op->emitOpError("'sdy.sharding' on an operation must be an "
                           "#sdy.sharding_per_value");
  SmallVector<Type> types = shardedTypes(op);
  ArrayRef<TensorShardingAttr> shardings = perValue.getShardings();
  // A maximal sharding may stand on an op without results.
  if (types.empty() && shardings.size() == 1) {
    MeshAttr mesh = shardings.front().getMesh(op);
    if (mesh && mesh.isMaximal())
      return success();
  }
  if (types.size() != shardings.size())
    return op->emitOpError("'sdy.sharding' has ")
           << shardings.size() << " shardings for " << types.size()
           << " results";
  for (auto [index, pair] : llvm::enumerate(llvm::zip(shardings, types)))
    if (failed(verifySharding(std::get<0>(pair), std::get<1>(pair), op,
                              ("result " + Twine(index)).str())))
      return failure();
  return success();
}

static LogicalResult verifyFunctionAttribute(Operation *op,
                                             NamedAttribute attribute,
                                             TypeRange types, unsigned index,
                                             StringRef side) {
  if (attribute.getName() != kShardingAttr)
    return success();
  auto sharding = dyn_cast<TensorShardingAttr>(attribute.getValue());
  if (!sharding)
    return op->emitOpError(side)
           << " " << index << ": 'sdy.sharding' must be an #sdy.sharding";
  if (index >= types.size())
    return success();
  return verifySharding(sharding, types[index], op,
                        (side + " " + Twine(index)).str());
}

LogicalResult SdyDialect::verifyRegionArgAttribute(Operation *op,
                                                   unsigned regionIndex,
                                                   unsigned argIndex,
                                                   NamedAttribute attribute) {
  if (auto function = dyn_cast<FunctionOpInterface>(op))
    return verifyFunctionAttribute(op, attribute, function.getArgumentTypes(),
                                   argIndex, "argument");
  return success();
}

LogicalResult
SdyDialect::verifyRegionResultAttribute(Operation *op, unsigned regionIndex,
                                        unsigned resultIndex,
                                        NamedAttribute attribute) {
  if (auto function = dyn_cast<FunctionOpInterface>(op))
    return verifyFunctionAttribute(op, attribute, function.getResultTypes(),
                                   resultIndex, "result");
  return success();
}
