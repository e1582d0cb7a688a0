#include "shoal/Support/StackValues.h"

using namespace mlir;
using stablehlo::WhileOp;

namespace shoal {

static RankedTensorType stackOf(Type type, int64_t rows) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape{rows};
  llvm::append_range(shape, tensor.getShape());
  return RankedTensorType::get(shape, tensor.getElementType());
}

Value zeroOf(OpBuilder &b, Location loc, RankedTensorType type) {
  if (auto complex = dyn_cast<ComplexType>(type.getElementType())) {
    APFloat zero = APFloat::getZero(
        cast<FloatType>(complex.getElementType()).getFloatSemantics());
    return stablehlo::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(type, std::complex<APFloat>(zero, zero)));
  }
  return stablehlo::ConstantOp::create(b, loc,
                                       cast<ElementsAttr>(b.getZeroAttr(type)));
}

/// Where a row begins: zero in all other dimensions.
static SmallVector<Value> startsAt(OpBuilder &b, Location loc, Value index,
                                   int64_t rank) {
  SmallVector<Value> starts(
      rank, zeroOf(b, loc, cast<RankedTensorType>(index.getType())));
  starts[0] = index;
  return starts;
}

WhileOp stackValues(WhileOp loop, ValueRange values, Value index,
                    int64_t rows) {
  OpBuilder b(loop);
  Location loc = loop.getLoc();
  SmallVector<Value> stacks;
  for (Value value : values) {
    RankedTensorType type = stackOf(value.getType(), rows);
    Value zero =
        zeroOf(b, loc, RankedTensorType::get({}, type.getElementType()));
    stacks.push_back(stablehlo::BroadcastInDimOp::create(b, loc, type, zero,
                                                         ArrayRef<int64_t>{}));
  }
  unsigned before = loop->getNumOperands();
  WhileOp fresh = withMoreCarried(loop, stacks);
  Block &body = fresh.getBody().front();
  Operation *yield = body.getTerminator();
  b.setInsertionPoint(yield);
  SmallVector<Value> yields(yield->getOperands());
  for (auto [i, value] : llvm::enumerate(values)) {
    Location at = value.getLoc();
    Value stack = body.getArgument(before + i);
    RankedTensorType type = stackOf(value.getType(), 1);
    Value row = stablehlo::ReshapeOp::create(b, at, type, value);
    yields.push_back(stablehlo::DynamicUpdateSliceOp::create(
        b, at, stack.getType(), stack, row,
        startsAt(b, at, index, type.getRank())));
  }
  yield->setOperands(yields);
  return fresh;
}

WhileOp withMoreCarried(WhileOp loop, ValueRange values) {
  OpBuilder b(loop);
  Location loc = loop.getLoc();
  unsigned before = loop->getNumOperands();
  SmallVector<Value> operands(loop->getOperands());
  llvm::append_range(operands, values);
  OperationState state(loc, loop->getName(), operands,
                       ValueRange(operands).getTypes(), loop->getAttrs());
  state.addRegion();
  state.addRegion();
  auto fresh = cast<WhileOp>(b.create(state));
  for (auto [from, to] :
       llvm::zip_equal(loop->getRegions(), fresh->getRegions())) {
    to.takeBody(from);
    for (Value value : values)
      to.front().addArgument(value.getType(), loc);
  }
  loop->replaceAllUsesWith(fresh->getResults().take_front(before));
  loop->erase();
  return fresh;
}

Value readRow(OpBuilder &b, Location loc, Value stack, Value index, Type type) {
  auto whole = cast<RankedTensorType>(stack.getType());
  SmallVector<int64_t> shape(whole.getShape());
  shape[0] = 1;
  Value row = stablehlo::DynamicSliceOp::create(
      b, loc, RankedTensorType::get(shape, whole.getElementType()), stack,
      startsAt(b, loc, index, whole.getRank()), shape);
  return stablehlo::ReshapeOp::create(b, loc, type, row);
}

} // namespace shoal
