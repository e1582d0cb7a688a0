// The tile dialect: GPU kernels over block-level tensors.
#ifndef SHOAL_TILE_DIALECT_TD
#define SHOAL_TILE_DIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/TensorEncoding.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::shoal::tile";
  let summary = "GPU kernels over block-level tensors";
  let description = [{
    A kernel is a program that one block of threads runs. Its values are tiles:
    tensors with power-of-two dimensions, spread over the block's registers as a
    linear layout says (`#tile.layout` as the tensor's encoding). Tiles without
    a layout get one from `tile-assign-layouts`.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
}

class Tile_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::shoal::tile";
  let genSpecializedAttr = 0;
}
class Tile_EnumAttr<EnumInfo info, string name> : EnumAttr<Tile_Dialect, info, name> {
  let assemblyFormat = "$value";
}

def Tile_CacheHint : Tile_Enum<"CacheHint", "how long data should stay in the caches", [
  I32EnumAttrCase<"Normal", 0, "normal">,
  I32EnumAttrCase<"Streaming", 1, "streaming">,
  I32EnumAttrCase<"Keep", 2, "keep">
]>;
def Tile_CacheHintAttr : Tile_EnumAttr<Tile_CacheHint, "cache">;

def Tile_DotPrecision : Tile_Enum<"DotPrecision", "how f32 operands are multiplied", [
  I32EnumAttrCase<"IEEE", 0, "ieee">, I32EnumAttrCase<"TF32", 1, "tf32">,
  I32EnumAttrCase<"TF32x3", 2, "tf32x3">
]>;
def Tile_DotPrecisionAttr : Tile_EnumAttr<Tile_DotPrecision, "dot_precision">;

def Tile_ScatterKind : Tile_Enum<"ScatterKind", "what happens to the element in memory", [
  I32EnumAttrCase<"Store", 0, "store">, I32EnumAttrCase<"Add", 1, "add">,
  I32EnumAttrCase<"Min", 2, "min">, I32EnumAttrCase<"Max", 3, "max">,
  I32EnumAttrCase<"And", 4, "and">, I32EnumAttrCase<"Or", 5, "or">,
  I32EnumAttrCase<"Xor", 6, "xor">
]>;
def Tile_ScatterKindAttr : Tile_EnumAttr<Tile_ScatterKind, "scatter_kind">;

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

def Tile_LayoutAttr : AttrDef<Tile_Dialect, "Layout",
    [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let mnemonic = "layout";
  let summary = "Which element lies where: a linear map over GF(2)";
  let description = [{
    For tiles in registers, the inputs are `register`, `lane`, `warp` (and
    `block` in clusters); for shared memory, `offset` (in elements). Each bit of
    an input has a basis, the coordinates that it contributes by XOR. A basis of
    zeros means that copies of an element are held there.

    `#tile.layout<4x32, {register = [[0, 1]], lane = [[0, 2], [0, 4], [0, 8],
    [0, 16], [1, 0]], warp = [[2, 0]]}>`: a thread holds two neighbours.
  }];
  let parameters = (ins "::shoal::LinearLayout":$map);
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    /// The same layout along every dimension of `shape` that is not 1 there,
    /// where the layout's own dimension may be larger: what the operand of a
    /// broadcast or the result of a reduction has. Registers that would hold
    /// copies within a thread are removed.
    LayoutAttr restrictTo(::llvm::ArrayRef<int64_t> shape) const;
    int64_t getNumRegisters() const { return getMap().inSize(::shoal::kRegister); }
  }];
}

def Tile_LaunchAttr : AttrDef<Tile_Dialect, "Launch"> {
  let mnemonic = "launch";
  let summary = "How a kernel is launched";
  let description = [{
    `grid`: blocks in x, y, z. `warps`: warps of 32 threads in a block.
    `cluster`: blocks in a cluster. `min_blocks`: blocks that a multiprocessor
    should hold, which bounds registers; 0: as LLVM and ptxas choose.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$grid, "int64_t":$warps,
    OptionalArrayRefParameter<"int64_t">:$cluster,
    DefaultValuedParameter<"int64_t", "0">:$minBlocks);
  let assemblyFormat = [{
    `<` `grid` `=` `[` $grid `]` `,` `warps` `=` $warps
    (`cluster` `=` `[` $cluster^ `]`)? (`min_blocks` `=` $minBlocks^)? `>`
  }];
  let genVerifyDecl = 1;
}

def Tile_ConfigAttr : AttrDef<Tile_Dialect, "Config"> {
  let mnemonic = "config";
  let summary = "What a strategy was asked to do: the one thing autotuning varies";
  let description = [{
    `strategy` names it; `tile` are its tile sizes, `warps`, `stages` of async
    copies, `vector` the bytes of one access, `split` blocks that share a
    reduction.
    `#tile.config<"rows", tile = [4, 1024], warps = 4 stages = 2 split = 8>`
  }];
  let parameters = (ins "::mlir::StringAttr":$strategy,
    ArrayRefParameter<"int64_t">:$tile, "int64_t":$warps,
    DefaultValuedParameter<"int64_t", "1">:$stages,
    DefaultValuedParameter<"int64_t", "16">:$vector,
    DefaultValuedParameter<"int64_t", "1">:$split);
  let assemblyFormat = [{
    `<` $strategy `,` `tile` `=` `[` $tile `]` `,` `warps` `=` $warps
    (`stages` `=` $stages^)? (`vector` `=` $vector^)? (`split` `=` $split^)? `>`
  }];
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

class Tile_Type<string name, string typeMnemonic> : TypeDef<Tile_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Tile_ViewType : Tile_Type<"View", "view"> {
  let summary = "Global memory seen as an array";
  let description = [{
    `!tile.view<64x128xf32>` is dense and row-major;
    `!tile.view<64x128xf32, strides = [1, 64]>` has its own strides, in
    elements, which may be 0 or negative. Indices outside the shape are legal in
    loads and stores: they give a stated value, or nothing.

    Elements are stored as in the kernel ABI (i1 and smaller integers a byte).
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType,
    ArrayRefParameter<"int64_t">:$strides);
  let hasCustomAssemblyFormat = 1;
  let builders = [TypeBuilderWithInferredContext<(ins "::mlir::RankedTensorType":$tensor)>,
    TypeBuilderWithInferredContext<(ins "::llvm::ArrayRef<int64_t>":$shape,
                                    "::mlir::Type":$elementType), [{
      return get(::mlir::RankedTensorType::get(shape, elementType));
    }]>];
  let skipDefaultBuilders = 0;
  let extraClassDeclaration = [{
    int64_t getRank() const { return getShape().size(); }
    bool isDense() const;
  }];
  let genVerifyDecl = 1;
}

def Tile_SharedType : Tile_Type<"Shared", "shared"> {
  let summary = "A buffer in shared memory, or a ring of equal ones";
  let description = [{
    `!tile.shared<128x64xbf16, #layout, stages = 3>`: `layout` maps `offset` (in
    elements) to the coordinates, swizzle included, and is invertible. With
    stages above 1 it is a ring of which `tile.slot` picks one.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType,
    "::shoal::tile::LayoutAttr":$layout, "int64_t":$stages);
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    int64_t getRank() const { return getShape().size(); }
    /// Bytes of one stage, and of all.
    int64_t getStageBytes() const;
    int64_t getBytes() const { return getStageBytes() * getStages(); }
  }];
  let genVerifyDecl = 1;
}

#endif // SHOAL_TILE_DIALECT_TD
