// The shoal dialect: registration, and where its attributes may stand.
#include "dialects/Shoal/Shoal.h"
#include "dialects/Shoal/Sharding.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace shoal;

#include "dialects/Shoal/ShoalDialect.cpp.inc"
#include "dialects/Shoal/ShoalEnums.cpp.inc"

#include "dialects/Shoal/ShardableOpInterface.cpp.inc"

void ShoalDialect::initialize() {
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "dialects/Shoal/Shoal.cpp.inc"
      >();
}

LogicalResult ShoalDialect::verifyOperationAttribute(Operation *op,
                                                     NamedAttribute attr) {
  auto emitError = [&] { return op->emitError() << attr.getName() << ": "; };
  if (attr.getName() == kShardingsAttr) {
    auto list = dyn_cast<ShardingPerValueAttr>(attr.getValue());
    if (!list)
      return emitError() << "expected #shoal.sharding_per_value";
    if (list.size() != op->getNumResults())
      return emitError() << "has " << list.size() << " shardings for "
                         << op->getNumResults() << " results";
    for (auto [sharding, type] :
         llvm::zip(list.getShardings(), op->getResultTypes()))
      if (failed(verifySharding(sharding, type, op, emitError)))
        return failure();
    return success();
  }
  if (attr.getName() == kFormAttr) {
    auto form = dyn_cast<FormAttr>(attr.getValue());
    if (!form)
      return emitError() << "expected #shoal.form";
    MeshAttr mesh = form.getMesh(op);
    if (!mesh)
      return emitError() << "unknown mesh " << form.getMeshOrRef();
    AxisList all;
    for (DimShardingAttr factor : form.getFactors())
      llvm::append_range(all, factor.getAxes());
    return verifyAxisList(all, mesh, emitError);
  }
  if (attr.getName() == kRuleAttr && !isa<OpRuleAttr>(attr.getValue()))
    return emitError() << "expected #shoal.op_rule";
  if (attr.getName() == kShardingAttr)
    return emitError() << "stands on function arguments and results only; ops "
                          "carry 'shoal.shardings'";
  return success();
}

static LogicalResult verifyArgument(Operation *op, Type type, NamedAttribute attr,
                                    StringRef what, unsigned index) {
  auto emitError = [&] {
    return op->emitError() << attr.getName() << " of " << what << " "
                           << index << ": ";
  };
  if (attr.getName() != ShoalDialect::kShardingAttr)
    return success();
  auto sharding = dyn_cast<ShardingAttr>(attr.getValue());
  if (!sharding)
    return emitError() << "expected #shoal.sharding";
  return verifySharding(sharding, type, op, emitError);
}

LogicalResult ShoalDialect::verifyRegionArgAttribute(Operation *op,
                                                     unsigned region,
                                                     unsigned arg,
                                                     NamedAttribute attr) {
  auto func = dyn_cast<FunctionOpInterface>(op);
  if (!func || arg >= func.getNumArguments())
    return success();
  return verifyArgument(op, func.getArgumentTypes()[arg], attr, "argument",
                        arg);
}

LogicalResult ShoalDialect::verifyRegionResultAttribute(Operation *op,
                                                        unsigned region,
                                                        unsigned result,
                                                        NamedAttribute attr) {
  auto func = dyn_cast<FunctionOpInterface>(op);
  if (!func || result >= func.getNumResults())
    return success();
  return verifyArgument(op, func.getResultTypes()[result], attr, "result",
                        result);
}
