// GSPMD's sharding strings, and the manual regions that pairs of its custom
// calls bound.
#ifndef SHOAL_LIB_IMPORT_GSPMDREGIONS_H
#define SHOAL_LIB_IMPORT_GSPMDREGIONS_H

#include "dialects/Shoal/Shoal.h"

#include <optional>

namespace shoal {

/// One sharding string, read.
struct GspmdSharding {
  /// Unknown: an empty string, or {unknown}; it asks for nothing.
  enum class Kind { Replicated, Manual, Maximal, Tiled, Unknown };
  Kind kind = Kind::Replicated;
  /// Sizes of the tile dimensions, subgroups included.
  llvm::SmallVector<int64_t> tiles;
  /// Tile position -> device id; the one device of a maximal sharding.
  llvm::SmallVector<int64_t> devices;
  /// How many of the tile dimensions are the tensor's.
  int64_t rank = 0;
  /// Which subgroups, counted from `rank`, are manual.
  llvm::SmallVector<int64_t> manual;

  /// The shape of the iota that numbers the devices; empty for a list.
  llvm::SmallVector<int64_t> iota;

  /// Null if the text is no sharding.
  static std::optional<GspmdSharding> parse(llvm::StringRef text);

  /// The tiles as a mesh with axes d0, d1, …; one axis of all devices where
  /// there are no tiles.
  MeshAttr getMesh(mlir::MLIRContext *context, int64_t numDevices) const;
};

/// The mesh that all strings of a module are expressed over.
class GspmdMesh {
public:
  /// The module's named mesh, or one made from all strings and added to it.
  explicit GspmdMesh(mlir::ModuleOp module);

  int64_t getNumDevices() const { return numDevices; }

  /// The sharding of a value of type `type`; dimensions in `open` may take
  /// further axes. Where the tiles do not relate to the common mesh, over a
  /// mesh in place. Null after a diagnostic.
  ShardingAttr getSharding(const GspmdSharding &sharding, mlir::Type type,
                           llvm::ArrayRef<int64_t> open, mlir::Operation *op);

  /// The axes a region is manual on whose values carry that sharding; failure
  /// after a diagnostic if they are no whole axes.
  llvm::FailureOr<llvm::SmallVector<mlir::Attribute>>
  getManualAxes(const GspmdSharding &sharding, mlir::Operation *op);

  /// All dimensions whole.
  ShardingAttr getReplicated(mlir::Type type);

private:
  /// Another mesh, where regions are manual on parts of this one's axes.
  void cutForRegions(mlir::ModuleOp module, llvm::ArrayRef<MeshAttr> manual);

  mlir::MLIRContext *context;
  MeshAttr mesh;
  mlir::Attribute ref;
  int64_t numDevices = 1;
};

/// The sharding that an op's `mhlo.sharding` gives its only result or, for the
/// boundary calls, value; nullopt without one, or after a diagnostic.
std::optional<GspmdSharding> readGspmdSharding(mlir::Operation *op);

/// Splits "{{a}, {b}}" at its outer commas; one part if it is no tuple.
llvm::SmallVector<llvm::StringRef> splitGspmdTuple(llvm::StringRef text);

/// "unspecified_dims=[0,1]" of a call's backend_config.
llvm::SmallVector<int64_t> getUnspecifiedDims(mlir::Operation *op);

enum class GspmdCall { None, Sharding, FullToShard, ShardToFull };
/// Which of GSPMD's custom calls `op` is.
GspmdCall getGspmdCall(mlir::Operation *op);

/// Puts what lies between @SPMDFullToShardShape and @SPMDShardToFullShape calls
/// of a block into shoal.manual regions, and erases the calls.
llvm::LogicalResult buildGspmdRegions(mlir::Block &block, GspmdMesh &mesh);

} // namespace shoal

#endif // SHOAL_LIB_IMPORT_GSPMDREGIONS_H
