// What a sharding means for shapes and devices: parts, blocks, local types,
// offsets; and whether it is well formed. Blocks are uneven where sizes do not
// divide: part i of a dimension of n elements in blocks of b holds
// [i·b, min((i+1)·b, n)), which may be short or empty; local shapes are b.
#ifndef DIALECTS_SHOAL_SHARDING_H
#define DIALECTS_SHOAL_SHARDING_H

#include "dialects/Shoal/Axes.h"

namespace shoal {

/// The mesh a symbol or inline mesh attribute stands for; null if unknown.
MeshAttr lookupMesh(mlir::Attribute meshOrRef, mlir::Operation *from);

/// Shape of one device's block, padding included. `sharding` null: `shape`.
llvm::SmallVector<int64_t> getLocalShape(llvm::ArrayRef<int64_t> shape,
                                         ShardingAttr sharding, MeshAttr mesh);
/// The same for a type; types without a shape are returned as they are.
mlir::Type getLocalType(mlir::Type type, ShardingAttr sharding, MeshAttr mesh);

/// Offset of the block of the device at mesh position `position` in the global
/// tensor, per dimension. May lie beyond the end for empty parts.
llvm::SmallVector<int64_t> getBlockOffset(llvm::ArrayRef<int64_t> shape,
                                          ShardingAttr sharding, MeshAttr mesh,
                                          int64_t position);
/// Elements of the block that exist, per dimension: 0 … block.
llvm::SmallVector<int64_t> getValidSize(llvm::ArrayRef<int64_t> shape,
                                        ShardingAttr sharding, MeshAttr mesh,
                                        int64_t position);

/// Number of parts of dimension `dim`.
int64_t getNumParts(ShardingAttr sharding, int64_t dim, MeshAttr mesh);
/// True if every part of every dimension is full: no padding anywhere.
bool isEvenlySharded(llvm::ArrayRef<int64_t> shape, ShardingAttr sharding,
                     MeshAttr mesh);
/// All axes that cut a dimension, dimension by dimension, then partial ones.
AxisList getUsedAxes(ShardingAttr sharding);

/// True if both put the same elements on the same devices: axes normalised,
/// blocks equal, same partial state; openness and priorities do not matter.
bool isSameLayout(ShardingAttr a, ShardingAttr b, llvm::ArrayRef<int64_t> shape,
                  MeshAttr mesh);

/// The sharding of result `i` of an op (attribute shoal.shardings), or null.
ShardingAttr getResultSharding(mlir::Operation *op, unsigned i);
/// The sharding of a value: its op's, its function argument's, or what a
/// constraint, reshard or manual region (argument: without manual axes) says.
/// Null if it has none, or is an argument of another region.
ShardingAttr getSharding(mlir::Value value);
void setShardings(mlir::Operation *op,
                  llvm::ArrayRef<ShardingAttr> shardings);

/// Checks a sharding against the type of its value and the mesh: axes exist,
/// are used once and do not overlap, sub-axes divide, rank fits, blocks are
/// large enough, a partial value has an element type its kind is defined on.
llvm::LogicalResult
verifySharding(ShardingAttr sharding, mlir::Type type, mlir::Operation *from,
               llvm::function_ref<mlir::InFlightDiagnostic()> emitError);
/// The part of it that needs no type.
llvm::LogicalResult
verifyAxisList(AxisListRef axes, MeshAttr mesh,
               llvm::function_ref<mlir::InFlightDiagnostic()> emitError);
llvm::LogicalResult
verifyMesh(MeshAttr mesh,
           llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// Largest mesh that is accepted.
constexpr int64_t kMaxDevices = 65536;

} // namespace shoal

#endif // DIALECTS_SHOAL_SHARDING_H
