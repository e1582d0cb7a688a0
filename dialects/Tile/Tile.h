// The tile dialect: GPU kernels over block-level tensors. See README.md.
#ifndef SHOAL_DIALECTS_TILE_TILE_H
#define SHOAL_DIALECTS_TILE_TILE_H

#include "shoal/Codegen/GPU/LinearLayout.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace shoal::tile {

/// A ranked tensor of static power-of-two dimensions; its encoding is absent or
/// a layout.
bool isTileType(mlir::Type type);

struct GlobalMemory : mlir::SideEffects::Resource::Base<GlobalMemory> {
  llvm::StringRef getName() final { return "<GlobalMemory>"; }
};
struct SharedMemory : mlir::SideEffects::Resource::Base<SharedMemory> {
  llvm::StringRef getName() final { return "<SharedMemory>"; }
};

} // namespace shoal::tile

#include "dialects/Tile/TileDialect.h.inc"
#include "dialects/Tile/TileEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Tile/TileAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Tile/TileTypes.h.inc"

#define GET_OP_CLASSES
#include "dialects/Tile/Tile.h.inc"

namespace shoal::tile {

/// The layout of a tile; null if it has none yet.
LayoutAttr getLayout(mlir::Type tile);
inline LayoutAttr getLayout(mlir::Value tile) { return getLayout(tile.getType()); }
/// The same tile type with another layout (null: none).
mlir::RankedTensorType withLayout(mlir::Type tile, LayoutAttr layout);
inline llvm::ArrayRef<int64_t> getTileShape(mlir::Value tile) {
  return mlir::cast<mlir::RankedTensorType>(tile.getType()).getShape();
}

} // namespace shoal::tile

#endif // SHOAL_DIALECTS_TILE_TILE_H
