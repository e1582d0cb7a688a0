// How two numberings of devices relate: axes of one mesh, groups of devices and
// runs of equally spaced devices as (sub-)axes of another mesh.
#ifndef SHOAL_LIB_IMPORT_MESHRELATIONS_H
#define SHOAL_LIB_IMPORT_MESHRELATIONS_H

#include "dialects/Shoal/Axes.h"
#include "dialects/Shoal/Shoal.h"

#include <map>
#include <optional>

namespace shoal {

/// For each axis name of a mesh, the axes of the common mesh that it is.
using AxisMap = std::map<llvm::StringRef, AxisList>;

/// Sub-axes of `mesh`, major to minor, whose devices lie `stride` positions
/// apart, `size` of them; nullopt if that is no run of sub-axes.
std::optional<AxisList> findRun(MeshAttr mesh, int64_t stride, int64_t size);

/// Writes each axis of `other` as axes of `mesh` such that going along the one
/// is going along the others, in order; nullopt if the two number devices in
/// ways that do not relate.
std::optional<AxisMap> relateMeshes(MeshAttr other, MeshAttr mesh);

/// The axes of `mesh` that the groups of device ids differ along, in group
/// order; nullopt if they are not the groups of any axes.
std::optional<AxisList>
findGroupAxes(llvm::ArrayRef<llvm::SmallVector<int64_t>> groups, MeshAttr mesh);

/// A mesh of `count` devices in order, with axes x0, x1, …, cut wherever one of
/// the given meshes is, as far as the cuts divide one another: where they do
/// not, the first mesh's hold.
MeshAttr refineMeshes(llvm::ArrayRef<MeshAttr> meshes, int64_t count,
                      mlir::MLIRContext *context);

/// The mesh with axes cut so that each sub-axis in `parts` is whole axes: "x"
/// becomes "x_0", "x_1", …, major to minor. Null if cuts of an axis do not
/// divide one another.
MeshAttr cutAxes(MeshAttr mesh, llvm::ArrayRef<AxisRefAttr> parts);

/// A sharding with each axis replaced by what `map` says it is on the mesh
/// `to`, named `meshRef`; null if a sub-axis cannot be split so.
ShardingAttr mapSharding(ShardingAttr sharding, const AxisMap &map, MeshAttr to,
                         mlir::Attribute meshRef);

} // namespace shoal

#endif // SHOAL_LIB_IMPORT_MESHRELATIONS_H
