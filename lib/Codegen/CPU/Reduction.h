// The parts of a reduce op that all its code shares.
#ifndef SHOAL_LIB_CODEGEN_CPU_REDUCTION_H
#define SHOAL_LIB_CODEGEN_CPU_REDUCTION_H

#include "KernelEmitter.h"

#include "dialects/StableHLO/StableHLO.h"

namespace shoal::cpu {

struct Reduction {
  explicit Reduction(mlir::stablehlo::ReduceOp op);

  mutable mlir::stablehlo::ReduceOp op; // accessors of ops are not const
  /// Reduced dimensions of the operands, ascending; their extents; the others.
  llvm::SmallVector<int64_t> dims, reducedShape, keptDims;
  /// Element types of the accumulators: f32 for narrow floats where the body
  /// is one addition or multiplication, which then rounds once, at the end.
  llvm::SmallVector<mlir::Type> accumulatorTypes;
  /// The op of a body of the form op(arg0, arg1), else null.
  mlir::Operation *simpleOp = nullptr;

  /// Index of the operands from those of the kept and of the reduced dims.
  Index operandIndex(llvm::ArrayRef<IndexExpr> kept,
                     llvm::ArrayRef<IndexExpr> reduced) const;

  /// The initial values as carriers of the accumulator types.
  llvm::SmallVector<Scalar> initial(ElementEmitter &e) const;
  /// accumulated combined with the operands' elements at `index`.
  llvm::SmallVector<Scalar> combine(ElementEmitter &e,
                                    llvm::ArrayRef<Scalar> accumulated,
                                    llvm::ArrayRef<IndexExpr> index) const;
  /// Accumulators as carriers of the results' types.
  llvm::SmallVector<Scalar> round(ElementEmitter &e,
                                  llvm::ArrayRef<Scalar> accumulated) const;

  llvm::SmallVector<Variable> start(ElementEmitter &e) const;
  void step(ElementEmitter &e, llvm::ArrayRef<Variable> accumulators,
            llvm::ArrayRef<IndexExpr> index) const;
  llvm::SmallVector<Scalar>
  finish(ElementEmitter &e, llvm::ArrayRef<Variable> accumulators) const;

private:
  bool isWidened() const;
};

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_REDUCTION_H
