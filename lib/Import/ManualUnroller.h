// Runs the body of a shoal.manual once per shard, on one device.
//
// The shards of a region are the cells of a grid: one per combination of
// indices along the manual axes, numbered row-major. A value of the region
// becomes one value per cell, or a single one if all cells would hold the same.
#ifndef SHOAL_LIB_IMPORT_MANUALUNROLLER_H
#define SHOAL_LIB_IMPORT_MANUALUNROLLER_H

#include "LoneCollectives.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/Axes.h"
#include "dialects/Shoal/Shoal.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace shoal {

/// The values of all cells: as many as cells, or one that all share.
class Shards {
public:
  Shards() = default;
  /*implicit*/ Shards(mlir::Value shared) : values({shared}) {}
  /// Collapses equal values into one.
  /*implicit*/ Shards(llvm::SmallVector<mlir::Value> perCell);

  bool isShared() const { return values.size() == 1; }
  bool empty() const { return values.empty(); }
  mlir::Value operator[](int64_t cell) const {
    return isShared() ? values.front() : values[cell];
  }

private:
  llvm::SmallVector<mlir::Value> values;
};

/// The grid of cells along the manual axes of a region and of those around it.
class CellGrid {
public:
  CellGrid() = default;
  CellGrid(MeshAttr mesh, llvm::ArrayRef<llvm::StringRef> axes);

  MeshAttr getMesh() const { return mesh; }
  int64_t size() const { return count; }
  bool hasAxis(llvm::StringRef name) const {
    return llvm::is_contained(axes, name);
  }
  llvm::ArrayRef<llvm::StringRef> getAxes() const { return axes; }

  /// Mesh position of a cell; index 0 along the axes that are not manual.
  int64_t getPosition(int64_t cell) const { return positions[cell]; }
  /// The cell of a mesh position, whatever its index along other axes.
  int64_t getCell(int64_t position) const;
  /// The index of a cell along a list of axes, 0 … their size - 1.
  int64_t getIndex(int64_t cell, AxisListRef along) const {
    return getIndexAlong(along, getPosition(cell), mesh);
  }

  /// The groups of a collective as lists of cells, in group order. Fails with a
  /// diagnostic if it spans an axis that is not manual here.
  llvm::FailureOr<llvm::SmallVector<llvm::SmallVector<int64_t>>>
  getGroups(comm::GroupsAttr groups, mlir::Operation *op) const;

private:
  MeshAttr mesh;
  llvm::SmallVector<llvm::StringRef> axes;
  llvm::SmallVector<int64_t> positions;
  int64_t count = 1;
};

/// Replaces a manual region by one copy of its body per cell.
class ManualUnroller {
public:
  /// Replaces `op`, which no other manual region encloses.
  static mlir::LogicalResult run(ManualOp op);

private:
  ManualUnroller(CellGrid grid) : grid(std::move(grid)) {}

  mlir::LogicalResult emitBlock(mlir::Block &block, mlir::OpBuilder &builder);
  mlir::LogicalResult emitOp(mlir::Operation *op, mlir::OpBuilder &builder);
  mlir::LogicalResult emitNested(ManualOp op, mlir::OpBuilder &builder);
  /// A loop or conditional with collectives inside: all cells at once.
  mlir::LogicalResult emitLockstep(mlir::Operation *op,
                                   mlir::OpBuilder &builder);
  /// The same where the predicate differs between cells: all branches are
  /// computed for all cells, loops run until the last cell is done, and each
  /// cell takes what its own predicate says.
  mlir::LogicalResult emitDivergentBranches(mlir::Operation *op,
                                            mlir::OpBuilder &builder);
  mlir::LogicalResult emitDivergentLoop(mlir::Operation *op,
                                        mlir::OpBuilder &builder);
  mlir::LogicalResult emitRegion(mlir::Region &from, mlir::Region &to,
                                 llvm::ArrayRef<bool> varyingArguments,
                                 llvm::ArrayRef<bool> varyingResults,
                                 mlir::OpBuilder &builder);
  /// Any other op: a copy per cell, or one.
  void emitCopies(mlir::Operation *op, mlir::OpBuilder &builder);

  /// The results of `op` as cells of its operands differ, by a fixed point over
  /// loops. Fills `varying`.
  void analyze(mlir::Block &block);
  bool analyzeOnce(mlir::Block &block);

  CellGrid grid;
  llvm::DenseMap<mlir::Value, Shards> map;
  llvm::DenseSet<mlir::Value> varying;
};

/// Emits a collective among the values of cells; `operands` holds, for each of
/// its operands, the cells' values.
llvm::FailureOr<Shards> emitCollective(mlir::Operation *op,
                                       llvm::ArrayRef<Shards> operands,
                                       const CellGrid &grid,
                                       mlir::OpBuilder &builder);

/// Results of a group's members, in group order, for collectives that move
/// parts of blocks (halo, reblock, ragged_all_to_all): operands[i][member].
/// Empty if the op is none of them. ShardExchanges.cpp.
llvm::SmallVector<mlir::Value>
emitExchange(mlir::Operation *op,
             llvm::ArrayRef<llvm::SmallVector<mlir::Value>> operands,
             mlir::OpBuilder &builder);
/// The one of `values` whose number the integer scalar `index` is.
mlir::Value createChoice(mlir::OpBuilder &builder, mlir::Location loc,
                         llvm::ArrayRef<mlir::Value> values, mlir::Value index);

/// Elements [offset, offset + size) along `dim`.
mlir::Value createSlice(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value value, int64_t dim, int64_t offset,
                        int64_t size);
mlir::Value createConcat(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::ValueRange values, int64_t dim);

/// The part of `value` that each cell sees by `sharding`, and the inverse.
llvm::FailureOr<Shards> splitIntoCells(mlir::Value value, ShardingAttr sharding,
                                       const CellGrid &grid, mlir::Location loc,
                                       mlir::OpBuilder &builder);
llvm::FailureOr<mlir::Value> joinCells(const Shards &shards,
                                       ShardingAttr sharding,
                                       const CellGrid &grid, mlir::Location loc,
                                       mlir::OpBuilder &builder);

/// True for collectives and whatever else needs all cells at once.
bool needsAllCells(mlir::Operation *op);

} // namespace shoal

#endif // SHOAL_LIB_IMPORT_MANUALUNROLLER_H
