#include "shoal/Analysis/OpCosts.h"

#include "dialects/Plan/Plan.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace shoal {

int64_t tensorBytesOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape() || plan::isOnHost(type))
    return 0;
  Type element = tensor.getElementType();
  int64_t bits = 8;
  if (auto complex = dyn_cast<ComplexType>(element))
    bits = 2 * complex.getElementType().getIntOrFloatBitWidth();
  else if (auto quantized = dyn_cast<quant::QuantizedType>(element))
    bits = quantized.getStorageTypeIntegralWidth();
  else if (element.isIntOrFloat())
    bits = element.getIntOrFloatBitWidth();
  int64_t bytes = std::max<int64_t>(1, bits / 8);
  for (int64_t d : tensor.getShape())
    if (__builtin_mul_overflow(bytes, d, &bytes))
      return INT64_MAX;
  return bytes;
}

static int64_t saturatingMul(int64_t a, int64_t b) {
  int64_t r;
  return __builtin_mul_overflow(a, b, &r) ? INT64_MAX : r;
}

static int64_t dimsProduct(ArrayRef<int64_t> shape) {
  int64_t n = 1;
  for (int64_t d : shape)
    n = saturatingMul(n, d);
  return n;
}

int64_t flopsOf(Operation *op) {
  if (auto dot = dyn_cast<stablehlo::DotGeneralOp>(op)) {
    auto lhs = dyn_cast<RankedTensorType>(dot.getLhs().getType());
    auto result = dyn_cast<RankedTensorType>(dot->getResult(0).getType());
    if (!lhs || !result)
      return 0;
    int64_t n = saturatingMul(2, dimsProduct(result.getShape()));
    for (int64_t d : dot.getDotDimensionNumbers().getLhsContractingDimensions())
      n = saturatingMul(n, lhs.getDimSize(d));
    return n;
  }
  if (auto conv = dyn_cast<stablehlo::ConvolutionOp>(op)) {
    auto rhs = dyn_cast<RankedTensorType>(conv.getRhs().getType());
    auto result = dyn_cast<RankedTensorType>(conv->getResult(0).getType());
    if (!rhs || !result)
      return 0;
    int64_t n = saturatingMul(2, dimsProduct(result.getShape()));
    int64_t outFeatures =
        conv.getDimensionNumbers().getKernelOutputFeatureDimension();
    for (auto [i, d] : llvm::enumerate(rhs.getShape()))
      if (static_cast<int64_t>(i) != outFeatures)
        n = saturatingMul(n, d);
    return n;
  }
  return 0;
}

ComputeType computeTypeOf(Type type) {
  type = getElementTypeOrSelf(type);
  if (auto complex = dyn_cast<ComplexType>(type))
    type = complex.getElementType();
  if (type.isF64())
    return ComputeType::F64;
  if (type.isBF16())
    return ComputeType::BF16;
  if (type.isF16())
    return ComputeType::F16;
  if (isa<FloatType>(type))
    return type.getIntOrFloatBitWidth() <= 8 ? ComputeType::F8
                                             : ComputeType::F32;
  return type.isInteger(8) ? ComputeType::I8 : ComputeType::F32;
}

static int64_t saturatingAdd(int64_t a, int64_t b) {
  int64_t r;
  return __builtin_add_overflow(a, b, &r) ? INT64_MAX : r;
}

/// The operand in whose memory result `i` is made, if nobody needs the operand
/// after the op: updates and what loops carry stay where they are.
static Value madeIn(Operation *op, unsigned i) {
  if (isa<stablehlo::DynamicUpdateSliceOp, stablehlo::ReshapeOp>(op))
    return op->getOperand(0);
  if (isa<stablehlo::WhileOp, stablehlo::OptimizationBarrierOp,
          stablehlo::ScatterOp>(op))
    return op->getOperand(i);
  return {};
}

int64_t peakBytesOf(Region &region) {
  if (region.empty())
    return 0;
  Block &block = region.front();
  llvm::DenseMap<Operation *, unsigned> order;
  for (auto [i, op] : llvm::enumerate(block))
    order[&op] = i;
  auto lastUse = [&](Value value) {
    Operation *last = value.getDefiningOp();
    for (Operation *user : value.getUsers())
      if (Operation *here = block.findAncestorOpInBlock(*user);
          here && (!last || order[here] > order[last]))
        last = here;
    return last;
  };
  // Of a value: the memory it holds, which is nothing for one that is made in
  // memory from outside.
  llvm::DenseMap<Value, int64_t> holds;
  llvm::DenseMap<Operation *, int64_t> freedAfter;
  int64_t live = 0, peak = 0;
  for (Operation &op : block) {
    int64_t inner = 0;
    for (Region &nested : op.getRegions())
      inner = std::max(inner, peakBytesOf(nested));
    for (OpResult result : op.getResults()) {
      int64_t bytes = tensorBytesOf(result.getType());
      Value source = madeIn(&op, result.getResultNumber());
      if (source && tensorBytesOf(source.getType()) == bytes &&
          lastUse(source) == &op) {
        bytes = holds.lookup(source);
        freedAfter[&op] -= bytes;
      } else {
        live = saturatingAdd(live, bytes);
      }
      holds[result] = bytes;
      freedAfter[lastUse(result)] += bytes;
    }
    peak = std::max(peak, saturatingAdd(live, inner));
    live -= freedAfter.lookup(&op);
  }
  return peak;
}

} // namespace shoal
