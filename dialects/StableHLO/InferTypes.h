// Shared by the files that infer result types and verify ops.

#ifndef SHOAL_DIALECTS_STABLEHLO_INFERTYPES_H
#define SHOAL_DIALECTS_STABLEHLO_INFERTYPES_H

#include "dialects/StableHLO/StableHLO.h"

/// Opens the definition of OP::inferReturnTypes with `op`, an adaptor for its
/// operands, attributes and regions. The interface's signature is too long to
/// be repeated for every op. A result type is appended to `inferred`; errors
/// go through emitOptionalError(location, …).
#define STABLEHLO_INFER_TYPES(OP)                                              \
  static LogicalResult infer##OP(                                              \
      MLIRContext *context, std::optional<Location> location, OP::Adaptor op,  \
      SmallVectorImpl<Type> &inferred);                                        \
  LogicalResult OP::inferReturnTypes(                                          \
      MLIRContext *context, std::optional<Location> location,                  \
      ValueRange operands, DictionaryAttr attributes,                          \
      OpaqueProperties properties, RegionRange regions,                        \
      SmallVectorImpl<Type> &inferred) {                                       \
    return infer##OP(context, location,                                        \
                     OP::Adaptor(operands, attributes, properties, regions),   \
                     inferred);                                                \
  }                                                                            \
  static LogicalResult infer##OP(                                              \
      [[maybe_unused]] MLIRContext *context,                                   \
      [[maybe_unused]] std::optional<Location> location,                       \
      [[maybe_unused]] OP::Adaptor op, SmallVectorImpl<Type> &inferred)

namespace mlir::stablehlo {

/// The type as a ranked tensor, or null.
inline RankedTensorType getTensor(Value value) {
  return dyn_cast<RankedTensorType>(value.getType());
}

/// 0 <= dim < rank.
inline bool isDimInRange(int64_t dim, int64_t rank) {
  return dim >= 0 && dim < rank;
}

/// Checks that `dims` are dimensions of something of rank `rank`, none twice;
/// `name` is used in the message.
LogicalResult verifyDims(std::optional<Location> location,
                         ArrayRef<int64_t> dims, int64_t rank, StringRef name);

/// The bound or, without bounds, kDynamic.
inline int64_t getBound(ArrayRef<int64_t> bounds, int64_t dim) {
  return bounds.empty() ? ShapedType::kDynamic : bounds[dim];
}

/// A tensor type whose encoding says `bounds` if there are any.
Type getBoundedTensor(ArrayRef<int64_t> shape, Type elementType,
                      ArrayRef<int64_t> bounds);

/// Whether both have as many elements, or one's shape is not known. Exact, even
/// where the number does not fit 64 bits.
bool mayHaveSameNumElements(ArrayRef<int64_t> a, ArrayRef<int64_t> b);

/// One dimension of a sliding window.
struct WindowDimension {
  int64_t size = 1, stride = 1, baseDilation = 1, windowDilation = 1;
  int64_t paddingLow = 0, paddingHigh = 0;
};

/// The window that attributes (each empty for its default) describe, checked:
/// all of length `sizes.size()`, sizes, strides and dilations at least 1.
FailureOr<SmallVector<WindowDimension>>
getWindow(std::optional<Location> location, ArrayRef<int64_t> sizes,
          ArrayRef<int64_t> strides,
          std::optional<DenseIntElementsAttr> padding,
          ArrayRef<int64_t> baseDilations, ArrayRef<int64_t> windowDilations);

/// How many places the window has in something of size `base`; kDynamic if
/// that is unknown. Fails, with an error, on overflow.
FailureOr<int64_t> getWindowedSize(std::optional<Location> location,
                                   int64_t base, const WindowDimension &window);

/// Verifies a region that folds pairs of scalars: 2n arguments, n results, of
/// types that the n inputs and initial values can be promoted to. Fills in the
/// element types of the results.
LogicalResult verifyReducer(std::optional<Location> location, Region &body,
                            TypeRange inputs, TypeRange inits,
                            SmallVectorImpl<Type> &elementTypes);

/// Whether `to` is `from`, or a wider type of the same kind.
bool isPromotableElementType(Type from, Type to);

} // namespace mlir::stablehlo

#endif // SHOAL_DIALECTS_STABLEHLO_INFERTYPES_H
