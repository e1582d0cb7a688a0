// Reductions, windows, sorting and batch normalization.

#ifndef SHOAL_STABLEHLO_REDUCTION_TD
#define SHOAL_STABLEHLO_REDUCTION_TD

include "dialects/StableHLO/StableHLOAttrs.td"

defvar HLO_RegionTraits = [RecursiveMemoryEffects, RecursivelySpeculatable,
                           SingleBlockImplicitTerminator<"ReturnOp">];

def StableHLO_ReduceOp : StableHLO_InferredOp<"reduce", !listconcat(HLO_RegionTraits,
    [SameVariadicOperandSize, HLO_InferTypes])> {
  let summary = "dimensions folded by a function of two scalars";
  let arguments = (ins Variadic<HLO_TensorOrPerAxisQuantizedTensor>:$inputs,
      Variadic<HLO_TensorOrPerAxisQuantizedTensor>:$init_values,
      DenseI64ArrayAttr:$dimensions);
  let regions = (region SizedRegion<1>:$body);
  let results = (outs Variadic<HLO_TensorOrPerAxisQuantizedTensor>);
  let builders = [
    OpBuilder<(ins "::mlir::ValueRange":$inputs, "::mlir::ValueRange":$init_values,
                   "::mlir::DenseI64ArrayAttr":$dimensions,
                   "::mlir::TypeRange":$elementTypes)>];
  let hasCustomAssemblyFormat = 1;
}

def StableHLO_ReduceWindowOp : StableHLO_InferredOp<"reduce_window", !listconcat(HLO_RegionTraits,
    [SameVariadicOperandSize, HLO_InferTypes])> {
  let summary = "a reduction over each place of a sliding window";
  let arguments = (ins Variadic<HLO_TensorOrPerAxisQuantizedTensor>:$inputs,
      Variadic<HLO_TensorOrPerAxisQuantizedTensor>:$init_values,
      DenseI64ArrayAttr:$window_dimensions,
      OptionalAttr<DenseI64ArrayAttr>:$window_strides,
      OptionalAttr<DenseI64ArrayAttr>:$base_dilations,
      OptionalAttr<DenseI64ArrayAttr>:$window_dilations,
      OptionalAttr<I64ElementsAttr>:$padding);
  let regions = (region SizedRegion<1>:$body);
  let results = (outs Variadic<HLO_TensorOrPerAxisQuantizedTensor>);
  let extraClassDeclaration = compatibleReturnTypes # [{
    /// The op of the body that gives the i-th result, if it takes exactly the
    /// two arguments that belong to it; null otherwise.
    ::mlir::Operation *getReductionOp(int resultIndex);
  }];
}

def StableHLO_SelectAndScatterOp : StableHLO_InferredOp<"select_and_scatter", !listconcat(HLO_RegionTraits,
    [HLO_InferTypes])> {
  let summary = "adds each source value to the element that its window selects";
  let arguments = (ins HLO_Tensor:$operand, HLO_Tensor:$source, HLO_Tensor:$init_value,
      OptionalAttr<DenseI64ArrayAttr>:$window_dimensions,
      OptionalAttr<DenseI64ArrayAttr>:$window_strides,
      OptionalAttr<I64ElementsAttr>:$padding);
  let regions = (region SizedRegion<1>:$select, SizedRegion<1>:$scatter);
  let results = (outs HLO_Tensor);
  let hasVerifier = 1;
}

def StableHLO_SortOp : StableHLO_InferredOp<"sort", !listconcat(HLO_RegionTraits,
    [SameOperandsAndResultShape, HLO_InferTypes])> {
  let summary = "tensors sorted together along a dimension";
  let arguments = (ins Variadic<HLO_Tensor>:$inputs,
      DefaultValuedOptionalAttr<I64Attr, "-1">:$dimension,
      DefaultValuedOptionalAttr<BoolAttr, "false">:$is_stable);
  let regions = (region SizedRegion<1>:$comparator);
  let results = (outs Variadic<HLO_Tensor>);
  let builders = [
    OpBuilder<(ins "::mlir::ValueRange":$inputs, CArg<"int64_t", "-1">:$dimension,
                   CArg<"bool", "false">:$isStable)>];
  let hasVerifier = 1;
}

def StableHLO_BatchNormGradOp : StableHLO_InferredOp<"batch_norm_grad",
    [Pure, HLO_CompatibleOperandsAndResultElementType, HLO_InferTypes]> {
  let summary = "gradients of batch_norm_training";
  let arguments = (ins HLO_FpOrQuantizedIntTensor:$operand,
      1DTensorOf<[HLO_Float, HLO_QuantizedInt]>:$scale, 1DTensorOf<[HLO_Float, HLO_QuantizedInt]>:$mean,
      1DTensorOf<[HLO_Float, HLO_QuantizedInt]>:$variance, HLO_FpOrQuantizedIntTensor:$grad_output,
      F32Attr:$epsilon, I64Attr:$feature_index);
  let results = (outs HLO_FpOrQuantizedIntTensor:$grad_operand,
      1DTensorOf<[HLO_Float, HLO_QuantizedInt]>:$grad_scale, 1DTensorOf<[HLO_Float, HLO_QuantizedInt]>:$grad_offset);
}

def StableHLO_BatchNormInferenceOp : StableHLO_InferredOp<"batch_norm_inference",
    [Pure, HLO_CompatibleOperandsAndResultElementType, HLO_InferTypes]> {
  let summary = "normalization by given mean and variance per feature";
  let arguments = (ins HLO_FpOrQuantizedIntTensor:$operand,
      1DTensorOf<[HLO_Float, HLO_QuantizedInt]>:$scale, 1DTensorOf<[HLO_Float, HLO_QuantizedInt]>:$offset,
      1DTensorOf<[HLO_Float, HLO_QuantizedInt]>:$mean, 1DTensorOf<[HLO_Float, HLO_QuantizedInt]>:$variance,
      F32Attr:$epsilon, I64Attr:$feature_index);
  let results = (outs HLO_FpOrQuantizedIntTensor:$result);
}

def StableHLO_BatchNormTrainingOp : StableHLO_InferredOp<"batch_norm_training",
    [Pure, HLO_CompatibleOperandsAndResultElementType, HLO_InferTypes]> {
  let summary = "normalization by the batch's mean and variance per feature";
  let arguments = (ins HLO_FpOrQuantizedIntTensor:$operand,
      1DTensorOf<[HLO_Float, HLO_QuantizedInt]>:$scale, 1DTensorOf<[HLO_Float, HLO_QuantizedInt]>:$offset,
      F32Attr:$epsilon, I64Attr:$feature_index);
  let results = (outs HLO_FpOrQuantizedIntTensor:$output,
      1DTensorOf<[HLO_Float, HLO_QuantizedInt]>:$batch_mean, 1DTensorOf<[HLO_Float, HLO_QuantizedInt]>:$batch_var);
}

#endif // SHOAL_STABLEHLO_REDUCTION_TD
