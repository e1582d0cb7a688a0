// Products, convolutions, factorisations and transforms.

#ifndef SHOAL_STABLEHLO_LINEARALGEBRA_TD
#define SHOAL_STABLEHLO_LINEARALGEBRA_TD

include "dialects/StableHLO/StableHLOAttrs.td"

def StableHLO_DotOp : StableHLO_Op<"dot", [Pure]> {
  let summary = "product of vectors and matrices";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$lhs,
      HLO_TensorOrPerAxisQuantizedTensor:$rhs,
      OptionalAttr<StableHLO_PrecisionConfigAttr>:$precision_config);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let assemblyFormat = [{
    $lhs `,` $rhs `` custom<PrecisionConfig>($precision_config) attr-dict `:`
      functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def StableHLO_DotGeneralOp : StableHLO_Op<"dot_general", [Pure]> {
  let summary = "product over contracting dimensions, per batching dimension";
  let description = [{
    The result has the batching dimensions, then the other dimensions of lhs,
    then those of rhs.
  }];
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$lhs,
      HLO_TensorOrPerAxisQuantizedTensor:$rhs,
      StableHLO_DotDimensionNumbers:$dot_dimension_numbers,
      OptionalAttr<StableHLO_PrecisionConfigAttr>:$precision_config,
      OptionalAttr<StableHLO_DotAlgorithm>:$algorithm);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let extraClassDeclaration = [{
    /// Whether this is what `dot` can express: at most one contracting
    /// dimension, the last of lhs with the first of rhs, and no batching.
    bool isSimpleDot();
  }];
  let assemblyFormat = [{
    $lhs `,` $rhs `,` custom<DotDimensionNumbers>($dot_dimension_numbers) ``
      custom<PrecisionConfigAndAlgorithm>($precision_config, $algorithm) attr-dict `:`
      functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def StableHLO_EinsumOp : StableHLO_Op<"einsum", [Pure]> {
  let summary = "Einstein sum of two tensors (deprecated)";
  let arguments = (ins HLO_Tensor:$lhs, HLO_Tensor:$rhs, StrAttr:$einsum_config);
  let results = (outs HLO_Tensor);
  let assemblyFormat = [{
    $lhs `,` $rhs `,` `config` `=` $einsum_config attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def StableHLO_UnaryEinsumOp : StableHLO_Op<"unary_einsum", [Pure]> {
  let summary = "Einstein sum of one tensor (deprecated)";
  let arguments = (ins HLO_Tensor:$operand, StrAttr:$einsum_config);
  let results = (outs HLO_Tensor);
  let assemblyFormat = [{
    $operand `,` `config` `=` $einsum_config attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def StableHLO_ConvolutionOp : StableHLO_Op<"convolution", [Pure]> {
  let summary = "products of a kernel with windows of the input";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$lhs,
      HLO_TensorOrPerAxisQuantizedTensor:$rhs,
      OptionalAttr<DenseI64ArrayAttr>:$window_strides,
      OptionalAttr<I64ElementsAttr>:$padding,
      OptionalAttr<DenseI64ArrayAttr>:$lhs_dilation,
      OptionalAttr<DenseI64ArrayAttr>:$rhs_dilation,
      OptionalAttr<DenseBoolArrayAttr>:$window_reversal,
      StableHLO_ConvDimensionNumbers:$dimension_numbers,
      I64Attr:$feature_group_count, I64Attr:$batch_group_count,
      OptionalAttr<StableHLO_PrecisionConfigAttr>:$precision_config);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let extraClassDeclaration = [{
    /// Whether the kernel is reversed along any spatial dimension.
    bool hasWindowReversal();
  }];
  let assemblyFormat = [{
    `(` operands `)`
      `dim_numbers` `=` custom<ConvolutionDimensions>($dimension_numbers) `,`
      `window` `=` `{` custom<WindowAttributes>($window_strides, $padding, $lhs_dilation,
                                                $rhs_dilation, $window_reversal) `}`
      attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def StableHLO_DynamicConvOp : StableHLO_Op<"dynamic_conv", [Pure]> {
  let summary = "convolution whose padding is a value";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$lhs,
      HLO_TensorOrPerAxisQuantizedTensor:$rhs,
      HLO_Static2DIntTensor:$padding,
      OptionalAttr<DenseI64ArrayAttr>:$window_strides,
      OptionalAttr<DenseI64ArrayAttr>:$lhs_dilation,
      OptionalAttr<DenseI64ArrayAttr>:$rhs_dilation,
      OptionalAttr<DenseBoolArrayAttr>:$window_reversal,
      StableHLO_ConvDimensionNumbers:$dimension_numbers,
      I64Attr:$feature_group_count, I64Attr:$batch_group_count,
      OptionalAttr<StableHLO_PrecisionConfigAttr>:$precision_config);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let hasVerifier = 1;
}

def StableHLO_CholeskyOp : StableHLO_InferredOp<"cholesky",
    [Pure, HLO_CompatibleOperandsAndResultElementType, HLO_InferTypes]> {
  let summary = "Cholesky factor of a batch of matrices";
  let arguments = (ins HLO_FpComplexOrQuantizedIntTensor:$a, DefaultValuedOptionalAttr<BoolAttr, "false">:$lower);
  let results = (outs HLO_FpComplexOrQuantizedIntTensor:$result);
  let assemblyFormat = [{
    $a (`,` `lower` `=` $lower^)? attr-dict `:`
      custom<SameOperandsAndResultType>(type($a), type($result))
  }];
}

def StableHLO_TriangularSolveOp : StableHLO_InferredOp<"triangular_solve",
    [Pure, HLO_CompatibleOperandsAndResultElementType, HLO_InferTypes]> {
  let summary = "solution of a batch of triangular systems";
  let arguments = (ins HLO_FpComplexOrQuantizedIntTensor:$a, HLO_FpComplexOrQuantizedIntTensor:$b,
      BoolAttr:$left_side, BoolAttr:$lower, BoolAttr:$unit_diagonal,
      StableHLO_TransposeAttr:$transpose_a);
  let results = (outs HLO_FpComplexOrQuantizedIntTensor);
}

def StableHLO_FftOp : StableHLO_InferredOp<"fft", [Pure, HLO_InferTypes]> {
  let summary = "fast Fourier transform of the last dimensions";
  let arguments = (ins HLO_FpOrComplexTensor:$operand, StableHLO_FftTypeAttr:$fft_type,
                       DenseI64ArrayAttr:$fft_length);
  let results = (outs HLO_FpOrComplexTensor);
  let assemblyFormat = [{
    $operand `,` `type` `=` `` $fft_type `,` `length` `=` $fft_length attr-dict `:`
      functional-type(operands, results)
  }];
}

#endif // SHOAL_STABLEHLO_LINEARALGEBRA_TD
