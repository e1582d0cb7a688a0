// Attaches all rules when their dialects load, and what the rules share.
#include "shoal/Analysis/ShardingRules.h"

#include "Models.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/DialectRegistry.h"

using namespace mlir;

namespace shoal {

void registerShardingRules(DialectRegistry &registry) {
  registry.addExtension(
      +[](MLIRContext *context, stablehlo::StablehloDialect *) {
        rules::attachElementwise(context);
        rules::attachShape(context);
        rules::attachSlicing(context);
        rules::attachContraction(context);
        rules::attachReduction(context);
        rules::attachIndexing(context);
        rules::attachLinearAlgebra(context);
        rules::attachCalls(context);
        rules::attachCollective(context);
      });
  registry.addExtension(+[](MLIRContext *context, chlo::ChloDialect *) {
    rules::attachChlo(context);
  });
}

namespace rules {

ShardingRule unrelated(Operation *op) { return RuleBuilder(op).build(); }

ShardingRule pointwise(Operation *op) {
  RuleBuilder builder(op);
  for (Value value : op->getResults())
    if (auto type = dyn_cast<ShapedType>(value.getType()))
      return builder.addPointwise(type.getShape()).build();
  return builder.build();
}

std::optional<ReductionKind> getReductionKind(Region &body) {
  if (!body.hasOneBlock())
    return std::nullopt;
  Block &block = body.front();
  if (block.getNumArguments() != 2 || block.getOperations().size() != 2)
    return std::nullopt;
  Operation &op = block.front();
  // A region may also hand an argument through; scatter's "set" is no kind.
  if (op.getNumOperands() != 2 || op.getNumResults() != 1 ||
      block.back().getNumOperands() != 1 ||
      block.back().getOperand(0) != op.getResult(0))
    return std::nullopt;
  Value a = block.getArgument(0), b = block.getArgument(1);
  bool both = (op.getOperand(0) == a && op.getOperand(1) == b) ||
              (op.getOperand(0) == b && op.getOperand(1) == a);
  if (!both)
    return std::nullopt;
  bool isBool = getElementTypeOrSelf(a.getType()).isInteger(1);
  return llvm::TypeSwitch<Operation *, std::optional<ReductionKind>>(&op)
      // On booleans addition is "or" and multiplication "and".
      .Case([&](stablehlo::AddOp) {
        return isBool ? ReductionKind::Or : ReductionKind::Add;
      })
      .Case([&](stablehlo::MulOp) {
        return isBool ? ReductionKind::And : ReductionKind::Mul;
      })
      .Case([&](stablehlo::MinOp) -> std::optional<ReductionKind> {
        if (isa<ComplexType>(getElementTypeOrSelf(a.getType())))
          return std::nullopt;
        return ReductionKind::Min;
      })
      .Case([&](stablehlo::MaxOp) -> std::optional<ReductionKind> {
        if (isa<ComplexType>(getElementTypeOrSelf(a.getType())))
          return std::nullopt;
        return ReductionKind::Max;
      })
      .Case([](stablehlo::AndOp) { return ReductionKind::And; })
      .Case([](stablehlo::OrOp) { return ReductionKind::Or; })
      .Case([](stablehlo::XorOp) { return ReductionKind::Xor; })
      .Default(std::nullopt);
}

} // namespace rules
} // namespace shoal
