// Attention: softmax(f(Q·K))·V as one kernel.
#ifndef SHOAL_LIB_CODEGEN_GPU_CONTRACTION_ATTENTION_H
#define SHOAL_LIB_CODEGEN_GPU_CONTRACTION_ATTENTION_H

#include "Config.h"

namespace shoal::contraction {

/// What a gradient needs of a softmax's rows: their maxima, and one over their
/// sums (two numbers: a sum of two would lose the sum where the maximum is
/// large, as in rows that are masked with -1e9 all along).
enum class RowStatistic { Maximum, InverseSum };

/// Two contractions with a softmax between them. In `whole`, the root is the
/// second one; lhs is the queries (M x Inner), rhs the values (K x N); others
/// are the keys (K x Inner) and the scores as the softmax takes them (M x K),
/// made of the first one's result. The outputs are the second one's result,
/// then the statistics, in order.
struct Attention {
  Contraction whole;
  mlir::Operation *scoreRoot = nullptr;
  llvm::SmallVector<RowStatistic, 2> statistics;

  const Expression &queries() const { return whole.lhs; }
  const Expression &values() const { return whole.rhs; }
  const Expression &keys() const { return whole.others[0]; }
  const Expression &scores() const { return whole.others[1]; }
};

/// The ops of a softmax over one dimension, divide(exp(x - max x), sum).
struct Softmax {
  mlir::Value input;     ///< x
  int64_t dimension = 0; ///< of x
  mlir::Value exponentials, result;
  mlir::Operation *max = nullptr, *sum = nullptr; ///< the reductions
};

/// The softmax whose result `value` is, looking through conversions and moves;
/// none if it is none.
std::optional<Softmax> matchSoftmax(mlir::Value value);

/// Reads a kernel's body; none if it is no attention that the strategy knows.
std::optional<Attention> analyzeAttention(mlir::Block &body);

} // namespace shoal::contraction

#endif // SHOAL_LIB_CODEGEN_GPU_CONTRACTION_ATTENTION_H
