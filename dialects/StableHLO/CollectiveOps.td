// Ops by which devices, and host and device, communicate.

#ifndef SHOAL_STABLEHLO_COLLECTIVE_TD
#define SHOAL_STABLEHLO_COLLECTIVE_TD

include "dialects/StableHLO/StableHLOAttrs.td"

def StableHLO_AllGatherOp : StableHLO_Op<"all_gather", [HLO_CollectiveEffects]> {
  let summary = "the group's tensors one after another";
  let arguments = (ins Variadic<HLO_TensorOrPerAxisQuantizedTensor>:$operands, I64Attr:$all_gather_dim,
      StableHLO_ReplicaGroups:$replica_groups,
      OptionalAttr<StableHLO_ChannelHandle>:$channel_handle,
      UnitAttr:$use_global_device_ids);
  let results = (outs Variadic<HLO_TensorOrPerAxisQuantizedTensor>);
  let hasVerifier = 1;
}

def StableHLO_AllReduceOp : StableHLO_InferredOp<"all_reduce",
    [HLO_CollectiveEffects, SingleBlockImplicitTerminator<"ReturnOp">, HLO_InferTypes]> {
  let summary = "the group's tensors folded into one";
  let arguments = (ins Variadic<HLO_TensorOrPerAxisQuantizedTensor>:$operands,
      StableHLO_ReplicaGroups:$replica_groups,
      OptionalAttr<StableHLO_ChannelHandle>:$channel_handle,
      UnitAttr:$use_global_device_ids);
  let regions = (region SizedRegion<1>:$computation);
  let results = (outs Variadic<HLO_TensorOrPerAxisQuantizedTensor>);
  let hasVerifier = 1;
}

def StableHLO_AllToAllOp : StableHLO_InferredOp<"all_to_all", [HLO_CollectiveEffects, HLO_InferTypes]> {
  let summary = "splits exchanged within the group";
  let arguments = (ins Variadic<HLO_TensorOrPerAxisQuantizedTensor>:$operands,
      I64Attr:$split_dimension, I64Attr:$concat_dimension, I64Attr:$split_count,
      StableHLO_ReplicaGroups:$replica_groups,
      OptionalAttr<StableHLO_ChannelHandle>:$channel_handle);
  let results = (outs Variadic<HLO_TensorOrPerAxisQuantizedTensor>);
  let hasVerifier = 1;
}

def StableHLO_ReduceScatterOp : StableHLO_Op<"reduce_scatter",
    [HLO_CollectiveEffects, SingleBlockImplicitTerminator<"ReturnOp">]> {
  let summary = "the group's tensors folded into one, of which each keeps a part";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand, I64Attr:$scatter_dimension,
      StableHLO_ReplicaGroups:$replica_groups,
      OptionalAttr<StableHLO_ChannelHandle>:$channel_handle,
      UnitAttr:$use_global_device_ids);
  let regions = (region SizedRegion<1>:$computation);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let hasVerifier = 1;
}

def StableHLO_CollectiveBroadcastOp : StableHLO_InferredOp<"collective_broadcast",
    [HLO_CollectiveEffects, HLO_CompatibleOperandsAndResultType]> {
  let summary = "the tensor of the group's first device on all";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand,
      StableHLO_ReplicaGroups:$replica_groups,
      OptionalAttr<StableHLO_ChannelHandle>:$channel_handle);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let hasVerifier = 1;
}

def StableHLO_CollectivePermuteOp : StableHLO_InferredOp<"collective_permute",
    [HLO_CollectiveEffects, HLO_CompatibleOperandsAndResultType]> {
  let summary = "tensors sent from source to target; zeros where nothing comes";
  let arguments = (ins HLO_TensorOrPerAxisQuantizedTensor:$operand,
      I64ElementsAttr:$source_target_pairs,
      OptionalAttr<StableHLO_ChannelHandle>:$channel_handle);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensor);
  let hasVerifier = 1;
}

def StableHLO_CrossReplicaSumOp : StableHLO_InferredOp<"cross-replica-sum",
    [HLO_CollectiveEffects, HLO_CompatibleOperandsAndResultType]> {
  let summary = "sum over the group (deprecated)";
  let arguments = (ins HLO_Tensor:$operand, I64ElementsAttr:$replica_groups);
  let results = (outs HLO_Tensor);
  let hasVerifier = 1;
}

def StableHLO_AsyncStartOp : StableHLO_Op<"async_start",
    [SingleBlockImplicitTerminator<"ReturnOp">]> {
  let summary = "starts the collective in its body";
  let arguments = (ins Variadic<HLO_TensorOrPerAxisQuantizedTensor>:$operands);
  let regions = (region SizedRegion<1>:$body);
  let results = (outs HLO_Future);
  let hasVerifier = 1;
}

def StableHLO_AsyncDoneOp : StableHLO_InferredOp<"async_done", [HLO_InferTypes]> {
  let summary = "waits for what was started";
  let arguments = (ins HLO_Future:$operand);
  let results = (outs Variadic<HLO_TensorOrPerAxisQuantizedTensor>);
}

def StableHLO_SendOp : StableHLO_Op<"send", [HLO_InferTypes]> {
  let summary = "sends tensors over a channel";
  let arguments = (ins Variadic<HLO_TensorOrPerAxisQuantizedTensor>:$inputs, HLO_Token:$token,
      StableHLO_ChannelHandle:$channel_handle,
      DefaultValuedOptionalAttr<BoolAttr, "false">:$is_host_transfer,
      OptionalAttr<I64ElementsAttr>:$source_target_pairs);
  let results = (outs HLO_Token);
  let hasVerifier = 1;
}

def StableHLO_RecvOp : StableHLO_Op<"recv", []> {
  let summary = "receives tensors from a channel";
  let arguments = (ins HLO_Token:$token, StableHLO_ChannelHandle:$channel_handle,
      DefaultValuedOptionalAttr<BoolAttr, "false">:$is_host_transfer,
      OptionalAttr<I64ElementsAttr>:$source_target_pairs);
  let results = (outs Variadic<HLO_TensorOrPerAxisQuantizedTensorOrToken>);
  let hasVerifier = 1;
}

def StableHLO_InfeedOp : StableHLO_Op<"infeed", []> {
  let summary = "reads from the host's queue";
  let arguments = (ins HLO_Token:$token, DefaultValuedStrAttr<StrAttr, "">:$infeed_config,
                       OptionalAttr<ArrayAttr>:$layout);
  let results = (outs Variadic<HLO_TensorOrPerAxisQuantizedTensorOrToken>);
  let hasVerifier = 1;
}

def StableHLO_OutfeedOp : StableHLO_Op<"outfeed", [HLO_InferTypes]> {
  let summary = "writes to the host's queue";
  let arguments = (ins Variadic<HLO_TensorOrPerAxisQuantizedTensor>:$inputs, HLO_Token:$token,
                       DefaultValuedStrAttr<StrAttr, "">:$outfeed_config);
  let results = (outs HLO_Token);
}

#endif // SHOAL_STABLEHLO_COLLECTIVE_TD
