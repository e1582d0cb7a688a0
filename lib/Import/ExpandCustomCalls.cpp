// Expresses custom calls that XLA's front ends print for plain operations.
#include "FactorizationCalls.h"

#include "shoal/Import/Passes.h"
#include "shoal/Support/TensorTypes.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/StringSwitch.h"

namespace shoal {
#define GEN_PASS_DEF_EXPANDCUSTOMCALLSPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace mlir::stablehlo;
using shoal::typeOf;
using shoal::typeOrNull;

/// An attribute of the call itself or of one of its attribute dictionaries.
template <typename AttrT> static AttrT lookup(CustomCallOp op, StringRef name) {
  if (auto attr = op->getAttrOfType<AttrT>(name))
    return attr;
  for (StringRef nested :
       {"mhlo.backend_config", "mhlo.attributes", "backend_config"})
    if (auto dict = op->getAttrOfType<DictionaryAttr>(nested))
      if (auto attr = dict.getAs<AttrT>(name))
        return attr;
  return {};
}

/// ApproxTopK(values…, initial values…): sorted by the called comparator and
/// cut off, which is what XLA itself does off TPUs.
static bool expandApproxTopK(CustomCallOp op, OpBuilder &builder,
                             SmallVectorImpl<Value> &results) {
  auto dim = lookup<IntegerAttr>(op, "reduction_dim");
  auto called = op.getCalledComputations();
  size_t count = op.getNumResults();
  if (!dim || !called || called.size() != 1 || !count ||
      op.getNumOperands() != 2 * count)
    return false;
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      op, cast<FlatSymbolRefAttr>(called[0]));
  if (!callee || callee.isExternal() || callee.getNumArguments() != 2 * count)
    return false;
  int64_t d = dim.getInt();
  for (size_t i = 0; i < count; ++i) {
    auto from = typeOrNull(op->getOperand(i)),
         to = typeOrNull(op->getResult(i));
    if (!from || !to || d < 0 || d >= from.getRank() ||
        to.getRank() != from.getRank() ||
        to.getDimSize(d) > from.getDimSize(d))
      return false;
  }
  Location loc = op.getLoc();
  auto values = op->getOperands().take_front(count);
  auto sort =
      SortOp::create(builder, loc, TypeRange(values), values,
                     builder.getI64IntegerAttr(d), builder.getBoolAttr(true));
  {
    OpBuilder::InsertionGuard guard(builder);
    Block &source = callee.getBody().front();
    Block *body = builder.createBlock(&sort.getComparator());
    IRMapping mapping;
    for (BlockArgument arg : source.getArguments())
      mapping.map(arg, body->addArgument(arg.getType(), loc));
    for (Operation &inner : source.without_terminator())
      builder.clone(inner, mapping);
    SmallVector<Value> yields;
    for (Value value : source.getTerminator()->getOperands())
      yields.push_back(mapping.lookup(value));
    ReturnOp::create(builder, loc, yields);
  }
  for (size_t i = 0; i < count; ++i) {
    auto from = typeOf(values[i]), to = typeOf(op->getResult(i));
    SmallVector<int64_t> start(from.getRank(), 0), step(from.getRank(), 1);
    results.push_back(SliceOp::create(
        builder, loc, to, sort.getResult(i), builder.getDenseI64ArrayAttr(start),
        builder.getDenseI64ArrayAttr(to.getShape()),
        builder.getDenseI64ArrayAttr(step)));
  }
  return true;
}

/// topk(x): the largest or smallest along the last dimension, and indices.
static bool expandTopK(CustomCallOp op, OpBuilder &builder,
                       SmallVectorImpl<Value> &results) {
  auto from =
      op.getNumOperands() == 1 ? typeOrNull(op->getOperand(0)) : nullptr;
  auto to = op.getNumResults() == 2 ? typeOrNull(op->getResult(0)) : nullptr;
  auto index = op.getNumResults() == 2 ? typeOrNull(op->getResult(1)) : nullptr;
  auto largest = lookup<BoolAttr>(op, "largest");
  if (!from || !to || !index || !from.getRank() ||
      !index.getElementType().isInteger(32) ||
      (largest && !largest.getValue()))
    return false;
  auto top = chlo::TopKOp::create(
      builder, op.getLoc(), TypeRange(op.getResultTypes()), op->getOperand(0),
      builder.getI64IntegerAttr(to.getShape().back()));
  results.append(top->result_begin(), top->result_end());
  return true;
}

static bool expand(CustomCallOp op, OpBuilder &builder,
                   SmallVectorImpl<Value> &results) {
  StringRef target = op.getCallTargetName();
  if (target == "ApproxTopK")
    return expandApproxTopK(op, builder, results);
  if (target == "mhlo.topk" || target == "TopK")
    return expandTopK(op, builder, results);
  if (target == "mhlo.erf" && op.getNumOperands() == 1 &&
      op.getNumResults() == 1 &&
      op->getOperand(0).getType() == op->getResult(0).getType()) {
    results.push_back(
        chlo::ErfOp::create(builder, op.getLoc(), op->getOperand(0)));
    return true;
  }
  if (shoal::expandFactorization(op, builder, results))
    return true;
  // Where a value lies, not what it is.
  bool isPlacement =
      llvm::StringSwitch<bool>(target)
          .Cases({"annotate_device_placement", "MoveToHost", "MoveToDevice",
                  "LayoutConstraint", "PinToDevice", "Unpin"},
                 true)
          .Default(false);
  if (!isPlacement || op.getNumOperands() != 1 || op.getNumResults() != 1 ||
      op->getOperand(0).getType() != op->getResult(0).getType())
    return false;
  results.push_back(op->getOperand(0));
  return true;
}

namespace {
struct ExpandCustomCallsPass
    : shoal::impl::ExpandCustomCallsPassBase<ExpandCustomCallsPass> {
  void runOnOperation() override {
    SmallVector<CustomCallOp> ops;
    getOperation().walk([&](CustomCallOp op) { ops.push_back(op); });
    for (CustomCallOp op : ops) {
      OpBuilder builder(op);
      SmallVector<Value> results;
      if (!expand(op, builder, results))
        continue;
      op->replaceAllUsesWith(results);
      op->erase();
    }
  }
};
} // namespace
