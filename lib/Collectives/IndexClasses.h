// Which dimensions of a function's values are one and the same index: the batch
// from the tokens to the loss and back to the gradients.
#ifndef SHOAL_COLLECTIVES_INDEXCLASSES_H
#define SHOAL_COLLECTIVES_INDEXCLASSES_H

#include "dialects/Shoal/ShardingRule.h"
#include "dialects/Shoal/Shoal.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

#include <functional>

namespace shoal {

/// A factor of an op along which it can be computed in contiguous parts, each
/// from the same part of its operands; results that lack it are then combined.
struct PartFactor {
  int64_t size = 0;
  bool reduces = false;
  std::optional<ReductionKind> reduction;
  /// (operand, dimension), (result, dimension); the factor is the major one.
  llvm::SmallVector<std::pair<unsigned, unsigned>, 3> operands, results;
};

/// The op's factors of that kind. None for ops whose parts would not be ops of
/// the same sort (calls, random bits), and for those that pass values on by
/// control flow.
llvm::SmallVector<PartFactor> partFactorsOf(mlir::Operation *op);

/// Classes of (value, dimension) that factors, loops and branches connect.
/// Dimensions along which a value is the same everywhere by its making (splat
/// constants, broadcasts) connect nothing: a copy of any size can be made.
class IndexClasses {
public:
  /// What connects: factors of ops, and what a loop carries, a branch yields or
  /// a barrier passes on, by the number of the result. (All, where empty.)
  struct Filter {
    std::function<bool(mlir::Operation *, const PartFactor &)> factor;
    std::function<bool(mlir::Operation *, unsigned)> flow;
  };
  explicit IndexClasses(mlir::func::FuncOp func, Filter filter = {});

  /// Equal for dimensions of one class; -1 for free dimensions and scalars.
  int64_t classOf(mlir::Value value, unsigned dim) const;
  bool isFree(mlir::Value value, unsigned dim) const {
    return free.contains({value, dim});
  }
  /// The factor of the op that makes a free value which is that dimension, and
  /// by which all its operands are free.
  const PartFactor &freeFactorOf(mlir::OpResult value, unsigned dim) const {
    return factorsOf(value.getOwner())[free.at({value, dim})];
  }
  llvm::ArrayRef<PartFactor> factorsOf(mlir::Operation *op) const;
  /// The op's factor whose dimensions are in the class; null if none is.
  const PartFactor *factorIn(mlir::Operation *op, int64_t number) const;

  /// Of each value with a dimension in the class, that dimension. Nothing if
  /// the class is no single index: a value has it twice, or an op does.
  std::optional<llvm::DenseMap<mlir::Value, unsigned>>
  dimsIn(int64_t number) const;

private:
  using ValueDim = std::pair<mlir::Value, unsigned>;
  unsigned numberOf(ValueDim place);
  unsigned rootOf(unsigned number) const;
  void connect(llvm::ArrayRef<ValueDim> places);
  void connectValues(llvm::ArrayRef<mlir::Value> values);
  void visit(mlir::Block &block);
  void visit(mlir::Operation *op);

  Filter filter;
  llvm::DenseMap<ValueDim, unsigned> numbers;
  mutable llvm::SmallVector<unsigned> parents;
  llvm::DenseMap<ValueDim, unsigned> free; ///< the factor's number
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<PartFactor>> factors;
};

} // namespace shoal

#endif // SHOAL_COLLECTIVES_INDEXCLASSES_H
