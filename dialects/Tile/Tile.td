// Operations of the tile dialect.
#ifndef SHOAL_TILE_TD
#define SHOAL_TILE_TD

include "dialects/Tile/TileDialect.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Tile_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tile_Dialect, mnemonic, traits>;

def Tile_Tile : Type<CPred<"::shoal::tile::isTileType($_self)">,
    "a tile (a tensor of power-of-two dimensions)", "::mlir::RankedTensorType">;
def Tile_Mem : Resource<"::shoal::tile::GlobalMemory">;
def Tile_SharedMem : Resource<"::shoal::tile::SharedMemory">;

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

def Tile_FuncOp : Tile_Op<"func", [FunctionOpInterface, IsolatedFromAbove]> {
  let summary = "A kernel";
  let description = [{
    Arguments are views of buffers (inputs, then outputs), host scalars (`i64`),
    and, if the kernel needs a workspace, one more view with the argument
    attribute `tile.scratch` ("any", or "zeroed": filled with zeros before each
    launch). `tile.align = N : i64` on a view states the alignment of its base in
    bytes (default: the element's). `tile.readonly`: nothing writes there while
    the kernel runs.

    ```mlir
    tile.func @scale(%x: !tile.view<1000xf32>, %y: !tile.view<1000xf32>)
        attributes {launch = #tile.launch<grid = [1, 1, 1], warps = 8>} {
      %zero = arith.constant 0 : i32
      %t = tile.load %x[%zero] : !tile.view<1000xf32> -> tensor<1024xf32>
      %u = tile.map(%t) : (tensor<1024xf32>) -> tensor<1024xf32> {
      ^bb0(%a: tensor<f32>):
        %b = stablehlo.add %a, %a : tensor<f32>
        tile.yield %b : tensor<f32>
      }
      tile.store %u, %y[%zero] : tensor<1024xf32>, !tile.view<1000xf32>
      tile.return
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FunctionType>:$function_type,
    Tile_LaunchAttr:$launch, OptionalAttr<Tile_ConfigAttr>:$config,
    OptionalAttr<StrAttr>:$sym_visibility,
    OptionalAttr<DictArrayAttr>:$arg_attrs, OptionalAttr<DictArrayAttr>:$res_attrs);
  let regions = (region AnyRegion:$body);
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name,
    "::llvm::ArrayRef<::mlir::Type>":$arguments, "::shoal::tile::LaunchAttr":$launch)>];
  let extraClassDeclaration = [{
    static constexpr ::llvm::StringLiteral getScratchAttrName() { return "tile.scratch"; }
    static constexpr ::llvm::StringLiteral getAlignAttrName() { return "tile.align"; }
    static constexpr ::llvm::StringLiteral getReadonlyAttrName() { return "tile.readonly"; }
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
    int64_t getNumThreads() { return getLaunch().getWarps() * 32; }
  }];
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def Tile_ReturnOp : Tile_Op<"return", [Pure, Terminator, ReturnLike, HasParent<"FuncOp">]> {
  let summary = "Ends a kernel";
  let assemblyFormat = "attr-dict";
}

def Tile_YieldOp : Tile_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let summary = "Ends a region of scalar ops";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), [{ }]>];
}

def Tile_ProgramIdOp : Tile_Op<"program_id", [Pure]> {
  let summary = "Number of this block along a dimension of the grid";
  let arguments = (ins ConfinedAttr<I32Attr, [IntNonNegative, IntMaxValue<2>]>:$dim);
  let results = (outs I32:$id);
  let assemblyFormat = "$dim attr-dict";
}

//===----------------------------------------------------------------------===//
// Global memory
//===----------------------------------------------------------------------===//

def Tile_ViewOp : Tile_Op<"view", [Pure]> {
  let summary = "The same memory under another shape and strides";
  let description = [{
    Starts `start` elements (of its own type) after the base, plus the operand
    `offset` if given. Memory of i8 may be seen as elements of another type.
    ```mlir
    %t = tile.view %a start 0 : !tile.view<64x128xf32> -> !tile.view<128x64xf32, strides = [1, 128]>
    ```
  }];
  let arguments = (ins Tile_ViewType:$base, Optional<I64>:$offset,
    DefaultValuedAttr<I64Attr, "0">:$start);
  let results = (outs Tile_ViewType:$view);
  let assemblyFormat = [{
    $base `start` $start (`plus` $offset^)? attr-dict `:` type($base) `->` type($view)
  }];
  let hasVerifier = 1;
}

def Tile_LoadOp : Tile_Op<"load", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "A tile from global memory";
  let description = [{
    Element i of the result is `view[offsets + i]`, or `pad` where that is
    outside the view's shape. A dimension with `in_bounds` true promises that all
    its indices are inside. `divisible` states a divisor of each offset (default
    1), for vector accesses.

    A result that has a dimension 1 where the view's stride is 0 is a broadcast
    operand: load it so, then `tile.broadcast`.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<I32>:$offsets,
    Optional<I1>:$predicate,
    OptionalAttr<TypedAttrInterface>:$pad, OptionalAttr<DenseBoolArrayAttr>:$in_bounds,
    OptionalAttr<DenseI64ArrayAttr>:$divisible,
    DefaultValuedAttr<Tile_CacheHintAttr, "::shoal::tile::CacheHint::Normal">:$cache);
  let results = (outs Tile_Tile:$result);
  let builders = [OpBuilder<(ins "::mlir::Type":$type, "::mlir::Value":$view,
    "::mlir::ValueRange":$offsets), [{
      build($_builder, $_state, type, view, offsets, ::mlir::Value(), {}, {}, {});
    }]>];
  let assemblyFormat = [{
    $view `[` $offsets `]` (`if` $predicate^)? (`pad` $pad^)? attr-dict `:` type($view) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_StoreOp : Tile_Op<"store", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "A tile to global memory";
  let description = [{
    `view[offsets + i] = value[i]` where that is inside the view's shape. Copies
    in several threads are stored once. With a predicate that is false nothing
    is stored.
  }];
  let arguments = (ins Tile_Tile:$value, Tile_ViewType:$view, Variadic<I32>:$offsets,
    Optional<I1>:$predicate, OptionalAttr<DenseBoolArrayAttr>:$in_bounds,
    OptionalAttr<DenseI64ArrayAttr>:$divisible,
    DefaultValuedAttr<Tile_CacheHintAttr, "::shoal::tile::CacheHint::Normal">:$cache);
  let builders = [OpBuilder<(ins "::mlir::Value":$value, "::mlir::Value":$view,
    "::mlir::ValueRange":$offsets), [{
      build($_builder, $_state, value, view, offsets, ::mlir::Value(), {}, {});
    }]>];
  let assemblyFormat = [{
    $value `,` $view `[` $offsets `]` (`if` $predicate^)? attr-dict `:` type($value) `,` type($view)
  }];
  let hasVerifier = 1;
}

def Tile_GatherOp : Tile_Op<"gather", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Elements at computed indices";
  let description = [{
    `result[i] = view[indices_0[i], indices_1[i], …]`, or `pad` outside the
    shape; one tile of i32 or i64 indices per dimension of the view, all of the
    result's shape and layout.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<Tile_Tile>:$indices,
    OptionalAttr<TypedAttrInterface>:$pad);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $view `[` $indices `]` (`pad` $pad^)? attr-dict `:` type($view) `[` type($indices) `]` `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_ScatterOp : Tile_Op<"scatter", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Elements to computed indices";
  let description = [{
    `view[indices[i]] = combine(view[indices[i]], value[i])`, atomically (relaxed)
    except for kind `store`, where of several elements with one index any may
    win. Indices outside the shape do nothing. The order of floating-point
    additions is open: a strategy that must be deterministic sorts or loops.
  }];
  let arguments = (ins Tile_ScatterKindAttr:$kind, Tile_Tile:$value, Tile_ViewType:$view,
    Variadic<Tile_Tile>:$indices);
  let assemblyFormat = [{
    $kind $value `,` $view `[` $indices `]` attr-dict `:` type($value) `,` type($view) `[` type($indices) `]`
  }];
  let hasVerifier = 1;
}

def Tile_ArriveOp : Tile_Op<"arrive", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Counts this block in and gives how many were there before";
  let description = [{
    All earlier writes of the block are visible to the block that gets `total`-1
    as the result, everything after the op in it included: the way the last block
    finishes what all prepared. `counter` is an i32 in global memory, zero before
    the launch; `index` its element. The result is the same in every thread.
  }];
  let arguments = (ins Tile_ViewType:$counter, I32:$index);
  let results = (outs I32:$before);
  let assemblyFormat = "$counter `[` $index `]` attr-dict `:` type($counter)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

def Tile_ConstantOp : Tile_Op<"constant", [Pure]> {
  let summary = "A tile with one value everywhere";
  let arguments = (ins TypedAttrInterface:$value);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$value attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tile_SplatOp : Tile_Op<"splat", [Pure]> {
  let summary = "A scalar everywhere in a tile";
  let arguments = (ins AnySignlessInteger:$scalar);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$scalar attr-dict `:` type($scalar) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_IotaOp : Tile_Op<"iota", [Pure]> {
  let summary = "Each element's index along a dimension, plus an offset";
  let arguments = (ins I64Attr:$dim, Optional<I32>:$offset);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$dim (`plus` $offset^)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tile_ExtractOp : Tile_Op<"extract", [Pure]> {
  let summary = "The one element of a tile as a scalar";
  let description = [{
    All threads must hold the element: so it is the same in the whole block, and
    may be a condition or the bound of a loop.
  }];
  let arguments = (ins Tile_Tile:$input);
  let results = (outs AnySignlessInteger:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_BroadcastOp : Tile_Op<"broadcast", [Pure]> {
  let summary = "Repeats along dimensions of size 1";
  let description = [{
    The operand's layout must be the result's restricted to the operand's shape.
  }];
  let arguments = (ins Tile_Tile:$input);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_ReshapeOp : Tile_Op<"reshape", [Pure]> {
  let summary = "The same elements in row-major order under another shape; moves nothing";
  let arguments = (ins Tile_Tile:$input);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_TransposeOp : Tile_Op<"transpose", [Pure]> {
  let summary = "Dimensions in another order (result i is input permutation[i]); moves nothing";
  let arguments = (ins Tile_Tile:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$input `by` $permutation attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_ConvertLayoutOp : Tile_Op<"convert_layout", [Pure]> {
  let summary = "The same tile in another layout";
  let arguments = (ins Tile_Tile:$input);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_MapOp : Tile_Op<"map", [Pure, IsolatedFromAbove,
    SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "Scalar code for every element";
  let description = [{
    The region's arguments and yielded values are rank-0 tensors, its ops
    StableHLO (and chlo) on such tensors: the scalar emitter's language. All
    operands and results have one shape and one layout.
  }];
  let arguments = (ins Variadic<Tile_Tile>:$inputs);
  let results = (outs Variadic<Tile_Tile>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "`(` $inputs `)` attr-dict `:` functional-type(operands, results) $body";
  let hasVerifier = 1;
}

def Tile_ReduceOp : Tile_Op<"reduce", [Pure, IsolatedFromAbove,
    SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "Combines all elements along a dimension";
  let description = [{
    The region combines n values with n others, as in `stablehlo.reduce`, without
    initial values. The results have size 1 in `axis`, and the operands' layout
    restricted to that. With `ordered`, elements are combined in their order
    (associativity is enough); without it the region must commute.

    The result is the same in all threads that hold copies of it.
  }];
  let arguments = (ins Variadic<Tile_Tile>:$inputs, I64Attr:$axis, UnitAttr:$ordered);
  let results = (outs Variadic<Tile_Tile>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `(` $inputs `)` `axis` $axis (`ordered` $ordered^)? attr-dict `:` functional-type(operands, results) $body
  }];
  let hasVerifier = 1;
}

def Tile_ScanOp : Tile_Op<"scan", [Pure, IsolatedFromAbove,
    SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "All inclusive prefixes along a dimension";
  let description = [{
    `result[i] = input[0] op … op input[i]` (with `reverse`: `input[n-1] op …
    op input[i]`); the region must be associative.
  }];
  let arguments = (ins Variadic<Tile_Tile>:$inputs, I64Attr:$axis, UnitAttr:$reverse);
  let results = (outs Variadic<Tile_Tile>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `(` $inputs `)` `axis` $axis (`reverse` $reverse^)? attr-dict `:` functional-type(operands, results) $body
  }];
  let hasVerifier = 1;
}

def Tile_DotOp : Tile_Op<"dot", [Pure, AllTypesMatch<["acc", "result"]>]> {
  let summary = "acc + a · b by the tensor cores, synchronous";
  let description = [{
    a: M x K, b: K x N, acc and result: M x N. With layouts: a, b and acc are
    fragments of one mma instruction (`mmaLayout`), which the layouts imply.
    `precision` is for f32 operands only.
  }];
  let arguments = (ins Tile_Tile:$a, Tile_Tile:$b, Tile_Tile:$acc,
    DefaultValuedAttr<Tile_DotPrecisionAttr, "::shoal::tile::DotPrecision::IEEE">:$precision);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $a `,` $b `,` $acc attr-dict `:` type($a) `,` type($b) `->` type($result)
  }];
  let extraClassDeclaration = [{}];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

def Tile_AllocSharedOp : Tile_Op<"alloc_shared", [
    MemoryEffects<[MemAlloc<Tile_SharedMem>]>]> {
  let summary = "Shared memory for the length of the kernel";
  let results = (outs Tile_SharedType:$buffer);
  let assemblyFormat = "attr-dict `:` type($buffer)";
}

def Tile_SlotOp : Tile_Op<"slot", [Pure]> {
  let summary = "One buffer of a ring; the index is below the number of stages";
  let arguments = (ins Tile_SharedType:$ring, I32:$index);
  let results = (outs Tile_SharedType:$buffer);
  let assemblyFormat = "$ring `[` $index `]` attr-dict `:` type($ring) `->` type($buffer)";
  let hasVerifier = 1;
}

def Tile_LocalLoadOp : Tile_Op<"local_load", [MemoryEffects<[MemRead<Tile_SharedMem>]>]> {
  let summary = "A tile from shared memory (ldmatrix where the layouts allow it)";
  let description = [{
    `offsets` (static) is where the tile starts in the buffer, multiples of the
    result's shape; `permutation` reads the buffer transposed. Nothing waits:
    barriers are explicit.
  }];
  let arguments = (ins Tile_SharedType:$buffer, OptionalAttr<DenseI64ArrayAttr>:$offsets,
    OptionalAttr<DenseI64ArrayAttr>:$permutation);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$buffer (`at` $offsets^)? (`by` $permutation^)? attr-dict `:` type($buffer) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_LocalStoreOp : Tile_Op<"local_store", [MemoryEffects<[MemWrite<Tile_SharedMem>]>]> {
  let summary = "A tile to shared memory";
  let arguments = (ins Tile_Tile:$value, Tile_SharedType:$buffer);
  let assemblyFormat = "$value `,` $buffer attr-dict `:` type($value) `,` type($buffer)";
  let hasVerifier = 1;
}

def Tile_AsyncCopyOp : Tile_Op<"async_copy", [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Starts a copy from global to shared memory (cp.async)";
  let description = [{
    Fills the buffer with the elements from `offsets` on; elements outside the
    view's shape become zero. `layout`, a register layout of the buffer's shape,
    says which thread copies what; without it a coalesced one is used. Where 4,
    8 or 16 bytes are not contiguous on both sides, or not aligned, the copy is
    made through registers: always right, sometimes slow. Done after
    `tile.async_wait` and `tile.barrier`.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<I32>:$offsets, Tile_SharedType:$buffer,
    OptionalAttr<DenseBoolArrayAttr>:$in_bounds, OptionalAttr<DenseI64ArrayAttr>:$divisible,
    OptionalAttr<Tile_LayoutAttr>:$layout);
  let assemblyFormat = "$view `[` $offsets `]` `to` $buffer attr-dict `:` type($view) `->` type($buffer)";
  let hasVerifier = 1;
}

def Tile_AsyncCommitOp : Tile_Op<"async_commit", [MemoryEffects<[MemWrite<Tile_SharedMem>]>]> {
  let summary = "Makes the copies started since the last commit one group";
  let assemblyFormat = "attr-dict";
}

def Tile_AsyncWaitOp : Tile_Op<"async_wait", [MemoryEffects<[MemWrite<Tile_SharedMem>]>]> {
  let summary = "Waits until at most `pending` groups of this thread are not done";
  let arguments = (ins ConfinedAttr<I32Attr, [IntNonNegative]>:$pending);
  let assemblyFormat = "$pending attr-dict";
}

def Tile_BarrierOp : Tile_Op<"barrier", [
    MemoryEffects<[MemRead<Tile_SharedMem>, MemWrite<Tile_SharedMem>]>]> {
  let summary = "All threads of the block meet; shared memory is consistent after it";
  let assemblyFormat = "attr-dict";
}

#endif // SHOAL_TILE_TD
