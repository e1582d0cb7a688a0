// Arithmetic on quantized values, written in StableHLO on their storage.
#ifndef SHOAL_LIB_IMPORT_QUANTIZEDARITHMETIC_H
#define SHOAL_LIB_IMPORT_QUANTIZEDARITHMETIC_H

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/Builders.h"

namespace shoal {

/// The quantized element type of `type`, or null.
mlir::quant::QuantizedType getQuantized(mlir::Type type);

/// iN or uiN, what a quantized element is stored as. (The quant dialect's own
/// answer is signless for `u8`.)
mlir::IntegerType getStorageElement(mlir::quant::QuantizedType type);

/// A uniform type, per tensor or per axis, in one form: one scale and zero
/// point if `axis` is -1, else as many as the dimension `axis` has elements.
struct QuantizationParameters {
  explicit QuantizationParameters(mlir::quant::QuantizedType type);

  bool isPerAxis() const { return axis >= 0; }
  bool hasZeroPoint() const;
  /// Whether bounds narrow the storage type.
  bool hasBounds() const;
  /// The largest |storage - zero point|.
  double getLargestOffset() const;
  /// Whether different storage values stand for different numbers, in the same
  /// order: then comparisons need no dequantization.
  bool isOrderPreserving() const;

  mlir::IntegerType storage;
  mlir::FloatType expressed;
  llvm::SmallVector<double> scales;
  llvm::SmallVector<int64_t> zeroPoints;
  int64_t axis = -1;
  int64_t min, max;
};

/// Builds operations on tensors of storage or expressed type; the quantized
/// type says only how they relate. Shapes are those of the values, static.
class QuantizedBuilder {
public:
  using Value = mlir::Value;
  using QuantizedType = mlir::quant::QuantizedType;

  QuantizedBuilder(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  /// (storage - zero point) * scale.
  Value dequantize(Value storage, QuantizedType type);
  /// round_nearest_even(clamp(min, value / scale + zero point, max)).
  Value quantize(Value value, QuantizedType type);
  /// From one quantized type to another. In f32 this is one multiplication by
  /// the ratio of the scales, as the reference interpreter has it; else
  /// dequantize, then quantize.
  Value requantize(Value storage, QuantizedType from, QuantizedType to);
  /// The sum in type `to`; null where only dequantizing can give it.
  Value add(Value lhs, QuantizedType lhsType, Value rhs, QuantizedType rhsType,
            QuantizedType to);

  /// storage - zero point, in `element`, an integer or float type.
  Value offset(Value storage, QuantizedType type, mlir::Type element);
  /// `value` (integers) plus the zero point, clamped, in the storage type.
  Value store(Value value, QuantizedType type);

private:
  Value convert(Value value, mlir::Type element);
  /// A number of the value's type per element of `axis` of it, or one.
  Value constant(llvm::ArrayRef<double> values, int64_t axis, Value like);
  Value clamp(Value value, const QuantizationParameters &type);
  /// storage * (scale / scale') + (zero point' - zero point * scale / scale').
  Value rescale(Value storage, const QuantizationParameters &from,
                const QuantizationParameters &to);

  mlir::OpBuilder &builder;
  mlir::Location loc;
};

} // namespace shoal

#endif // SHOAL_LIB_IMPORT_QUANTIZEDARITHMETIC_H
