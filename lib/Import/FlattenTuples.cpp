// Replaces tuples by their elements.
#include "shoal/Import/Passes.h"

#include "dialects/SDY/SDY.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace shoal {
#define GEN_PASS_DEF_FLATTENTUPLESPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal

using namespace mlir;

static bool hasTuple(TypeRange types) {
  return llvm::any_of(types, [](Type type) { return isa<TupleType>(type); });
}

static SmallVector<Type> flatten(TypeRange types) {
  SmallVector<Type> flat;
  for (Type type : types) {
    if (auto tuple = dyn_cast<TupleType>(type))
      tuple.getFlattenedTypes(flat);
    else
      flat.push_back(type);
  }
  return flat;
}

/// The elements of a value, read out of tuples.
static void unpack(OpBuilder &builder, Location loc, Value value,
                   SmallVectorImpl<Value> &elements) {
  auto tuple = dyn_cast<TupleType>(value.getType());
  if (!tuple) {
    elements.push_back(value);
    return;
  }
  for (auto [index, type] : llvm::enumerate(tuple.getTypes()))
    unpack(builder, loc,
           stablehlo::GetTupleElementOp::create(
               builder, loc, type, value,
               builder.getI32IntegerAttr(static_cast<int32_t>(index))),
           elements);
}

/// A value of `type` made of elements taken off the front of `elements`.
static Value pack(OpBuilder &builder, Location loc, Type type,
                  ArrayRef<Value> &elements) {
  auto tuple = dyn_cast<TupleType>(type);
  if (!tuple) {
    Value value = elements.front();
    elements = elements.drop_front();
    return value;
  }
  SmallVector<Value> parts;
  for (Type part : tuple.getTypes())
    parts.push_back(pack(builder, loc, part, elements));
  return stablehlo::TupleOp::create(builder, loc, tuple, parts);
}

/// Splits "{{a}, {b}}" at its outer commas; empty if it is no list of `count`.
static SmallVector<StringRef> splitTupleSharding(StringRef text, size_t count) {
  SmallVector<StringRef> parts;
  text = text.trim();
  if (!text.consume_front("{") || !text.consume_back("}") ||
      !text.trim().starts_with("{"))
    return {};
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      parts.push_back(text.slice(begin, i).trim());
      begin = i + 1;
      continue;
    }
    depth += text[i] == '{';
    depth -= text[i] == '}';
  }
  if (parts.size() != count)
    return {};
  return parts;
}

/// Attributes of each element of a tuple argument or result: a sharding string
/// is split, anything else goes to the first.
static SmallVector<DictionaryAttr>
splitAttributes(DictionaryAttr attrs, size_t count, MLIRContext *context) {
  SmallVector<SmallVector<NamedAttribute>> lists(count);
  if (attrs && count)
    for (NamedAttribute attr : attrs) {
      auto text = dyn_cast<StringAttr>(attr.getValue());
      if (attr.getName() == "mhlo.sharding" && text) {
        SmallVector<StringRef> parts =
            splitTupleSharding(text.getValue(), count);
        for (size_t i = 0; i < count; ++i)
          lists[i].push_back(
              {attr.getName(),
               parts.empty() ? text : StringAttr::get(context, parts[i])});
      } else {
        lists[0].push_back(attr);
      }
    }
  SmallVector<DictionaryAttr> result;
  for (ArrayRef<NamedAttribute> list : lists)
    result.push_back(DictionaryAttr::get(context, list));
  return result;
}

static void flattenFunction(func::FuncOp func) {
  FunctionType type = func.getFunctionType();
  if (!hasTuple(type.getInputs()) && !hasTuple(type.getResults()))
    return;
  MLIRContext *context = func.getContext();
  auto flattenAttributes = [&](TypeRange types, auto getAttributes) {
    SmallVector<Attribute> all;
    for (auto [index, type] : llvm::enumerate(types)) {
      SmallVector<Type> flat = flatten(type);
      if (isa<TupleType>(type))
        llvm::append_range(
            all, splitAttributes(getAttributes(index), flat.size(), context));
      else
        all.push_back(getAttributes(index) ? getAttributes(index)
                                           : DictionaryAttr::get(context));
    }
    return ArrayAttr::get(context, all);
  };
  ArrayAttr arguments = flattenAttributes(
      type.getInputs(), [&](unsigned i) { return func.getArgAttrDict(i); });
  ArrayAttr results = flattenAttributes(
      type.getResults(), [&](unsigned i) { return func.getResultAttrDict(i); });

  Block &body = func.getBody().front();
  OpBuilder builder = OpBuilder::atBlockBegin(&body);
  SmallVector<BlockArgument> old(body.getArguments());
  for (BlockArgument argument : old) {
    SmallVector<Value> elements;
    for (Type element : flatten(argument.getType()))
      elements.push_back(body.addArgument(element, argument.getLoc()));
    ArrayRef<Value> rest(elements);
    argument.replaceAllUsesWith(
        pack(builder, argument.getLoc(), argument.getType(), rest));
  }
  body.eraseArguments(0, old.size());
  auto terminator = cast<func::ReturnOp>(body.getTerminator());
  builder.setInsertionPoint(terminator);
  SmallVector<Value> values;
  for (Value value : terminator.getOperands())
    unpack(builder, terminator.getLoc(), value, values);
  terminator.getOperandsMutable().assign(values);
  func.setFunctionType(FunctionType::get(context, flatten(type.getInputs()),
                                         flatten(type.getResults())));
  func.setAllArgAttrs(arguments);
  func.setAllResultAttrs(results);
}

/// An operation around tuples, rebuilt around their elements.
static void flattenOp(Operation *op) {
  if (!hasTuple(op->getOperandTypes()) && !hasTuple(op->getResultTypes()))
    return;
  OpBuilder builder(op);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    unpack(builder, op->getLoc(), operand, operands);
  OperationState state(op->getLoc(), op->getName(), operands,
                       flatten(op->getResultTypes()),
                       op->getDiscardableAttrDictionary().getValue());
  // Layouts were given per tuple element already; what is per operand is not.
  for (Region &region : op->getRegions())
    state.addRegion()->takeBody(region);
  Operation *flat = Operation::create(state);
  flat->copyProperties(op->getPropertiesStorage());
  builder.insert(flat);
  if (auto call = dyn_cast<stablehlo::CustomCallOp>(flat)) {
    auto fits = [](std::optional<ArrayAttr> layouts, size_t count) {
      return !layouts || layouts->size() == count;
    };
    if (!fits(call.getOperandLayouts(), operands.size()) ||
        !fits(call.getResultLayouts(), flat->getNumResults())) {
      call.removeOperandLayoutsAttr();
      call.removeResultLayoutsAttr();
    }
  }
  SmallVector<Value> elements(flat->getResults());
  ArrayRef<Value> rest(elements);
  for (Value result : op->getResults())
    result.replaceAllUsesWith(
        pack(builder, op->getLoc(), result.getType(), rest));
  op->erase();
}

namespace {
struct FlattenTuplesPass
    : shoal::impl::FlattenTuplesPassBase<FlattenTuplesPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<Operation *> ops;
    module.walk([&](Operation *op) {
      if (!isa<stablehlo::TupleOp, stablehlo::GetTupleElementOp, func::FuncOp,
               func::ReturnOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops)
      flattenOp(op);
    for (auto func : module.getOps<func::FuncOp>())
      if (!func.isExternal())
        flattenFunction(func);

    // Elements of packed tuples are the elements themselves.
    SmallVector<Operation *> packing;
    module.walk([&](Operation *op) {
      if (auto get = dyn_cast<stablehlo::GetTupleElementOp>(op)) {
        if (auto tuple = get.getOperand().getDefiningOp<stablehlo::TupleOp>())
          get.getResult().replaceAllUsesWith(tuple.getOperand(get.getIndex()));
      }
      if (isa<stablehlo::TupleOp, stablehlo::GetTupleElementOp>(op))
        packing.push_back(op);
    });
    for (bool changed = true; changed;) {
      changed = false;
      for (Operation *&op : packing)
        if (op && op->use_empty()) {
          op->erase();
          op = nullptr;
          changed = true;
        }
    }
  }
};
} // namespace
