// A scatter with one index for each place along the other dimensions, into a
// constant: the gradient of take_along_axis, a one-hot encoding. Element by
// element it is `index == position ? combine(operand, update) : operand`, which
// fuses with what comes after it; the scatter would make a tensor of its own.
#include "SelectForScatter.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace {

bool isSplat(Value value) {
  while (auto broadcast = value.getDefiningOp<sh::BroadcastInDimOp>())
    value = broadcast.getOperand();
  auto type = cast<RankedTensorType>(value.getType());
  DenseElementsAttr constant;
  if (auto op = value.getDefiningOp<sh::ConstantOp>())
    constant = dyn_cast<DenseElementsAttr>(op.getValue());
  return type.getRank() == 0 || (constant && constant.isSplat());
}

/// True if iota of the type counts to `size` without wrapping.
bool countsTo(Type type, int64_t size) {
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer)
    return false;
  unsigned bits = integer.getWidth() - (integer.isUnsigned() ? 0 : 1);
  return bits >= 62 || size - 1 < int64_t(1) << bits;
}

class Rewriter {
public:
  explicit Rewriter(sh::ScatterOp op)
      : op(op), dims(op.getScatterDimensionNumbers()) {}

  bool run() {
    if (op.getInputs().size() != 1)
      return false;
    operand = op.getInputs().front();
    type = cast<RankedTensorType>(operand.getType());
    update = op.getUpdates().front();
    combine = &op.getUpdateComputation().front();
    if (!type.hasStaticShape() || !isSplat(operand) || !isKnownBody() ||
        getElementTypeOrSelf(update) != type.getElementType() ||
        dims.getScatterDimsToOperandDims().size() != 1)
      return false;
    along = dims.getScatterDimsToOperandDims().front();
    Value indices = op.getScatterIndices();
    if (dims.getInsertedWindowDims() != ArrayRef<int64_t>(along) ||
        !countsTo(getElementTypeOrSelf(indices), type.getDimSize(along)) ||
        !mapUpdate() || !mapIndices())
      return false;
    rewrite();
    return true;
  }

private:
  /// The new value alone, or one op of the old one and it.
  bool isKnownBody() {
    if (combine->getNumArguments() != 2)
      return false;
    auto ops = combine->without_terminator();
    Value result = combine->getTerminator()->getOperand(0);
    if (result == combine->getArgument(1))
      return true;
    Operation *only = result.getDefiningOp();
    return only && llvm::hasSingleElement(ops) &&
           isa<sh::AddOp, sh::MulOp, sh::MinOp, sh::MaxOp, sh::AndOp, sh::OrOp,
               sh::XorOp>(only) &&
           llvm::all_of(only->getOperands(), [&](Value value) {
             return llvm::is_contained(combine->getArguments(), value) &&
                    getElementTypeOrSelf(value) == type.getElementType();
           });
  }

  /// The operand's dimension of each dimension of the indices but that of the
  /// index vector; -1 for those of size 1 that are no batching dimension.
  bool scatterDims(SmallVectorImpl<int64_t> &to) {
    auto shape = cast<RankedTensorType>(op.getScatterIndices().getType());
    for (int64_t d = 0; d < shape.getRank(); ++d) {
      if (d == dims.getIndexVectorDim())
        continue;
      auto batching = dims.getScatterIndicesBatchingDims();
      auto *at = llvm::find(batching, d);
      if (at != batching.end())
        to.push_back(dims.getInputBatchingDims()[at - batching.begin()]);
      else if (shape.getDimSize(d) == 1)
        to.push_back(-1);
      else
        return false;
    }
    return true;
  }
  bool mapIndices() {
    auto shape = cast<RankedTensorType>(op.getScatterIndices().getType());
    if (!scatterDims(indexDims))
      return false;
    if (dims.getIndexVectorDim() < shape.getRank())
      indexDims.insert(indexDims.begin() + dims.getIndexVectorDim(), -1);
    return true;
  }
  bool mapUpdate() {
    SmallVector<int64_t> scatter, window;
    if (!scatterDims(scatter))
      return false;
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (d != along && !llvm::is_contained(dims.getInputBatchingDims(), d))
        window.push_back(d);
    auto shape = cast<RankedTensorType>(update.getType());
    size_t nextScatter = 0, nextWindow = 0;
    for (int64_t d = 0; d < shape.getRank(); ++d) {
      bool isWindow = llvm::is_contained(dims.getUpdateWindowDims(), d);
      int64_t to = isWindow ? window[nextWindow++] : scatter[nextScatter++];
      // A smaller window leaves elements beside it alone.
      if (isWindow && shape.getDimSize(d) != type.getDimSize(to))
        return false;
      updateDims.push_back(to);
    }
    return true;
  }

  /// The value, whose dimensions lie along `to` of the operand, for each of the
  /// operand's elements.
  Value spread(OpBuilder &b, Value value, ArrayRef<int64_t> to) {
    auto from = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape, kept;
    for (auto [d, target] : llvm::enumerate(to))
      if (target >= 0) {
        shape.push_back(from.getDimSize(d));
        kept.push_back(target);
      }
    Type element = from.getElementType();
    value = sh::ReshapeOp::create(b, op.getLoc(),
                                  RankedTensorType::get(shape, element), value);
    return sh::BroadcastInDimOp::create(
        b, op.getLoc(), RankedTensorType::get(type.getShape(), element), value,
        kept);
  }

  void rewrite() {
    OpBuilder b(op);
    Location loc = op.getLoc();
    Value index = spread(b, op.getScatterIndices(), indexDims);
    Value there = sh::IotaOp::create(b, loc, index.getType(), along);
    Value hit = sh::CompareOp::create(b, loc, index, there,
                                      sh::ComparisonDirection::EQ);
    Value changed = spread(b, update, updateDims);
    if (Operation *only =
            combine->getTerminator()->getOperand(0).getDefiningOp()) {
      SmallVector<Value> operands;
      for (Value value : only->getOperands())
        operands.push_back(value == combine->getArgument(0) ? operand
                                                            : changed);
      OperationState state(loc, only->getName());
      state.addOperands(operands);
      state.addTypes(type);
      changed = b.create(state)->getResult(0);
    }
    Value result = sh::SelectOp::create(b, loc, hit, changed, operand);
    op.getResult(0).replaceAllUsesWith(result);
    op.erase();
  }

  sh::ScatterOp op;
  sh::ScatterDimensionNumbersAttr dims;
  Value operand, update;
  RankedTensorType type;
  Block *combine = nullptr;
  int64_t along = 0;
  SmallVector<int64_t> indexDims, updateDims;
};

} // namespace

void shoal::selectForScatter(Operation *function) {
  SmallVector<sh::ScatterOp> scatters;
  function->walk([&](sh::ScatterOp op) { scatters.push_back(op); });
  for (sh::ScatterOp op : scatters)
    Rewriter(op).run();
}
