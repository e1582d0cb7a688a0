// Ops whose elements are found at indices that are values.

#ifndef SHOAL_STABLEHLO_INDEXING_TD
#define SHOAL_STABLEHLO_INDEXING_TD

include "dialects/StableHLO/StableHLOAttrs.td"

def StableHLO_DynamicSliceOp : StableHLO_InferredOp<"dynamic_slice", [Pure, HLO_InferTypes]> {
  let summary = "a block at indices that are values, clamped to lie inside";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand,
      Variadic<HLO_ScalarIntTensor>:$start_indices, DenseI64ArrayAttr:$slice_sizes);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor:$result);
  let assemblyFormat = [{
    $operand `,` custom<VariadicOperandWithAttribute>($start_indices)
      `sizes` `=` $slice_sizes attr-dict `:` functional-type(operands, results)
  }];
}

def StableHLO_DynamicUpdateSliceOp : StableHLO_InferredOp<"dynamic_update_slice", [Pure, HLO_InferTypes]> {
  let summary = "a tensor with a block replaced";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand,
      HLO_TensorOrPerAxisQuantizedTensor:$update, Variadic<HLO_ScalarIntTensor>:$start_indices);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

def StableHLO_GatherOp : StableHLO_InferredOp<"gather", [Pure, HLO_InferTypes]> {
  let summary = "slices at many indices";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand, HLO_IntTensor:$start_indices,
      StableHLO_GatherDimensionNumbers:$dimension_numbers, DenseI64ArrayAttr:$slice_sizes,
      DefaultValuedOptionalAttr<BoolAttr, "false">:$indices_are_sorted);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
}

def StableHLO_DynamicGatherOp : StableHLO_InferredOp<"dynamic_gather", [Pure, HLO_InferTypes]> {
  let summary = "gather whose slice sizes are a value";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand, HLO_IntTensor:$start_indices,
      HLO_Static1DIntTensor:$slice_sizes, StableHLO_GatherDimensionNumbers:$dimension_numbers,
      DefaultValuedOptionalAttr<BoolAttr, "false">:$indices_are_sorted);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
}

def StableHLO_ScatterOp : StableHLO_InferredOp<"scatter",
    [RecursiveMemoryEffects, RecursivelySpeculatable, SameVariadicOperandSize,
     SingleBlockImplicitTerminator<"ReturnOp">, HLO_InferTypes]> {
  let summary = "tensors updated at many indices";
  let arguments = (ins Variadic<HLO_TensorOrPerAxisQuantizedTensor>:$inputs,
      RankedTensorOf<[AnyInteger, Index]>:$scatter_indices,
      Variadic<HLO_TensorOrPerAxisQuantizedTensor>:$updates,
      StableHLO_ScatterDimensionNumbers:$scatter_dimension_numbers,
      DefaultValuedOptionalAttr<BoolAttr, "false">:$indices_are_sorted,
      DefaultValuedOptionalAttr<BoolAttr, "false">:$unique_indices);
  let regions = (region SizedRegion<1>:$update_computation);
  let results = (outs Variadic<HLO_TensorOrPerAxisQuantizedTensor>);
}

def StableHLO_TorchIndexSelectOp : StableHLO_Op<"torch_index_select", [Pure]> {
  let summary = "rows chosen by index, as torch.index_select (deprecated)";
  let arguments = (ins HLO_Tensor:$operand, HLO_Tensor:$index, I64Attr:$dim, I64Attr:$batch_dims);
  let results = (outs HLO_Tensor);
  let hasVerifier = 1;
}

#endif // SHOAL_STABLEHLO_INDEXING_TD
