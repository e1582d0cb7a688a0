// Writes batch normalisation as elementwise operations and reductions, by the
// formulas of the StableHLO specification. Done before propagation, so that a
// batch that is sharded gives partial sums like any other reduction.
#include "shoal/Import/Passes.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

namespace shoal {
#define GEN_PASS_DEF_DECOMPOSEBATCHNORMPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

namespace {

/// Values per feature (rank 1) and values of the operand's shape.
class Normalizer {
public:
  Normalizer(Operation *op, Value operand, int64_t feature)
      : builder(op), loc(op->getLoc()),
        type(cast<RankedTensorType>(operand.getType())), feature(feature) {
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (d != feature)
        others.push_back(d);
  }

  Value add(Value a, Value b) {
    return stablehlo::AddOp::create(builder, loc, a, b);
  }
  Value sub(Value a, Value b) {
    return stablehlo::SubtractOp::create(builder, loc, a, b);
  }
  Value mul(Value a, Value b) {
    return stablehlo::MulOp::create(builder, loc, a, b);
  }
  Value div(Value a, Value b) {
    return stablehlo::DivOp::create(builder, loc, a, b);
  }
  Value sqrt(Value a) { return stablehlo::SqrtOp::create(builder, loc, a); }

  /// A splat of the type of `like`.
  Value constant(double value, Value like) {
    auto tensor = cast<RankedTensorType>(like.getType());
    return stablehlo::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(
            tensor, builder.getFloatAttr(type.getElementType(), value)));
  }
  /// A value per feature, at every place of the feature.
  Value spread(Value perFeature) {
    return stablehlo::BroadcastInDimOp::create(
        builder, loc, type, perFeature,
        builder.getDenseI64ArrayAttr({feature}));
  }
  /// The sum per feature.
  Value sum(Value value) {
    auto scalar = RankedTensorType::get({}, type.getElementType());
    Value zero = stablehlo::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(
            scalar, builder.getFloatAttr(type.getElementType(), 0.0)));
    auto result = RankedTensorType::get({type.getDimSize(feature)},
                                        type.getElementType());
    auto reduce = stablehlo::ReduceOp::create(
        builder, loc, TypeRange{result}, ValueRange{value}, ValueRange{zero},
        builder.getDenseI64ArrayAttr(others));
    OpBuilder::InsertionGuard guard(builder);
    Block *body = builder.createBlock(&reduce.getBody(), {}, {scalar, scalar},
                                      {loc, loc});
    Value both = add(body->getArgument(0), body->getArgument(1));
    stablehlo::ReturnOp::create(builder, loc, both);
    return reduce->getResult(0);
  }
  /// How many elements each feature has.
  double count() {
    double product = 1;
    for (int64_t d : others)
      product *= type.getDimSize(d);
    return product;
  }
  Value mean(Value value) {
    Value total = sum(value);
    return div(total, constant(count(), total));
  }
  /// sqrt(variance + epsilon), per feature.
  Value deviation(Value variance, double epsilon) {
    return sqrt(add(variance, constant(epsilon, variance)));
  }
  Value normalize(Value operand, Value scale, Value offset, Value mean,
                  Value variance, double epsilon) {
    Value centered = sub(operand, spread(mean));
    Value scaled = mul(spread(scale), centered);
    return add(div(scaled, spread(deviation(variance, epsilon))),
               spread(offset));
  }

private:
  OpBuilder builder;
  Location loc;
  RankedTensorType type;
  int64_t feature;
  SmallVector<int64_t> others;
};

void decompose(stablehlo::BatchNormInferenceOp op) {
  Normalizer n(op, op.getOperand(), op.getFeatureIndex());
  op->getResult(0).replaceAllUsesWith(
      n.normalize(op.getOperand(), op.getScale(), op.getOffset(), op.getMean(),
                  op.getVariance(), op.getEpsilon().convertToDouble()));
}

void decompose(stablehlo::BatchNormTrainingOp op) {
  Normalizer n(op, op.getOperand(), op.getFeatureIndex());
  Value mean = n.mean(op.getOperand());
  Value centered = n.sub(op.getOperand(), n.spread(mean));
  Value variance = n.mean(n.mul(centered, centered));
  op->getResult(0).replaceAllUsesWith(
      n.normalize(op.getOperand(), op.getScale(), op.getOffset(), mean,
                  variance, op.getEpsilon().convertToDouble()));
  op->getResult(1).replaceAllUsesWith(mean);
  op->getResult(2).replaceAllUsesWith(variance);
}

void decompose(stablehlo::BatchNormGradOp op) {
  Normalizer n(op, op.getOperand(), op.getFeatureIndex());
  double epsilon = op.getEpsilon().convertToDouble();
  Value variance = op.getVariance(), gradient = op.getGradOutput();
  Value centered = n.sub(op.getOperand(), n.spread(op.getMean()));
  Value deviation = n.deviation(variance, epsilon);
  Value gradOffset = n.sum(gradient);
  Value correlation = n.sum(n.mul(gradient, centered));
  // scale / deviation / count *
  //   (count * gradient - sum(gradient) - centered * correlation / variance)
  Value counts = n.constant(n.count(), gradient);
  Value shift = n.spread(
      n.div(correlation, n.add(variance, n.constant(epsilon, variance))));
  Value inner = n.sub(n.sub(n.mul(counts, gradient), n.spread(gradOffset)),
                      n.mul(centered, shift));
  Value factor =
      n.div(n.div(op.getScale(), deviation), n.constant(n.count(), deviation));
  op->getResult(0).replaceAllUsesWith(n.mul(n.spread(factor), inner));
  op->getResult(1).replaceAllUsesWith(n.div(correlation, deviation));
  op->getResult(2).replaceAllUsesWith(gradOffset);
}

struct DecomposeBatchNormPass
    : shoal::impl::DecomposeBatchNormPassBase<DecomposeBatchNormPass> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa<stablehlo::BatchNormInferenceOp, stablehlo::BatchNormTrainingOp,
              stablehlo::BatchNormGradOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      if (!cast<RankedTensorType>(op->getOperand(0).getType())
               .hasStaticShape()) {
        op->emitError("batch normalisation needs a static shape");
        return signalPassFailure();
      }
      if (auto inference = dyn_cast<stablehlo::BatchNormInferenceOp>(op))
        decompose(inference);
      else if (auto training = dyn_cast<stablehlo::BatchNormTrainingOp>(op))
        decompose(training);
      else
        decompose(cast<stablehlo::BatchNormGradOp>(op));
      op->erase();
    }
  }
};
} // namespace
