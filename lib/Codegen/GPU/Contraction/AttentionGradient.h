// The gradient of attention: products that never have the scores in memory.
#ifndef SHOAL_LIB_CODEGEN_GPU_CONTRACTION_ATTENTIONGRADIENT_H
#define SHOAL_LIB_CODEGEN_GPU_CONTRACTION_ATTENTIONGRADIENT_H

#include "Config.h"

#include "dialects/Tile/Tile.h"

namespace shoal::contraction {

/// One of the results: weights (scores' gradients, or probabilities) times
/// queries, keys or cotangents.
struct GradientProduct {
  mlir::Operation *root = nullptr;
  /// The weights, among AttentionGradient::whole.others. They are wider than
  /// the other operand, and must not be rounded to its type.
  unsigned weights = 0;
  bool isWide = false;
  /// Made of the scores' gradients, not of the probabilities; its columns are
  /// those of queries and keys then, else those of values.
  bool ofScores = false;
  /// Which result of the kernel.
  unsigned output = 0;
};

/// What a kernel of the gradient computes, seen from the side that a block
/// has rows of: M are queries and K keys, or the other way round. Inner: what
/// queries and keys are multiplied over; N: cotangents and values.
struct AttentionGradient {
  /// Root: the scores. Outputs: all of the kernel's, also the other side's.
  Contraction whole;
  mlir::Operation *cotangentProduct = nullptr;
  mlir::Operation *probabilities = nullptr;
  /// M are keys.
  bool isOverQueries = false;
  /// Those that are summed over K.
  llvm::SmallVector<GradientProduct, 2> products;

  enum { Keys, Cotangents, Probabilities, FirstWeights };
  const Expression &queries() const { return whole.lhs; }
  const Expression &values() const { return whole.rhs; }
  const Expression &keys() const { return whole.others[Keys]; }
  const Expression &cotangents() const { return whole.others[Cotangents]; }
};

/// Reads a kernel's body, for products over the queries (`overQueries`: rows
/// are keys) or over the keys; none if it is no such gradient.
std::optional<AttentionGradient> analyzeAttentionGradient(mlir::Block &body,
                                                          bool overQueries);

/// The kernels of a gradient; none if the body is none.
llvm::SmallVector<tile::FuncOp> makeAttentionGradient(const TileSource &source,
                                                      const TileTarget &target,
                                                      mlir::ModuleOp module);

} // namespace shoal::contraction

#endif // SHOAL_LIB_CODEGEN_GPU_CONTRACTION_ATTENTIONGRADIENT_H
