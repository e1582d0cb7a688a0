// Operations of the sdy dialect.
#ifndef SHOAL_DIALECTS_SDY_TD
#define SHOAL_DIALECTS_SDY_TD

include "dialects/SDY/SDYAttrs.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Sdy_Op<string mnemonic, list<Trait> traits = []>
    : Op<Sdy_Dialect, mnemonic, traits>;

def Sdy_MeshOp : Sdy_Op<"mesh", [Symbol]> {
  let summary = "Names a mesh";
  let description = [{
    ```mlir
    sdy.mesh @mesh = <["data"=2, "model"=4]>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Sdy_Mesh:$mesh);
  let assemblyFormat = "$sym_name `=` $mesh attr-dict";
}

def Sdy_ShardingConstraintOp : Sdy_Op<"sharding_constraint",
    [SameOperandsAndResultType]> {
  let summary = "The user's demand that a value be sharded so";
  let description = [{
    With uses, the demand holds for what uses the result; without, for the
    operand itself.

    ```mlir
    %1 = sdy.sharding_constraint %0 <@mesh, [{"data"}, {?} ]> : tensor<8x8xf32>
    ```
  }];
  let arguments = (ins AnyType:$input, Sdy_TensorSharding:$sharding);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$input $sharding attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Sdy_ReshardOp : Sdy_Op<"reshard", [Pure, SameOperandsAndResultType]> {
  let summary = "The same tensor, sharded otherwise";
  let description = [{
    ```mlir
    %1 = sdy.reshard %0 <@mesh, [{"data"}, {} ]> : tensor<8x8xf32>
    ```
  }];
  let arguments = (ins AnyType:$input, Sdy_TensorSharding:$sharding);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$input $sharding attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Sdy_ReturnOp : Sdy_Op<"return", [Pure, Terminator, ReturnLike]> {
  let summary = "Ends a region of this dialect";
  let arguments = (ins Variadic<AnyType>:$results);
  let assemblyFormat = "attr-dict ($results^ `:` type($results))?";
}

def Sdy_ManualComputationOp : Sdy_Op<"manual_computation",
    [IsolatedFromAbove, RecursiveMemoryEffects,
     SingleBlockImplicitTerminator<"ReturnOp">]> {
  let summary = "A region written for one device along some axes";
  let description = [{
    Operands enter cut along the manual axes of `in_shardings`, results leave
    put together by `out_shardings`. Inside, shapes are local to the manual
    axes, and collectives name devices. In each dimension manual axes stand
    before the others.

    ```mlir
    %1 = sdy.manual_computation(%0) in_shardings=[<@mesh, [{"x"} ]>]
        out_shardings=[<@mesh, [{"x"} ]>] manual_axes={"x"} (%a: tensor<4xf32>) {
      sdy.return %a : tensor<4xf32>
    } : (tensor<8xf32>) -> tensor<8xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$tensors,
      Sdy_TensorShardingPerValue:$in_shardings,
      Sdy_TensorShardingPerValue:$out_shardings,
      Sdy_ManualAxes:$manual_axes);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `(` $tensors `)`
    `in_shardings` `` `=` `` custom<ShardingList>($in_shardings)
    `out_shardings` `` `=` `` custom<ShardingList>($out_shardings)
    `manual_axes` `` `=` `` $manual_axes
    custom<BodyWithArguments>($body)
    attr-dict `:` functional-type($tensors, results)
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def Sdy_NamedComputationOp : Sdy_Op<"named_computation",
    [IsolatedFromAbove, RecursiveMemoryEffects, RecursivelySpeculatable,
     SingleBlockImplicitTerminator<"ReturnOp">]> {
  let summary = "A group of operations with a name, as if written in line";
  let description = [{
    ```mlir
    %1 = sdy.named_computation<"f">(%0) (%a: tensor<8xf32>) {
      sdy.return %a : tensor<8xf32>
    } : (tensor<8xf32>) -> tensor<8xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name, Variadic<AnyType>:$operands,
      OptionalAttr<Sdy_TensorShardingPerValue>:$in_shardings,
      OptionalAttr<Sdy_TensorShardingPerValue>:$out_shardings);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `<` $name `>` `` `(` $operands `)`
    (`in_shardings` `` `=` `` custom<ShardingList>($in_shardings)^)?
    (`out_shardings` `` `=` `` custom<ShardingList>($out_shardings)^)?
    custom<BodyWithArguments>($body)
    attr-dict `:` functional-type($operands, results)
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def Sdy_ShardingGroupOp : Sdy_Op<"sharding_group"> {
  let summary = "Puts a value into a group whose members are sharded alike";
  let arguments = (ins AnyRankedTensor:$input, I64Attr:$group_id);
  let assemblyFormat = "$input `group_id` `` `=` `` $group_id attr-dict `:` type($input)";
}

def Sdy_PropagationBarrierOp : Sdy_Op<"propagation_barrier",
    [Pure, SameOperandsAndResultType]> {
  let summary = "Lets shardings pass in one direction only";
  let description = [{
    ```mlir
    %1 = sdy.propagation_barrier %0 allowed_direction=FORWARD : tensor<8xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input,
                       Sdy_PropagationDirection:$allowed_direction);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `allowed_direction` `` `=` `` $allowed_direction attr-dict `:` type($input)
  }];
  let hasVerifier = 1;
}

def Sdy_ConstantOp : Sdy_Op<"constant", [Pure]> {
  let summary = "A constant that no folder merges";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs AnyRankedTensor:$output);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def Sdy_DataFlowEdgeOp : Sdy_Op<"data_flow_edge", [SameOperandsAndResultType]> {
  let summary = "Owner of a set of values that are sharded alike";
  let arguments = (ins AnyType:$input, OptionalAttr<Sdy_TensorSharding>:$sharding);
  let results = (outs AnyType:$result);
  let assemblyFormat = [{
    $input (`sharding` `` `=` `` $sharding^)? attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

def Sdy_FuncDataFlowEdgeOp : Sdy_Op<"func_data_flow_edge",
    [SameOperandsAndResultType]> {
  let summary = "Ties a function argument or call result to its counterpart";
  let arguments = (ins AnyType:$operand);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$operand attr-dict `:` type($result)";
}

//===----------------------------------------------------------------------===//
// Collectives on global tensors: how one sharding becomes another
//===----------------------------------------------------------------------===//

class Sdy_CollectiveOp<string mnemonic>
    : Sdy_Op<mnemonic, [SameOperandsAndResultType]> {
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
}

class Sdy_PerDimCollectiveOp<string mnemonic, string axes>
    : Sdy_CollectiveOp<mnemonic> {
  let assemblyFormat = "$" # axes # [{ $tensor `out_sharding` `` `=` `` $out_sharding
      attr-dict `:` type($result) }];
}

def Sdy_AllGatherOp : Sdy_PerDimCollectiveOp<"all_gather", "gathering_axes"> {
  let summary = "Gathers along the minor axes of each dimension";
  let arguments = (ins AnyRankedTensor:$tensor,
      Sdy_ListOfAxisRefLists:$gathering_axes, Sdy_TensorSharding:$out_sharding);
}

def Sdy_AllSliceOp : Sdy_PerDimCollectiveOp<"all_slice", "slicing_axes"> {
  let summary = "Cuts each dimension along further axes, without traffic";
  let arguments = (ins AnyRankedTensor:$tensor,
      Sdy_ListOfAxisRefLists:$slicing_axes, Sdy_TensorSharding:$out_sharding);
}

def Sdy_AllToAllOp : Sdy_PerDimCollectiveOp<"all_to_all", "params"> {
  let summary = "Moves axes from one dimension to another";
  let arguments = (ins AnyRankedTensor:$tensor,
      Sdy_AllToAllParamList:$params, Sdy_TensorSharding:$out_sharding);
}

def Sdy_AllReduceOp : Sdy_PerDimCollectiveOp<"all_reduce", "reduction_axes"> {
  let summary = "Combines the terms held along axes";
  let arguments = (ins AnyRankedTensor:$tensor,
      Sdy_AxisRefList:$reduction_axes, Sdy_TensorSharding:$out_sharding);
}

def Sdy_ReduceScatterOp
    : Sdy_PerDimCollectiveOp<"reduce_scatter", "reduce_scatter_axes"> {
  let summary = "Combines terms, and cuts the dimensions along the same axes";
  let arguments = (ins AnyRankedTensor:$tensor,
      Sdy_ListOfAxisRefLists:$reduce_scatter_axes,
      Sdy_TensorSharding:$out_sharding);
}

def Sdy_CollectivePermuteOp : Sdy_CollectiveOp<"collective_permute"> {
  let summary = "Replaces axes by others of the same sizes";
  let arguments = (ins AnyRankedTensor:$tensor, Sdy_TensorSharding:$out_sharding);
  let assemblyFormat = [{
    $tensor `out_sharding` `` `=` `` $out_sharding attr-dict `:` type($result)
  }];
}

def Sdy_ReplicatedToUnreducedOp
    : Sdy_PerDimCollectiveOp<"replicated_to_unreduced", "axes"> {
  let summary = "Keeps the value on one device along axes, zero on the others";
  let arguments = (ins AnyRankedTensor:$tensor, Sdy_AxisRefList:$axes,
                       Sdy_TensorSharding:$out_sharding);
}

def Sdy_ShardedToUnreducedOp
    : Sdy_PerDimCollectiveOp<"sharded_to_unreduced", "axes"> {
  let summary = "Pads each part with zeros to a term of the whole";
  let arguments = (ins AnyRankedTensor:$tensor, Sdy_ListOfAxisRefLists:$axes,
                       Sdy_TensorSharding:$out_sharding);
}

#endif // SHOAL_DIALECTS_SDY_TD
