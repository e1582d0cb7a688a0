// Attention and its gradient in a block.
#ifndef SHOAL_LIB_FUSE_ATTENTIONPATTERN_H
#define SHOAL_LIB_FUSE_ATTENTIONPATTERN_H

#include "dialects/StableHLO/StableHLO.h"

#include <optional>

namespace shoal {

/// A product that takes the probabilities or the scores' gradients.
struct AttentionUse {
  mlir::stablehlo::DotGeneralOp dot;
  bool isLhs = false;
  /// What its operand is made of: factor times one of the two.
  mlir::Value root;
  double factor = 1;

  mlir::Value weights() const { return dot->getOperand(isLhs ? 0 : 1); }
  mlir::Value other() const { return dot->getOperand(isLhs ? 1 : 0); }
};

struct AttentionPattern {
  mlir::stablehlo::ExpOp exponential;
  mlir::Value scores; ///< what the softmax is of
  int64_t keyDimension = 0;
  mlir::stablehlo::DotGeneralOp scoreProduct, cotangentProduct;
  /// The elements of the cotangents' product, lying like the scores.
  mlir::Value cotangentScores;
  /// The product's operand that is not the values.
  mlir::Value cotangents;
  /// None if the output is not computed here (it was before, and the
  /// probabilities are computed again): the kernel computes it again as well,
  /// from the values, which have these dimensions of the scores and the keys.
  std::optional<AttentionUse> output;
  mlir::Value values;
  llvm::SmallVector<std::pair<int64_t, int64_t>> batch; // of scores and values
  int64_t keysOfValues = 0;
  llvm::SmallVector<AttentionUse, 3>
      gradients; // of queries, keys, values, in program order
  llvm::SmallVector<bool, 3> ofScores;

  /// Where the cotangents' dimensions lie in the output's, and the output's in
  /// the scores'; what is summed over for D.
  llvm::SmallVector<int64_t> toOutput, outputToRows, summed;
};

/// The pattern around an exponential: those values that are its probabilities
/// and the scores' gradients, whatever way they are computed, and the products
/// that take them.
std::optional<AttentionPattern>
findAttentionGradient(mlir::stablehlo::ExpOp exponential);

} // namespace shoal

#endif // SHOAL_LIB_FUSE_ATTENTIONPATTERN_H
