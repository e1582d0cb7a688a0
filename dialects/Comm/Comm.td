//===- Comm.td - Collectives on tensors -----------------------------------===//
#ifndef COMM_TD
#define COMM_TD

include "dialects/Shoal/ShardableOpInterface.td"
include "dialects/Shoal/ShoalAttrs.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/AttrTypeBase.td"

def Comm_Dialect : Dialect {
  let name = "comm";
  let cppNamespace = "::shoal::comm";
  let dependentDialects = ["::shoal::ShoalDialect"];
  let summary = "Collectives on tensors, over mesh axes";
  let description = [{
    What devices send to one another, in the phases from `partitioned` on. Types
    are device-local. A dimension cut into parts has blocks of one size on all
    devices (the last may be padded, see the dialect `shoal`); the types of
    operand and result say exactly what is kept: gathering q blocks of b gives
    any size up to q·b, the rest was padding.

    Every op states its `groups`, and may carry `reason` (a string for people)
    and `provenance` (an array of locations: the ops that made it necessary).

    Bytes sent per device, in ring accounting, of a group of n: all_gather and
    reduce_scatter (n-1)/n × the full tensor; all_reduce twice that; all_to_all
    (n-1)/n × the local tensor; permute, halo, reblock, send: what is sent,
    averaged over the group; broadcast (n-1)/n × the tensor.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
    void registerTypes();
  }];
}

//===----------------------------------------------------------------------===//
// Attributes and types
//===----------------------------------------------------------------------===//

def Comm_GroupsAttr : AttrDef<Comm_Dialect, "Groups"> {
  let mnemonic = "groups";
  let summary = "Which devices take part together";
  let description = [{
    Canonical: `<@m, {"dp", "tp":(1)2}>`, the devices that differ only along
    these axes, numbered major to minor in the order written. Explicit, only for
    imported collectives and unrelated meshes: `<[[0, 2], [1, 3]]>`, lists of
    device ids in order; ids that occur in none stay out.
  }];
  let parameters = (ins "::mlir::Attribute":$meshOrRef,
      ArrayRefParameter<"::shoal::AxisRefAttr">:$axes,
      "::mlir::ArrayAttr":$table);
  let builders = [
    AttrBuilderWithInferredContext<(ins "::mlir::Attribute":$meshOrRef,
        "::llvm::ArrayRef<::shoal::AxisRefAttr>":$axes), [{
      return $_get(meshOrRef.getContext(), meshOrRef, axes, ::mlir::ArrayAttr());
    }]>,
    AttrBuilderWithInferredContext<(ins "::mlir::ArrayAttr":$table), [{
      return $_get(table.getContext(), ::mlir::Attribute(),
                   ::llvm::ArrayRef<::shoal::AxisRefAttr>(), table);
    }]>];
  let skipDefaultBuilders = 1;
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    bool isTable() const { return getTable() != nullptr; }
    ::shoal::MeshAttr getMesh(::mlir::Operation *from) const;
    /// Devices per group (the largest, if a table's differ); 0 if unknown.
    int64_t getGroupSize(::mlir::Operation *from) const;
    /// All groups, as lists of device ids in group order.
    ::llvm::SmallVector<::llvm::SmallVector<int64_t>>
    getDeviceGroups(::mlir::Operation *from) const;
    static ::shoal::comm::GroupsAttr
    getFromTable(::mlir::MLIRContext *context,
                 ::llvm::ArrayRef<::llvm::SmallVector<int64_t>> groups);
  }];
}

def Comm_Future : TypeDef<Comm_Dialect, "Future"> {
  let mnemonic = "future";
  let summary = "The results of a collective that has been started";
  let parameters = (ins ArrayRefParameter<"::mlir::Type">:$types);
  let assemblyFormat = "`<` $types `>`";
}

//===----------------------------------------------------------------------===//
// Interface
//===----------------------------------------------------------------------===//

def CollectiveOpInterface : OpInterface<"CollectiveOpInterface"> {
  let cppNamespace = "::shoal::comm";
  let description = "What all ops that move data between devices have in common.";
  let methods = [
    InterfaceMethod<"Who takes part.", "::shoal::comm::GroupsAttr",
      "getCollectiveGroups", (ins), [{ return $_op.getGroups(); }]>,
    InterfaceMethod<[{
      Bytes one device sends, in ring accounting, averaged over the group. What
      runs once; loops multiply it. 0 if the groups are unknown.
    }], "int64_t", "getBytesSentPerDevice", (ins)>,
    InterfaceMethod<"Why the op exists, or null.", "::mlir::StringAttr",
      "getReasonAttr", (ins), [{ return $_op.getReasonAttr(); }]>,
    InterfaceMethod<"Locations of the ops that made it necessary, or null.",
      "::mlir::ArrayAttr", "getProvenanceAttr", (ins), [{
      return $_op.getProvenanceAttr();
    }]>
  ];
}

class Comm_Op<string mnemonic, list<Trait> traits = []>
    : Op<Comm_Dialect, mnemonic, traits>;

class Comm_Collective<string mnemonic, list<Trait> traits = []>
    : Comm_Op<mnemonic, !listconcat(traits, [
        DeclareOpInterfaceMethods<CollectiveOpInterface,
                                  ["getBytesSentPerDevice"]>,
        DeclareOpInterfaceMethods<ShardableOpInterface>])> {
  dag trailing = (ins Comm_GroupsAttr:$groups, OptionalAttr<StrAttr>:$reason,
                      OptionalAttr<ArrayAttr>:$provenance);
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Over one dimension
//===----------------------------------------------------------------------===//

def Comm_AllGatherOp : Comm_Collective<"all_gather", [Pure]> {
  let summary = "Joins the group's blocks along a dimension";
  let description = [{
    ```mlir
    %1 = comm.all_gather %0 dim = 1 over <@m, {"tp"}>
        : (tensor<4x8xf32>) -> tensor<4x30xf32>
    ```
    Elements beyond the result's size are padding and are dropped.
  }];
  let arguments = !con((ins AnyRankedTensor:$input, I64Attr:$dim), trailing);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `dim` `=` $dim `over` $groups attr-dict `:` functional-type($input, $result)
  }];
}

def Comm_ReduceScatterOp : Comm_Collective<"reduce_scatter", [Pure]> {
  let summary = "Reduces over the group; each device keeps its block";
  let description = [{
    ```mlir
    %1 = comm.reduce_scatter add %0 dim = 1 over <@m, {"tp"}>
        : (tensor<4x30xf32>) -> tensor<4x8xf32>
    ```
    The operand is taken as padded to n blocks of the result's size.
  }];
  let arguments = !con((ins Shoal_KindAttr:$kind, AnyRankedTensor:$input,
                            I64Attr:$dim), trailing);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $kind $input `dim` `=` $dim `over` $groups attr-dict `:` functional-type($input, $result)
  }];
}

def Comm_AllReduceOp : Comm_Collective<"all_reduce", [Pure, SameOperandsAndResultType]> {
  let summary = "Reduces over the group; every device gets the result";
  let description = [{
    ```mlir
    %1 = comm.all_reduce add %0 over <@m, {"tp"}> : tensor<4x8xf32>
    ```
  }];
  let arguments = !con((ins Shoal_KindAttr:$kind, AnyRankedTensor:$input), trailing);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input `over` $groups attr-dict `:` type($result)";
}

def Comm_AllToAllOp : Comm_Collective<"all_to_all", [Pure]> {
  let summary = "Cuts one dimension into blocks, joins another from blocks";
  let description = [{
    ```mlir
    %1 = comm.all_to_all %0 split = 0 concat = 1 over <@m, {"tp"}>
        : (tensor<8x4xf32>) -> tensor<2x16xf32>
    ```
    Device i gets block i of everyone's `split` dimension, joined in group order
    along `concat`. Padded like reduce_scatter and all_gather. `split` and
    `concat` may be the same dimension.
  }];
  let arguments = !con((ins AnyRankedTensor:$input, I64Attr:$split_dim,
                            I64Attr:$concat_dim), trailing);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `split` `=` $split_dim `concat` `=` $concat_dim `over` $groups
    attr-dict `:` functional-type($input, $result)
  }];
}

def Comm_AllSliceOp : Comm_Op<"all_slice", [Pure,
    DeclareOpInterfaceMethods<ShardableOpInterface>]> {
  let summary = "Each device keeps its block of a tensor it holds whole";
  let description = [{
    ```mlir
    %1 = comm.all_slice %0 dim = 1 over <@m, {"tp"}>
        : (tensor<4x30xf32>) -> tensor<4x8xf32>
    ```
    No traffic. The operand is taken as padded to n blocks (undefined bits).
  }];
  let arguments = (ins AnyRankedTensor:$input, I64Attr:$dim,
                       Comm_GroupsAttr:$groups);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `dim` `=` $dim `over` $groups attr-dict `:` functional-type($input, $result)
  }];
  let hasVerifier = 1;
}

def Comm_HaloOp : Comm_Collective<"halo", [Pure]> {
  let summary = "Extends each block by its neighbours' edges";
  let description = [{
    ```mlir
    %1 = comm.halo %0, %fill dim = 1 size = 30 low = 1 high = 2 over <@m, {"tp"}>
        : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x11xf32>
    ```
    Device i holds [i·b, (i+1)·b) of a dimension of `size` elements and gets
    [i·b - low, (i+1)·b + high). Positions outside [0, size) read as `fill`, and
    are undefined without it; with `wrap`, they are taken modulo `size`.
    `low` and `high` may exceed a block (several neighbours) or be negative
    (the block is trimmed).
  }];
  let arguments = !con((ins AnyRankedTensor:$input,
      Optional<AnyRankedTensor>:$fill, I64Attr:$dim, I64Attr:$size,
      I64Attr:$low, I64Attr:$high, UnitAttr:$wrap), trailing);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input (`,` $fill^)? `dim` `=` $dim `size` `=` $size `low` `=` $low
    `high` `=` $high (`wrap` $wrap^)? `over` $groups attr-dict
    `:` functional-type(operands, $result)
  }];
}

def Comm_ReblockOp : Comm_Collective<"reblock", [Pure]> {
  let summary = "Moves from one block size to another, or to shifted windows";
  let description = [{
    ```mlir
    %1 = comm.reblock %0 dim = 1 size = 30 over <@m, {"tp"}>
        : (tensor<4x8xf32>) -> tensor<4x10xf32>
    ```
    Device i holds [i·b, (i+1)·b) of a dimension of `size` elements, b being the
    operand's size there, and gets [offset + i·step, offset + i·step + b'), b'
    the result's; `offset` is 0 and `step` b' unless given. What lies outside
    [0, size) reads as `fill`, or is undefined without it.
  }];
  let arguments = !con((ins AnyRankedTensor:$input,
      Optional<AnyRankedTensor>:$fill, I64Attr:$dim, I64Attr:$size,
      DefaultValuedAttr<I64Attr, "0">:$offset, OptionalAttr<I64Attr>:$step),
      trailing);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input (`,` $fill^)? `dim` `=` $dim `size` `=` $size
    (`offset` `=` $offset^)? (`step` `=` $step^)? `over` $groups attr-dict
    `:` functional-type(operands, $result)
  }];
  let extraClassDeclaration = [{
    int64_t getStepOrDefault() {
      return getStep().value_or(getType().getDimSize(getDim()));
    }
    ::mlir::RankedTensorType getType() {
      return ::llvm::cast<::mlir::RankedTensorType>(getResult().getType());
    }
  }];
}

//===----------------------------------------------------------------------===//
// Whole tensors
//===----------------------------------------------------------------------===//

def Comm_PermuteOp : Comm_Collective<"permute", [Pure, SameOperandsAndResultType]> {
  let summary = "Sends each device's tensor to one other";
  let description = [{
    ```mlir
    %1 = comm.permute %0 pairs = [[0, 1], [1, 0]] over <@m, {"tp"}> : tensor<4xf32>
    ```
    Pairs of source and target: positions in every group. No position occurs
    twice as source or as target; who is no target gets zeros. With groups as a
    table of one group, positions are indices into it: a table of all devices.
  }];
  let arguments = !con((ins AnyRankedTensor:$input, DenseI64ArrayAttr:$sources,
                            DenseI64ArrayAttr:$targets), trailing);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `pairs` `=` custom<Pairs>($sources, $targets) `over` $groups attr-dict
    `:` type($result)
  }];
}

def Comm_BroadcastOp : Comm_Collective<"broadcast", [Pure]> {
  let summary = "Everyone in the group gets one member's tensor";
  let description = [{
    ```mlir
    %1 = comm.broadcast %0 root = 0 over <@m, {"tp"}> : (tensor<4xf32>) -> tensor<4xf32>
    %2 = comm.broadcast %0, %root over <@m, {"tp"}> : (tensor<4xf32>, tensor<i32>) -> tensor<4xf32>
    ```
    `root` is a position in the group; as an operand, the same on all its members.
  }];
  let arguments = !con((ins AnyRankedTensor:$input,
      Optional<AnyRankedTensor>:$root_index, OptionalAttr<I64Attr>:$root), trailing);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input (`,` $root_index^)? (`root` `=` $root^)? `over` $groups attr-dict
    `:` functional-type(operands, $result)
  }];
}

def Comm_RaggedAllToAllOp : Comm_Collective<"ragged_all_to_all", [Pure]> {
  let summary = "All-to-all of row ranges whose sizes are data";
  let description = [{
    Device i sends rows [input_offsets[j], + send_sizes[j]) of `input` to device
    j, where they are written to `output` at row output_offsets[j] (as the
    sender says); recv_sizes[j] is how many device j will send here. Rows that
    nothing is written to keep the value of `output`. Bytes are counted as if
    every device sent (n-1)/n of its input.
  }];
  let arguments = !con((ins AnyRankedTensor:$input, AnyRankedTensor:$output,
      AnyRankedTensor:$input_offsets, AnyRankedTensor:$send_sizes,
      AnyRankedTensor:$output_offsets, AnyRankedTensor:$recv_sizes), trailing);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `,` $output `,` $input_offsets `,` $send_sizes `,` $output_offsets
    `,` $recv_sizes `over` $groups attr-dict `:` functional-type(operands, $result)
  }];
}

def Comm_SendOp : Comm_Collective<"send"> {
  let summary = "Sends a tensor to the paired device";
  let description = [{
    One half of a permute, where the two halves stand apart (pipelines). The
    `comm.recv` of the same channel and pairs takes it.
  }];
  let arguments = !con((ins AnyRankedTensor:$input, DenseI64ArrayAttr:$sources,
      DenseI64ArrayAttr:$targets, I64Attr:$channel), trailing);
  let assemblyFormat = [{
    $input `channel` `=` $channel `pairs` `=` custom<Pairs>($sources, $targets)
    `over` $groups attr-dict `:` type($input)
  }];
}

def Comm_RecvOp : Comm_Collective<"recv"> {
  let summary = "Receives what the paired device sent; zeros if none did";
  let arguments = !con((ins DenseI64ArrayAttr:$sources,
      DenseI64ArrayAttr:$targets, I64Attr:$channel), trailing);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    `channel` `=` $channel `pairs` `=` custom<Pairs>($sources, $targets)
    `over` $groups attr-dict `:` type($result)
  }];
}

def Comm_AxisIndexOp : Comm_Op<"axis_index", [Pure]> {
  let summary = "The device's position in its group";
  let description = [{
    ```mlir
    %i = comm.axis_index over <@m, {"dp", "tp"}> : tensor<i32>
    ```
    0 for devices that a table leaves out.
  }];
  let arguments = (ins Comm_GroupsAttr:$groups);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "`over` $groups attr-dict `:` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Asynchronous form
//===----------------------------------------------------------------------===//

def Comm_StartOp : Comm_Op<"start", [IsolatedFromAbove, RecursiveMemoryEffects,
    SingleBlock]> {
  let summary = "Starts a collective; its results come out of comm.done";
  let description = [{
    ```mlir
    %f = comm.start(%a = %0 : tensor<4xf32>) {
      %1 = comm.all_reduce add %a over <@m, {"tp"}> : tensor<4xf32>
      comm.yield %1 : tensor<4xf32>
    } : !comm.future<tensor<4xf32>>
    ```
    The region holds one collective. Made by `lib/Schedule` only. A future never
    leaves its block and is taken by exactly one `comm.done`.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs);
  let results = (outs Comm_Future:$future);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The collective inside.
    ::shoal::comm::CollectiveOpInterface getCollective();
  }];
}

def Comm_YieldOp : Comm_Op<"yield", [Pure, Terminator, ReturnLike,
                                     ParentOneOf<["StartOp"]>]> {
  let summary = "Ends the region of comm.start";
  let arguments = (ins Variadic<AnyRankedTensor>:$operands);
  let assemblyFormat = "attr-dict ($operands^ `:` type($operands))?";
}

def Comm_DoneOp : Comm_Op<"done"> {
  let summary = "Waits for a started collective and gives its results";
  let arguments = (ins Comm_Future:$future);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = "$future attr-dict `:` type($future) `->` type($results)";
  let hasVerifier = 1;
}

#endif // COMM_TD
