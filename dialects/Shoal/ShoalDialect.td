//===- ShoalDialect.td - The shoal dialect --------------------------------===//
// Meshes, shardings and the ops with which a program states them.
#ifndef SHOAL_DIALECT_TD
#define SHOAL_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"

def Shoal_Dialect : Dialect {
  let name = "shoal";
  let cppNamespace = "::shoal";
  let summary = "Device meshes, shardings, and where they hold";
  let description = [{
    What users write, and what the phases `imported` and `sharded` speak. A
    `shoal.mesh` names the axes of a grid of devices; a `#shoal.sharding` says,
    per dimension of a tensor, along which axes it is cut.

    Attributes of other ops that this dialect defines and verifies:
    - `shoal.sharding` on function arguments and results,
    - `shoal.shardings` on any op: one sharding per result,
    - `shoal.form` on any op: mesh axes per factor of its sharding rule,
    - `shoal.sharding_rule` on custom calls and composites: the user's rule.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let extraClassDeclaration = [{
    static constexpr ::llvm::StringLiteral kShardingAttr = "shoal.sharding";
    static constexpr ::llvm::StringLiteral kShardingsAttr = "shoal.shardings";
    static constexpr ::llvm::StringLiteral kFormAttr = "shoal.form";
    static constexpr ::llvm::StringLiteral kRuleAttr = "shoal.sharding_rule";
    void registerAttributes();
  }];
}

#endif // SHOAL_DIALECT_TD
