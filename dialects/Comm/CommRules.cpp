// Sharding rules of collectives inside shoal.manual: there the mesh still has
// free axes, along which they are elementwise but for the dimensions that they
// cut or join. Those are needed whole: a block of a joined dimension is no
// block of any part.
#include "dialects/Comm/Comm.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::comm;

/// Dimension d of operand 0 and the result is one index, but for those listed.
static ShardingRule makeRule(Operation *op, ArrayRef<int64_t> whole,
                             uint8_t kinds) {
  RuleBuilder builder(op);
  ArrayRef<int64_t> shape =
      cast<ShapedType>(op->getOperand(0).getType()).getShape();
  for (auto [d, size] : llvm::enumerate(shape)) {
    if (!llvm::is_contained(whole, int64_t(d))) {
      int64_t factor = builder.createFactor(size);
      builder.mapOperand(0, d, factor).mapResult(0, d, factor);
      continue;
    }
    int64_t resultSize =
        cast<ShapedType>(op->getResult(0).getType()).getDimSize(d);
    builder.mapOperand(0, d,
                       builder.createFactor(size, FactorKind::NeedReplication));
    builder.mapResult(
        0, d, builder.createFactor(resultSize, FactorKind::NeedReplication));
  }
  return builder.passPartial(kinds, {0}).build();
}

ShardingRule AllGatherOp::getShardingRule() {
  return makeRule(*this, {static_cast<int64_t>(getDim())}, kAnyKind);
}
ShardingRule ReduceScatterOp::getShardingRule() {
  return makeRule(*this, {static_cast<int64_t>(getDim())}, kindBit(getKind()));
}
ShardingRule AllReduceOp::getShardingRule() {
  return makeRule(*this, {}, kindBit(getKind()));
}
ShardingRule AllToAllOp::getShardingRule() {
  return makeRule(*this,
                  {static_cast<int64_t>(getSplitDim()),
                   static_cast<int64_t>(getConcatDim())},
                  kAnyKind);
}
ShardingRule AllSliceOp::getShardingRule() {
  return makeRule(*this, {static_cast<int64_t>(getDim())}, kAnyKind);
}
ShardingRule HaloOp::getShardingRule() {
  return makeRule(*this, {static_cast<int64_t>(getDim())}, 0);
}
ShardingRule ReblockOp::getShardingRule() {
  return makeRule(*this, {static_cast<int64_t>(getDim())}, 0);
}
ShardingRule PermuteOp::getShardingRule() {
  return makeRule(*this, {}, kAnyKind);
}
ShardingRule BroadcastOp::getShardingRule() {
  return makeRule(*this, {}, kAnyKind);
}

/// Rows are addressed by data; the other dimensions of `input`, `output` and
/// the result are one index.
ShardingRule RaggedAllToAllOp::getShardingRule() {
  RuleBuilder builder(*this);
  auto output = cast<ShapedType>(getOutput().getType());
  for (int64_t d = 1; d < output.getRank(); ++d) {
    int64_t factor = builder.createFactor(output.getDimSize(d));
    builder.mapOperand(0, d, factor)
        .mapOperand(1, d, factor)
        .mapResult(0, d, factor);
  }
  int64_t rows =
      builder.createFactor(output.getDimSize(0), FactorKind::NeedReplication);
  builder.mapOperand(1, 0, rows).mapResult(0, 0, rows);
  builder.mapOperand(
      0, 0,
      builder.createFactor(cast<ShapedType>(getInput().getType()).getDimSize(0),
                           FactorKind::NeedReplication));
  return builder.build();
}

ShardingRule SendOp::getShardingRule() { return RuleBuilder(*this).build(); }
ShardingRule RecvOp::getShardingRule() { return RuleBuilder(*this).build(); }
