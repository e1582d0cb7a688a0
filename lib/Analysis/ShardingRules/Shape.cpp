// Ops that place elements elsewhere without choosing among them: broadcast,
// transpose, reshape; and those that make tensors from nothing.
#include "Models.h"

#include "dialects/StableHLO/StableHLO.h"

#include <numeric>

using namespace mlir;
using namespace mlir::stablehlo;

namespace shoal::rules {
namespace {

//===----------------------------------------------------------------------===//
// broadcast_in_dim, broadcast, dynamic_broadcast_in_dim
//===----------------------------------------------------------------------===//

ShardingRule makeBroadcast(Operation *op, ArrayRef<int64_t> dims) {
  ArrayRef<int64_t> in = shapeOf(op->getOperand(0));
  ArrayRef<int64_t> out = shapeOf(op->getResult(0));
  RuleBuilder builder(op);
  // Operands after the first (a dynamic output shape) stay unrelated.
  auto add = [&](int64_t inDim, int64_t outDim, int64_t size) {
    int64_t factor = builder.createFactor(size);
    if (inDim != kNone)
      builder.mapOperand(0, inDim, factor);
    if (outDim != kNone)
      builder.mapResult(0, outDim, factor);
  };
  for (auto [outDim, size] : llvm::enumerate(out)) {
    const auto *it = llvm::find(dims, int64_t(outDim));
    int64_t inDim = it == dims.end() ? kNone : it - dims.begin();
    if (inDim != kNone && in[inDim] == 1 && size != 1) {
      // Stretched: the two sides share nothing.
      add(inDim, kNone, 1);
      inDim = kNone;
    }
    add(inDim, outDim, size);
  }
  return builder.movesData({0}).build();
}

ShardingRule broadcastInDimRule(BroadcastInDimOp op) {
  return makeBroadcast(op, op.getBroadcastDimensions());
}
ShardingRule dynamicBroadcastInDimRule(DynamicBroadcastInDimOp op) {
  return makeBroadcast(op, op.getBroadcastDimensions());
}
ShardingRule broadcastRule(BroadcastOp op) {
  SmallVector<int64_t> dims;
  int64_t added = rankOf(op.getResult()) - rankOf(op.getOperand());
  for (int64_t d = 0; d < rankOf(op.getOperand()); ++d)
    dims.push_back(added + d);
  return makeBroadcast(op, dims);
}

//===----------------------------------------------------------------------===//
// transpose
//===----------------------------------------------------------------------===//

ShardingRule transposeRule(TransposeOp op) {
  RuleBuilder builder(op);
  for (auto [outDim, inDim] : llvm::enumerate(op.getPermutation()))
    builder.add({inDim}, {int64_t(outDim)}, shapeOf(op.getOperand())[inDim]);
  return builder.movesData({0}).build();
}

//===----------------------------------------------------------------------===//
// reshape
//===----------------------------------------------------------------------===//

/// Walks both shapes from major to minor and cuts their dimensions into
/// factors. As long as the products of the factors so far are equal on both
/// sides, the greatest common divisor of what remains of the two current
/// dimensions is a factor they share. Where it is 1 the sides part, each gets
/// factors of its own, until the products meet again.
class ReshapeFactors {
public:
  ReshapeFactors(RuleBuilder &builder, ArrayRef<int64_t> in,
                 ArrayRef<int64_t> out)
      : builder(builder), in{in}, out{out} {}

  void run() {
    while (!in.done() || !out.done()) {
      if (in.atOne()) {
        map(in.dim++, kNone, 1);
        continue;
      }
      if (out.atOne()) {
        map(kNone, out.dim++, 1);
        continue;
      }
      in.open();
      out.open();
      int64_t common = std::gcd(in.rest(), out.rest());
      if (in.factors == out.factors) {
        if (common > 1) {
          map(in.dim, out.dim, common);
          in.factors *= common;
          out.factors *= common;
        } else {
          int64_t restIn = in.rest(), restOut = out.rest();
          map(in.dim, kNone, restIn);
          in.factors *= restIn;
          map(kNone, out.dim, restOut);
          out.factors *= restOut;
        }
      } else if (in.factors < out.factors) {
        int64_t size = in.catchUp(out, common);
        map(in.dim, kNone, size);
        in.factors *= size;
      } else {
        int64_t size = out.catchUp(in, common);
        map(kNone, out.dim, size);
        out.factors *= size;
      }
      in.close();
      out.close();
    }
  }

private:
  struct Side {
    ArrayRef<int64_t> shape;
    int64_t dim = 0;
    int64_t sizes = 1;   // Product of the dimensions begun.
    int64_t factors = 1; // Product of the factors made.
    bool done() const { return dim >= int64_t(shape.size()); }
    bool atOne() const { return !done() && shape[dim] == 1; }
    int64_t rest() const { return sizes / factors; }
    void open() {
      if (!done() && sizes == factors)
        sizes *= shape[dim];
    }
    void close() {
      if (!done() && sizes == factors)
        ++dim;
    }
    /// The next factor of the side that is behind: what makes the products
    /// meet if that divides; else what leaves the common divisor for later.
    int64_t catchUp(const Side &ahead, int64_t common) const {
      int64_t rest = this->rest();
      if (ahead.factors % factors == 0 && rest % (ahead.factors / factors) == 0)
        return ahead.factors / factors;
      return rest > common ? rest / common : rest;
    }
  };

  void map(int64_t inDim, int64_t outDim, int64_t size) {
    int64_t factor = builder.createFactor(size);
    if (inDim != kNone)
      builder.mapOperand(0, inDim, factor);
    if (outDim != kNone)
      builder.mapResult(0, outDim, factor);
  }

  RuleBuilder &builder;
  Side in, out;
};

ShardingRule makeReshape(Operation *op) {
  RuleBuilder builder(op);
  auto in = cast<ShapedType>(op->getOperand(0).getType());
  auto out = cast<ShapedType>(op->getResult(0).getType());
  // Without elements, or with unknown sizes, there is nothing to relate.
  if (in.hasStaticShape() && out.hasStaticShape() && in.getNumElements() != 0)
    ReshapeFactors(builder, in.getShape(), out.getShape()).run();
  return builder.movesData({0}).build();
}

ShardingRule reshapeRule(ReshapeOp op) { return makeReshape(op); }
ShardingRule dynamicReshapeRule(DynamicReshapeOp op) {
  return makeReshape(op);
}

} // namespace

void attachShape(MLIRContext *context) {
  attach<BroadcastInDimOp, broadcastInDimRule>(context);
  attach<DynamicBroadcastInDimOp, dynamicBroadcastInDimRule>(context);
  attach<BroadcastOp, broadcastRule>(context);
  attach<TransposeOp, transposeRule>(context);
  attach<ReshapeOp, reshapeRule>(context);
  attach<DynamicReshapeOp, dynamicReshapeRule>(context);
  // Each dimension of the result is its own index.
  attachAll<unrelated, ConstantOp, IotaOp, DynamicIotaOp, CreateTokenOp,
            AfterAllOp, GetDimensionSizeOp, SetDimensionSizeOp, RngOp>(context);
}

} // namespace shoal::rules
