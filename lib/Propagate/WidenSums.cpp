// shoal-widen-sums: sums of floats narrower than 16 bits are f32 until they are
// complete.
#include "shoal/Analysis/ScalarBodies.h"
#include "shoal/Propagate/Passes.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/Shoal/ShardingRule.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

namespace shoal {
#define GEN_PASS_DEF_WIDENSUMSPASS
#include "shoal/Propagate/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace mlir::stablehlo;

static Type widen(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return tensor.clone(Float32Type::get(type.getContext()));
}

/// A body of one addition or multiplication.
static Operation *getSingleOp(Region &body) {
  Block &block = body.front();
  Operation *op = block.getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<AddOp, MulOp>(op) || block.getNumArguments() != 2 ||
      !((op->getOperand(0) == block.getArgument(0) &&
         op->getOperand(1) == block.getArgument(1)) ||
        (op->getOperand(0) == block.getArgument(1) &&
         op->getOperand(1) == block.getArgument(0))))
    return nullptr;
  return op;
}

/// The op with its result in f32, and the result converted back.
static void widenResult(Operation *op) {
  OpBuilder builder(op->getContext());
  builder.setInsertionPointAfter(op);
  Value result = op->getResult(0);
  Type narrow = result.getType();
  result.setType(widen(narrow));
  auto convert = ConvertOp::create(builder, op->getLoc(), narrow, result);
  // What is said of the result holds for both.
  if (Attribute shardings = op->getAttr(shoal::ShoalDialect::kShardingsAttr))
    convert->setAttr(shoal::ShoalDialect::kShardingsAttr, shardings);
  result.replaceAllUsesExcept(convert, convert);
}

static void widenReduce(ReduceOp op) {
  Operation *inner = getSingleOp(op.getBody());
  if (op.getInputs().size() != 1 || !inner)
    return;
  OpBuilder builder(op);
  for (OpOperand &operand : op->getOpOperands()) {
    shoal::ShardingAttr sharding = shoal::getSharding(operand.get());
    auto convert = ConvertOp::create(
        builder, op.getLoc(), widen(operand.get().getType()), operand.get());
    if (sharding)
      shoal::setShardings(convert, {sharding});
    operand.set(convert);
  }
  auto scalar = RankedTensorType::get({}, builder.getF32Type());
  for (BlockArgument argument : op.getBody().front().getArguments())
    argument.setType(scalar);
  inner->getResult(0).setType(scalar);
  widenResult(op);
}

namespace {
struct WidenSumsPass : shoal::impl::WidenSumsPassBase<WidenSumsPass> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<ReduceOp, DotGeneralOp, ConvolutionOp>(op) &&
          shoal::isRoundedFloat(op->getResult(0).getType()))
        ops.push_back(op);
    });
    for (Operation *op : ops)
      if (auto reduce = dyn_cast<ReduceOp>(op))
        widenReduce(reduce);
      else
        widenResult(op);
  }
};
} // namespace
