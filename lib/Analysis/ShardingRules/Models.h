// How the files of this folder attach rules: one function per op, wrapped into
// an external model of ShardableOpInterface.
#ifndef LIB_ANALYSIS_SHARDINGRULES_MODELS_H
#define LIB_ANALYSIS_SHARDINGRULES_MODELS_H

#include "dialects/Shoal/Shoal.h"

namespace mlir::stablehlo {
class ConvolutionOp;
class ReduceWindowOp;
} // namespace mlir::stablehlo

namespace shoal::rules {

template <typename Op, ShardingRule (*makeRule)(Op)>
struct Model
    : ShardableOpInterface::ExternalModel<Model<Op, makeRule>, Op> {
  ShardingRule getShardingRule(mlir::Operation *op) const {
    return makeRule(llvm::cast<Op>(op));
  }
};

template <typename Op, ShardingRule (*makeRule)(Op)>
void attach(mlir::MLIRContext *context) {
  Op::template attachInterface<Model<Op, makeRule>>(*context);
}

/// The same for rules that look at the generic operation only.
template <typename Op, ShardingRule (*makeRule)(mlir::Operation *)>
struct GenericModel
    : ShardableOpInterface::ExternalModel<GenericModel<Op, makeRule>, Op> {
  ShardingRule getShardingRule(mlir::Operation *op) const {
    return makeRule(op);
  }
};
template <ShardingRule (*makeRule)(mlir::Operation *), typename... Ops>
void attachAll(mlir::MLIRContext *context) {
  (Ops::template attachInterface<GenericModel<Ops, makeRule>>(*context), ...);
}

constexpr int64_t kNone = RuleBuilder::kNone;
constexpr uint8_t kAdd = kindBit(static_cast<ReductionKind>(0));

inline llvm::ArrayRef<int64_t> shapeOf(mlir::Value value) {
  return llvm::cast<mlir::ShapedType>(value.getType()).getShape();
}
inline int64_t rankOf(mlir::Value value) {
  return llvm::cast<mlir::ShapedType>(value.getType()).getRank();
}

/// A rule in which nothing is shared between tensors.
ShardingRule unrelated(mlir::Operation *op);
/// Dimension d of all tensors (but scalars) is one factor.
ShardingRule pointwise(mlir::Operation *op);
/// The closed kind that a reducer region computes, if it is one operation on
/// its two arguments; nullopt for any other body.
std::optional<ReductionKind> getReductionKind(mlir::Region &body);

/// Whether the type's elements (real ones) may be infinite at all.
bool hasInfinity(mlir::Type type);
/// Whether it is known that no element is infinite (NaN may be): what a value
/// is multiplied by, if its parts are multiplied one by one and then added.
bool isNeverInfinite(mlir::Value value);
/// The same, and none is zero: constants that one may divide by.
bool isNeverZeroNorInfinite(mlir::Value value);

/// A product is linear in each factor, unless both are the same value or the
/// other one may be infinite.
void passProduct(RuleBuilder &builder, mlir::Value lhs, mlir::Value rhs);

/// The rules that forms follow where they differ from those that shardings
/// propagate by (see getFormRule).
ShardingRule convolutionFormRule(mlir::stablehlo::ConvolutionOp op);
ShardingRule reduceWindowFormRule(mlir::stablehlo::ReduceWindowOp op);

void attachElementwise(mlir::MLIRContext *context);
void attachShape(mlir::MLIRContext *context);
void attachSlicing(mlir::MLIRContext *context);
void attachContraction(mlir::MLIRContext *context);
void attachReduction(mlir::MLIRContext *context);
void attachIndexing(mlir::MLIRContext *context);
void attachLinearAlgebra(mlir::MLIRContext *context);
void attachCalls(mlir::MLIRContext *context);
void attachCollective(mlir::MLIRContext *context);
void attachChlo(mlir::MLIRContext *context);

} // namespace shoal::rules

#endif // LIB_ANALYSIS_SHARDINGRULES_MODELS_H
