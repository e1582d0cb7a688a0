// Ops that move elements without looking at them, by static attributes.

#ifndef SHOAL_STABLEHLO_SHAPE_TD
#define SHOAL_STABLEHLO_SHAPE_TD

include "dialects/StableHLO/StableHLOAttrs.td"

def StableHLO_BitcastConvertOp : StableHLO_Op<"bitcast_convert", [Pure]> {
  let summary = "the same bits as elements of another type";
  let description = [{
    Where widths differ, the last dimension of the side with the narrower
    elements holds the parts of one wider element.
  }];
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def StableHLO_BroadcastOp : StableHLO_InferredOp<"broadcast", [Pure, SameOperandsAndResultElementType, HLO_InferTypes]> {
  let summary = "new leading dimensions";
  let arguments = (ins HLO_Tensor:$operand, DenseI64ArrayAttr:$broadcast_sizes);
  let results = (outs HLO_Tensor);
  let assemblyFormat = [{
    $operand `,` `sizes` `=` $broadcast_sizes attr-dict `:` functional-type(operands, results)
  }];
}

def StableHLO_BroadcastInDimOp : StableHLO_Op<"broadcast_in_dim",
    [Pure, HLO_CompatibleOperandsAndResultElementType]> {
  let summary = "a tensor repeated along new dimensions and dimensions of size 1";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand,
                       DenseI64ArrayAttr:$broadcast_dimensions);
  let results = (outs HLO_StaticShapeTensorOrPerAxisQuantizedTensor);
  let extraClassDeclaration = [{
    /// Whether the operand is repeated only along dimensions it does not have
    /// or that the broadcast keeps at size 1, that is, nothing of size 1 grows.
    bool isSimpleBroadcast();
  }];
  let assemblyFormat = [{
    $operand `,` `dims` `=` $broadcast_dimensions attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def StableHLO_ConcatenateOp : StableHLO_InferredOp<"concatenate", [Pure, HLO_InferTypes]> {
  let summary = "tensors one after another along a dimension";
  let arguments = (ins Variadic<HLO_TensorOrPerAxisQuantizedTensor>:$inputs, I64Attr:$dimension);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let assemblyFormat = [{
    custom<VariadicOperandWithAttribute>($inputs) `dim` `=` $dimension attr-dict `:`
      functional-type(operands, results)
  }];
}

def StableHLO_PadOp : StableHLO_InferredOp<"pad", [Pure, HLO_InferTypes]> {
  let summary = "padding around and between elements; negative padding crops";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand,
      HLO_TensorOrPerAxisQuantizedTensor:$padding_value,
      DenseI64ArrayAttr:$edge_padding_low, DenseI64ArrayAttr:$edge_padding_high,
      DenseI64ArrayAttr:$interior_padding);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let assemblyFormat = [{
    $operand `,` $padding_value `,`
      `low` `=` $edge_padding_low `,` `high` `=` $edge_padding_high `,`
      `interior` `=` $interior_padding attr-dict `:` functional-type(operands, results)
  }];
}

def StableHLO_ReshapeOp : StableHLO_Op<"reshape", [Pure, HLO_CompatibleOperandsAndResultElementType]> {
  let summary = "the same elements, in the same row-major order, in another shape";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def StableHLO_ReverseOp : StableHLO_InferredOp<"reverse",
    [Pure, HLO_CompatibleOperandsAndResultType]> {
  let summary = "the elements in reverse order along some dimensions";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand, DenseI64ArrayAttr:$dimensions);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor:$result);
  let assemblyFormat = [{
    $operand `,` `dims` `=` $dimensions attr-dict `:`
      custom<SameOperandsAndResultType>(type($operand), type($result))
  }];
  let hasVerifier = 1;
}

def StableHLO_SliceOp : StableHLO_InferredOp<"slice", [Pure, HLO_InferTypes]> {
  let summary = "every stride-th element from start to limit";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand,
      DenseI64ArrayAttr:$start_indices, DenseI64ArrayAttr:$limit_indices,
      DenseI64ArrayAttr:$strides);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let assemblyFormat = [{
    $operand custom<SliceRanges>($start_indices, $limit_indices, $strides)
      attr-dict `:` functional-type(operands, results)
  }];
}

def StableHLO_TransposeOp : StableHLO_InferredOp<"transpose",
    [Pure, HLO_CompatibleOperandsAndResultElementType, HLO_InferTypes]> {
  let summary = "the dimensions in another order";
  let description = "Dimension `i` of the result is dimension `permutation[i]` of the operand.";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand, DenseI64ArrayAttr:$permutation);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let assemblyFormat = [{
    $operand `,` `dims` `=` $permutation attr-dict `:` functional-type(operands, results)
  }];
}

#endif // SHOAL_STABLEHLO_SHAPE_TD
