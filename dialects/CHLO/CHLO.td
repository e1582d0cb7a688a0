// The chlo dialect: operations a front end may print beside StableHLO.
#ifndef SHOAL_DIALECTS_CHLO_TD
#define SHOAL_DIALECTS_CHLO_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Chlo_Dialect : Dialect {
  let name = "chlo";
  let cppNamespace = "::mlir::chlo";
  let summary = "Client operations: what JAX prints beside StableHLO";
  let description = [{
    Special functions, operations with implicit broadcasting and a few
    composites. `lib/Import` decomposes all of them into StableHLO, `top_k`
    excepted, which has a kernel of its own.
  }];
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
    void registerBytecode();
  }];
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

class Chlo_Enum<string name, string summary, list<I32EnumCase> cases>
    : I32Enum<name, summary, cases> {
  let cppNamespace = "::mlir::chlo";
}

def Chlo_Precision : Chlo_Enum<"Precision", "precision of a product's operand", [
  I32EnumCase<"DEFAULT", 0>, I32EnumCase<"HIGH", 1>, I32EnumCase<"HIGHEST", 2>,
  I32EnumCase<"PACKED_NIBBLE", 3>]>;
def Chlo_PrecisionAttr : EnumAttr<Chlo_Dialect, Chlo_Precision, "precision">;

def Chlo_ComparisonDirection : Chlo_Enum<"ComparisonDirection", "which relation", [
  I32EnumCase<"EQ", 0>, I32EnumCase<"NE", 1>, I32EnumCase<"GE", 2>,
  I32EnumCase<"GT", 3>, I32EnumCase<"LE", 4>, I32EnumCase<"LT", 5>]>;
def Chlo_ComparisonDirectionAttr
    : EnumAttr<Chlo_Dialect, Chlo_ComparisonDirection, "comparison_direction">;

def Chlo_ComparisonType : Chlo_Enum<"ComparisonType", "how elements compare", [
  I32EnumCase<"NOTYPE", 0>, I32EnumCase<"FLOAT", 1>,
  I32EnumCase<"TOTALORDER", 2>, I32EnumCase<"SIGNED", 3>,
  I32EnumCase<"UNSIGNED", 4>]>;
def Chlo_ComparisonTypeAttr
    : EnumAttr<Chlo_Dialect, Chlo_ComparisonType, "comparison_type">;

def Chlo_RaggedDotDimensionNumbers
    : AttrDef<Chlo_Dialect, "RaggedDotDimensionNumbers"> {
  let mnemonic = "ragged_dot";
  let summary = "Which dimensions of a ragged_dot batch, contract and are ragged";
  let description = [{
    `#chlo.ragged_dot<lhs_contracting_dimensions = [1],
    rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0],
    rhs_group_dimensions = [0]>`; empty lists are left out.
  }];
  let parameters = (ins
    ArrayRefParameter<"int64_t">:$lhsBatchingDimensions,
    ArrayRefParameter<"int64_t">:$rhsBatchingDimensions,
    ArrayRefParameter<"int64_t">:$lhsContractingDimensions,
    ArrayRefParameter<"int64_t">:$rhsContractingDimensions,
    ArrayRefParameter<"int64_t">:$lhsRaggedDimensions,
    ArrayRefParameter<"int64_t">:$rhsGroupDimensions);
  let hasCustomAssemblyFormat = 1;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def Chlo_Tensor : TensorOf<[AnyType]>;
def Chlo_FloatTensor : TensorOf<[AnyFloat]>;
def Chlo_ComplexTensor : TensorOf<[AnyComplex]>;
def Chlo_FloatOrComplexTensor : TensorOf<[AnyFloat, AnyComplex]>;
def Chlo_BoolTensor : TensorOf<[I1]>;
def Chlo_IntTensor : TensorOf<[AnyInteger]>;

class Chlo_Op<string mnemonic, list<Trait> traits = []>
    : Op<Chlo_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Elementwise functions
//===----------------------------------------------------------------------===//

class Chlo_UnaryOp<string mnemonic, Type type, string doc>
    : Chlo_Op<mnemonic, [Pure, Elementwise, SameOperandsAndResultType]> {
  let summary = doc;
  let arguments = (ins type:$operand);
  let results = (outs type:$result);
  let assemblyFormat = "$operand attr-dict `:` type($operand) `->` type($result)";
}

class Chlo_PredicateOp<string mnemonic, string doc>
    : Chlo_Op<mnemonic, [Pure, Elementwise, SameOperandsAndResultShape]> {
  let summary = doc;
  let arguments = (ins Chlo_FloatTensor:$operand);
  let results = (outs Chlo_BoolTensor:$result);
  let assemblyFormat = "$operand attr-dict `:` type($operand) `->` type($result)";
}

class Chlo_BinaryOp<string mnemonic, Type type, string first, string second,
                    string doc>
    : Chlo_Op<mnemonic, [Pure, Elementwise, SameOperandsAndResultType]> {
  let summary = doc;
  let arguments = !dag(ins, [type, type], [first, second]);
  let results = (outs type:$result);
  let assemblyFormat = "$" # first # " `,` $" # second #
      " attr-dict `:` type($" # first # ") `,` type($" # second #
      ") `->` type($result)";
}

def Chlo_AcosOp : Chlo_UnaryOp<"acos", Chlo_FloatOrComplexTensor, "Arc cosine">;
def Chlo_AcoshOp : Chlo_UnaryOp<"acosh", Chlo_FloatOrComplexTensor,
    "Inverse hyperbolic cosine; NaN below 1">;
def Chlo_AsinOp : Chlo_UnaryOp<"asin", Chlo_FloatOrComplexTensor, "Arc sine">;
def Chlo_AsinhOp : Chlo_UnaryOp<"asinh", Chlo_FloatOrComplexTensor,
    "Inverse hyperbolic sine">;
def Chlo_AtanOp : Chlo_UnaryOp<"atan", Chlo_FloatOrComplexTensor, "Arc tangent">;
def Chlo_AtanhOp : Chlo_UnaryOp<"atanh", Chlo_FloatOrComplexTensor,
    "Inverse hyperbolic tangent; NaN outside [-1, 1]">;
def Chlo_AsinAcosKernelOp : Chlo_UnaryOp<"_asin_acos_kernel", Chlo_ComplexTensor,
    "What complex asin, acos, asinh and acosh share (Hull et al.)">;
def Chlo_BesselI1eOp : Chlo_UnaryOp<"bessel_i1e", Chlo_FloatTensor,
    "Modified Bessel function of order 1, times exp(-|x|)">;
def Chlo_ConjOp : Chlo_UnaryOp<"conj", Chlo_FloatOrComplexTensor,
    "Complex conjugate">;
def Chlo_CoshOp : Chlo_UnaryOp<"cosh", Chlo_FloatOrComplexTensor,
    "Hyperbolic cosine">;
def Chlo_DigammaOp : Chlo_UnaryOp<"digamma", Chlo_FloatTensor,
    "Derivative of the logarithm of the gamma function">;
def Chlo_ErfOp : Chlo_UnaryOp<"erf", Chlo_FloatTensor, "Error function">;
def Chlo_ErfInvOp : Chlo_UnaryOp<"erf_inv", Chlo_FloatTensor,
    "Inverse of the error function">;
def Chlo_ErfcOp : Chlo_UnaryOp<"erfc", Chlo_FloatTensor,
    "1 - erf(x), without cancellation">;
def Chlo_LgammaOp : Chlo_UnaryOp<"lgamma", Chlo_FloatTensor,
    "Logarithm of the gamma function's absolute value">;
def Chlo_SinhOp : Chlo_UnaryOp<"sinh", Chlo_FloatOrComplexTensor,
    "Hyperbolic sine">;
def Chlo_SquareOp : Chlo_UnaryOp<"square", Chlo_Tensor, "x times x">;
def Chlo_TanOp : Chlo_UnaryOp<"tan", Chlo_FloatOrComplexTensor, "Tangent">;

def Chlo_IsInfOp : Chlo_PredicateOp<"is_inf", "True at either infinity">;
def Chlo_IsNegInfOp : Chlo_PredicateOp<"is_neg_inf", "True at minus infinity">;
def Chlo_IsPosInfOp : Chlo_PredicateOp<"is_pos_inf", "True at plus infinity">;

def Chlo_MulhiOp : Chlo_BinaryOp<"mulhi", Chlo_IntTensor, "lhs", "rhs",
    "Upper half of the product of two integers">;
def Chlo_NextAfterOp : Chlo_BinaryOp<"next_after", Chlo_FloatTensor, "x", "y",
    "The next value that the type has after x towards y">;
def Chlo_PolygammaOp : Chlo_BinaryOp<"polygamma", Chlo_FloatTensor, "n", "x",
    "n-th derivative of digamma; NaN where n is no integer from 0 on">;
def Chlo_ZetaOp : Chlo_BinaryOp<"zeta", Chlo_FloatTensor, "x", "q",
    "Hurwitz zeta: sum over n of (q + n)^-x">;

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

def Chlo_ConstantOp : Chlo_Op<"constant", [Pure, ConstantLike]> {
  let summary = "A constant tensor";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Chlo_Tensor:$output);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Chlo_ConstantLikeOp : Chlo_Op<"constant_like", [Pure, SameOperandsAndResultShape]> {
  let summary = "A splat of the operand's shape";
  let arguments = (ins TypedAttrInterface:$value, Chlo_Tensor:$operand);
  let results = (outs Chlo_Tensor:$result);
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Operations with implicit broadcasting
//===----------------------------------------------------------------------===//

class Chlo_BroadcastOp<string mnemonic, string doc, Type type = Chlo_Tensor,
                       Type result = type>
    : Chlo_Op<mnemonic, [Pure]> {
  let summary = doc;
  let description = [{
    The operand of lower rank takes the dimensions `broadcast_dimensions` of
    the result, the last ones by default. After that, dimensions of size 1 are
    repeated.

    ```mlir
    %2 = chlo.broadcast_add %0, %1 : (tensor<4x1xf32>, tensor<8xf32>) -> tensor<4x8xf32>
    ```
  }];
  let arguments = (ins type:$lhs, type:$rhs,
      OptionalAttr<DenseI64ArrayAttr>:$broadcast_dimensions);
  let results = (outs result:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs attr-dict `:` `(` type($lhs) `,` type($rhs) `)` `->` type($result)
  }];
  let hasVerifier = 1;
}

def Chlo_BroadcastAddOp : Chlo_BroadcastOp<"broadcast_add", "Sum">;
def Chlo_BroadcastAndOp : Chlo_BroadcastOp<"broadcast_and", "And", Chlo_IntTensor>;
def Chlo_BroadcastAtan2Op : Chlo_BroadcastOp<"broadcast_atan2", "Angle of (rhs, lhs)">;
def Chlo_BroadcastComplexOp : Chlo_BroadcastOp<"broadcast_complex",
    "Complex number of two parts", Chlo_FloatTensor, Chlo_ComplexTensor>;
def Chlo_BroadcastDivOp : Chlo_BroadcastOp<"broadcast_divide", "Quotient">;
def Chlo_BroadcastMaxOp : Chlo_BroadcastOp<"broadcast_maximum", "Larger value">;
def Chlo_BroadcastMinOp : Chlo_BroadcastOp<"broadcast_minimum", "Smaller value">;
def Chlo_BroadcastMulOp : Chlo_BroadcastOp<"broadcast_multiply", "Product">;
def Chlo_BroadcastNextAfterOp : Chlo_BroadcastOp<"broadcast_next_after",
    "Next value of the type", Chlo_FloatTensor>;
def Chlo_BroadcastOrOp : Chlo_BroadcastOp<"broadcast_or", "Or", Chlo_IntTensor>;
def Chlo_BroadcastPolygammaOp : Chlo_BroadcastOp<"broadcast_polygamma",
    "Derivatives of digamma", Chlo_FloatTensor>;
def Chlo_BroadcastPowOp : Chlo_BroadcastOp<"broadcast_power", "Power">;
def Chlo_BroadcastRemOp : Chlo_BroadcastOp<"broadcast_remainder", "Remainder">;
def Chlo_BroadcastShiftLeftOp : Chlo_BroadcastOp<"broadcast_shift_left",
    "Shift to the left", Chlo_IntTensor>;
def Chlo_BroadcastShiftRightArithmeticOp : Chlo_BroadcastOp<
    "broadcast_shift_right_arithmetic", "Shift to the right, copying the sign",
    Chlo_IntTensor>;
def Chlo_BroadcastShiftRightLogicalOp : Chlo_BroadcastOp<
    "broadcast_shift_right_logical", "Shift to the right, filling with zeros",
    Chlo_IntTensor>;
def Chlo_BroadcastSubOp : Chlo_BroadcastOp<"broadcast_subtract", "Difference">;
def Chlo_BroadcastXorOp : Chlo_BroadcastOp<"broadcast_xor", "Exclusive or",
    Chlo_IntTensor>;
def Chlo_BroadcastZetaOp : Chlo_BroadcastOp<"broadcast_zeta", "Hurwitz zeta",
    Chlo_FloatTensor>;

def Chlo_BroadcastCompareOp : Chlo_BroadcastOp<"broadcast_compare",
    "Comparison", Chlo_Tensor, Chlo_BoolTensor> {
  let arguments = (ins Chlo_Tensor:$lhs, Chlo_Tensor:$rhs,
      OptionalAttr<DenseI64ArrayAttr>:$broadcast_dimensions,
      Chlo_ComparisonDirectionAttr:$comparison_direction,
      OptionalAttr<Chlo_ComparisonTypeAttr>:$compare_type);
}

def Chlo_BroadcastSelectOp : Chlo_Op<"broadcast_select", [Pure]> {
  let summary = "Choice by a predicate; operands broadcast as in NumPy";
  let arguments = (ins Chlo_BoolTensor:$pred, Chlo_Tensor:$on_true,
                       Chlo_Tensor:$on_false);
  let results = (outs Chlo_Tensor:$result);
  let assemblyFormat = [{
    $pred `,` $on_true `,` $on_false attr-dict `:`
    `(` type($pred) `,` type($on_true) `,` type($on_false) `)` `->` type($result)
  }];
  let hasVerifier = 1;
}

def Chlo_DynamicReshapeOp : Chlo_Op<"dynamic_reshape", [Pure]> {
  let summary = "Reshape to a shape given as a tensor, -1 for what is left";
  let arguments = (ins Chlo_Tensor:$operand, Chlo_Tensor:$output_shape);
  let results = (outs Chlo_Tensor:$result);
  let assemblyFormat = [{
    $operand `,` $output_shape attr-dict `:`
    `(` type($operand) `,` type($output_shape) `)` `->` type($result)
  }];
}

//===----------------------------------------------------------------------===//
// Composites
//===----------------------------------------------------------------------===//

def Chlo_TopKOp : Chlo_Op<"top_k", [Pure]> {
  let summary = "The k largest elements along the last dimension";
  let description = [{
    Values in descending order and their indices; of equal elements the one
    with the lower index comes first. NaN is largest.

    ```mlir
    %values, %indices = chlo.top_k(%x, k = 8) : tensor<2x16xf32> -> (tensor<2x8xf32>, tensor<2x8xi32>)
    ```
  }];
  let arguments = (ins Chlo_Tensor:$operand, I64Attr:$k);
  let results = (outs Chlo_Tensor:$values, Chlo_Tensor:$indices);
  let assemblyFormat = [{
    `(` $operand `,` `k` `=` $k `)` attr-dict `:`
    type($operand) `->` `(` type($values) `,` type($indices) `)`
  }];
  let hasVerifier = 1;
}

def Chlo_RaggedDotOp : Chlo_Op<"ragged_dot", [Pure]> {
  let summary = "A product whose ragged dimension is split into groups";
  let description = [{
    `group_sizes` splits the ragged dimension of `lhs` into groups. If it is a
    dimension of the result, rows of group g meet slice g of `rhs` (its group
    dimension); if it is contracted, there is one result per group; if it is a
    batch dimension, the groups change nothing. Rows after the last group give
    zero.
  }];
  let arguments = (ins Chlo_Tensor:$lhs, Chlo_Tensor:$rhs,
      Chlo_IntTensor:$group_sizes,
      Chlo_RaggedDotDimensionNumbers:$ragged_dot_dimension_numbers,
      OptionalAttr<TypedArrayAttrBase<Chlo_PrecisionAttr, "precisions">>:$precision_config);
  let results = (outs Chlo_Tensor:$result);
  let hasVerifier = 1;
}

def Chlo_ScanOp : Chlo_Op<"scan", [AttrSizedOperandSegments,
    AttrSizedResultSegments, RecursiveMemoryEffects]> {
  let summary = "Folds a body along one dimension of its inputs";
  let description = [{
    The body takes one slice of each input (without the scanned dimension) and
    the carries, and returns a slice of each output and the new carries.

    ```mlir
    %0:2 = chlo.scan(%x) inits (%c) dimension=1 {
    ^bb0(%slice: tensor<4xf32>, %carry: tensor<4xf32>):
      %1 = stablehlo.add %slice, %carry : tensor<4xf32>
      stablehlo.return %1, %1 : tensor<4xf32>, tensor<4xf32>
    } : (tensor<4x8xf32>, tensor<4xf32>) -> (tensor<4x8xf32>, tensor<4xf32>)
    ```
  }];
  let arguments = (ins Variadic<Chlo_Tensor>:$inputs, Variadic<Chlo_Tensor>:$inits,
      I64Attr:$dimension, OptionalAttr<I64Attr>:$scan_dim_size,
      OptionalAttr<BoolAttr>:$is_reverse, OptionalAttr<BoolAttr>:$is_associative);
  let results = (outs Variadic<Chlo_Tensor>:$outputs, Variadic<Chlo_Tensor>:$carries);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

#endif // SHOAL_DIALECTS_CHLO_TD
