// Brings reductions into the form that later phases know: operands of the type
// the body computes in, and windows whose padding counts for nothing.
#include "shoal/Analysis/ScalarBodies.h"
#include "shoal/Import/Passes.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

namespace shoal {
#define GEN_PASS_DEF_NORMALIZEREDUCTIONSPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace mlir::stablehlo;

/// `value` as a tensor of `element`, converted before `op` where it is not.
static Value promote(Operation *op, Value value, Type element) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getElementType() == element ||
      !isa<IntegerType, FloatType, ComplexType>(type.getElementType()))
    return value;
  OpBuilder builder(op);
  return ConvertOp::create(builder, op->getLoc(),
                           RankedTensorType::get(type.getShape(), element,
                                                 type.getEncoding()),
                           value);
}

static void promoteOperands(Operation *op, MutableArrayRef<OpOperand> operands,
                            Region &body) {
  for (auto [operand, result] :
       llvm::zip(operands, body.front().getTerminator()->getOperands())) {
    Type element = getElementTypeOrSelf(result.getType());
    if (isa<IntegerType, FloatType, ComplexType>(element))
      operand.set(promote(op, operand.get(), element));
  }
}

/// The predicate of a select_and_scatter keeps its type: what it is given is
/// converted back, which loses nothing.
static void narrowArguments(Region &select, Type element) {
  Block &block = select.front();
  OpBuilder builder(&block, block.begin());
  for (BlockArgument argument : block.getArguments()) {
    auto type = cast<RankedTensorType>(argument.getType());
    if (type.getElementType() == element)
      continue;
    argument.setType(RankedTensorType::get({}, element));
    auto narrow =
        ConvertOp::create(builder, argument.getLoc(), type, argument);
    argument.replaceAllUsesExcept(narrow, narrow);
  }
}

static void promoteOperands(Operation *op) {
  MutableArrayRef<OpOperand> operands = op->getOpOperands();
  llvm::TypeSwitch<Operation *>(op)
      .Case<ReduceOp, ReduceWindowOp>([&](auto reduce) {
        size_t n = reduce.getInputs().size();
        promoteOperands(op, operands.take_front(n), reduce.getBody());
        promoteOperands(op, operands.drop_front(n), reduce.getBody());
      })
      .Case([&](ScatterOp scatter) {
        size_t n = scatter.getInputs().size();
        Region &body = scatter.getUpdateComputation();
        promoteOperands(op, operands.take_front(n), body);
        promoteOperands(op, operands.drop_front(n + 1), body);
      })
      .Case([&](SelectAndScatterOp scatter) {
        for (unsigned i = 0; i < 3; ++i)
          promoteOperands(op, operands.slice(i, 1), scatter.getScatter());
        narrowArguments(scatter.getSelect(),
                        getElementTypeOrSelf(scatter.getOperand().getType()));
      })
      .Case([&](AllReduceOp reduce) {
        for (unsigned i = 0; i < operands.size(); ++i)
          promoteOperands(op, operands.slice(i, 1), reduce.getComputation());
      })
      .Case([&](ReduceScatterOp reduce) {
        promoteOperands(op, operands, reduce.getComputation());
      });
}

/// Whether combining the initial values with themselves gives them back, so
/// that it does not matter how often they are combined into a result.
static bool isIdempotentOnInit(ReduceWindowOp op) {
  Block &body = op.getBody().front();
  size_t n = op.getInputs().size();
  // Values that equal initial value k.
  llvm::DenseMap<Value, unsigned> known;
  for (size_t i = 0; i < n; ++i)
    known[body.getArgument(i)] = known[body.getArgument(n + i)] = i;
  auto isSame = [&](Value a, Value b) {
    auto x = known.find(a), y = known.find(b);
    return x != known.end() && y != known.end() && x->second == y->second;
  };
  auto initIs = [&](unsigned k, double number) {
    Attribute value;
    if (!matchPattern(op.getInitValues()[k], m_Constant(&value)))
      return false;
    auto elements = dyn_cast<DenseElementsAttr>(value);
    if (!elements || !elements.isSplat())
      return false;
    Type element = elements.getElementType();
    if (isa<FloatType>(element))
      return elements.getSplatValue<APFloat>().convertToDouble() == number;
    if (isa<IntegerType>(element))
      return elements.getSplatValue<APInt>() == uint64_t(number);
    if (auto complex = dyn_cast<ComplexType>(element);
        complex && isa<FloatType>(complex.getElementType())) {
      auto parts = elements.getSplatValue<std::complex<APFloat>>();
      return parts.real().convertToDouble() == number && parts.imag().isZero();
    }
    return false;
  };
  for (Operation &each : body.without_terminator()) {
    if (each.getNumResults() != 1)
      continue;
    std::optional<unsigned> result;
    if (auto select = dyn_cast<SelectOp>(each)) {
      if (isSame(select.getOnTrue(), select.getOnFalse()))
        result = known[select.getOnTrue()];
    } else if (each.getNumOperands() == 2 &&
               isSame(each.getOperand(0), each.getOperand(1))) {
      unsigned k = known[each.getOperand(0)];
      bool isBit = getElementTypeOrSelf(each.getOperand(0)).isInteger(1);
      if (isa<MaxOp, MinOp, AndOp, OrOp>(each) ||
          (isa<AddOp>(each) && (isBit || initIs(k, 0))) ||
          (isa<MulOp>(each) && (isBit || initIs(k, 1))) ||
          (isa<XorOp>(each) && initIs(k, 0)))
        result = k;
    }
    if (result)
      known[each.getResult(0)] = *result;
  }
  for (auto [k, value] : llvm::enumerate(body.getTerminator()->getOperands())) {
    auto found = known.find(value);
    if (found == known.end() || found->second != k)
      return false;
  }
  return true;
}

/// The specification pads with the initial values, which then count once for
/// every cell; where that shows, the padding becomes an operation of its own.
static void makePaddingExplicit(ReduceWindowOp op) {
  size_t rank = op.getWindowDimensions().size();
  SmallVector<int64_t> low(rank, 0), high(rank, 0), interior(rank, 0);
  bool hasCells = false;
  if (auto padding = op.getPadding())
    for (auto [i, value] : llvm::enumerate(padding->getValues<APInt>())) {
      (i % 2 ? high : low)[i / 2] = value.getSExtValue();
      hasCells |= value.isStrictlyPositive();
    }
  if (auto dilations = op.getBaseDilations(); dilations && !dilations->empty())
    for (auto [i, dilation] : llvm::enumerate(*dilations)) {
      interior[i] = dilation - 1;
      hasCells |= dilation > 1;
    }
  if (!hasCells || isIdempotentOnInit(op) ||
      shoal::isNeutral(op.getBody(), SmallVector<Value>(op.getInitValues())))
    return;
  OpBuilder builder(op);
  for (size_t k = 0; k < op.getInputs().size(); ++k) {
    auto pad = PadOp::create(builder, op.getLoc(), op.getInputs()[k],
                             op.getInitValues()[k],
                             builder.getDenseI64ArrayAttr(low),
                             builder.getDenseI64ArrayAttr(high),
                             builder.getDenseI64ArrayAttr(interior));
    op->setOperand(k, pad);
  }
  op.removePaddingAttr();
  op.removeBaseDilationsAttr();
}

namespace {
struct NormalizeReductionsPass
    : shoal::impl::NormalizeReductionsPassBase<NormalizeReductionsPass> {
  void runOnOperation() override {
    getOperation().walk([](Operation *op) {
      promoteOperands(op);
      auto window = dyn_cast<ReduceWindowOp>(op);
      if (!window)
        return;
      // What a quantized body computes is seen when it is lowered; this pass
      // runs again then.
      auto type = cast<RankedTensorType>(window.getInputs().front().getType());
      if (type.hasStaticShape() &&
          !isa<quant::QuantizedType>(type.getElementType()))
        makePaddingExplicit(window);
    });
  }
};
} // namespace
