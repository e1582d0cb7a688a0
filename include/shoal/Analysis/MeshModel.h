// The bridge between sharding attributes and placements of atoms: one model of
// the module's mesh, with its atoms, link costs and the reshard planner.
#ifndef SHOAL_ANALYSIS_MESHMODEL_H
#define SHOAL_ANALYSIS_MESHMODEL_H

#include "dialects/Shoal/Shoal.h"
#include "shoal/Analysis/ReshardPlanner.h"

#include "mlir/IR/BuiltinOps.h"

namespace shoal {

class MeshModel {
public:
  /// The module's mesh, its axes cut so that every sharding in the module is a
  /// list of whole atoms. Fails with a diagnostic if shardings name several
  /// meshes, cut an axis in ways that do not divide one another, or the mesh
  /// needs more than 64 atoms. A module without a mesh gets an empty model.
  static std::unique_ptr<MeshModel> create(mlir::ModuleOp module);

  MeshAttr mesh() const { return meshAttr; }
  mlir::Attribute meshRef() const { return ref; }
  llvm::ArrayRef<MeshAtom> atoms() const { return table.atoms(); }
  const AtomTable &atomTable() const { return table; }
  ReshardPlanner &planner() { return *reshardPlanner; }
  mlir::MLIRContext *context() const { return ctx; }

  /// Null means replicated. `shape` is the value's (within its manual region).
  PlacementState toPlacement(ShardingAttr sharding,
                             llvm::ArrayRef<int64_t> shape) const;
  PlacementState toPlacement(ShardingAttr sharding, mlir::Type type) const;
  ShardingAttr toSharding(const PlacementState &state,
                          llvm::ArrayRef<int64_t> shape) const;
  DimShardingAttr toDimSharding(llvm::ArrayRef<uint8_t> list, int64_t block,
                                int64_t size) const;
  /// Widest sub-axes for a list of atoms, in its order.
  llvm::SmallVector<AxisRefAttr> toAxes(llvm::ArrayRef<uint8_t> list) const;
  /// The same for a set, in mesh order.
  llvm::SmallVector<AxisRefAttr> toAxes(AtomSet set) const;
  AtomList listOf(AtomSet set) const;
  AtomList toAtoms(llvm::ArrayRef<AxisRefAttr> axes) const;
  /// All atoms of the named axes.
  AtomSet atomsOfAxes(llvm::ArrayRef<llvm::StringRef> names) const;

private:
  mlir::MLIRContext *ctx = nullptr;
  MeshAttr meshAttr;
  mlir::Attribute ref;
  AtomTable table;
  std::unique_ptr<ReshardPlanner> reshardPlanner;
};

/// Global sizes of a tensor type; empty for types without a shape.
llvm::ArrayRef<int64_t> shapeOf(mlir::Type type);
/// Bytes an element takes in memory and on the wire (sub-byte types: one).
int64_t elementBytesOf(mlir::Type type);

} // namespace shoal

#endif // SHOAL_ANALYSIS_MESHMODEL_H
