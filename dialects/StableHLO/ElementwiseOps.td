// Ops that compute each element of the result from the elements at the same
// place in the operands, and ops without operands.

#ifndef SHOAL_STABLEHLO_ELEMENTWISE_TD
#define SHOAL_STABLEHLO_ELEMENTWISE_TD

include "dialects/StableHLO/StableHLOAttrs.td"

//===----------------------------------------------------------------------===//
// Nullary
//===----------------------------------------------------------------------===//

def StableHLO_ConstantOp : StableHLO_Op<"constant",
    [ConstantLike, Pure, HLO_InferTypes,
     DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "a tensor of known value";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs HLO_StaticShapeTensorOrPerAxisQuantizedTensor:$output);
  let builders = [OpBuilder<(ins "::mlir::Attribute":$value)>];
  let extraClassDeclaration = [{
    /// The value of a quantized constant is given by its storage type.
    static bool isCompatibleReturnTypes(::mlir::TypeRange inferred,
                                        ::mlir::TypeRange actual);
  }];
  let hasCustomAssemblyFormat = 1;
  let hasFolder = 1;
}

def StableHLO_IotaOp : StableHLO_Op<"iota", [Pure]> {
  let summary = "counts up along one dimension";
  let arguments = (ins I64Attr:$iota_dimension);
  let results = (outs HLO_StaticShapeIntFpComplexOrQuantizedTensor:$output);
  let assemblyFormat = "`dim` `=` $iota_dimension attr-dict `:` type($output)";
  let hasVerifier = 1;
}

def StableHLO_CreateTokenOp : StableHLO_Op<"create_token", [Pure, HLO_InferTypes]> {
  let summary = "makes a token";
  let results = (outs HLO_Token:$output);
  let assemblyFormat = "attr-dict `:` type(results)";
}

class StableHLO_DeviceIdOp<string mnemonic> : StableHLO_Op<mnemonic, [Pure, HLO_InferTypes]> {
  let results = (outs UI32RankedTensor);
  let assemblyFormat = "attr-dict `:` type(results)";
}
def StableHLO_PartitionIdOp : StableHLO_DeviceIdOp<"partition_id"> {
  let summary = "the partition number of the device this runs on";
}
def StableHLO_ReplicaIdOp : StableHLO_DeviceIdOp<"replica_id"> {
  let summary = "the replica number of the device this runs on";
}

//===----------------------------------------------------------------------===//
// Unary
//===----------------------------------------------------------------------===//

class StableHLO_UnaryElementwiseOp<string mnemonic, list<Trait> traits,
                                   Type operandType, Type resultType = operandType>
    : StableHLO_InferredOp<mnemonic, !listconcat([Pure, Elementwise, SameOperandsAndResultShape], traits)> {
  let arguments = (ins operandType:$operand);
  let results = (outs resultType:$result);
  let assemblyFormat = [{
    $operand attr-dict `:` custom<SameOperandsAndResultType>(type($operand), type($result))
  }];
}

// A transcendental function, with the accuracy that is asked for.
class StableHLO_UnaryElementwiseOpWithResultAccuracy<string mnemonic, Type operandType>
    : StableHLO_UnaryElementwiseOp<mnemonic, [HLO_CompatibleOperandsAndResultType], operandType> {
  let arguments = (ins operandType:$operand,
      DefaultValuedOptionalAttr<StableHLO_ResultAccuracyAttr,
          "::mlir::stablehlo::getDefaultResultAccuracy($_builder.getContext())">:$result_accuracy);
  let extraClassDeclaration = compatibleReturnTypes;
}

class StableHLO_SameTypeUnaryOp<string mnemonic, Type operandType>
    : StableHLO_UnaryElementwiseOp<mnemonic, [HLO_CompatibleOperandsAndResultType], operandType>;

def StableHLO_AbsOp : StableHLO_UnaryElementwiseOp<"abs", [HLO_InferTypes],
    RankedTensorOf<[HLO_SInt, HLO_Float, HLO_Complex, HLO_QuantizedInt]>,
    RankedTensorOf<[HLO_SInt, HLO_Float, HLO_QuantizedInt]>> {
  let summary = "absolute value; modulus of a complex number";
}
def StableHLO_CbrtOp : StableHLO_UnaryElementwiseOpWithResultAccuracy<"cbrt", HLO_FpComplexOrQuantizedIntTensor> {
  let summary = "cubic root";
}
def StableHLO_CeilOp : StableHLO_SameTypeUnaryOp<"ceil", HLO_FpOrQuantizedIntTensor> {
  let summary = "smallest integral number that is not less";
}
def StableHLO_ClzOp : StableHLO_SameTypeUnaryOp<"count_leading_zeros", HLO_IntTensor> {
  let summary = "number of leading zero bits";
}
def StableHLO_CosineOp : StableHLO_UnaryElementwiseOpWithResultAccuracy<"cosine", HLO_FpComplexOrQuantizedIntTensor> {
  let summary = "cosine";
}
def StableHLO_ExpOp : StableHLO_UnaryElementwiseOpWithResultAccuracy<"exponential", HLO_FpComplexOrQuantizedIntTensor> {
  let summary = "e to the power of the operand";
}
def StableHLO_Expm1Op : StableHLO_UnaryElementwiseOpWithResultAccuracy<"exponential_minus_one", HLO_FpComplexOrQuantizedIntTensor> {
  let summary = "exp(x) - 1, exact near zero";
}
def StableHLO_FloorOp : StableHLO_SameTypeUnaryOp<"floor", HLO_FpOrQuantizedIntTensor> {
  let summary = "largest integral number that is not greater";
}
def StableHLO_LogOp : StableHLO_UnaryElementwiseOpWithResultAccuracy<"log", HLO_FpComplexOrQuantizedIntTensor> {
  let summary = "natural logarithm";
}
def StableHLO_Log1pOp : StableHLO_UnaryElementwiseOpWithResultAccuracy<"log_plus_one", HLO_FpComplexOrQuantizedIntTensor> {
  let summary = "log(1 + x), exact near zero";
}
def StableHLO_LogisticOp : StableHLO_UnaryElementwiseOpWithResultAccuracy<"logistic", HLO_FpComplexOrQuantizedIntTensor> {
  let summary = "1 / (1 + exp(-x))";
}
def StableHLO_NotOp : StableHLO_SameTypeUnaryOp<"not", HLO_PredOrIntTensor> {
  let summary = "bitwise not; logical not of booleans";
}
def StableHLO_NegOp : StableHLO_SameTypeUnaryOp<"negate", HLO_IntFpOrComplexOrQuantizedIntTensor> {
  let summary = "negation";
}
def StableHLO_PopulationCountOp : StableHLO_SameTypeUnaryOp<"popcnt", HLO_IntTensor> {
  let summary = "number of one bits";
}
def StableHLO_RoundOp : StableHLO_SameTypeUnaryOp<"round_nearest_afz", HLO_FpOrQuantizedIntTensor> {
  let summary = "nearest integral number, ties away from zero";
}
def StableHLO_RoundNearestEvenOp : StableHLO_SameTypeUnaryOp<"round_nearest_even", HLO_FpOrQuantizedIntTensor> {
  let summary = "nearest integral number, ties to even";
}
def StableHLO_RsqrtOp : StableHLO_UnaryElementwiseOpWithResultAccuracy<"rsqrt", HLO_FpComplexOrQuantizedIntTensor> {
  let summary = "reciprocal square root";
}
def StableHLO_SignOp : StableHLO_SameTypeUnaryOp<"sign",
    RankedTensorOf<[HLO_SInt, HLO_Float, HLO_Complex, HLO_QuantizedInt]>> {
  let summary = "sign";
}
def StableHLO_SineOp : StableHLO_UnaryElementwiseOpWithResultAccuracy<"sine", HLO_FpComplexOrQuantizedIntTensor> {
  let summary = "sine";
}
def StableHLO_SqrtOp : StableHLO_UnaryElementwiseOpWithResultAccuracy<"sqrt", HLO_FpComplexOrQuantizedIntTensor> {
  let summary = "square root";
}
def StableHLO_TanOp : StableHLO_UnaryElementwiseOpWithResultAccuracy<"tan", HLO_FpComplexOrQuantizedIntTensor> {
  let summary = "tangent";
}
def StableHLO_TanhOp : StableHLO_UnaryElementwiseOpWithResultAccuracy<"tanh", HLO_FpComplexOrQuantizedIntTensor> {
  let summary = "hyperbolic tangent";
}
def StableHLO_ImagOp : StableHLO_UnaryElementwiseOp<"imag", [HLO_InferTypes], HLO_FpOrComplexTensor, HLO_FpTensor> {
  let summary = "imaginary part";
}
def StableHLO_RealOp : StableHLO_UnaryElementwiseOp<"real", [HLO_InferTypes], HLO_FpOrComplexTensor, HLO_FpTensor> {
  let summary = "real part";
}

def StableHLO_IsFiniteOp : StableHLO_InferredOp<"is_finite",
    [Pure, Elementwise, SameOperandsAndResultShape, HLO_InferTypes]> {
  let summary = "neither infinite nor NaN";
  let arguments = (ins HLO_FpOrQuantizedIntTensor:$x);
  let results = (outs HLO_PredTensor:$y);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
}

def StableHLO_ConvertOp : StableHLO_Op<"convert", [Pure, Elementwise, SameOperandsAndResultShape]> {
  let summary = "conversion from one element type to another";
  let arguments = (ins HLO_NonQuantizedTensor:$operand);
  let results = (outs HLO_NonQuantizedTensor:$result);
  let builders = [OpBuilder<(ins "::mlir::Value":$operand, "::mlir::Type":$elementType)>];
  let assemblyFormat = [{
    $operand attr-dict `:` custom<SameOperandsAndResultType>(type($operand), type($result))
  }];
}

def StableHLO_ReducePrecisionOp : StableHLO_InferredOp<"reduce_precision",
    [Pure, Elementwise, HLO_CompatibleOperandsAndResultType]> {
  let summary = "rounding to a float format with fewer bits, and back";
  let arguments = (ins HLO_FpOrQuantizedIntTensor:$operand,
                       I32Attr:$exponent_bits, I32Attr:$mantissa_bits);
  let results = (outs HLO_FpOrQuantizedIntTensor:$output);
  let assemblyFormat = [{
    $operand `,` `format` `=` custom<ExponentMantissa>($exponent_bits, $mantissa_bits)
    attr-dict `:` custom<SameOperandsAndResultType>(type($operand), type($output))
  }];
  let hasVerifier = 1;
}

def StableHLO_UniformQuantizeOp : StableHLO_Op<"uniform_quantize",
    [Pure, Elementwise, SameOperandsAndResultShape]> {
  let summary = "conversion of a float or quantized tensor to a quantized one";
  let arguments = (ins RankedTensorOf<
      [HLO_Float, HLO_QuantizedInt, HLO_PerAxisQuantizedInt], [HLO_IsValidQuantizedDimension]>:$operand);
  let results = (outs HLO_QuantizedIntOrPerAxisQuantizedIntTensor:$result);
  let assemblyFormat = [{
    $operand attr-dict `:` custom<SameOperandsAndResultType>(type($operand), type($result))
  }];
  let hasVerifier = 1;
}

def StableHLO_UniformDequantizeOp : StableHLO_InferredOp<"uniform_dequantize",
    [Pure, Elementwise, SameOperandsAndResultShape, HLO_InferTypes]> {
  let summary = "conversion of a quantized tensor to the floats it stands for";
  let arguments = (ins HLO_QuantizedIntOrPerAxisQuantizedIntTensor:$operand);
  let results = (outs HLO_FpTensor:$result);
  let assemblyFormat = [{
    $operand attr-dict `:` custom<SameOperandsAndResultType>(type($operand), type($result))
  }];
}

//===----------------------------------------------------------------------===//
// Binary
//===----------------------------------------------------------------------===//

class StableHLO_BinaryElementwiseOp<string mnemonic, list<Trait> traits,
                                    Type operandType = HLO_Tensor, Type resultType = operandType>
    : StableHLO_InferredOp<mnemonic,
        !listconcat([Pure, Elementwise, SameOperandsAndResultShape], traits)> {
  let arguments = (ins operandType:$lhs, operandType:$rhs);
  let results = (outs resultType:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs attr-dict `:`
      custom<SameOperandsAndResultType>(type($lhs), type($rhs), type($result))
  }];
}

class StableHLO_SameTypeBinaryOp<string mnemonic, Type type = HLO_Tensor, list<Trait> traits = []>
    : StableHLO_BinaryElementwiseOp<mnemonic,
        !listconcat([HLO_CompatibleOperandsAndResultType], traits), type>;

def StableHLO_AddOp : StableHLO_BinaryElementwiseOp<"add",
    [HLO_Commutative, HLO_InferTypes], HLO_TensorOrPerAxisQuantizedTensor> {
  let summary = "addition; logical or of booleans";
  let hasVerifier = 1;
}
def StableHLO_Atan2Op : StableHLO_SameTypeBinaryOp<"atan2", HLO_FpComplexOrQuantizedIntTensor> {
  let summary = "angle of the point (rhs, lhs)";
}
def StableHLO_DivOp : StableHLO_SameTypeBinaryOp<"divide", HLO_IntFpOrComplexOrQuantizedIntTensor> {
  let summary = "division; integers are rounded towards zero";
}
def StableHLO_MaxOp : StableHLO_SameTypeBinaryOp<"maximum", HLO_Tensor, [HLO_Commutative]> {
  let summary = "greater one; NaN if either is";
}
def StableHLO_MinOp : StableHLO_SameTypeBinaryOp<"minimum", HLO_Tensor, [HLO_Commutative]> {
  let summary = "lesser one; NaN if either is";
}
def StableHLO_MulOp : StableHLO_SameTypeBinaryOp<"multiply", HLO_Tensor, [HLO_Commutative]> {
  let summary = "multiplication; logical and of booleans";
}
def StableHLO_PowOp : StableHLO_SameTypeBinaryOp<"power", HLO_IntFpOrComplexOrQuantizedIntTensor> {
  let summary = "lhs to the power of rhs";
}
def StableHLO_RemOp : StableHLO_SameTypeBinaryOp<"remainder", HLO_IntFpOrComplexOrQuantizedIntTensor> {
  let summary = "remainder of the division towards zero";
}
def StableHLO_ShiftLeftOp : StableHLO_SameTypeBinaryOp<"shift_left", HLO_IntTensor> {
  let summary = "shift to the left";
}
def StableHLO_ShiftRightArithmeticOp : StableHLO_SameTypeBinaryOp<"shift_right_arithmetic", HLO_IntTensor> {
  let summary = "shift to the right that keeps the sign";
}
def StableHLO_ShiftRightLogicalOp : StableHLO_SameTypeBinaryOp<"shift_right_logical", HLO_IntTensor> {
  let summary = "shift to the right that brings in zeros";
}
def StableHLO_SubtractOp : StableHLO_SameTypeBinaryOp<"subtract", HLO_IntFpOrComplexOrQuantizedIntTensor> {
  let summary = "subtraction";
}
def StableHLO_AndOp : StableHLO_SameTypeBinaryOp<"and", HLO_PredOrIntTensor, [HLO_Commutative]> {
  let summary = "bitwise and";
}
def StableHLO_OrOp : StableHLO_SameTypeBinaryOp<"or", HLO_PredOrIntTensor, [HLO_Commutative]> {
  let summary = "bitwise or";
}
def StableHLO_XorOp : StableHLO_SameTypeBinaryOp<"xor", HLO_PredOrIntTensor, [HLO_Commutative]> {
  let summary = "bitwise exclusive or";
}

def StableHLO_ComplexOp : StableHLO_InferredOp<"complex",
    [Pure, Elementwise, SameOperandsAndResultShape, SameOperandsElementType, HLO_InferTypes]> {
  let summary = "complex numbers from real and imaginary parts";
  let arguments = (ins HLO_Fp32Or64Tensor:$lhs, HLO_Fp32Or64Tensor:$rhs);
  let results = (outs HLO_ComplexTensor:$result);
  let assemblyFormat = [{
    operands attr-dict `:` custom<ComplexOpType>(type($lhs), type($rhs), type($result))
  }];
}

def StableHLO_CompareOp : StableHLO_InferredOp<"compare",
    [Pure, Elementwise, SameOperandsAndResultShape, HLO_CompatibleOperandsElementType, HLO_InferTypes]> {
  let summary = "comparison";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$lhs, HLO_TensorOrPerAxisQuantizedTensor:$rhs,
      StableHLO_ComparisonDirectionAttr:$comparison_direction,
      OptionalAttr<StableHLO_ComparisonTypeAttr>:$compare_type);
  let results = (outs HLO_PredTensor);
  let builders = [
    OpBuilder<(ins "::mlir::Value":$lhs, "::mlir::Value":$rhs,
      "::mlir::stablehlo::ComparisonDirection":$comparisonDirection,
      CArg<"::mlir::stablehlo::ComparisonType",
           "::mlir::stablehlo::ComparisonType::NOTYPE">:$compareType)>];
  let assemblyFormat = [{
    `` $comparison_direction `,` $lhs `,` $rhs (`,` `` $compare_type^)? attr-dict `:`
      functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Ternary
//===----------------------------------------------------------------------===//

def StableHLO_ClampOp : StableHLO_InferredOp<"clamp",
    [Pure, HLO_CompatibleOperandsAndResultElementType, HLO_InferTypes]> {
  let summary = "the operand, moved into the interval from min to max";
  let description = "The bounds are scalars or have the operand's shape.";
  let arguments = (ins HLO_Tensor:$min, HLO_Tensor:$operand, HLO_Tensor:$max);
  let results = (outs HLO_Tensor:$result);
  let assemblyFormat = [{
    $min `,` $operand `,` $max attr-dict `:`
      custom<SameOperandsAndResultType>(type($min), type($operand), type($max), type($result))
  }];
}

def StableHLO_SelectOp : StableHLO_InferredOp<"select", [Pure, HLO_InferTypes]> {
  let summary = "one of two values, by a predicate";
  let description = "The predicate is a scalar or has the operands' shape.";
  let arguments = (ins HLO_PredTensor:$pred, HLO_TensorOrPerAxisQuantizedTensor:$on_true,
                       HLO_TensorOrPerAxisQuantizedTensor:$on_false);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor:$result);
  let assemblyFormat = [{
    operands attr-dict `:`
      custom<SelectOpType>(type($pred), type($on_true), type($on_false), type($result))
  }];
}

def StableHLO_MapOp : StableHLO_InferredOp<"map",
    [RecursiveMemoryEffects, RecursivelySpeculatable, SameOperandsAndResultShape,
     SingleBlockImplicitTerminator<"ReturnOp">, HLO_InferTypes]> {
  let summary = "a function of scalars applied to all elements";
  let arguments = (ins Variadic<HLO_Tensor>:$inputs, DenseI64ArrayAttr:$dimensions);
  let regions = (region SizedRegion<1>:$computation);
  let results = (outs HLO_Tensor);
  let hasVerifier = 1;
}

#endif // SHOAL_STABLEHLO_ELEMENTWISE_TD
