// A kernel's body, made from ops of a block.

#include "KernelOutline.h"

#include "shoal/Analysis/OpTraits.h"
#include "shoal/Codegen/GPU/Contraction.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

/// Moves elements, or changes their type.
static bool isMove(Operation *op) {
  return isa<sh::TransposeOp, sh::ReshapeOp, sh::BroadcastInDimOp,
             sh::ConvertOp>(op);
}

/// Better made once, before the kernel: what is read is smaller then.
static bool isNarrowing(Operation *op) {
  auto convert = dyn_cast<sh::ConvertOp>(op);
  return convert &&
         getElementTypeOrSelf(convert.getOperand().getType())
                 .getIntOrFloatBitWidth() >
             getElementTypeOrSelf(convert.getType()).getIntOrFloatBitWidth();
}

Value KernelOutline::argument(Type type, Value value) {
  inputs.push_back(value);
  return body.addArgument(type, loc);
}

Value KernelOutline::input(Value value) {
  Value made = argument(value.getType(), value);
  map.map(value, made);
  return made;
}

Value KernelOutline::clone(Operation *op) {
  Operation *copy = builder.clone(*op, map);
  // Notes of earlier phases would keep equal kernels apart.
  for (NamedAttribute note : llvm::to_vector(copy->getDiscardableAttrs()))
    copy->removeDiscardableAttr(note.getName());
  return copy->getResult(0);
}

Value KernelOutline::operand(Value value) {
  if (Value known = map.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (op && isMove(op) && !isNarrowing(op)) {
    operand(op->getOperand(0));
    return clone(op);
  }
  return input(value);
}

Value KernelOutline::side(Value value) {
  if (Value known = map.lookupOrNull(value))
    return known;
  if (!isCheap(value, 0))
    return input(value);
  Operation *op = value.getDefiningOp();
  for (Value operand : op->getOperands())
    side(operand);
  return clone(op);
}

Value KernelOutline::path(Value value, Operation *root) {
  if (Value known = map.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (!dependsOn(op, root))
    return side(value);
  for (Value operand : op->getOperands())
    path(operand, root);
  return clone(op);
}

Value KernelOutline::product(sh::DotGeneralOp dot) {
  operand(dot.getLhs());
  operand(dot.getRhs());
  return clone(dot);
}

Value KernelOutline::convert(Value value, Type element) {
  if (getElementTypeOrSelf(value.getType()) == element)
    return value;
  return sh::ConvertOp::create(
      builder, loc, RankedTensorType::get(shapeOf(value), element), value);
}

Value KernelOutline::splat(ArrayRef<int64_t> shape, double value) {
  return sh::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(f32(shape), float(value)));
}

Value KernelOutline::repeat(Value row, Value like, int64_t dimension) {
  SmallVector<int64_t> dims;
  for (int64_t d = 0, n = shapeOf(like).size(); d < n; ++d)
    if (d != dimension)
      dims.push_back(d);
  return sh::BroadcastInDimOp::create(builder, loc, f32(shapeOf(like)), row,
                                      builder.getDenseI64ArrayAttr(dims));
}

bool KernelOutline::isCheap(Value value, unsigned depth) {
  Operation *op = value.getDefiningOp();
  if (!op || depth > 12)
    return false;
  if (auto constant = dyn_cast<sh::ConstantOp>(op)) {
    auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
    return dense && dense.isSplat();
  }
  // A broadcast of anything: what comes in is smaller.
  if (isa<sh::IotaOp, sh::BroadcastInDimOp>(op))
    return true;
  return classify(op) == OpClass::Elementwise && op->getNumOperands() > 0 &&
         llvm::all_of(op->getOperands(), [&](Value operand) {
           return isCheap(operand, depth + 1);
         });
}

bool KernelOutline::dependsOn(Operation *op, Operation *root) {
  if (op == root)
    return true;
  if (!op || op->getBlock() != root->getBlock() ||
      !(isMove(op) || classify(op) == OpClass::Elementwise) ||
      op->isBeforeInBlock(root))
    return false;
  auto [it, isNew] = depends.try_emplace({op, root}, false);
  if (!isNew)
    return it->second;
  bool result = llvm::any_of(op->getOperands(), [&](Value operand) {
    return dependsOn(operand.getDefiningOp(), root);
  });
  return depends[{op, root}] = result;
}

Value KernelOutline::output(Value probabilities, Value values,
                            const AttentionPattern &pattern) {
  SmallVector<int64_t> lhsBatch, rhsBatch, shape;
  for (auto [s, v] : pattern.batch) {
    lhsBatch.push_back(s);
    rhsBatch.push_back(v);
    shape.push_back(shapeOf(values)[v]);
  }
  for (int64_t s = 0, n = shapeOf(probabilities).size(); s < n; ++s)
    if (s != pattern.keyDimension && !llvm::is_contained(lhsBatch, s))
      shape.push_back(shapeOf(probabilities)[s]);
  for (int64_t v = 0, n = shapeOf(values).size(); v < n; ++v)
    if (v != pattern.keysOfValues && !llvm::is_contained(rhsBatch, v))
      shape.push_back(shapeOf(values)[v]);
  Type element = getElementTypeOrSelf(values.getType());
  auto numbers = sh::DotDimensionNumbersAttr::get(
      builder.getContext(), lhsBatch, rhsBatch, {pattern.keyDimension},
      {pattern.keysOfValues});
  return sh::DotGeneralOp::create(builder, loc,
                                  RankedTensorType::get(shape, element),
                                  convert(probabilities, element), values,
                                  numbers, ArrayAttr(), sh::DotAlgorithmAttr());
}

plan::KernelOp KernelOutline::finish(ModuleOp module, StringRef name,
                                     ValueRange results) {
  constexpr size_t mostInputs = 20;
  if (inputs.size() > mostInputs)
    return {};
  plan::YieldOp::create(builder, loc, results);
  OpBuilder outside = OpBuilder::atBlockEnd(module.getBody());
  auto kernel = plan::KernelOp::create(
      outside, loc, name,
      builder.getFunctionType(llvm::to_vector(body.getArgumentTypes()),
                              llvm::to_vector(results.getTypes())));
  Block &target = kernel.getBody().front();
  for (auto [from, to] :
       llvm::zip_equal(body.getArguments(), target.getArguments()))
    from.replaceAllUsesWith(to);
  target.getOperations().splice(target.end(), body.getOperations());
  kernel.setStrategy("attention");
  OwningOpRef<ModuleOp> trial = ModuleOp::create(loc);
  TileSource source;
  source.symbol = "trial";
  source.body = &kernel.getBody();
  if (!makeAttentionFuncs(source, TileTarget(), *trial).empty())
    return kernel;
  kernel.erase();
  return {};
}
