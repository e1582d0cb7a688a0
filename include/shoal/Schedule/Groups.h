// Mesh axes and device tables as digits and tables of the rank.
#ifndef SHOAL_SCHEDULE_GROUPS_H
#define SHOAL_SCHEDULE_GROUPS_H

#include "dialects/Comm/Comm.h"
#include "dialects/Plan/Plan.h"

namespace shoal {

/// Pairs (size, stride) over the rank for mesh axes, major to minor. `from` is
/// an operation under the mesh's symbol table. Fails without a diagnostic if
/// the mesh has no such axis.
mlir::FailureOr<llvm::SmallVector<int64_t>>
getDigits(llvm::ArrayRef<AxisRefAttr> axes, MeshAttr mesh);

/// The communicator of a collective, with a diagnostic at `op` on failure.
mlir::FailureOr<plan::GroupAttr> getPlanGroup(mlir::Operation *op,
                                              comm::GroupsAttr groups);

/// The ranks of the group that rank 0, or the table's first row, belongs to.
llvm::SmallVector<int64_t> firstGroup(plan::GroupAttr group);

/// The mesh that the ranks of a module form: the one with the most devices;
/// null if the module has none (one rank). All others must have as many
/// devices.
MeshAttr getProgramMesh(mlir::Operation *module);

} // namespace shoal

#endif // SHOAL_SCHEDULE_GROUPS_H
