// What StableHLO and chlo share: compatibility of types as type inference
// sees it, traits of ops, and small helpers on types.

#ifndef SHOAL_DIALECTS_STABLEHLO_BASE_H
#define SHOAL_DIALECTS_STABLEHLO_BASE_H

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

namespace mlir::hlo {

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

/// Whether `dimension` or `size` is known. A bound counts as unknown.
inline bool isStaticDimSize(int64_t size) { return !ShapedType::isDynamic(size); }
inline bool isDynamicDimSize(int64_t size) { return ShapedType::isDynamic(size); }

/// Quantized element types the specification knows: signless or unsigned
/// storage of 2 to 32 bits and zero points inside the storage range.
bool isPerTensorQuantizedElementType(Type type);
bool isPerAxisQuantizedElementType(Type type);
/// True for types that are not per-axis quantized; else whether the quantized
/// dimension is one of the tensor's, as long as there are scales.
bool isValidQuantizedDimension(Type type);

/// Two sizes that may be equal at run time.
bool isCompatibleDimSize(int64_t a, int64_t b);
/// Two element types that may be those of one value: equal, or quantized with
/// the same storage and expressed types.
bool isCompatibleElementTypeForHloTypeInference(Type a, Type b);
/// Two types, or lists of types, that may be those of one value: as above,
/// and with shapes that may be equal at run time.
bool isCompatibleForHloTypeInference(Type a, Type b);
bool isCompatibleForHloTypeInference(TypeRange a, TypeRange b);

/// The dimension sizes are compatible and ranks are equal.
bool areCompatibleShapes(ArrayRef<int64_t> a, ArrayRef<int64_t> b);

/// The type that says the most that is true of every given type: a size that
/// only some know is kept, sizes that disagree are an error (reported at
/// `location`), bounds are the tightest ones.
FailureOr<Type> inferMostSpecificType(std::optional<Location> location,
                                      TypeRange types);
/// The type that holds for whichever of the given values is taken: sizes that
/// not all know become unknown, bounds are the loosest ones.
FailureOr<Type> inferLeastSpecificType(std::optional<Location> location,
                                       TypeRange types);

/// `type` with another element type; shape and bounds stay.
ShapedType getSameShapeTensorType(ShapedType type, Type elementType);
/// tensor<complex<T>> for tensor<T>.
Type createRealType(Type type);
/// The element type, with complex<T> taken as T.
Type getComplexElementOrSelf(Type elementType);

/// The bounds in a tensor's encoding; empty without.
ArrayRef<int64_t> encodingToBounds(Attribute encoding);
/// An encoding with these bounds, of the kind of `prototype` (an encoding of
/// the operands) or, if that is null, a stablehlo one. Null if no bounds.
Attribute boundsToEncoding(MLIRContext *context, ArrayRef<int64_t> bounds);

/// A value known at compile time as integers, e.g. of a shape tensor. Fails if
/// it is not constant.
LogicalResult matchInts(Value value, SmallVectorImpl<int64_t> &result);

/// The body of `verifyTrait` for CompatibleOperandsAndResultType.
LogicalResult verifyCompatibleOperandsAndResultType(Operation *op);
LogicalResult verifyCompatibleElementTypes(Operation *op, TypeRange types);

//===----------------------------------------------------------------------===//
// Traits
//===----------------------------------------------------------------------===//
namespace OpTrait {

template <typename ConcreteType>
class IsCommutative
    : public mlir::OpTrait::TraitBase<ConcreteType, IsCommutative> {};

template <typename ConcreteType>
class PairwiseSameOperandAndResultType
    : public mlir::OpTrait::TraitBase<ConcreteType,
                                      PairwiseSameOperandAndResultType> {
public:
  static LogicalResult verifyTrait(Operation *op) {
    if (op->getNumOperands() != op->getNumResults())
      return op->emitOpError()
             << "requires the same number of operands and results";
    for (auto [i, types] : llvm::enumerate(
             llvm::zip(op->getOperandTypes(), op->getResultTypes())))
      if (std::get<0>(types) != std::get<1>(types))
        return op->emitOpError()
               << "requires operand " << i << " and result " << i
               << " to have the same type";
    return success();
  }
};

/// All operands and results are compatible; the one result has the most
/// specific type of the operands.
template <typename ConcreteType>
class CompatibleOperandsAndResultType
    : public mlir::OpTrait::TraitBase<ConcreteType,
                                      CompatibleOperandsAndResultType> {
public:
  static LogicalResult verifyTrait(Operation *op) {
    return verifyCompatibleOperandsAndResultType(op);
  }

  static LogicalResult
  inferReturnTypes(MLIRContext *, std::optional<Location> location,
                   ValueRange operands, DictionaryAttr, OpaqueProperties,
                   RegionRange, SmallVectorImpl<Type> &inferred) {
    if (operands.empty())
      return emitOptionalError(
          location, "expected at least one operand to infer the type from");
    auto type = inferMostSpecificType(location, operands.getTypes());
    if (failed(type))
      return failure();
    inferred.push_back(*type);
    return success();
  }
};

template <typename ConcreteType>
class CompatibleOperandsElementType
    : public mlir::OpTrait::TraitBase<ConcreteType,
                                      CompatibleOperandsElementType> {
public:
  static LogicalResult verifyTrait(Operation *op) {
    return verifyCompatibleElementTypes(op, op->getOperandTypes());
  }
};

template <typename ConcreteType>
class CompatibleOperandsAndResultElementType
    : public mlir::OpTrait::TraitBase<ConcreteType,
                                      CompatibleOperandsAndResultElementType> {
public:
  static LogicalResult verifyTrait(Operation *op) {
    SmallVector<Type> types(op->getOperandTypes());
    llvm::append_range(types, op->getResultTypes());
    return verifyCompatibleElementTypes(op, types);
  }
};

} // namespace OpTrait
} // namespace mlir::hlo

#endif // SHOAL_DIALECTS_STABLEHLO_BASE_H
