// Collectives of manual regions that comm has no operation for: by bodies that
// are no closed kind, and over groups of different sizes.
#ifndef SHOAL_LIB_IMPORT_IRREGULARGROUPS_H
#define SHOAL_LIB_IMPORT_IRREGULARGROUPS_H

#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/Shoal.h"

#include "mlir/IR/Builders.h"

namespace shoal {

/// Gathers the group's values along a new dimension and folds them, in order,
/// by a body of two scalars.
mlir::Value foldGathered(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value input, mlir::Region &body,
                         comm::GroupsAttr groups, int64_t groupSize);

/// Groups of device ids as a collective lists them, each in its order; they
/// may differ in size, and need not name all devices. Everyone gathers
/// everything and takes what its own group has.
class IrregularGroups {
public:
  IrregularGroups(mlir::Attribute meshRef, MeshAttr mesh,
                  llvm::ArrayRef<llvm::SmallVector<int64_t>> groups);

  /// Each device's group folded by the body.
  mlir::Value reduce(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value input, mlir::Region &body) const;
  /// What the first of each device's group has; zeros for devices in none.
  mlir::Value broadcast(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value input) const;

private:
  mlir::Value gather(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value input) const;
  /// Row `position of this device` of a table with a row per device.
  mlir::Value lookUp(mlir::OpBuilder &builder, mlir::Location loc,
                     llvm::ArrayRef<int32_t> table) const;
  comm::GroupsAttr everyone() const;

  mlir::Attribute meshRef;
  MeshAttr mesh;
  /// Per position the positions of its group.
  llvm::SmallVector<llvm::SmallVector<int64_t>> members;
};

} // namespace shoal

#endif // SHOAL_LIB_IMPORT_IRREGULARGROUPS_H
