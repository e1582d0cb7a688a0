// Which values are the same on all devices of a group.
#ifndef SHOAL_COLLECTIVES_UNIFORMVALUES_H
#define SHOAL_COLLECTIVES_UNIFORMVALUES_H

#include "dialects/Comm/Comm.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseSet.h"

namespace shoal {

/// Values of a function in the phases `partitioned` and `optimized` that every
/// device of a group over mesh axes holds alike (padding aside), and control
/// flow that all its devices take alike.
class UniformValues {
public:
  /// `groups`: over axes of a mesh, no table.
  UniformValues(mlir::func::FuncOp func, comm::GroupsAttr groups);

  bool contains(mlir::Value value) const { return !varying.contains(value); }
  /// Whether the group's devices come to the op all together, as often.
  bool isReachedTogether(mlir::Operation *op) const;

private:
  enum class Relation { Apart, Around, Overlapping };
  Relation relationTo(comm::GroupsAttr other, mlir::Operation *op) const;
  bool makesVarying(mlir::Operation *op) const;
  bool vary(mlir::Value value) { return varying.insert(value).second; }
  bool visit(mlir::Block &block);
  bool visit(mlir::Operation &op);

  comm::GroupsAttr groups;
  MeshAttr mesh;
  llvm::DenseSet<mlir::Value> varying;
  llvm::DenseSet<mlir::Operation *> divergent;
};

} // namespace shoal

#endif // SHOAL_COLLECTIVES_UNIFORMVALUES_H
