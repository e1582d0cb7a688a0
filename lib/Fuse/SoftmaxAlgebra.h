// What a value is of a softmax and its gradient, as a polynomial.
#ifndef SHOAL_LIB_FUSE_SOFTMAXALGEBRA_H
#define SHOAL_LIB_FUSE_SOFTMAXALGEBRA_H

#include "lib/Codegen/GPU/Contraction/Access.h"

#include "dialects/StableHLO/StableHLO.h"

#include "llvm/ADT/DenseMap.h"

#include <array>
#include <map>
#include <optional>

namespace shoal {

/// Powers of
///   E, the exponentials of the scores (less something that a row shares),
///   G, another product's elements beside them (cotangents · values),
///   R, one over a row's sum of E, and
///   T, a row's sum of E G.
struct SoftmaxPowers {
  int e = 0, g = 0, r = 0, t = 0;
  auto operator<=>(const SoftmaxPowers &) const = default;
};
/// Sums of products of powers, with factors; empty: zero.
using SoftmaxPolynomial = std::map<SoftmaxPowers, double>;

/// Evaluates values around one exponential. Rounding to other floating-point
/// types does not count, nor does in which order something is computed.
class SoftmaxAlgebra {
public:
  SoftmaxAlgebra(mlir::stablehlo::ExpOp exponential, contraction::Access access,
                 llvm::SmallVector<unsigned> keys, int64_t keyCount,
                 llvm::ArrayRef<contraction::Atom> space,
                 mlir::Operation *scores)
      : exponential(exponential), access(std::move(access)),
        keys(std::move(keys)), keyCount(keyCount), space(space),
        scores(scores) {}

  /// None if it is no such polynomial, as far as one can see.
  std::optional<SoftmaxPolynomial> evaluate(mlir::Value value,
                                            const contraction::Access &at);

  /// E R times the factor.
  std::optional<double> isProbabilities(mlir::Value value,
                                        const contraction::Access &at);
  /// The gradient of what the softmax is of, E R (G - R T), times the factor.
  std::optional<double> isScoreGradient(mlir::Value value,
                                        const contraction::Access &at);

  /// The product that G stands for, when it was met; and a value of its
  /// elements, converted and moved, that lies like E.
  mlir::stablehlo::DotGeneralOp product;
  mlir::Value productInPlace;

private:
  using Result = std::optional<SoftmaxPolynomial>;
  Result compute(mlir::Value value, const contraction::Access &at);
  Result ofProduct(mlir::stablehlo::DotGeneralOp dot,
                   const contraction::Access &at);
  Result ofReduce(mlir::stablehlo::ReduceOp reduce,
                  const contraction::Access &at);

  mlir::stablehlo::ExpOp exponential;
  contraction::Access access;
  llvm::SmallVector<unsigned> keys;
  int64_t keyCount;
  llvm::ArrayRef<contraction::Atom> space;
  mlir::Operation *scores;
  contraction::Access productAccess;
  llvm::DenseMap<mlir::Value,
                 llvm::SmallVector<std::pair<contraction::Access, Result>, 1>>
      done;
  unsigned visits = 0;
};

} // namespace shoal

#endif // SHOAL_LIB_FUSE_SOFTMAXALGEBRA_H
