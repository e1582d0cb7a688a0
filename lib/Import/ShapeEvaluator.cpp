// Values known at compile time: memory, order of evaluation, regions.
#include "ShapeEvaluator.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace shoal;

/// Iterations of loops that are run at compile time, over all nested ones.
static constexpr int64_t kMaxIterations = 10000;

//===----------------------------------------------------------------------===//
// Tensors of integers
//===----------------------------------------------------------------------===//

int64_t IntTensor::getInt(int64_t i) const {
  const APInt &value = values[i];
  if (isUnsigned)
    return static_cast<int64_t>(
        value.getLimitedValue(std::numeric_limits<int64_t>::max()));
  return value.getSExtValue();
}

static bool isUnsignedElement(Type element) {
  return element.isUnsignedInteger() || element.isInteger(1);
}

std::optional<IntTensor> IntTensor::get(Attribute attr) {
  IntTensor result;
  if (auto integer = dyn_cast_if_present<IntegerAttr>(attr)) {
    result.isUnsigned = isUnsignedElement(integer.getType());
    result.values.push_back(integer.getValue());
    return result;
  }
  auto elements = dyn_cast_if_present<ElementsAttr>(attr);
  if (!elements || !elements.getElementType().isIntOrIndex() ||
      elements.getNumElements() > ShapeEvaluator::kMaxElements)
    return std::nullopt;
  result.shape.assign(elements.getShapedType().getShape().begin(),
                      elements.getShapedType().getShape().end());
  result.isUnsigned = isUnsignedElement(elements.getElementType());
  if (auto dense = dyn_cast<DenseIntElementsAttr>(attr)) {
    llvm::append_range(result.values, dense.getValues<APInt>());
    return result;
  }
  auto resource = dyn_cast<DenseResourceElementsAttr>(attr);
  AsmResourceBlob *blob =
      resource ? resource.getRawHandle().getBlob() : nullptr;
  if (!blob)
    return std::nullopt;
  unsigned width = elements.getElementType().isIndex()
                       ? 64
                       : elements.getElementType().getIntOrFloatBitWidth();
  size_t bytes = (width + 7) / 8, count = elements.getNumElements();
  ArrayRef<char> data = blob->getData();
  if (data.size() != bytes * count || bytes > 8)
    return std::nullopt;
  for (size_t i = 0; i < count; ++i) {
    uint64_t bits = 0;
    memcpy(&bits, data.data() + i * bytes, bytes);
    result.values.push_back(APInt(width, bits, false, /*implicitTrunc=*/true));
  }
  return result;
}

Attribute IntTensor::getAttribute(Type type) const {
  auto resized = [&](unsigned width) {
    SmallVector<APInt> list;
    for (const APInt &value : values)
      list.push_back(isUnsigned ? value.zextOrTrunc(width)
                                : value.sextOrTrunc(width));
    return list;
  };
  auto widthOf = [](Type element) {
    return element.isIndex() ? 64u : element.getIntOrFloatBitWidth();
  };
  if (auto tensor = dyn_cast<ShapedType>(type)) {
    Type element = tensor.getElementType();
    if (!element.isIntOrIndex())
      return {};
    return DenseElementsAttr::get(RankedTensorType::get(shape, element),
                                  resized(widthOf(element)));
  }
  if (type.isIntOrIndex())
    return values.size() == 1
               ? IntegerAttr::get(type, resized(widthOf(type)).front())
               : Attribute();
  // Shapes and sizes of the shape dialect are indices.
  Type index = IndexType::get(type.getContext());
  if (shape.empty())
    return IntegerAttr::get(index, resized(64).front());
  return DenseElementsAttr::get(RankedTensorType::get(shape, index),
                                resized(64));
}

void shoal::forEachIndex(ArrayRef<int64_t> shape,
                         llvm::function_ref<void(ArrayRef<int64_t>)> body) {
  if (llvm::is_contained(shape, 0))
    return;
  SmallVector<int64_t> index(shape.size(), 0);
  while (true) {
    body(index);
    int64_t dim = static_cast<int64_t>(shape.size()) - 1;
    while (dim >= 0 && ++index[dim] == shape[dim])
      index[dim--] = 0;
    if (dim < 0)
      return;
  }
}

int64_t shoal::getPosition(ArrayRef<int64_t> shape, ArrayRef<int64_t> index) {
  int64_t position = 0;
  for (auto [size, i] : llvm::zip(shape, index))
    position = position * size + i;
  return position;
}

//===----------------------------------------------------------------------===//
// Evaluation on demand
//===----------------------------------------------------------------------===//

const std::optional<IntTensor> *ShapeEvaluator::lookup(Value value) const {
  auto found = known.find(value);
  if (found != known.end())
    return &found->second;
  return outer ? outer->lookup(value) : nullptr;
}

void ShapeEvaluator::bind(Value value, IntTensor tensor) {
  known[value] = std::move(tensor);
}

void ShapeEvaluator::forget(Operation *op) {
  op->walk([&](Operation *nested) {
    for (Value result : nested->getResults())
      known.erase(result);
    for (Region &region : nested->getRegions())
      for (Block &block : region)
        for (Value argument : block.getArguments())
          known.erase(argument);
  });
}

/// Whether all operands are looked at before the op itself is.
static bool takesOperands(Operation *op) {
  return !isa<stablehlo::GetDimensionSizeOp>(op);
}

/// Whether a value of this type can be known at all. Types of other dialects
/// (shapes and sizes of the shape dialect) can.
static bool isCandidate(Type type) {
  if (auto shaped = dyn_cast<ShapedType>(type))
    return shaped.getElementType().isIntOrIndex() &&
           (!shaped.hasStaticShape() ||
            shaped.getNumElements() <= ShapeEvaluator::kMaxElements);
  return !isa<FloatType, ComplexType, TupleType>(type);
}

const IntTensor *ShapeEvaluator::evaluate(Value value) {
  // Depth first with a stack of its own: chains of operations may be long.
  SmallVector<Value> stack = {value};
  while (!stack.empty()) {
    Value top = stack.back();
    if (lookup(top)) {
      stack.pop_back();
      continue;
    }
    Operation *op = top.getDefiningOp();
    if (!op || !isCandidate(top.getType())) {
      known[top] = std::nullopt;
      stack.pop_back();
      continue;
    }
    bool ready = true;
    if (takesOperands(op))
      for (Value operand : op->getOperands())
        if (!lookup(operand)) {
          stack.push_back(operand);
          ready = false;
        }
    if (!ready)
      continue;
    evaluateDefinition(op);
    stack.pop_back();
  }
  const std::optional<IntTensor> *found = lookup(value);
  return found && *found ? &**found : nullptr;
}

std::optional<SmallVector<int64_t>> ShapeEvaluator::evaluateInts(Value value) {
  const IntTensor *tensor = evaluate(value);
  if (!tensor)
    return std::nullopt;
  SmallVector<int64_t> ints;
  for (size_t i = 0; i < tensor->values.size(); ++i)
    ints.push_back(tensor->getInt(i));
  return ints;
}

void ShapeEvaluator::evaluateDefinition(Operation *op) {
  SmallVector<std::optional<IntTensor>> results(op->getNumResults());
  Attribute constant;
  if (matchPattern(op, m_Constant(&constant))) {
    results[0] = IntTensor::get(constant);
  } else {
    SmallVector<const IntTensor *> operands;
    for (Value operand : op->getOperands()) {
      const std::optional<IntTensor> *found = lookup(operand);
      operands.push_back(found && *found ? &**found : nullptr);
    }
    if (op->getNumRegions() == 0)
      evaluateOperation(op, operands, results);
    else if (!evaluateRegions(op, operands, results))
      results.assign(op->getNumResults(), std::nullopt);
  }
  for (auto [value, result] : llvm::zip(op->getResults(), results)) {
    // A type that says something else is for the verifier to complain about.
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (result && type &&
        failed(verifyCompatibleShape(type.getShape(), result->shape)))
      result.reset();
    // What was bound, such as what a loop does not change, stays.
    if (!known.contains(value) || result)
      known[value] = std::move(result);
  }
}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

/// Iterations that may still be run; loops may be nested.
static thread_local int64_t iterationsLeft = 0;

std::optional<SmallVector<IntTensor>>
ShapeEvaluator::evaluateBlock(Block &block,
                              ArrayRef<IntTensor> arguments) const {
  ShapeEvaluator inner(this);
  for (auto [argument, value] : llvm::zip(block.getArguments(), arguments))
    inner.bind(argument, value);
  SmallVector<IntTensor> results;
  for (Value operand : block.getTerminator()->getOperands()) {
    const IntTensor *value = inner.evaluate(operand);
    if (!value)
      return std::nullopt;
    results.push_back(*value);
  }
  return results;
}

bool ShapeEvaluator::evaluateRegions(
    Operation *op, ArrayRef<const IntTensor *> operands,
    SmallVectorImpl<std::optional<IntTensor>> &out) {
  for (Region &region : op->getRegions())
    if (!region.hasOneBlock())
      return false;
  auto finish = [&](ArrayRef<IntTensor> values) {
    if (values.size() != out.size())
      return false;
    for (auto [result, value] : llvm::zip(out, values))
      result = value;
    return true;
  };

  if (isa<stablehlo::IfOp, stablehlo::CaseOp>(op)) {
    SmallVector<Region *> branches;
    for (Region &region : op->getRegions())
      branches.push_back(&region);
    if (branches.empty())
      return false;
    if (operands[0]) {
      int64_t index = operands[0]->getInt(0);
      if (isa<stablehlo::IfOp>(op))
        index = index ? 0 : 1;
      if (index < 0 || index >= int64_t(branches.size()))
        index = branches.size() - 1;
      branches = {branches[index]};
    }
    // Whichever is taken, if all give the same.
    for (unsigned i = 0; i < out.size(); ++i)
      for (Region *branch : branches) {
        ShapeEvaluator inner(this);
        const IntTensor *value =
            inner.evaluate(branch->front().getTerminator()->getOperand(i));
        if (!value || (out[i] && !(*out[i] == *value))) {
          out[i].reset();
          break;
        }
        out[i] = *value;
      }
    return true;
  }

  if (auto loop = dyn_cast<stablehlo::WhileOp>(op)) {
    SmallVector<IntTensor> carried;
    for (const IntTensor *operand : operands) {
      if (!operand)
        return false;
      carried.push_back(*operand);
    }
    bool outermost = iterationsLeft == 0;
    if (outermost)
      iterationsLeft = kMaxIterations;
    bool done = false;
    while (iterationsLeft-- > 1) {
      auto condition = evaluateBlock(loop.getCond().front(), carried);
      if (!condition || condition->size() != 1)
        break;
      if (condition->front().values[0].isZero()) {
        done = true;
        break;
      }
      auto next = evaluateBlock(loop.getBody().front(), carried);
      if (!next || next->size() != carried.size())
        break;
      carried = *next;
    }
    iterationsLeft = outermost ? 0 : std::max<int64_t>(iterationsLeft, 1);
    return done && finish(carried);
  }

  for (const IntTensor *operand : operands)
    if (!operand)
      return false;
  if (auto map = dyn_cast<stablehlo::MapOp>(op)) {
    IntTensor result;
    result.shape = operands.front()->shape;
    for (size_t i = 0; i < operands.front()->values.size(); ++i) {
      SmallVector<IntTensor> scalars;
      for (const IntTensor *operand : operands)
        scalars.push_back({{}, {operand->values[i]}, operand->isUnsigned});
      auto value = evaluateBlock(map.getComputation().front(), scalars);
      if (!value || value->size() != 1)
        return false;
      result.values.push_back(value->front().values[0]);
      result.isUnsigned = value->front().isUnsigned;
    }
    return finish(result);
  }
  if (auto reduce = dyn_cast<stablehlo::ReduceOp>(op)) {
    size_t n = reduce.getInputs().size();
    ArrayRef<int64_t> shape = operands.front()->shape;
    SmallVector<int64_t> kept, keptShape;
    for (int64_t dim = 0; dim < int64_t(shape.size()); ++dim)
      if (!llvm::is_contained(reduce.getDimensions(), dim)) {
        kept.push_back(dim);
        keptShape.push_back(shape[dim]);
      }
    int64_t count = ShapedType::getNumElements(keptShape);
    SmallVector<IntTensor> results;
    for (size_t i = 0; i < n; ++i)
      results.push_back({keptShape,
                         SmallVector<APInt>(count, operands[n + i]->values[0]),
                         operands[n + i]->isUnsigned});
    bool ok = true;
    forEachIndex(shape, [&](ArrayRef<int64_t> index) {
      if (!ok)
        return;
      SmallVector<int64_t> to;
      for (int64_t dim : kept)
        to.push_back(index[dim]);
      int64_t from = getPosition(shape, index), at = getPosition(keptShape, to);
      SmallVector<IntTensor> scalars;
      for (IntTensor &result : results)
        scalars.push_back({{}, {result.values[at]}, result.isUnsigned});
      for (size_t i = 0; i < n; ++i)
        scalars.push_back(
            {{}, {operands[i]->values[from]}, operands[i]->isUnsigned});
      auto folded = evaluateBlock(reduce.getBody().front(), scalars);
      ok = folded && folded->size() == n;
      for (size_t i = 0; ok && i < n; ++i)
        results[i].values[at] = (*folded)[i].values[0];
    });
    return ok && finish(results);
  }
  return false;
}

void ShapeEvaluator::bindInvariants(Operation *op) {
  auto loop = dyn_cast<stablehlo::WhileOp>(op);
  if (!loop || !loop.getBody().hasOneBlock() || !loop.getCond().hasOneBlock())
    return;
  Block &body = loop.getBody().front();
  ValueRange yielded = body.getTerminator()->getOperands();
  unsigned n = loop->getNumOperands();
  if (yielded.size() != n || body.getNumArguments() != n ||
      loop.getCond().front().getNumArguments() != n)
    return;
  // Assume that all stay what they are at first, and drop those that do not
  // follow from the assumption, until all do.
  SmallVector<std::optional<IntTensor>> assumed(n);
  for (unsigned i = 0; i < n; ++i)
    if (const IntTensor *value = evaluate(loop->getOperand(i)))
      assumed[i] = *value;
  for (bool changed = true; changed;) {
    changed = false;
    ShapeEvaluator inner(this);
    for (unsigned i = 0; i < n; ++i)
      if (assumed[i])
        inner.bind(body.getArgument(i), *assumed[i]);
    for (unsigned i = 0; i < n; ++i) {
      if (!assumed[i])
        continue;
      const IntTensor *value = inner.evaluate(yielded[i]);
      if (value && *value == *assumed[i])
        continue;
      assumed[i].reset();
      changed = true;
    }
  }
  for (unsigned i = 0; i < n; ++i)
    if (assumed[i]) {
      bind(body.getArgument(i), *assumed[i]);
      bind(loop.getCond().front().getArgument(i), *assumed[i]);
      bind(loop->getResult(i), *assumed[i]);
    }
}
