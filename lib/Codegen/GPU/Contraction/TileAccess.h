// Parts of tensors as tiles: views, offsets, loads, scalar regions.
#ifndef SHOAL_LIB_CODEGEN_GPU_CONTRACTION_TILEACCESS_H
#define SHOAL_LIB_CODEGEN_GPU_CONTRACTION_TILEACCESS_H

#include "Config.h"
#include "Index32.h"

#include "dialects/Tile/Tile.h"

namespace shoal::contraction {

/// Where the current tile starts along each atom.
using Starts = llvm::SmallVector<Index32>;

/// A tensor's memory as a view whose last dimensions are the tile's: those of
/// `atoms`, in this order (a unit with stride 0 where the tensor does not
/// depend on one); all else comes before and is one element wide.
struct TileView {
  mlir::Value view;
  llvm::SmallVector<DimIndex> indices;
  /// Size of the view in each dimension, and the tile's.
  llvm::SmallVector<int64_t> shape, strides, tile;
  /// Dimensions that never leave the shape.
  llvm::SmallVector<bool> inBounds;
  unsigned prefix = 0;

  tile::ViewType type() const {
    return mlir::cast<tile::ViewType>(view.getType());
  }
  /// The atom dimension has stride 1.
  bool isContiguous(unsigned i) const { return strides[prefix + i] == 1; }
  /// The tile depends on all its atoms.
  bool isFull(llvm::ArrayRef<int64_t> tiles) const {
    return llvm::ArrayRef<int64_t>(tile).drop_front(prefix) == tiles;
  }
};

/// Elements outside the tensor along these atoms become `value`.
struct Mask {
  llvm::SmallVector<unsigned> atoms;
  mlir::Attribute value;
};

/// Makes tile IR at a builder's insertion point.
class TileBuilder {
public:
  TileBuilder(mlir::OpBuilder &builder, mlir::Location loc,
              const Contraction &contraction)
      : builder(builder), loc(loc), index(builder, loc),
        contraction(contraction) {}

  mlir::OpBuilder &builder;
  mlir::Location loc;
  IndexBuilder index;
  const Contraction &contraction;

  tile::LayoutAttr layoutAttr(const LinearLayout &map) {
    return tile::LayoutAttr::get(builder.getContext(), map);
  }
  mlir::RankedTensorType tileType(llvm::ArrayRef<int64_t> shape,
                                  mlir::Type element, const LinearLayout &map) {
    return mlir::RankedTensorType::get(shape, element, layoutAttr(map));
  }

  /// The view of memory `start` elements after `base` (a kernel argument's
  /// view) for tiles over `atoms` of sizes `tiles`.
  TileView makeView(mlir::Value base, int64_t start,
                    llvm::ArrayRef<MemoryDim> memory,
                    llvm::ArrayRef<unsigned> atoms,
                    llvm::ArrayRef<int64_t> tiles);

  /// The offsets of the tile at `starts`, and divisors of them. Atom dimension
  /// i starts `inside[i]` elements (static) further.
  void offsets(const TileView &view, const Starts &starts,
               llvm::ArrayRef<int64_t> inside,
               llvm::SmallVectorImpl<mlir::Value> &values,
               llvm::SmallVectorImpl<int64_t> &divisible);
  Index32 indexOf(const DimIndex &index, const Starts &starts);

  /// Loads the part of `shape` (per atom) at `inside`, in the layout of the
  /// whole part, and repeats it along atoms that the tensor does not have:
  /// a tile of `shape`.
  mlir::Value load(const TileView &view, const Starts &starts,
                   llvm::ArrayRef<int64_t> inside,
                   llvm::ArrayRef<int64_t> shape, const LinearLayout &layout);

  /// tile.map by code of its own: `body` gets the inputs' scalars.
  mlir::Value
  apply(llvm::ArrayRef<mlir::Value> inputs,
        llvm::function_ref<mlir::Value(llvm::ArrayRef<mlir::Value>)> body);
  /// Combines the elements along dimension 1, by the sum or the maximum.
  mlir::Value reduceRows(mlir::Value tile, bool isMax) {
    return reduce(tile, 1, isMax);
  }
  /// Along a dimension of a tile with two.
  mlir::Value reduce(mlir::Value tile, unsigned axis, bool isMax);
  /// A column of values repeated to the type of `like`.
  mlir::Value broadcastRows(mlir::Value column, mlir::Value like);

  mlir::Value reshape(mlir::Value tile, llvm::ArrayRef<int64_t> shape);
  mlir::Value convertLayout(mlir::Value tile, const LinearLayout &layout);

  /// tile.map of an expression. `leafTile(i)` gives leaf i (an argument) as a
  /// tile of `shape` in `layout`; iotas are made here. `root`: the
  /// sums of the expression's root, converted to its result type first;
  /// `partner` likewise. The result is converted to `resultType`, then masked.
  mlir::Value map(const Expression &expression, mlir::Type resultType,
                  llvm::ArrayRef<unsigned> atoms, llvm::ArrayRef<int64_t> shape,
                  llvm::ArrayRef<int64_t> inside, const Starts &starts,
                  const LinearLayout &layout,
                  llvm::function_ref<mlir::Value(unsigned)> leafTile,
                  mlir::Value root, const Mask &mask = {},
                  mlir::Value partner = {});
};

} // namespace shoal::contraction

#endif // SHOAL_LIB_CODEGEN_GPU_CONTRACTION_TILEACCESS_H
