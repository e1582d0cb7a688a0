// Writes a fused kernel's tile.func.
#ifndef SHOAL_LIB_CODEGEN_GPU_TILE_FUSED_FUSEDKERNEL_H
#define SHOAL_LIB_CODEGEN_GPU_TILE_FUSED_FUSEDKERNEL_H

#include "FusedConfig.h"
#include "FusedGraph.h"

#include "mlir/IR/Builders.h"

namespace shoal::fused {

class KernelBuilder {
public:
  /// `finish`: the second launch's configuration, if `config` has a split.
  KernelBuilder(const TileSource &source, const Graph &graph,
                tile::ConfigAttr config, tile::ConfigAttr finish);
  /// Writes one function per launch at the end of the block.
  llvm::SmallVector<tile::FuncOp> build(mlir::Block *destination);

private:
  struct Place {
    llvm::SmallVector<mlir::Value> offsets;
    llvm::SmallVector<bool> inBounds;
    llvm::SmallVector<int64_t> divisible;
  };

  // The frame (FusedKernel.cpp).
  int64_t layoutScratch();
  tile::FuncOp makeFunction(llvm::StringRef name, int64_t blocks);
  void placeBlock(llvm::ArrayRef<int64_t> sizes);
  mlir::Value constant(int64_t value);

  // Values at the place where the loops stand (FusedKernel.cpp).
  mlir::Value tileOf(const Node &node);
  llvm::SmallVector<int64_t> shapeOf(uint64_t mask) const;
  mlir::Value broadcast(mlir::Value value, llvm::ArrayRef<int64_t> shape);
  Place placeOf(uint64_t mask);
  mlir::Value viewOf(mlir::Value base, const Form &form);
  mlir::Value load(const Node &node);
  void store(const Output &output, mlir::Value value);
  void storeOutputs();
  mlir::Value counter(unsigned loop);
  mlir::Value iota(const Node &node);
  mlir::Value mapCluster(const Node &root);
  tile::MapOp
  map(mlir::ValueRange inputs, llvm::ArrayRef<mlir::Type> resultTypes,
      llvm::ArrayRef<int64_t> shape,
      llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::ValueRange)> body);

  // Reductions (FusedReductions.cpp).
  using Tiles = llvm::SmallVector<mlir::Value>;
  void reduceWhole(Reduction &reduction);
  void reduceInSteps(unsigned level);
  void storeInSteps();
  void finishParts();
  /// Operands at the current place: of the accumulators' types, all of one
  /// shape, neutral where a loop has no such iteration.
  Tiles operands(const Reduction &reduction);
  Tiles combineAlong(const Reduction &reduction, Tiles tiles, unsigned loop);
  Tiles combine(const Reduction &reduction, mlir::ValueRange a,
                mlir::ValueRange b, llvm::ArrayRef<int64_t> shape);
  /// Accumulators of whole rows to the reduction's results.
  void finalize(Reduction &reduction, Tiles accumulators);
  void cloneBody(const Reduction &reduction, mlir::Region &region);
  mlir::Value initialTile(const Reduction &reduction, unsigned i,
                          llvm::ArrayRef<int64_t> shape);
  mlir::Value scratchView(unsigned accumulator, mlir::Type type);
  /// Computes what does not depend on reduced loops outside of them.
  void prepare(const Node &node);
  void openLoops(llvm::SmallVectorImpl<mlir::Value> &carried,
                 llvm::function_ref<Tiles(mlir::ValueRange)> body);

  const TileSource &source;
  const Graph &graph;
  tile::ConfigAttr config, finish;
  mlir::OpBuilder b;
  mlir::Location loc;
  /// The configuration of the function that is being written.
  tile::ConfigAttr active;

  llvm::DenseMap<mlir::Value, mlir::Value> memory, hostScalars;
  llvm::SmallVector<mlir::Value> outputViews;
  mlir::Value scratch, zero, part;
  llvm::SmallVector<int64_t> scratchStarts;
  /// Where each loop stands (i32).
  llvm::SmallVector<mlir::Value> offsets;
  /// Values known here, from the function's to the innermost loop's.
  llvm::SmallVector<llvm::DenseMap<const Node *, mlir::Value>> scopes;
};

} // namespace shoal::fused

#endif // SHOAL_LIB_CODEGEN_GPU_TILE_FUSED_FUSEDKERNEL_H
