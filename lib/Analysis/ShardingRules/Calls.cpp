// Calls into code we do not see: custom calls of known names, composites, and
// generators of random bits. A user's rule on the op or for its name wins over
// what is here (dialects/Shoal/ShardingRule.cpp looks for it).
#include "Models.h"

#include "dialects/StableHLO/StableHLO.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace mlir::stablehlo;

namespace shoal::rules {
namespace {

/// Every dimension is needed whole.
ShardingRule replicated(Operation *op) {
  RuleBuilder builder(op);
  for (auto [i, operand] : llvm::enumerate(op->getOperands()))
    if (auto type = dyn_cast<ShapedType>(operand.getType()))
      for (auto [d, size] : llvm::enumerate(type.getShape()))
        builder.mapOperand(
            i, d, builder.createFactor(size, FactorKind::NeedReplication));
  for (auto [i, result] : llvm::enumerate(op->getResults()))
    if (auto type = dyn_cast<ShapedType>(result.getType()))
      for (auto [d, size] : llvm::enumerate(type.getShape()))
        builder.mapResult(
            i, d, builder.createFactor(size, FactorKind::NeedReplication));
  return builder.build();
}

/// Dimensions that agree between the first operand and the first result are
/// shared by all tensors; along the others (top-k) the op needs all of it.
ShardingRule sharedWhereEqual(Operation *op) {
  if (op->getNumOperands() == 0 || op->getNumResults() == 0)
    return replicated(op);
  ArrayRef<int64_t> in = shapeOf(op->getOperand(0));
  ArrayRef<int64_t> out = shapeOf(op->getResult(0));
  if (in.size() != out.size())
    return replicated(op);
  RuleBuilder builder(op);
  for (auto [d, size] : llvm::enumerate(in)) {
    if (size == out[d]) {
      builder.addEverywhere(d, size);
      continue;
    }
    builder.mapOperand(0, d, builder.createFactor(size, FactorKind::Ordered));
  }
  return builder.build();
}

/// All but the last two dimensions are batch dimensions; of those two, entry
/// (t, i) of `last` says which dimension of tensor t (operands, then results)
/// is the input's dimension rank - 2 + i, counted from rank - 2; -1: none.
ShardingRule matrixCall(Operation *op,
                        ArrayRef<std::pair<int64_t, int64_t>> last) {
  if (op->getNumOperands() == 0 ||
      last.size() != op->getNumOperands() + op->getNumResults())
    return replicated(op);
  ArrayRef<int64_t> in = shapeOf(op->getOperand(0));
  if (in.size() < 2)
    return replicated(op);
  int64_t base = in.size() - 2;
  RuleBuilder builder(op);
  builder.addPointwise(in.drop_back(2));
  for (int64_t i = 0; i < 2; ++i) {
    int64_t factor =
        builder.createFactor(in[base + i], FactorKind::PassThrough);
    for (auto [t, dims] : llvm::enumerate(last)) {
      int64_t dim = i == 0 ? dims.first : dims.second;
      if (dim < 0)
        continue;
      if (t < op->getNumOperands())
        builder.mapOperand(t, base + dim, factor);
      else
        builder.mapResult(t - op->getNumOperands(), base + dim, factor);
    }
  }
  return builder.build();
}

/// Elementwise by their names' meaning; shapes must bear it out.
ShardingRule pointwiseCall(Operation *op) {
  if (op->getNumResults() == 0)
    return replicated(op);
  int64_t rank = rankOf(op->getResult(0));
  auto fits = [&](Value value) {
    auto type = dyn_cast<ShapedType>(value.getType());
    return type && (type.getRank() == rank || type.getRank() == 0);
  };
  if (!llvm::all_of(op->getOperands(), fits) ||
      !llvm::all_of(op->getResults(), fits))
    return replicated(op);
  return pointwise(op);
}

ShardingRule customCallRule(CustomCallOp op) {
  StringRef target = op.getCallTargetName();
  enum Kind { Pointwise, Top, Eigh, Qr, Householder, Unknown };
  Kind kind =
      llvm::StringSwitch<Kind>(target)
          .Cases({"annotate_device_placement", "Cholesky", "CompactWyHelper",
                  "InvertDiagBlocksLowerTriangular",
                  "InvertDiagBlocksUpperTriangular", "LayoutConstraint",
                  "MoveToDevice", "MoveToHost", "mhlo.erf", "X64Combine",
                  "Sharding"},
                 Pointwise)
          .Cases({"mhlo.topk", "TopK", "ApproxTopK", "PartialReduce"}, Top)
          .Case("Eigh", Eigh)
          .Cases({"Qr", "QrDecompositionBlock"}, Qr)
          .Case("ProductOfElementaryHouseholderReflectors", Householder)
          .Default(Unknown);
  switch (kind) {
  case Pointwise:
    return pointwiseCall(op);
  case Top:
    return sharedWhereEqual(op);
  case Eigh: // Eigenvectors (n, n) and eigenvalues (n).
    return matrixCall(op, {{0, 1}, {0, 1}, {-1, 0}});
  case Qr: // Q like the input; the reflectors' scales are of no dimension.
    return matrixCall(op, {{0, 1}, {0, 1}, {-1, -1}});
  case Householder:
    return matrixCall(op, {{0, 1}, {-1, -1}, {0, 1}});
  case Unknown:
    break;
  }
  return replicated(op);
}

ShardingRule compositeRule(CompositeOp op) { return replicated(op); }

/// The bits at a place depend on the place: any part can be made alone.
ShardingRule rngBitGeneratorRule(RngBitGeneratorOp op) {
  RuleBuilder builder(op);
  for (auto [d, size] : llvm::enumerate(shapeOf(op.getInitialState()))) {
    int64_t state = builder.createFactor(size, FactorKind::NeedReplication);
    builder.mapOperand(0, d, state).mapResult(0, d, state);
    builder.last().blocked = true;
  }
  return builder.build();
}

} // namespace

void attachCalls(MLIRContext *context) {
  attach<CustomCallOp, customCallRule>(context);
  attach<CompositeOp, compositeRule>(context);
  attach<RngBitGeneratorOp, rngBitGeneratorRule>(context);
  attachAll<unrelated, InfeedOp, OutfeedOp, SendOp, RecvOp>(context);
}

} // namespace shoal::rules
