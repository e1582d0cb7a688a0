// The plan dialect: kernels and the host program that launches them.
#ifndef SHOAL_PLAN_DIALECT_TD
#define SHOAL_PLAN_DIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Plan_Dialect : Dialect {
  let name = "plan";
  let cppNamespace = "::shoal::plan";
  let summary = "Kernels, and the host program that runs them";
  let description = [{
    Two levels. At `fused`, kernels are symbols (`plan.kernel`) that a function
    launches on tensors (`plan.launch`), beside library calls. At `scheduled`,
    `plan.program` is one ordered list of instructions over buffers in an arena,
    host scalars, streams and events, close to the program table that
    lib/Package writes (runtime/include/shoal/runtime/Program.h).
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
}

class Plan_Type<string name, string typeMnemonic> : TypeDef<Plan_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Plan_BufferType : Plan_Type<"Buffer", "buffer"> {
  let summary = "Dense row-major memory of a static shape";
  let description = [{
    `!plan.buffer<4x8xf32>`: memory for a tensor of that type, in the kernel
    ABI's element storage (sub-byte elements take a byte). A value of this type
    is a handle: a pointer that may differ from iteration to iteration.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
  let builders = [TypeBuilderWithInferredContext<(ins "::mlir::RankedTensorType":$tensor), [{
    return $_get(tensor.getContext(), tensor.getShape(), tensor.getElementType());
  }]>];
  let extraClassDeclaration = [{
    /// Bytes of memory that the buffer takes.
    int64_t getBytes() const;
    int64_t getNumElements() const;
    ::mlir::RankedTensorType getTensorType() const;
  }];
  let genVerifyDecl = 1;
}

def Plan_ScalarType : Plan_Type<"Scalar", "scalar"> {
  let summary = "A 64-bit integer in the host program, the same at each use";
}

def Plan_EventType : Plan_Type<"Event", "event"> {
  let summary = "A point in a stream that other streams can wait for";
}

//===----------------------------------------------------------------------===//
// Enums. The numbers are those of Program.h.
//===----------------------------------------------------------------------===//

class Plan_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::shoal::plan";
  let genSpecializedAttr = 0;
}
class Plan_EnumAttr<EnumInfo info, string name> : EnumAttr<Plan_Dialect, info, name> {
  let assemblyFormat = "$value";
}

def Plan_ScalarOpKind : Plan_Enum<"ScalarOpKind", "binary operation on host scalars", [
  I32EnumAttrCase<"Add", 2, "add">, I32EnumAttrCase<"Sub", 3, "sub">,
  I32EnumAttrCase<"Mul", 4, "mul">, I32EnumAttrCase<"Div", 5, "div">,
  I32EnumAttrCase<"Rem", 6, "rem">, I32EnumAttrCase<"Min", 7, "min">,
  I32EnumAttrCase<"Max", 8, "max">, I32EnumAttrCase<"And", 9, "and">,
  I32EnumAttrCase<"Or", 10, "or">, I32EnumAttrCase<"Xor", 11, "xor">,
  I32EnumAttrCase<"UDiv", 19, "udiv">, I32EnumAttrCase<"URem", 20, "urem">
]>;
def Plan_ScalarOpKindAttr : Plan_EnumAttr<Plan_ScalarOpKind, "scalar_op">;

def Plan_Predicate : Plan_Enum<"Predicate", "comparison of host scalars", [
  I32EnumAttrCase<"EQ", 0, "eq">, I32EnumAttrCase<"NE", 1, "ne">,
  I32EnumAttrCase<"LT", 2, "lt">, I32EnumAttrCase<"LE", 3, "le">,
  I32EnumAttrCase<"GT", 4, "gt">, I32EnumAttrCase<"GE", 5, "ge">
]>;
def Plan_PredicateAttr : Plan_EnumAttr<Plan_Predicate, "predicate">;

def Plan_CheckKind : Plan_Enum<"CheckKind", "what a check asks", [
  I32EnumAttrCase<"Eq", 0, "eq">, I32EnumAttrCase<"AlmostEq", 1, "almost_eq">,
  I32EnumAttrCase<"Close", 2, "close">, I32EnumAttrCase<"True", 3, "is_true">,
  I32EnumAttrCase<"SerializedEq", 4, "serialized_eq">
]>;
def Plan_CheckKindAttr : Plan_EnumAttr<Plan_CheckKind, "check_kind">;

def Plan_CollectiveKind : Plan_Enum<"CollectiveKind", "kind of collective", [
  I32EnumAttrCase<"AllGather", 0, "all_gather">,
  I32EnumAttrCase<"ReduceScatter", 1, "reduce_scatter">,
  I32EnumAttrCase<"AllReduce", 2, "all_reduce">,
  I32EnumAttrCase<"AllToAll", 3, "all_to_all">,
  I32EnumAttrCase<"Permute", 4, "permute">,
  I32EnumAttrCase<"Broadcast", 5, "broadcast">,
  I32EnumAttrCase<"Barrier", 6, "barrier">,
  I32EnumAttrCase<"Send", 7, "send">, I32EnumAttrCase<"Recv", 8, "recv">,
  I32EnumAttrCase<"Reblock", 9, "reblock">,
  I32EnumAttrCase<"RaggedAllToAll", 10, "ragged_all_to_all">
]>;
def Plan_CollectiveKindAttr : Plan_EnumAttr<Plan_CollectiveKind, "collective_kind">;

def Plan_Reduction : Plan_Enum<"Reduction", "reduction of a collective", [
  I32EnumAttrCase<"None", 0, "none">, I32EnumAttrCase<"Add", 1, "add">,
  I32EnumAttrCase<"Mul", 2, "mul">, I32EnumAttrCase<"Min", 3, "min">,
  I32EnumAttrCase<"Max", 4, "max">, I32EnumAttrCase<"And", 5, "and">,
  I32EnumAttrCase<"Or", 6, "or">, I32EnumAttrCase<"Xor", 7, "xor">
]>;
def Plan_ReductionAttr : Plan_EnumAttr<Plan_Reduction, "reduction">;

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

def Plan_HostAttr : AttrDef<Plan_Dialect, "Host"> {
  let mnemonic = "host";
  let summary = "The encoding of a tensor that is in the memory of the host";
  let description = [{
    Such values (phase `fused`) take no memory of the device. Only
    `plan.offload`, `plan.host_stack` and `plan.offload_row` make them, only
    these, the fetches, and loops that carry them use them.
    ```mlir
    tensor<12x512x64xf32, #plan.host>
    ```
  }];
}

def Plan_GpuLaunchAttr : AttrDef<Plan_Dialect, "GpuLaunch"> {
  let mnemonic = "gpu_launch";
  let summary = "How a kernel's GPU code is launched";
  let description = [{
    Attribute `plan.gpu` of a `plan.kernel`, set by code generation for target
    cuda, is an array of these: launches that follow each other with the same
    parameters. `image` names the `gpu.binary` that holds the function `symbol`.
    Sizes as in program::GpuKernel (Program.h).
    ```mlir
    #plan.gpu_launch<@images_0 "add" grid = [128, 1, 1] block = 256>
    ```
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$image, "::mlir::StringAttr":$symbol,
    ArrayRefParameter<"int64_t">:$grid, "int64_t":$block,
    OptionalArrayRefParameter<"int64_t">:$cluster,
    DefaultValuedParameter<"int64_t", "0">:$sharedBytes,
    DefaultValuedParameter<"int64_t", "0">:$scratchBytes,
    DefaultValuedParameter<"bool", "false">:$scratchZeroed,
    DefaultValuedParameter<"bool", "false">:$cooperative,
    DefaultValuedParameter<"int64_t", "0">:$registers,
    DefaultValuedParameter<"int64_t", "0">:$spillBytes);
  let assemblyFormat = [{
    `<` $image $symbol `grid` `=` `[` $grid `]` `block` `=` $block
    (`cluster` `=` `[` $cluster^ `]`)? (`shared` `=` $sharedBytes^)?
    (`scratch` `=` $scratchBytes^)? (`zeroed` `=` $scratchZeroed^)?
    (`cooperative` `=` $cooperative^)?
    (`registers` `=` $registers^)? (`spills` `=` $spillBytes^)? `>`
  }];
  let extraClassDeclaration = [{
    /// Of the `plan.kernel` that it is set on.
    static constexpr llvm::StringLiteral getAttrName() { return "plan.gpu"; }
  }];
}

def Plan_GroupAttr : AttrDef<Plan_Dialect, "Group"> {
  let mnemonic = "group";
  let summary = "A communicator: how the ranks fall into groups of equal size";
  let description = [{
    `#plan.group<"dp", digits = [2, 4]>`: pairs of size and stride; the numbers
    (rank / stride) % size, major to minor, are the position in the group.
    `#plan.group<"table", size = 2, table = [0, 1, 2, 3]>` lists the ranks, a row
    of `size` per group.
  }];
  let parameters = (ins "::mlir::StringAttr":$name,
    OptionalArrayRefParameter<"int64_t">:$digits,
    DefaultValuedParameter<"int64_t", "0">:$tableSize,
    OptionalArrayRefParameter<"int64_t">:$table);
  let assemblyFormat = [{
    `<` $name (`,` `digits` `=` `[` $digits^ `]`)?
    (`,` `size` `=` $tableSize^ `,` `table` `=` `[` $table `]`)? `>`
  }];
  let extraClassDeclaration = [{
    /// Ranks in a group.
    int64_t getGroupSize() const;
  }];
  let genVerifyDecl = 1;
}

#endif // SHOAL_PLAN_DIALECT_TD
