// Tile sizes of a contraction, and how the loops are cut into them.
#ifndef SHOAL_LIB_CODEGEN_GPU_CONTRACTION_CONFIG_H
#define SHOAL_LIB_CODEGEN_GPU_CONTRACTION_CONFIG_H

#include "Contraction.h"

#include "shoal/Codegen/GPU/TileCompiler.h"
#include "shoal/Codegen/GPU/TileLayouts.h"

namespace shoal::contraction {

/// What `#tile.config<"contraction", tile = [m, n, k], …>` says.
struct Config {
  int64_t m = 128, n = 128, k = 32;
  int64_t warpsM = 2, warpsN = 2;
  int64_t stages = 3;
  /// Blocks that share the reduction of one tile.
  int64_t split = 1;

  int64_t warps() const { return warpsM * warpsN; }
};

/// How operands are multiplied.
struct Arithmetic {
  mlir::Type operand, accumulator;
  MmaShape mma;
  bool tf32 = false;
};

/// The tensor core instruction for a contraction; none if there is none.
std::optional<Arithmetic> chooseArithmetic(const Contraction &contraction,
                                           const TileTarget &target);

/// The configuration that the cost model likes best.
Config chooseConfig(const Contraction &contraction,
                    const Arithmetic &arithmetic, const TileTarget &target);

/// Bytes of shared memory that the operands' rings take.
int64_t ringBytes(const Contraction &contraction, const Config &config,
                  const Arithmetic &arithmetic);

/// One side of the tile: the atoms of a role that it spans, major to minor,
/// and how far. All other atoms of the role are walked one by one.
struct Axis {
  llvm::SmallVector<unsigned> atoms;
  llvm::SmallVector<int64_t> tiles;

  int64_t size() const;
  /// The part of `size` elements: the minor atoms whole, one in part.
  llvm::SmallVector<int64_t> partShape(int64_t size) const;
  /// Where part number `index` starts.
  llvm::SmallVector<int64_t> partStart(int64_t size, int64_t index) const;
};

/// Spreads a tile of `size` over the atoms of a role.
Axis makeAxis(const Contraction &contraction, Role role, int64_t size);

/// The axes of attention or of its gradient, and the part of every loop that a
/// block has at a time.
struct AttentionAxes {
  Axis m, k, n, inner;
  llvm::SmallVector<int64_t> tileOf; ///< by atom
};

/// Tiles of `rows` and `columns` of the scores with the whole of the other two
/// dimensions, of at least so many elements; none if one of them cannot be
/// tiled, or is not whole.
std::optional<AttentionAxes> makeAttentionAxes(const Contraction &whole,
                                               int64_t rows, int64_t columns,
                                               int64_t leastN,
                                               int64_t leastInner);

} // namespace shoal::contraction

#endif // SHOAL_LIB_CODEGEN_GPU_CONTRACTION_CONFIG_H
