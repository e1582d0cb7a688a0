// The check dialect: assertions inside a program.
#ifndef SHOAL_DIALECTS_CHECK_TD
#define SHOAL_DIALECTS_CHECK_TD

include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Check_Dialect : Dialect {
  let name = "check";
  let cppNamespace = "::mlir::check";
  let summary = "Assertions on values, as StableHLO's own tests write them";
  let description = [{
    A failing check ends `shoal-run` with exit code 1 after the program has
    run. Checks look at logical values: global ones, wherever they are sharded.
  }];
}

// What a check does is seen outside the program, so none is ever removed.
class Check_Op<string mnemonic, list<Trait> traits = []>
    : Op<Check_Dialect, mnemonic, traits # [MemoryEffects<[MemWrite]>]>;

def Check_Tensor : TensorOf<[AnyType]>;
def Check_FloatTensor : TensorOf<[AnyFloat, AnyComplex]>;

def Check_ExpectEqOp : Check_Op<"expect_eq", [SameTypeOperands]> {
  let summary = "Both tensors are the same, bit for bit";
  let description = [{
    ```mlir
    check.expect_eq %0, %1 : tensor<4xf32>
    ```
    NaN does not equal NaN; -0 does not equal 0.
  }];
  let arguments = (ins Check_Tensor:$lhs, Check_Tensor:$rhs);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs)";
}

def Check_ExpectEqConstOp : Check_Op<"expect_eq_const",
    [AllTypesMatch<["lhs", "value"]>]> {
  let summary = "The tensor is the constant, bit for bit";
  let description = [{
    ```mlir
    check.expect_eq_const %0, dense<[1, 2]> : tensor<2xi32>
    ```
  }];
  let arguments = (ins Check_Tensor:$lhs, ElementsAttr:$value);
  let assemblyFormat = "$lhs `,` $value attr-dict";
}

def Check_ExpectAlmostEqOp : Check_Op<"expect_almost_eq", [SameTypeOperands]> {
  let summary = "The tensors differ by at most a tolerance, 1e-4 by default";
  let description = [{
    ```mlir
    check.expect_almost_eq %0, %1 {tolerance = 1.0e-3 : f64} : tensor<4xf32>
    ```
    NaN equals NaN.
  }];
  let arguments = (ins Check_FloatTensor:$lhs, Check_FloatTensor:$rhs,
                       OptionalAttr<F64Attr>:$tolerance);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs)";
}

def Check_ExpectAlmostEqConstOp : Check_Op<"expect_almost_eq_const",
    [AllTypesMatch<["lhs", "value"]>]> {
  let summary = "The tensor is the constant up to a tolerance, 1e-4 by default";
  let description = [{
    ```mlir
    check.expect_almost_eq_const %0, dense<[0.3, 2.0]> : tensor<2xf32>
    ```
    NaN equals NaN.
  }];
  let arguments = (ins Check_FloatTensor:$lhs, ElementsAttr:$value,
                       OptionalAttr<F64Attr>:$tolerance);
  let assemblyFormat = "$lhs `,` $value attr-dict";
}

def Check_ExpectCloseOp : Check_Op<"expect_close", [SameTypeOperands]> {
  let summary = "The tensors differ by so many units in the last place";
  let description = [{
    ```mlir
    check.expect_close %0, %1, max_ulp_difference = 3, min_ulp_difference = 0
        : tensor<4xf32>, tensor<4xf32>
    ```
    The largest difference must be at most `max_ulp_difference` (1 by default)
    and at least `min_ulp_difference` (0). NaN equals NaN.
  }];
  let arguments = (ins Check_FloatTensor:$actual, Check_FloatTensor:$expected,
      DefaultValuedAttr<UI64Attr, "1">:$max_ulp_difference,
      DefaultValuedAttr<UI64Attr, "0">:$min_ulp_difference);
  let hasCustomAssemblyFormat = 1;
}

def Check_ExpectSerializedEqOp : Check_Op<"expect_serialized_eq"> {
  let summary = "The tensor is what an earlier probe has stored";
  let description = [{
    ```mlir
    check.expect_serialized_eq %0, probe_id = "probe0" : tensor<4xf32>
    ```
    `iteration` counts from 1, for probes in loops.
  }];
  let arguments = (ins Check_Tensor:$expected, StrAttr:$probe_id,
                       DefaultValuedAttr<I32Attr, "1">:$iteration);
  let hasCustomAssemblyFormat = 1;
}

#endif // SHOAL_DIALECTS_CHECK_TD
