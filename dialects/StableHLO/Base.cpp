#include "dialects/StableHLO/Base.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::hlo;

//===----------------------------------------------------------------------===//
// Quantized types
//===----------------------------------------------------------------------===//

static bool hasQuantizedStorage(quant::QuantizedType type) {
  auto storage = dyn_cast<IntegerType>(type.getStorageType());
  auto expressed = dyn_cast_if_present<FloatType>(type.getExpressedType());
  if (!storage || !expressed)
    return false;
  return llvm::is_contained({2u, 4u, 8u, 16u, 32u}, storage.getWidth());
}

static bool isInStorageRange(quant::QuantizedType type, int64_t zeroPoint) {
  return zeroPoint >= type.getStorageTypeMin() &&
         zeroPoint <= type.getStorageTypeMax();
}

bool mlir::hlo::isPerTensorQuantizedElementType(Type type) {
  auto quantized = dyn_cast<quant::UniformQuantizedType>(type);
  return quantized && hasQuantizedStorage(quantized) &&
         quantized.getScale() > 0 &&
         isInStorageRange(quantized, quantized.getZeroPoint());
}

bool mlir::hlo::isPerAxisQuantizedElementType(Type type) {
  auto quantized = dyn_cast<quant::UniformQuantizedPerAxisType>(type);
  return quantized && hasQuantizedStorage(quantized) &&
         llvm::all_of(quantized.getScales(), [](double s) { return s > 0; }) &&
         llvm::all_of(quantized.getZeroPoints(), [&](int64_t zeroPoint) {
           return isInStorageRange(quantized, zeroPoint);
         });
}

bool mlir::hlo::isValidQuantizedDimension(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return true;
  auto quantized =
      dyn_cast<quant::UniformQuantizedPerAxisType>(tensor.getElementType());
  if (!quantized)
    return true;
  int64_t dim = quantized.getQuantizedDimension();
  int64_t scales = quantized.getScales().size();
  return dim >= 0 && dim < tensor.getRank() &&
         (tensor.isDynamicDim(dim) || tensor.getDimSize(dim) == scales);
}

//===----------------------------------------------------------------------===//
// Compatibility
//===----------------------------------------------------------------------===//

bool mlir::hlo::isCompatibleDimSize(int64_t a, int64_t b) {
  return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
}

bool mlir::hlo::areCompatibleShapes(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  return a.size() == b.size() && llvm::all_of(llvm::zip(a, b), [](auto sizes) {
           return isCompatibleDimSize(std::get<0>(sizes), std::get<1>(sizes));
         });
}

bool mlir::hlo::isCompatibleElementTypeForHloTypeInference(Type a, Type b) {
  if (a == b)
    return true;
  auto quantizedA = dyn_cast<quant::QuantizedType>(a);
  auto quantizedB = dyn_cast<quant::QuantizedType>(b);
  if (!quantizedA || !quantizedB)
    return false;
  // Scales, zero points and bounds may differ: the op requantizes.
  return quantizedA.getStorageType() == quantizedB.getStorageType() &&
         quantizedA.getExpressedType() == quantizedB.getExpressedType();
}

/// A size known to be at most `bound` can be `size`.
static bool fitsBounds(ArrayRef<int64_t> sizes, ArrayRef<int64_t> bounds) {
  if (bounds.empty())
    return true;
  return llvm::all_of(llvm::zip(sizes, bounds), [](auto pair) {
    auto [size, bound] = pair;
    return ShapedType::isDynamic(size) || ShapedType::isDynamic(bound) ||
           size <= bound;
  });
}

bool mlir::hlo::isCompatibleForHloTypeInference(Type a, Type b) {
  if (a == b)
    return true;
  auto tupleA = dyn_cast<TupleType>(a), tupleB = dyn_cast<TupleType>(b);
  if (tupleA && tupleB)
    return isCompatibleForHloTypeInference(tupleA.getTypes(),
                                           tupleB.getTypes());
  auto shapedA = dyn_cast<ShapedType>(a), shapedB = dyn_cast<ShapedType>(b);
  if (!shapedA || !shapedB)
    return false;
  if (!isCompatibleElementTypeForHloTypeInference(shapedA.getElementType(),
                                                  shapedB.getElementType()))
    return false;
  if (!shapedA.hasRank() || !shapedB.hasRank())
    return true;
  if (!areCompatibleShapes(shapedA.getShape(), shapedB.getShape()))
    return false;
  auto rankedA = dyn_cast<RankedTensorType>(a),
       rankedB = dyn_cast<RankedTensorType>(b);
  if (!rankedA || !rankedB)
    return true;
  return fitsBounds(rankedA.getShape(),
                    encodingToBounds(rankedB.getEncoding())) &&
         fitsBounds(rankedB.getShape(),
                    encodingToBounds(rankedA.getEncoding()));
}

bool mlir::hlo::isCompatibleForHloTypeInference(TypeRange a, TypeRange b) {
  return a.size() == b.size() && llvm::all_of(llvm::zip(a, b), [](auto types) {
           return isCompatibleForHloTypeInference(std::get<0>(types),
                                                  std::get<1>(types));
         });
}

//===----------------------------------------------------------------------===//
// Bounds
//===----------------------------------------------------------------------===//

ArrayRef<int64_t> mlir::hlo::encodingToBounds(Attribute encoding) {
  if (auto bounded = dyn_cast_if_present<BoundedAttrInterface>(encoding))
    return bounded.getBounds();
  return {};
}

Attribute mlir::hlo::boundsToEncoding(MLIRContext *context,
                                      ArrayRef<int64_t> bounds) {
  if (llvm::all_of(bounds, ShapedType::isDynamic))
    return {};
  return stablehlo::TypeExtensionsAttr::get(context, bounds);
}

//===----------------------------------------------------------------------===//
// Joining types
//===----------------------------------------------------------------------===//
namespace {
struct SizeAndBound {
  int64_t size = ShapedType::kDynamic;
  int64_t bound = ShapedType::kDynamic;
};
} // namespace

/// Both hold: sizes must agree, the tighter bound counts.
static FailureOr<SizeAndBound> meet(SizeAndBound a, SizeAndBound b) {
  if (!isCompatibleDimSize(a.size, b.size))
    return failure();
  SizeAndBound result;
  result.size = isStaticDimSize(a.size) ? a.size : b.size;
  if (isStaticDimSize(a.bound) && isStaticDimSize(b.bound))
    result.bound = std::min(a.bound, b.bound);
  else
    result.bound = isStaticDimSize(a.bound) ? a.bound : b.bound;
  if (isStaticDimSize(result.size)) {
    if (isStaticDimSize(result.bound) && result.size > result.bound)
      return failure();
    result.bound = ShapedType::kDynamic;
  }
  return result;
}

/// Either may hold: a size only if both have it, the looser bound.
static SizeAndBound join(SizeAndBound a, SizeAndBound b) {
  if (isStaticDimSize(a.size) && a.size == b.size)
    return {a.size, ShapedType::kDynamic};
  auto limit = [](SizeAndBound each) {
    return isStaticDimSize(each.size) ? each.size : each.bound;
  };
  SizeAndBound result;
  if (isStaticDimSize(limit(a)) && isStaticDimSize(limit(b)) &&
      // Two different static sizes need no bound that nobody wrote.
      (isStaticDimSize(a.bound) || isStaticDimSize(b.bound)))
    result.bound = std::max(limit(a), limit(b));
  return result;
}

static FailureOr<Type> combineTypes(std::optional<Location> location,
                                    TypeRange types, bool mostSpecific) {
  if (types.empty())
    return emitOptionalError(location, "expected at least one type");
  Type first = types.front();
  if (llvm::all_equal(types))
    return first;
  for (Type type : types.drop_front()) {
    auto a = dyn_cast<RankedTensorType>(first),
         b = dyn_cast<RankedTensorType>(type);
    if (!a || !b ? first != type
                 : a.getRank() != b.getRank() ||
                       !isCompatibleElementTypeForHloTypeInference(
                           a.getElementType(), b.getElementType()))
      return emitOptionalError(location, "Mismatched result types ", first,
                               " and ", type);
  }
  auto result = cast<RankedTensorType>(first);
  int64_t rank = result.getRank();
  SmallVector<int64_t> shape, bounds;
  for (int64_t dim = 0; dim < rank; ++dim) {
    auto of = [dim](Type type) {
      auto tensor = cast<RankedTensorType>(type);
      ArrayRef<int64_t> bounds = encodingToBounds(tensor.getEncoding());
      return SizeAndBound{tensor.getDimSize(dim),
                          bounds.empty() ? ShapedType::kDynamic : bounds[dim]};
    };
    SizeAndBound combined = of(first);
    for (Type type : types.drop_front()) {
      if (!mostSpecific) {
        combined = join(combined, of(type));
        continue;
      }
      auto both = meet(combined, of(type));
      if (failed(both))
        return emitOptionalError(location,
                                 "Mismatched dimension sizes in dimension ",
                                 dim, " of ", first, " and ", type);
      combined = *both;
    }
    shape.push_back(combined.size);
    bounds.push_back(combined.bound);
  }
  return Type(
      RankedTensorType::get(shape, result.getElementType(),
                            boundsToEncoding(result.getContext(), bounds)));
}

FailureOr<Type>
mlir::hlo::inferMostSpecificType(std::optional<Location> location,
                                 TypeRange types) {
  return combineTypes(location, types, /*mostSpecific=*/true);
}

FailureOr<Type>
mlir::hlo::inferLeastSpecificType(std::optional<Location> location,
                                  TypeRange types) {
  return combineTypes(location, types, /*mostSpecific=*/false);
}

//===----------------------------------------------------------------------===//
// Small helpers
//===----------------------------------------------------------------------===//

ShapedType mlir::hlo::getSameShapeTensorType(ShapedType type,
                                             Type elementType) {
  if (auto ranked = dyn_cast<RankedTensorType>(type))
    return RankedTensorType::get(ranked.getShape(), elementType,
                                 ranked.getEncoding());
  return UnrankedTensorType::get(elementType);
}

Type mlir::hlo::getComplexElementOrSelf(Type elementType) {
  if (auto complex = dyn_cast<ComplexType>(elementType))
    return complex.getElementType();
  return elementType;
}

Type mlir::hlo::createRealType(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped)
    return getComplexElementOrSelf(type);
  return getSameShapeTensorType(
      shaped, getComplexElementOrSelf(shaped.getElementType()));
}

LogicalResult mlir::hlo::matchInts(Value value,
                                   SmallVectorImpl<int64_t> &result) {
  DenseIntElementsAttr attr;
  if (!matchPattern(value, m_Constant(&attr)))
    return failure();
  bool isUnsigned = attr.getElementType().isUnsignedInteger();
  for (APInt each : attr.getValues<APInt>()) {
    if (isUnsigned ? !each.isIntN(63) : !each.isSignedIntN(64))
      return failure();
    result.push_back(isUnsigned ? static_cast<int64_t>(each.getZExtValue())
                                : each.getSExtValue());
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Traits
//===----------------------------------------------------------------------===//

LogicalResult mlir::hlo::verifyCompatibleOperandsAndResultType(Operation *op) {
  SmallVector<Type> types(op->getOperandTypes());
  llvm::append_range(types, op->getResultTypes());
  if (types.empty())
    return op->emitOpError("expected at least one operand or result");
  for (Type type : ArrayRef(types).drop_front())
    if (!isCompatibleForHloTypeInference(types.front(), type))
      return op->emitOpError()
             << "requires compatible types for all operands and results, got "
             << types.front() << " and " << type;
  return success();
}

LogicalResult mlir::hlo::verifyCompatibleElementTypes(Operation *op,
                                                      TypeRange types) {
  if (types.empty())
    return success();
  Type first = getElementTypeOrSelf(types.front());
  for (Type type : types.drop_front())
    if (!isCompatibleElementTypeForHloTypeInference(first,
                                                    getElementTypeOrSelf(type)))
      return op->emitOpError() << "requires compatible element types, got "
                               << types.front() << " and " << type;
  return success();
}
