// Operations of the plan dialect.
#ifndef SHOAL_PLAN_TD
#define SHOAL_PLAN_TD

include "dialects/Plan/PlanDialect.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Plan_Op<string mnemonic, list<Trait> traits = []>
    : Op<Plan_Dialect, mnemonic, traits>;

/// Library calls and checks work on tensors (`fused`) and, destination passing,
/// on buffers (`scheduled`).
def Plan_Operand : AnyTypeOf<[AnyRankedTensor, Plan_BufferType]>;

//===----------------------------------------------------------------------===//
// fused: kernels and launches
//===----------------------------------------------------------------------===//

def Plan_KernelOp : Plan_Op<"kernel", [FunctionOpInterface, IsolatedFromAbove,
                                       SingleBlock]> {
  let summary = "A function over tensors that becomes one piece of device code";
  let description = [{
    The body holds pure tensor operations and ends in `plan.yield`. Buffers of
    the compiled kernel are its arguments, then its results. A rank-0 integer
    argument with attribute `plan.scalar` arrives as a host scalar
    (`ShoalKernelArgs::scalars`, in order of such arguments) instead of a buffer;
    lib/Schedule sets it.

    - `may_overwrite`: pairs (result, argument, result, argument, …): the result
      may be written into that argument's memory, if nobody else needs it.
      Pairs are alternatives; several may name one result.
    - `strategy`: how code is to be made ("loops", "reduction", …), for lib/Codegen.
    - `symbol`, `chunks`, `scratch_bytes`: set by code generation: the function's
      name in the object, the number of chunks, and scratch memory per thread.
    - `flops`: an estimate per launch.

    ```mlir
    plan.kernel @add(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32>
        attributes {may_overwrite = array<i64: 0, 0>} {
      %0 = stablehlo.add %a, %b : tensor<4xf32>
      plan.yield %0 : tensor<4xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
    TypeAttrOf<FunctionType>:$function_type,
    OptionalAttr<DictArrayAttr>:$arg_attrs, OptionalAttr<DictArrayAttr>:$res_attrs,
    OptionalAttr<StrAttr>:$sym_visibility,
    OptionalAttr<DenseI64ArrayAttr>:$may_overwrite, OptionalAttr<StrAttr>:$strategy,
    OptionalAttr<StrAttr>:$symbol, OptionalAttr<I64Attr>:$chunks,
    OptionalAttr<I64Attr>:$scratch_bytes, OptionalAttr<I64Attr>:$flops);
  let regions = (region SizedRegion<1>:$body);
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::FunctionType":$type)>];
  let extraClassDeclaration = [{
    static constexpr llvm::StringLiteral getScalarAttrName() { return "plan.scalar"; }
    /// True if the argument arrives as a host scalar.
    bool isScalarArg(unsigned index);
    /// For each argument, isScalarArg.
    ::llvm::SmallVector<bool> getScalarArgs();
    /// `may_overwrite` as pairs (result, argument).
    ::llvm::SmallVector<std::pair<unsigned, unsigned>> getOverwritePairs();
    /// The arguments in whose memory the result may be written.
    ::llvm::SmallVector<unsigned> getOverwritable(unsigned result);

    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
  }];
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def Plan_YieldOp : Plan_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let summary = "Ends a kernel, a program, a loop body or a branch";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), [{ }]>];
}

def Plan_LaunchOp : Plan_Op<"launch", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Runs a kernel on tensors";
  let description = [{
    ```mlir
    %0 = plan.launch @add(%a, %b) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyRankedTensor>:$inputs);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let assemblyFormat = [{
    $kernel `(` $inputs `)` attr-dict `:` functional-type($inputs, $outputs)
  }];
}

//===----------------------------------------------------------------------===//
// Library calls and checks: fused (tensors, a result) and scheduled (buffers,
// an `out` operand)
//===----------------------------------------------------------------------===//

def Plan_MatmulOp : Plan_Op<"matmul", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Matrix product by the library, any batch, free and contracted dimensions";
  let description = [{
    Natural dimensions of the product are the batch dimensions, the free ones of
    `lhs`, then of `rhs`, each in order; the result's dimension i is the natural
    one `permutation[i]` (identity if absent). Dimension lists are those of
    `stablehlo.dot_general`; since they may stand anywhere, transposes of operands
    are folded in by them. The result's element type may be wider than the
    operands'. `accumulation_type` is the type of sums (default: f32 for narrower
    floats, else the result's type).

    ```mlir
    %c = plan.matmul %a, %b batch [0] x [0] contract [2] x [1]
        : (tensor<2x4x8xf32>, tensor<2x8x3xf32>) -> tensor<2x4x3xf32>
    plan.matmul %a, %b, %c contract [1] x [0]
        : (!plan.buffer<4x8xf32>, !plan.buffer<8x3xf32>, !plan.buffer<4x3xf32>) -> ()
    ```
  }];
  let arguments = (ins Plan_Operand:$lhs, Plan_Operand:$rhs, Optional<Plan_BufferType>:$out,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$lhs_batch,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$rhs_batch,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$lhs_contract,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$rhs_contract,
    OptionalAttr<DenseI64ArrayAttr>:$permutation,
    OptionalAttr<TypeAttr>:$accumulation_type, UnitAttr:$highest_precision);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs (`,` $out^)? (`batch` $lhs_batch^ `x` $rhs_batch)?
    (`contract` $lhs_contract^ `x` $rhs_contract)? (`permutation` $permutation^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    /// A dimension of the product: its size and its place in lhs, rhs and the
    /// result (-1 where it does not occur).
    struct Dim { int64_t size, lhs, rhs, out; };
    /// Dimensions by role; in the order in which dot_general lists them.
    void getDims(::llvm::SmallVectorImpl<Dim> &batch, ::llvm::SmallVectorImpl<Dim> &m,
                 ::llvm::SmallVectorImpl<Dim> &n, ::llvm::SmallVectorImpl<Dim> &k);
  }];
  let hasVerifier = 1;
}

def Plan_ConvolutionOp : Plan_Op<"convolution", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Convolution by the library";
  let description = [{
    Dimension lists name, for `lhs` and the result, batch, feature, then the
    spatial dimensions; for `rhs`, input feature, output feature, then spatial.
    Other attributes as `stablehlo.convolution`'s; `padding` holds low and high
    for each spatial dimension.
  }];
  let arguments = (ins Plan_Operand:$lhs, Plan_Operand:$rhs, Optional<Plan_BufferType>:$out,
    DenseI64ArrayAttr:$lhs_dims, DenseI64ArrayAttr:$rhs_dims, DenseI64ArrayAttr:$out_dims,
    DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$padding,
    DenseI64ArrayAttr:$lhs_dilation, DenseI64ArrayAttr:$rhs_dilation,
    DenseBoolArrayAttr:$reversal,
    DefaultValuedAttr<I64Attr, "1">:$feature_groups,
    DefaultValuedAttr<I64Attr, "1">:$batch_groups, UnitAttr:$highest_precision);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs (`,` $out^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Plan_CustomCallOp : Plan_Op<"custom_call",
    [AttrSizedOperandSegments, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "A call of a function of the runtime, or of the user's library, by name";
  let description = [{
    `config` is the backend configuration as text. `may_overwrite` as for
    `plan.kernel`.
    ```mlir
    %0 = plan.custom_call "lapack_spotrf"(%a) : (tensor<4x4xf32>) -> tensor<4x4xf32>
    ```
  }];
  let arguments = (ins StrAttr:$target, Variadic<Plan_Operand>:$inputs,
    Variadic<Plan_BufferType>:$outs, DefaultValuedAttr<StrAttr, "\"\"">:$config,
    DefaultValuedAttr<I64Attr, "1">:$api_version, UnitAttr:$has_side_effect,
    OptionalAttr<DenseI64ArrayAttr>:$may_overwrite);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let assemblyFormat = [{
    $target `(` $inputs `)` (`to` `(` $outs^ `)`)? attr-dict `:`
    functional-type(operands, $outputs)
  }];
}

def Plan_CheckOp : Plan_Op<"check", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Compares a computed value with an expected one, as the user asked";
  let description = [{
    Compares logical (global) values; how the operands are cut stands in
    `actual_sharding` and `expected_sharding` (`#shoal.sharding`) with the global
    types, absent where every rank holds the whole. With a result (or `passed`
    buffer) the verdict, an i1, goes there and does not fail the run.

    - `eq`: equal, NaN unequal to NaN unless `nan_equal`; floats within
      `tolerance` if that is not 0
    - `almost_eq`: |actual - expected| <= tolerance
    - `close`: `min_ulp` to `max_ulp` units in the last place apart
    - `is_true`: every element of `actual` is non-zero
    - `serialized_eq`: equal to the .npy file `expected_file`
  }];
  let arguments = (ins Plan_CheckKindAttr:$kind, Plan_Operand:$actual,
    Optional<Plan_Operand>:$expected, Optional<Plan_BufferType>:$passed,
    DefaultValuedAttr<F64Attr, "0.0">:$tolerance,
    DefaultValuedAttr<I64Attr, "0">:$min_ulp, DefaultValuedAttr<I64Attr, "0">:$max_ulp,
    UnitAttr:$nan_equal, DefaultValuedAttr<StrAttr, "\"\"">:$message,
    DefaultValuedAttr<StrAttr, "\"\"">:$expected_file,
    OptionalAttr<AnyAttr>:$actual_sharding, OptionalAttr<AnyAttr>:$expected_sharding,
    OptionalAttr<TypeAttr>:$actual_global_type, OptionalAttr<TypeAttr>:$expected_global_type);
  let results = (outs Optional<AnyRankedTensor>:$verdict);
  let builders = [OpBuilder<(ins "::mlir::Type":$verdict, "::shoal::plan::CheckKind":$kind,
      "::mlir::Value":$actual, "::mlir::Value":$expected, "::mlir::Value":$passed), [{
    build($_builder, $_state, verdict, kind, actual, expected, passed, ::llvm::APFloat(0.0),
          0, 0, false, "", "", {}, {}, {}, {});
  }]>];
  let assemblyFormat = [{
    $kind $actual (`,` $expected^)? (`to` $passed^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// scheduled: the program and its buffers
//===----------------------------------------------------------------------===//

def Plan_ProgramOp : Plan_Op<"program", [Symbol, IsolatedFromAbove, SingleBlock, NoRegionArguments]> {
  let summary = "What each rank executes, in order";
  let description = [{
    `arg_types` and `result_types` are the local tensor types of the entry;
    `arg_attrs` and `res_attrs` what the function carried on them (shardings,
    global types, donation). `arena_bytes` is set once offsets are.
    `copied_bytes` counts what `plan.copy` moves in one step.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeArrayAttr:$arg_types,
    TypeArrayAttr:$result_types, OptionalAttr<DictArrayAttr>:$arg_attrs,
    OptionalAttr<DictArrayAttr>:$res_attrs, OptionalAttr<I64Attr>:$arena_bytes,
    OptionalAttr<I64Attr>:$copied_bytes);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
}

class Plan_HostOf<string device, string host>
    : TypesMatchWith<"'" # host # "' is '" # device # "' in the memory of the host",
                     device, host, "::shoal::plan::toHost($_self)">;

def Plan_OffloadOp : Plan_Op<"offload", [Pure, Plan_HostOf<"input", "result">]> {
  let summary = "A tensor's value in the memory of the host (phase `fused`)";
  let description = [{
    Nothing but `plan.fetch` may read it. In `scheduled` both are a `plan.copy`
    to or from a `plan.alloc` with the attribute `host`.
  }];
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

def Plan_FetchOp : Plan_Op<"fetch", [Pure, Plan_HostOf<"result", "input">]> {
  let summary = "A value from the memory of the host (phase `fused`)";
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
}

def Plan_HostStackOp : Plan_Op<"host_stack", [MemoryEffects<[MemAlloc]>]> {
  let summary = "Rows in the memory of the host that nothing is written to yet (phase `fused`)";
  let description = [{
    Each is memory of its own. A loop carries it, or what `plan.offload_row`
    makes of it; no value of it may be used after the next one is made, for they
    are one memory.
  }];
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Plan_OffloadRowOp : Plan_Op<"offload_row", [Pure, AllTypesMatch<["stack", "result"]>]> {
  let summary = "The stack with one row written to the memory of the host (phase `fused`)";
  let description = [{
    What `stablehlo.dynamic_update_slice` is on the device: `row` has one row,
    `index` says which, clamped to those that there are, and must be a host
    scalar. In `scheduled`, a `plan.copy` to a `plan.view` of the stack's memory.
    ```mlir
    %s1 = plan.offload_row %row to %s0[%i] : tensor<1x64xf32>, tensor<12x64xf32, #plan.host>, tensor<i32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$row, AnyRankedTensor:$stack, AnyRankedTensor:$index);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $row `to` $stack `[` $index `]` attr-dict `:` type($row) `,` type($stack) `,` type($index)
  }];
  let hasVerifier = 1;
}

def Plan_FetchRowOp : Plan_Op<"fetch_row", [Pure]> {
  let summary = "One row of a stack in the memory of the host (phase `fused`)";
  let description = [{
    `index` as of `plan.offload_row`.
    ```mlir
    %row = plan.fetch_row %s[%i] : tensor<12x64xf32, #plan.host>, tensor<i32> -> tensor<1x64xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$stack, AnyRankedTensor:$index);
  let results = (outs AnyRankedTensor:$row);
  let assemblyFormat = [{
    $stack `[` $index `]` attr-dict `:` type($stack) `,` type($index) `->` type($row)
  }];
  let hasVerifier = 1;
}

def Plan_AllocOp : Plan_Op<"alloc", []> {
  let summary = "Memory in the arena, or, with attribute `host`, in the host's";
  let description = [{
    Without `offset` until offsets are assigned. Alive from the first to the last
    use of it or of its views.
  }];
  let arguments = (ins OptionalAttr<I64Attr>:$offset);
  let results = (outs Plan_BufferType:$buffer);
  let assemblyFormat = "(`at` $offset^)? attr-dict `:` type($buffer)";
}

def Plan_ArgumentOp : Plan_Op<"argument", [Pure]> {
  let summary = "Memory of an entry argument; written only if donated";
  let arguments = (ins I64Attr:$index);
  let results = (outs Plan_BufferType:$buffer);
  let assemblyFormat = "$index attr-dict `:` type($buffer)";
}

def Plan_ResultOp : Plan_Op<"result", [Pure]> {
  let summary = "Memory of an entry result";
  let description = [{
    With `argument`, the result is left in the memory of that donated argument.
  }];
  let arguments = (ins I64Attr:$index, OptionalAttr<I64Attr>:$argument);
  let results = (outs Plan_BufferType:$buffer);
  let assemblyFormat = "$index (`in` `argument` $argument^)? attr-dict `:` type($buffer)";
}

def Plan_ConstantOp : Plan_Op<"constant", [Pure]> {
  let summary = "A constant in the binary; never written";
  let description = [{
    With `sharding` (`#shoal.sharding`), `value` is the global value and the
    buffer the rank's block of it.
  }];
  let arguments = (ins ElementsAttr:$value, OptionalAttr<AnyAttr>:$sharding);
  let results = (outs Plan_BufferType:$buffer);
  let assemblyFormat = "$value attr-dict `:` type($buffer)";
}

def Plan_ViewOp : Plan_Op<"view", [Pure]> {
  let summary = "Part of a buffer, or the buffer under another shape";
  let description = [{
    Starts `offset` bytes plus the sum of `indices[i] * strides[i]` (bytes) after
    the start of `base`; contiguous; inside it.
    ```mlir
    %v = plan.view %b[64] (%i * 128) : !plan.buffer<4x8xf32> -> !plan.buffer<2xf32>
    ```
  }];
  let arguments = (ins Plan_BufferType:$base, Variadic<Plan_ScalarType>:$indices,
    DefaultValuedAttr<I64Attr, "0">:$offset,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$strides);
  let results = (outs Plan_BufferType:$view);
  let assemblyFormat = [{
    $base `[` $offset `]` (`(` $indices^ `)` `*` $strides)? attr-dict `:`
    type($base) `->` type($view)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// scheduled: host scalars
//===----------------------------------------------------------------------===//

def Plan_ConstOp : Plan_Op<"const", [Pure]> {
  let summary = "A host scalar's constant";
  let arguments = (ins I64Attr:$value);
  let results = (outs Plan_ScalarType:$scalar);
  let assemblyFormat = "$value attr-dict";
}

def Plan_ScalarOp : Plan_Op<"scalar", [Pure]> {
  let summary = "Arithmetic on host scalars, modulo 2^64";
  let description = [{
    Division by zero gives -1 (all ones), remainder by zero the dividend, as
    XLA's integers do. Results of narrower types go through `plan.wrap`.
  }];
  let arguments = (ins Plan_ScalarOpKindAttr:$kind, Plan_ScalarType:$lhs, Plan_ScalarType:$rhs);
  let results = (outs Plan_ScalarType:$scalar);
  let assemblyFormat = "$kind $lhs `,` $rhs attr-dict";
}

def Plan_CompareOp : Plan_Op<"compare", [Pure]> {
  let summary = "Compares host scalars; 0 or 1";
  let arguments = (ins Plan_PredicateAttr:$predicate, Plan_ScalarType:$lhs,
    Plan_ScalarType:$rhs, UnitAttr:$is_unsigned);
  let results = (outs Plan_ScalarType:$scalar);
  let assemblyFormat = "$predicate $lhs `,` $rhs (`unsigned` $is_unsigned^)? attr-dict";
}

def Plan_SelectOp : Plan_Op<"select", [Pure]> {
  let summary = "Chooses between host scalars";
  let arguments = (ins Plan_ScalarType:$condition, Plan_ScalarType:$if_true,
    Plan_ScalarType:$if_false);
  let results = (outs Plan_ScalarType:$scalar);
  let assemblyFormat = "$condition `,` $if_true `,` $if_false attr-dict";
}

def Plan_WrapOp : Plan_Op<"wrap", [Pure]> {
  let summary = "Keeps the low bits of a host scalar, sign- or zero-extended";
  let arguments = (ins Plan_ScalarType:$value, I64Attr:$bits, UnitAttr:$is_unsigned);
  let results = (outs Plan_ScalarType:$scalar);
  let assemblyFormat = "$value `to` $bits (`unsigned` $is_unsigned^)? attr-dict";
}

def Plan_RankOp : Plan_Op<"rank", [Pure]> {
  let summary = "This rank's row-major position in the mesh";
  let results = (outs Plan_ScalarType:$scalar);
  let assemblyFormat = "attr-dict";
}

def Plan_ReadScalarOp : Plan_Op<"read_scalar", []> {
  let summary = "Reads a one-element integer buffer: the host waits for it";
  let arguments = (ins Plan_BufferType:$buffer);
  let results = (outs Plan_ScalarType:$scalar);
  let assemblyFormat = "$buffer attr-dict `:` type($buffer)";
}

def Plan_WriteScalarOp : Plan_Op<"write_scalar", []> {
  let summary = "Writes a host scalar to a one-element integer buffer";
  let arguments = (ins Plan_ScalarType:$scalar, Plan_BufferType:$buffer);
  let assemblyFormat = "$scalar `to` $buffer attr-dict `:` type($buffer)";
}

//===----------------------------------------------------------------------===//
// scheduled: work
//===----------------------------------------------------------------------===//

def Plan_ExecOp : Plan_Op<"exec", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Runs a compiled kernel on buffers";
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Plan_BufferType>:$inputs,
    Variadic<Plan_ScalarType>:$scalars, Variadic<Plan_BufferType>:$outs,
    DefaultValuedAttr<I64Attr, "0">:$stream);
  let assemblyFormat = [{
    $kernel `(` $inputs `)` (`scalars` `(` $scalars^ `)`)? `to` `(` $outs `)` attr-dict
    `:` custom<BufferTypes>(type($inputs), type($outs))
  }];
}

def Plan_CopyOp : Plan_Op<"copy", []> {
  let summary = "Copies a buffer; the two have as many bytes and do not overlap";
  let arguments = (ins Plan_BufferType:$source, Plan_BufferType:$dest,
    DefaultValuedAttr<I64Attr, "0">:$stream);
  let assemblyFormat = "$source `to` $dest attr-dict `:` type($source) `->` type($dest)";
  let hasVerifier = 1;
}

def Plan_FillOp : Plan_Op<"fill", []> {
  let summary = "Sets every element of a buffer";
  let arguments = (ins Plan_BufferType:$dest, TypedAttrInterface:$value);
  let assemblyFormat = "$dest `with` $value attr-dict `:` type($dest)";
}

class Plan_CollectiveBase<string mnemonic> : Plan_Op<mnemonic, [AttrSizedOperandSegments]> {
  dag collectiveArguments = (ins Plan_CollectiveKindAttr:$kind, Plan_GroupAttr:$group,
    Variadic<Plan_BufferType>:$inputs, Variadic<Plan_BufferType>:$outs,
    Optional<Plan_ScalarType>:$root, Optional<Plan_BufferType>:$fill_buffer,
    DefaultValuedAttr<Plan_ReductionAttr, "::shoal::plan::Reduction::None">:$reduction,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$dims, OptionalAttr<TypedAttrInterface>:$fill,
    OptionalAttr<StrAttr>:$reason, DefaultValuedAttr<I64Attr, "0">:$stream);
}

def Plan_CollectiveOp : Plan_CollectiveBase<"collective"> {
  let summary = "A collective over buffers, done when the next instruction runs";
  let description = [{
    `dims`: for all_gather and reduce_scatter the dimension; for all_to_all the
    split and the concatenation dimension; for permute pairs (source, target) of
    positions in the group; for send and recv the channel, then such pairs; for
    reblock dimension, global size, offset, step and 1 to wrap around. `root` for
    broadcast. `fill`, or the element in `fill_buffer`: what reblock puts outside
    the global size.
  }];
  let arguments = collectiveArguments;
  let assemblyFormat = [{
    $kind $group (`dims` $dims^)? (`root` $root^)? `(` $inputs `)` `to` `(` $outs `)`
    (`fill` `(` $fill_buffer^ `:` type($fill_buffer) `)`)? attr-dict
    `:` custom<BufferTypes>(type($inputs), type($outs))
  }];
  let hasVerifier = 1;
}

def Plan_CollectiveStartOp : Plan_CollectiveBase<"collective_start"> {
  let summary = "Begins a collective; its buffers are untouchable until done";
  let arguments = collectiveArguments;
  let results = (outs Plan_EventType:$event);
  let assemblyFormat = [{
    $kind $group (`dims` $dims^)? (`root` $root^)? `(` $inputs `)` `to` `(` $outs `)`
    (`fill` `(` $fill_buffer^ `:` type($fill_buffer) `)`)? attr-dict
    `:` custom<BufferTypes>(type($inputs), type($outs))
  }];
}

def Plan_CollectiveDoneOp : Plan_Op<"collective_done", []> {
  let summary = "Waits for a collective";
  let arguments = (ins Plan_EventType:$event);
  let assemblyFormat = "$event attr-dict";
}

def Plan_RecordOp : Plan_Op<"record", []> {
  let summary = "An event that completes when the stream's work so far has";
  let arguments = (ins DefaultValuedAttr<I64Attr, "0">:$stream);
  let results = (outs Plan_EventType:$event);
  let assemblyFormat = "attr-dict";
}

def Plan_WaitOp : Plan_Op<"wait", []> {
  let summary = "Makes a stream wait for an event";
  let arguments = (ins Plan_EventType:$event, DefaultValuedAttr<I64Attr, "0">:$stream);
  let assemblyFormat = "$event attr-dict";
}

//===----------------------------------------------------------------------===//
// scheduled: control flow
//===----------------------------------------------------------------------===//

def Plan_Carried : AnyTypeOf<[Plan_BufferType, Plan_ScalarType]>;

def Plan_ForOp : Plan_Op<"for", [SingleBlock]> {
  let summary = "A counted loop over a host scalar";
  let description = [{
    Runs for `begin`, `begin + step`, … while below `end` (above it for a negative
    step). Block arguments are the induction variable, then the carried handles
    and scalars; `plan.yield` gives their next values, so yielding two handles in
    the other's place exchanges buffers without a copy. Results are the last ones.
  }];
  let arguments = (ins Plan_ScalarType:$begin, Plan_ScalarType:$end,
    Plan_ScalarType:$step, Variadic<Plan_Carried>:$inits,
    OptionalAttr<I64Attr>:$trip_count);
  let results = (outs Variadic<Plan_Carried>:$finals);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def Plan_WhileOp : Plan_Op<"while", []> {
  let summary = "A loop whose condition is computed";
  let description = [{
    Both regions take the carried values; `cond` ends in `plan.condition`, `body`
    in `plan.yield`.
  }];
  let arguments = (ins Variadic<Plan_Carried>:$inits);
  let results = (outs Variadic<Plan_Carried>:$finals);
  let regions = (region SizedRegion<1>:$cond, SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def Plan_ConditionOp : Plan_Op<"condition", [Pure, Terminator, HasParent<"WhileOp">]> {
  let summary = "Ends the condition of a loop: goes on if not 0";
  let arguments = (ins Plan_ScalarType:$condition);
  let assemblyFormat = "$condition attr-dict";
}

def Plan_CaseOp : Plan_Op<"case", [NoRegionArguments]> {
  let summary = "Runs one of several branches";
  let description = [{
    An index outside takes the last branch. Branches write into buffers that
    stand outside. An `if` is a case whose index is 1 - condition.
  }];
  let arguments = (ins Plan_ScalarType:$index);
  let regions = (region VariadicRegion<SizedRegion<1>>:$branches);
  let assemblyFormat = "$index attr-dict-with-keyword $branches";
}

#endif // SHOAL_PLAN_TD
