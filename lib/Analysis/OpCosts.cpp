#include "shoal/Analysis/OpCosts.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace shoal {

int64_t tensorBytesOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape())
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

} // namespace shoal
