// Ops with shapes that are values, random numbers, and sizes.

#ifndef SHOAL_STABLEHLO_DYNAMIC_TD
#define SHOAL_STABLEHLO_DYNAMIC_TD

include "dialects/StableHLO/StableHLOAttrs.td"

def StableHLO_DynamicBroadcastInDimOp : StableHLO_Op<"dynamic_broadcast_in_dim", [Pure]> {
  let summary = "broadcast_in_dim to a shape that is a value";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand,
      HLO_DimensionTensor:$output_dimensions, DenseI64ArrayAttr:$broadcast_dimensions,
      OptionalAttr<DenseI64ArrayAttr>:$known_expanding_dimensions,
      OptionalAttr<DenseI64ArrayAttr>:$known_nonexpanding_dimensions);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let builders = [
    OpBuilder<(ins "::mlir::Type":$resultType, "::mlir::Value":$operand,
                   "::mlir::Value":$outputDimensions,
                   "::mlir::DenseI64ArrayAttr":$broadcastDimensions), [{
      build($_builder, $_state, resultType, operand, outputDimensions, broadcastDimensions,
            /*known_expanding_dimensions=*/{}, /*known_nonexpanding_dimensions=*/{});
    }]>];
  let assemblyFormat = [{
    $operand `,` $output_dimensions `,` `dims` `=` $broadcast_dimensions
      attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def StableHLO_DynamicIotaOp : StableHLO_Op<"dynamic_iota", [Pure]> {
  let summary = "iota of a shape that is a value";
  let arguments = (ins HLO_DimensionTensor:$output_shape, I64Attr:$iota_dimension);
  let results = (outs HLO_IntFpOrComplexOrQuantizedIntTensor:$result);
  let assemblyFormat = [{
    $output_shape `,` `dim` `=` $iota_dimension attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def StableHLO_DynamicPadOp : StableHLO_Op<"dynamic_pad", [Pure]> {
  let summary = "pad by amounts that are values";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand,
      HLO_TensorOrPerAxisQuantizedTensor:$padding_value,
      HLO_DimensionTensor:$edge_padding_low, HLO_DimensionTensor:$edge_padding_high,
      HLO_DimensionTensor:$interior_padding);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def StableHLO_DynamicReshapeOp : StableHLO_Op<"dynamic_reshape", [Pure]> {
  let summary = "reshape to a shape that is a value";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand,
                       HLO_DimensionTensor:$output_shape);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def StableHLO_RealDynamicSliceOp : StableHLO_Op<"real_dynamic_slice", [Pure]> {
  let summary = "slice by starts, limits and strides that are values";
  let arguments = (ins HLO_Tensor:$operand, HLO_DimensionTensor:$start_indices,
      HLO_DimensionTensor:$limit_indices, HLO_DimensionTensor:$strides);
  let results = (outs HLO_Tensor:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def StableHLO_GetDimensionSizeOp : StableHLO_Op<"get_dimension_size", [Pure, HLO_InferTypes]> {
  let summary = "the size of a dimension";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand, I64Attr:$dimension);
  let results = (outs I32RankedTensor);
  let assemblyFormat = [{
    $operand `,` `dim` `=` $dimension attr-dict `:` functional-type(operands, results)
  }];
}

def StableHLO_SetDimensionSizeOp : StableHLO_InferredOp<"set_dimension_size", [Pure, HLO_InferTypes]> {
  let summary = "declares how much of a dimension is in use";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand, I32RankedTensor:$size,
                       I64Attr:$dimension);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let assemblyFormat = [{
    $operand `,` $size `,` `dim` `=` $dimension attr-dict `:` functional-type(operands, results)
  }];
}

// Draws from a hidden state, hence neither pure nor movable.
def StableHLO_RngOp : StableHLO_InferredOp<"rng", [HLO_InferTypes]> {
  let summary = "random numbers (deprecated)";
  let arguments = (ins 0DTensorOf<[HLO_Pred, HLO_Int, HLO_Float]>:$a,
      0DTensorOf<[HLO_Pred, HLO_Int, HLO_Float]>:$b,
      HLO_DimensionTensor:$shape, StableHLO_RngDistributionAttr:$rng_distribution);
  let results = (outs HLO_PredIntOrFpTensor:$result);
  let assemblyFormat = [{
    $a `,` $b `,` $shape `,` `distribution` `=` `` $rng_distribution attr-dict `:`
      functional-type(operands, results)
  }];
}

def StableHLO_RngBitGeneratorOp : StableHLO_Op<"rng_bit_generator", [Pure]> {
  let summary = "random bits from a state, and the state after them";
  let arguments = (ins StableHLO_RngAlgorithmAttr:$rng_algorithm, HLO_IntOrFpTensor:$initial_state);
  let results = (outs HLO_IntOrFpTensor:$output_state, HLO_StaticShapeIntOrFpTensor:$output);
  let assemblyFormat = [{
    $initial_state `,` `algorithm` `=` `` $rng_algorithm attr-dict `:`
      functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // SHOAL_STABLEHLO_DYNAMIC_TD
