// Arithmetic on quantized values, written in StableHLO on their storage.
#include "QuantizedArithmetic.h"

#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;
using namespace shoal;
using quant::QuantizedType;

QuantizedType shoal::getQuantized(Type type) {
  return dyn_cast<QuantizedType>(getElementTypeOrSelf(type));
}

IntegerType shoal::getStorageElement(QuantizedType type) {
  return IntegerType::get(type.getContext(), type.getStorageTypeIntegralWidth(),
                          type.isSigned() ? IntegerType::Signless
                                          : IntegerType::Unsigned);
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

QuantizationParameters::QuantizationParameters(QuantizedType type)
    : storage(getStorageElement(type)),
      expressed(cast<FloatType>(type.getExpressedType())),
      min(type.getStorageTypeMin()), max(type.getStorageTypeMax()) {
  if (auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(type)) {
    scales.assign(perAxis.getScales().begin(), perAxis.getScales().end());
    zeroPoints.assign(perAxis.getZeroPoints().begin(),
                      perAxis.getZeroPoints().end());
    axis = perAxis.getQuantizedDimension();
    return;
  }
  auto perTensor = cast<quant::UniformQuantizedType>(type);
  scales.push_back(perTensor.getScale());
  zeroPoints.push_back(perTensor.getZeroPoint());
}

bool QuantizationParameters::hasZeroPoint() const {
  return llvm::any_of(zeroPoints, [](int64_t zero) { return zero != 0; });
}

bool QuantizationParameters::hasBounds() const {
  bool isSigned = !storage.isUnsigned();
  return min != QuantizedType::getDefaultMinimumForInteger(
                    isSigned, storage.getWidth()) ||
         max != QuantizedType::getDefaultMaximumForInteger(isSigned,
                                                           storage.getWidth());
}

double QuantizationParameters::getLargestOffset() const {
  double largest = 0;
  for (int64_t zero : zeroPoints)
    largest = std::max({largest, std::abs(double(min) - double(zero)),
                        std::abs(double(max) - double(zero))});
  return largest;
}

bool QuantizationParameters::isOrderPreserving() const {
  const llvm::fltSemantics &format = expressed.getFloatSemantics();
  // Neighbours k and k + 1 times a scale round to different numbers while k is
  // well below the precision.
  if (storage.getWidth() + 2 > APFloat::semanticsPrecision(format))
    return false;
  double smallest = APFloat::getSmallestNormalized(format).convertToDouble();
  double largest = APFloat::getLargest(format).convertToDouble();
  return llvm::all_of(scales, [&](double scale) {
    return scale >= smallest && scale * getLargestOffset() <= largest / 2;
  });
}

//===----------------------------------------------------------------------===//
// Building blocks
//===----------------------------------------------------------------------===//

Value QuantizedBuilder::convert(Value value, Type element) {
  if (getElementTypeOrSelf(value.getType()) == element)
    return value;
  return stablehlo::ConvertOp::create(builder, loc, value, element);
}

/// `value` as an element of `type`, rounded to it.
static Attribute getElement(Type type, double value) {
  if (auto integer = dyn_cast<IntegerType>(type)) {
    // Bounds of ui32 do not fit int32_t, but all do int64_t.
    APInt bits(integer.getWidth(), static_cast<uint64_t>(int64_t(value)),
               /*isSigned=*/false, /*implicitTrunc=*/true);
    return IntegerAttr::get(type, bits);
  }
  APFloat exact(value);
  bool losesInfo;
  exact.convert(cast<FloatType>(type).getFloatSemantics(),
                APFloat::rmNearestTiesToEven, &losesInfo);
  return FloatAttr::get(type, exact);
}

Value QuantizedBuilder::constant(ArrayRef<double> values, int64_t axis,
                                 Value like) {
  auto type = cast<RankedTensorType>(like.getType());
  Type element = type.getElementType();
  SmallVector<Attribute> elements;
  for (double value : values)
    elements.push_back(getElement(element, value));
  if (llvm::all_equal(elements))
    return stablehlo::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(type, elements.front()));
  auto vector = RankedTensorType::get({int64_t(values.size())}, element);
  Value parameters = stablehlo::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(vector, elements));
  return stablehlo::BroadcastInDimOp::create(
      builder, loc, type, parameters, builder.getDenseI64ArrayAttr({axis}));
}

Value QuantizedBuilder::clamp(Value value, const QuantizationParameters &type) {
  auto tensor = cast<RankedTensorType>(value.getType());
  Type element = tensor.getElementType();
  auto bound = [&](int64_t number) -> Value {
    auto scalar = RankedTensorType::get({}, element);
    return stablehlo::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(scalar, getElement(element, double(number))));
  };
  Value low = bound(type.min), high = bound(type.max);
  return stablehlo::ClampOp::create(builder, loc, tensor, low, value, high);
}

static SmallVector<double> toDoubles(ArrayRef<int64_t> values) {
  return SmallVector<double>(values.begin(), values.end());
}

Value QuantizedBuilder::offset(Value storage, QuantizedType type,
                               Type element) {
  QuantizationParameters p(type);
  if (!p.hasZeroPoint())
    return convert(storage, element);
  // The difference may have more bits than the storage.
  Type wide = builder.getIntegerType(p.storage.getWidth() < 32 ? 32 : 64);
  if (isa<IntegerType>(element))
    wide = element;
  Value value = convert(storage, wide);
  Value zero = constant(toDoubles(p.zeroPoints), p.axis, value);
  value = stablehlo::SubtractOp::create(builder, loc, value, zero);
  return convert(value, element);
}

Value QuantizedBuilder::store(Value value, QuantizedType type) {
  QuantizationParameters p(type);
  if (p.hasZeroPoint()) {
    Value zero = constant(toDoubles(p.zeroPoints), p.axis, value);
    value = stablehlo::AddOp::create(builder, loc, value, zero);
  }
  unsigned width =
      getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth();
  if (p.storage.getWidth() < width || p.hasBounds())
    value = clamp(value, p);
  return convert(value, p.storage);
}

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

static bool isOne(const QuantizationParameters &p) {
  return llvm::all_of(p.scales, [](double scale) { return scale == 1.0; });
}

Value QuantizedBuilder::dequantize(Value storage, QuantizedType type) {
  QuantizationParameters p(type);
  Value value = offset(storage, type, p.expressed);
  if (isOne(p))
    return value;
  return stablehlo::MulOp::create(builder, loc, value,
                                  constant(p.scales, p.axis, value));
}

Value QuantizedBuilder::quantize(Value value, QuantizedType type) {
  QuantizationParameters p(type);
  value = convert(value, p.expressed);
  if (!isOne(p))
    value = stablehlo::DivOp::create(builder, loc, value,
                                     constant(p.scales, p.axis, value));
  if (p.hasZeroPoint())
    value = stablehlo::AddOp::create(
        builder, loc, value,
        constant(toDoubles(p.zeroPoints), p.axis, value));
  value = clamp(value, p);
  value = stablehlo::RoundNearestEvenOp::create(builder, loc, value);
  return convert(value, p.storage);
}

Value QuantizedBuilder::rescale(Value storage,
                                const QuantizationParameters &from,
                                const QuantizationParameters &to) {
  SmallVector<double> ratios, shifts;
  for (size_t i = 0, e = std::max(from.scales.size(), to.scales.size()); i < e;
       ++i) {
    size_t mine = from.isPerAxis() ? i : 0, its = to.isPerAxis() ? i : 0;
    double ratio = from.scales[mine] / to.scales[its];
    ratios.push_back(ratio);
    shifts.push_back(double(to.zeroPoints[its]) -
                     double(from.zeroPoints[mine]) * ratio);
  }
  int64_t axis = std::max(from.axis, to.axis);
  Value value = convert(storage, from.expressed);
  value = stablehlo::MulOp::create(builder, loc, value,
                                   constant(ratios, axis, value));
  if (llvm::any_of(shifts, [](double shift) { return shift != 0; }))
    value = stablehlo::AddOp::create(builder, loc, value,
                                     constant(shifts, axis, value));
  return value;
}

Value QuantizedBuilder::requantize(Value storage, QuantizedType from,
                                   QuantizedType to) {
  if (from == to)
    return storage;
  QuantizationParameters f(from), t(to);
  bool sameAxis = !f.isPerAxis() || !t.isPerAxis() || f.axis == t.axis;
  if (!f.expressed.isF32() || !t.expressed.isF32() || !sameAxis)
    return quantize(dequantize(storage, from), to);
  Value value = clamp(rescale(storage, f, t), t);
  value = stablehlo::RoundNearestEvenOp::create(builder, loc, value);
  return convert(value, t.storage);
}

Value QuantizedBuilder::add(Value lhs, QuantizedType lhsType, Value rhs,
                            QuantizedType rhsType, QuantizedType to) {
  QuantizationParameters p(to);
  // Numbers of one type need no float arithmetic. Of different types, the
  // reference interpreter first brings both to the result's (rounding each),
  // which it does for f32 and types per tensor.
  auto isPerAxis = llvm::IsaPred<quant::UniformQuantizedPerAxisType>;
  bool same = lhsType == to && rhsType == to;
  if (!same && (!p.expressed.isF32() || isPerAxis(to) || isPerAxis(lhsType) ||
                isPerAxis(rhsType)))
    return {};
  // A full 32-bit storage wraps, which keeps the sum linear; narrower ones
  // saturate.
  bool wraps = p.storage.getWidth() == 32 && !p.hasBounds();
  Type element = wraps ? Type(p.storage)
                       : builder.getIntegerType(
                             p.storage.getWidth() == 32 ? 64 : 32);
  auto bring = [&](Value value, QuantizedType from) -> Value {
    if (from == to)
      return convert(value, element);
    value = rescale(value, QuantizationParameters(from), p);
    value = stablehlo::RoundNearestEvenOp::create(builder, loc, value);
    return convert(value, element);
  };
  // (l - z) + (r - z) = (l + r - z) - z
  Value left = bring(lhs, lhsType), right = bring(rhs, rhsType);
  Value sum = stablehlo::AddOp::create(builder, loc, left, right);
  if (p.hasZeroPoint())
    sum = stablehlo::SubtractOp::create(
        builder, loc, sum, constant(toDoubles(p.zeroPoints), p.axis, sum));
  if (!wraps)
    sum = clamp(sum, p);
  return convert(sum, p.storage);
}
