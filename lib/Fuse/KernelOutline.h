// A kernel's body, made from ops of a block.
#ifndef SHOAL_LIB_FUSE_KERNELOUTLINE_H
#define SHOAL_LIB_FUSE_KERNELOUTLINE_H

#include "AttentionPattern.h"

#include "dialects/Plan/Plan.h"

#include "mlir/IR/IRMapping.h"

namespace shoal {

/// Copies ops into a body; what they need from outside becomes its arguments.
/// Each function gives the copy of a value, which it makes once.
class KernelOutline {
public:
  KernelOutline(mlir::Location loc, mlir::MLIRContext *context)
      : builder(context), loc(loc) {
    builder.setInsertionPointToEnd(&body);
  }

  /// An argument that comes from `value`, or from elsewhere (null).
  mlir::Value argument(mlir::Type type, mlir::Value value);
  /// A product's operand: as it was before it was moved.
  mlir::Value operand(mlir::Value value);
  /// Something beside the scores: made again if it comes from little.
  mlir::Value side(mlir::Value value);
  /// What is made from `root` (copied already), element by element.
  mlir::Value path(mlir::Value value, mlir::Operation *root);
  mlir::Value product(mlir::stablehlo::DotGeneralOp dot);
  mlir::Value clone(mlir::Operation *op);

  /// The output of attention, where the block does not compute it.
  mlir::Value output(mlir::Value probabilities, mlir::Value values,
                     const AttentionPattern &pattern);

  mlir::RankedTensorType f32(llvm::ArrayRef<int64_t> shape) {
    return mlir::RankedTensorType::get(shape, builder.getF32Type());
  }
  mlir::Value convert(mlir::Value value, mlir::Type element);
  /// Of f32.
  mlir::Value splat(llvm::ArrayRef<int64_t> shape, double value);
  /// Along dimensions, which the result does not have; of f32.
  template <typename Op>
  mlir::Value reduce(mlir::Value value, llvm::ArrayRef<int64_t> dimensions,
                     double start);
  /// A number of each row, for all along a dimension.
  mlir::Value repeat(mlir::Value row, mlir::Value like, int64_t dimension);

  /// A kernel of the module that yields these, if the strategy for attention
  /// makes code for it.
  plan::KernelOp finish(mlir::ModuleOp module, llvm::StringRef name,
                        mlir::ValueRange results);

  mlir::OpBuilder builder;
  mlir::Location loc;
  mlir::Block body;
  mlir::IRMapping map;
  /// Where the arguments come from.
  llvm::SmallVector<mlir::Value> inputs;

private:
  mlir::Value input(mlir::Value value);
  bool isCheap(mlir::Value value, unsigned depth);
  bool dependsOn(mlir::Operation *op, mlir::Operation *root);

  llvm::DenseMap<std::pair<mlir::Operation *, mlir::Operation *>, bool> depends;
};

template <typename Op>
mlir::Value KernelOutline::reduce(mlir::Value value,
                                  llvm::ArrayRef<int64_t> dimensions,
                                  double start) {
  llvm::SmallVector<int64_t> shape;
  for (auto [d, size] : llvm::enumerate(
           mlir::cast<mlir::ShapedType>(value.getType()).getShape()))
    if (!llvm::is_contained(dimensions, int64_t(d)))
      shape.push_back(size);
  auto reduce = mlir::stablehlo::ReduceOp::create(
      builder, loc, mlir::TypeRange(f32(shape)), mlir::ValueRange(value),
      mlir::ValueRange(splat({}, start)),
      builder.getDenseI64ArrayAttr(dimensions));
  mlir::stablehlo::buildReduceBody<Op>(builder.getF32Type(), reduce.getBody(),
                                       builder);
  return reduce->getResult(0);
}

} // namespace shoal

#endif // SHOAL_LIB_FUSE_KERNELOUTLINE_H
