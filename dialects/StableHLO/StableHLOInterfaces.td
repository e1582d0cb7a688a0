// Interfaces of attributes.

#ifndef SHOAL_STABLEHLO_INTERFACES_TD
#define SHOAL_STABLEHLO_INTERFACES_TD

include "mlir/IR/OpBase.td"

def HLO_BoundedAttrInterface : AttrInterface<"BoundedAttrInterface"> {
  let cppNamespace = "::mlir::hlo";
  let description = [{
    A tensor encoding that bounds the sizes of dynamic dimensions: one entry
    per dimension, ShapedType::kDynamic where the dimension is static or has
    no bound.
  }];
  let methods = [InterfaceMethod<"The bounds, one per dimension.",
                                 "::llvm::ArrayRef<int64_t>", "getBounds">];
}

#endif // SHOAL_STABLEHLO_INTERFACES_TD
