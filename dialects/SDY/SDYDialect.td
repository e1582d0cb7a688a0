// The dialect and its enums.
#ifndef SHOAL_DIALECTS_SDY_DIALECT_TD
#define SHOAL_DIALECTS_SDY_DIALECT_TD

include "mlir/IR/DialectBase.td"
include "mlir/IR/EnumAttr.td"

def Sdy_Dialect : Dialect {
  let name = "sdy";
  let cppNamespace = "::mlir::sdy";
  let summary = "Shardy's annotations, as JAX writes them";
  let description = [{
    Meshes, shardings and manual regions as JAX prints them. Read for
    compatibility: `lib/Import` turns all of it into the `shoal` dialect, and
    nothing after the phase `imported` sees it.

    A function argument or result carries `sdy.sharding`; an operation carries
    `sdy.sharding` with one sharding per result; a custom call may carry
    `sdy.sharding_rule`. The dialect verifies these attributes wherever they
    stand: meshes and axes must exist, no axis may be used twice, and the number
    of dimensions must be the tensor's rank.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
    void registerBytecode();
  }];
}

def Sdy_PropagationDirection : I32EnumAttr<"PropagationDirection",
    "direction in which shardings may pass", [
      I32EnumAttrCase<"NONE", 0>, I32EnumAttrCase<"FORWARD", 1>,
      I32EnumAttrCase<"BACKWARD", 2>, I32EnumAttrCase<"BOTH", 3>]> {
  let cppNamespace = "::mlir::sdy";
}

def Sdy_ReductionOp : I32EnumAttr<"ReductionOp",
    "how the terms of an unreduced value combine", [
      I32EnumAttrCase<"SUM", 0, "sum">, I32EnumAttrCase<"MAX", 1, "max">,
      I32EnumAttrCase<"MIN", 2, "min">]> {
  let cppNamespace = "::mlir::sdy";
  let genSpecializedAttr = 0;
}

#endif // SHOAL_DIALECTS_SDY_DIALECT_TD
