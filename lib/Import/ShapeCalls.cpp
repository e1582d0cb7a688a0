// Custom calls that are about shapes. JAX prints them for programs exported
// with symbolic sizes; their meanings are those of StableHLO's experimental
// operations (openxla/stablehlo, dialect/ExperimentalOps).
#include "RefineShapes.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlir::stablehlo;
using namespace shoal;

static constexpr StringRef kShapeOperands = "indices_of_shape_operands";

bool shoal::isShapeCall(Operation *op) {
  auto call = dyn_cast<CustomCallOp>(op);
  if (!call)
    return false;
  StringRef name = call.getCallTargetName();
  return call->hasAttr(kShapeOperands) || name == "shape_assertion" ||
         name == "stablehlo.shape_refinement_operand_wrapper" ||
         name == "stablehlo.dynamic_reduce_window" ||
         name == "stablehlo.dynamic_rng_bit_generator" ||
         name == "stablehlo.dynamic_top_k" ||
         name == "stablehlo.dynamic_approx_top_k";
}

namespace {
class ShapeCall {
public:
  ShapeCall(CustomCallOp op, ShapeEvaluator &evaluator, SymbolTable &symbols,
            OpBuilder &builder)
      : op(op), evaluator(evaluator), symbols(symbols), builder(builder) {}

  FailureOr<ShapeCallResult> refine();

private:
  using Result = FailureOr<ShapeCallResult>;
  Result replaceBy(ValueRange values) {
    return ShapeCallResult{true, llvm::to_vector(values)};
  }
  /// The integers in operand `index`.
  FailureOr<SmallVector<int64_t>> getInts(unsigned index, StringRef what);
  LogicalResult checkOperands(size_t atLeast) {
    if (op->getNumOperands() < atLeast)
      return op.emitError("custom call @")
             << op.getCallTargetName() << " needs at least " << atLeast
             << " operands";
    return success();
  }

  Result refineAssertion();
  Result refineWrapper();
  Result refineShapeOperands();
  Result refineReduceWindow();
  Result refineRng();
  Result refineTopK();
  Result refineApproxTopK();

  CustomCallOp op;
  ShapeEvaluator &evaluator;
  SymbolTable &symbols;
  OpBuilder &builder;
};
} // namespace

FailureOr<SmallVector<int64_t>> ShapeCall::getInts(unsigned index,
                                                   StringRef what) {
  if (auto ints = evaluator.evaluateInts(op->getOperand(index)))
    return *ints;
  return emitNotConstant(op, op->getOperand(index), what);
}

/// Puts values in place of {0}, {1}, … in a message.
static std::string formatMessage(StringRef text, ArrayRef<int64_t> values) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    size_t close = text[i] == '{' ? text.find('}', i) : StringRef::npos;
    unsigned index;
    if (close != StringRef::npos &&
        !text.slice(i + 1, close).getAsInteger(10, index) &&
        index < values.size()) {
      result += std::to_string(values[index]);
      i = close;
      continue;
    }
    result += text[i];
    // A doubled brace stands for one.
    if ((text[i] == '{' || text[i] == '}') && i + 1 < text.size() &&
        text[i + 1] == text[i])
      ++i;
  }
  return result;
}

FailureOr<ShapeCallResult> ShapeCall::refineAssertion() {
  if (failed(checkOperands(1)))
    return failure();
  FailureOr<SmallVector<int64_t>> holds = getInts(0, "what is asserted");
  if (failed(holds))
    return failure();
  if (holds->size() == 1 && holds->front() != 0)
    return replaceBy({});
  SmallVector<int64_t> values;
  for (Value operand : op->getOperands().drop_front()) {
    auto ints = evaluator.evaluateInts(operand);
    values.push_back(ints && ints->size() == 1 ? ints->front() : -1);
  }
  auto message = op->getAttrOfType<StringAttr>("error_message");
  return op.emitError("shape assertion failed")
         << (message ? ": " + formatMessage(message.getValue(), values)
                     : std::string());
}

FailureOr<ShapeCallResult> ShapeCall::refineWrapper() {
  if (failed(checkOperands(1)))
    return failure();
  return replaceBy(op->getOperand(0));
}

FailureOr<ShapeCallResult> ShapeCall::refineShapeOperands() {
  auto indices = dyn_cast<DenseIntElementsAttr>(op->getAttr(kShapeOperands));
  if (!indices || indices.getNumElements() != op->getNumResults())
    return op.emitError() << kShapeOperands
                          << " must name one operand per result";
  llvm::SmallDenseSet<int64_t> dropped;
  SmallVector<Type> types;
  for (auto [index, result] :
       llvm::zip(indices.getValues<APInt>(), op->getResults())) {
    if (index.isNegative() || index.uge(op->getNumOperands()))
      return op.emitError() << kShapeOperands << " names operand "
                            << index.getSExtValue() << ", which does not exist";
    dropped.insert(index.getZExtValue());
    auto declared = dyn_cast<TensorType>(result.getType());
    if (!declared)
      return op.emitError("only tensors have shape operands");
    FailureOr<SmallVector<int64_t>> shape =
        getInts(index.getZExtValue(), "the shape of a result");
    if (failed(shape))
      return failure();
    if (llvm::any_of(*shape, [](int64_t size) { return size < 0; }))
      return op.emitError("negative size in the shape of a result");
    FailureOr<Type> type = meetTypes(
        op, declared, RankedTensorType::get(*shape, declared.getElementType()));
    if (failed(type))
      return failure();
    types.push_back(*type);
  }
  SmallVector<Value> operands;
  SmallVector<Attribute> layouts;
  for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
    if (dropped.contains(index))
      continue;
    operands.push_back(operand);
    if (op.getOperandLayouts() && index < op.getOperandLayouts()->size())
      layouts.push_back((*op.getOperandLayouts())[index]);
  }
  OperationState state(op.getLoc(), op->getName(), operands, types,
                       op->getDiscardableAttrDictionary().getValue());
  state.attributes.erase(kShapeOperands);
  Operation *made = Operation::create(state);
  made->copyProperties(op->getPropertiesStorage());
  builder.insert(made);
  if (op.getOperandLayouts())
    cast<CustomCallOp>(made).setOperandLayoutsAttr(
        builder.getArrayAttr(layouts));
  return replaceBy(made->getResults());
}

FailureOr<ShapeCallResult> ShapeCall::refineReduceWindow() {
  // inputs, initial values, then five operands that describe the window.
  unsigned n = op->getNumResults();
  if (n == 0 || op->getNumOperands() != 2 * n + 5)
    return op.emitError("dynamic_reduce_window takes inputs, initial values, "
                        "window dimensions, strides, base dilations, window "
                        "dilations and padding");
  func::FuncOp body;
  if (op.getCalledComputations().size() == 1)
    body = symbols.lookup<func::FuncOp>(
        cast<FlatSymbolRefAttr>(op.getCalledComputations()[0]).getValue());
  if (!body || body.isExternal() || body.getNumArguments() != 2 * n)
    return op.emitError("dynamic_reduce_window needs one called computation "
                        "that folds its inputs");
  SmallVector<SmallVector<int64_t>> window;
  for (unsigned i = 0; i < 5; ++i) {
    auto ints = getInts(2 * n + i, "the window");
    if (failed(ints))
      return failure();
    window.push_back(*ints);
  }
  auto padding = DenseIntElementsAttr::get(
      RankedTensorType::get({int64_t(window[4].size() / 2), 2},
                            builder.getI64Type()),
      window[4]);
  auto made = ReduceWindowOp::create(
      builder, op.getLoc(), op.getResultTypes(),
      op->getOperands().take_front(n), op->getOperands().slice(n, n),
      builder.getDenseI64ArrayAttr(window[0]),
      builder.getDenseI64ArrayAttr(window[1]),
      builder.getDenseI64ArrayAttr(window[2]),
      builder.getDenseI64ArrayAttr(window[3]), padding);
  IRMapping mapping;
  body.getBody().cloneInto(&made.getBody(), mapping);
  Operation *terminator = made.getBody().front().getTerminator();
  OpBuilder inner(terminator);
  ReturnOp::create(inner, terminator->getLoc(), terminator->getOperands());
  terminator->erase();
  FailureOr<SmallVector<Type>> types = inferResultTypes(made);
  if (failed(types))
    return failure();
  for (auto [result, inferred] : llvm::zip(made->getResults(), *types)) {
    FailureOr<Type> type = meetTypes(op, result.getType(), inferred);
    if (failed(type))
      return failure();
    result.setType(*type);
  }
  return replaceBy(made->getResults());
}

FailureOr<ShapeCallResult> ShapeCall::refineRng() {
  auto algorithm = op->getAttrOfType<RngAlgorithmAttr>("rng_algorithm");
  if (failed(checkOperands(2)))
    return failure();
  if (!algorithm || op->getNumResults() != 2)
    return op.emitError("dynamic_rng_bit_generator needs an rng_algorithm and "
                        "gives a state and bits");
  FailureOr<SmallVector<int64_t>> shape = getInts(1, "output_shape");
  if (failed(shape))
    return failure();
  if (llvm::any_of(*shape, [](int64_t size) { return size < 0; }))
    return op.emitError("negative size in output_shape");
  auto element = getElementTypeOrSelf(op->getResult(1).getType());
  auto made = RngBitGeneratorOp::create(
      builder, op.getLoc(),
      TypeRange{op->getOperand(0).getType(),
                RankedTensorType::get(*shape, element)},
      algorithm, op->getOperand(0));
  return replaceBy(made->getResults());
}

FailureOr<ShapeCallResult> ShapeCall::refineTopK() {
  if (failed(checkOperands(2)))
    return failure();
  FailureOr<SmallVector<int64_t>> k = getInts(1, "k");
  auto operand = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
  if (failed(k))
    return failure();
  if (!operand || operand.getRank() == 0 || op->getNumResults() != 2 ||
      k->size() != 1 || k->front() < 0)
    return op.emitError("dynamic_top_k takes a tensor and how many elements, "
                        "and gives values and indices");
  SmallVector<int64_t> shape(operand.getShape());
  shape.back() = k->front();
  auto made = chlo::TopKOp::create(
      builder, op.getLoc(),
      RankedTensorType::get(shape, operand.getElementType()),
      RankedTensorType::get(shape, builder.getI32Type()), op->getOperand(0),
      builder.getI64IntegerAttr(k->front()));
  return replaceBy(made->getResults());
}

FailureOr<ShapeCallResult> ShapeCall::refineApproxTopK() {
  // ApproxTopK with its size as the last operand.
  unsigned n = op->getNumResults();
  auto config = op->getAttrOfType<DictionaryAttr>("mhlo.backend_config");
  auto dim =
      config ? config.getAs<IntegerAttr>("reduction_dim") : IntegerAttr();
  if (n == 0 || op->getNumOperands() != 2 * n + 1 || !dim)
    return op.emitError("dynamic_approx_top_k takes inputs, initial values and "
                        "how many elements, and needs a reduction_dim");
  FailureOr<SmallVector<int64_t>> k = getInts(2 * n, "k");
  if (failed(k))
    return failure();
  SmallVector<Type> types;
  for (Value operand : op->getOperands().take_front(n)) {
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    if (!type || dim.getInt() < 0 || dim.getInt() >= type.getRank() ||
        k->size() != 1 || k->front() < 0)
      return op.emitError("reduction_dim is no dimension of ")
             << operand.getType();
    SmallVector<int64_t> shape(type.getShape());
    shape[dim.getInt()] = k->front();
    types.push_back(RankedTensorType::get(shape, type.getElementType()));
  }
  NamedAttrList attrs(config);
  attrs.set("top_k", builder.getI64IntegerAttr(k->front()));
  OperationState state(op.getLoc(), op->getName(),
                       op->getOperands().drop_back(), types,
                       op->getDiscardableAttrDictionary().getValue());
  state.attributes.set("mhlo.backend_config",
                       attrs.getDictionary(op.getContext()));
  Operation *made = Operation::create(state);
  made->copyProperties(op->getPropertiesStorage());
  builder.insert(made);
  auto call = cast<CustomCallOp>(made);
  call.setCallTargetName("ApproxTopK");
  call.removeOperandLayoutsAttr();
  call.removeResultLayoutsAttr();
  return replaceBy(made->getResults());
}

FailureOr<ShapeCallResult> ShapeCall::refine() {
  StringRef name = op.getCallTargetName();
  if (name == "shape_assertion")
    return refineAssertion();
  if (name == "stablehlo.shape_refinement_operand_wrapper")
    return refineWrapper();
  if (name == "stablehlo.dynamic_reduce_window")
    return refineReduceWindow();
  if (name == "stablehlo.dynamic_rng_bit_generator")
    return refineRng();
  if (name == "stablehlo.dynamic_top_k")
    return refineTopK();
  if (name == "stablehlo.dynamic_approx_top_k")
    return refineApproxTopK();
  return refineShapeOperands();
}

FailureOr<ShapeCallResult> shoal::refineShapeCall(Operation *op,
                                                  ShapeEvaluator &evaluator,
                                                  SymbolTable &symbols,
                                                  OpBuilder &builder) {
  if (!isShapeCall(op))
    return ShapeCallResult();
  return ShapeCall(cast<CustomCallOp>(op), evaluator, symbols, builder)
      .refine();
}
