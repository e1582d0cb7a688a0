// How one element of a tensor lives in registers and in memory.
//
// carrier type (registers)                    memory type
//   iN, uiN, any width        iN              i8 for N < 8, else iN
//   i1                        i1              i8 (0 or 1)
//   f32, f64                  itself          itself
//   bf16 f16 f8* f6* f4*      float, holding  i16 / i8 bits
//                             a value of the type exactly
//   complex<T>                two carriers    two consecutive T
//
// Every emitter takes and returns carriers: an op on bf16 computes in float
// and rounds its result with `roundToType`.
#ifndef SHOAL_LIB_CODEGEN_CPU_SCALAR_H
#define SHOAL_LIB_CODEGEN_CPU_SCALAR_H

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/IR/IRBuilder.h"

namespace shoal::cpu {

using IRBuilder = llvm::IRBuilder<>;

/// One element. `im` is set exactly for complex element types.
struct Scalar {
  llvm::Value *re = nullptr;
  llvm::Value *im = nullptr;
};

/// The element type of a tensor type, or the type itself.
mlir::Type getElementType(mlir::Type type);
inline mlir::Type getElementType(mlir::Value value) {
  return getElementType(value.getType());
}
/// True for ui8 … ui64 and for i1.
bool isUnsigned(mlir::Type elementType);
bool isComplex(mlir::Type elementType);
/// True for float types whose carrier is a wider type (bf16, f16, f8 …).
bool isNarrowFloat(mlir::Type elementType);
/// The type of the parts of a complex type; other types unchanged.
mlir::Type getComponentType(mlir::Type elementType);

/// Type in registers of one component.
llvm::Type *getCarrierType(mlir::Type elementType, llvm::LLVMContext &context);
/// Type in memory of one component.
llvm::Type *getMemoryType(mlir::Type elementType, llvm::LLVMContext &context);
/// Bytes of one element in memory, both parts of a complex.
int64_t getElementBytes(mlir::Type elementType);
/// True if elements of this type can be emitted at all.
bool isSupportedElementType(mlir::Type elementType);

/// Element at `index` (i64, counted in elements) of the dense array at `base`.
/// Returns the instructions for metadata in `accesses`, if given.
Scalar loadElement(IRBuilder &ir, mlir::Type elementType, llvm::Value *base,
                   llvm::Value *index,
                   llvm::SmallVectorImpl<llvm::Instruction *> *accesses = nullptr);
void storeElement(IRBuilder &ir, mlir::Type elementType, Scalar value,
                  llvm::Value *base, llvm::Value *index,
                  llvm::SmallVectorImpl<llvm::Instruction *> *accesses = nullptr);

/// Element number `index` of a dense constant.
Scalar constantElement(IRBuilder &ir, mlir::DenseElementsAttr constant,
                       int64_t index);
/// An integer or float attribute as a carrier constant.
Scalar constantScalar(IRBuilder &ir, mlir::Attribute value,
                      mlir::Type elementType);
Scalar zeroScalar(IRBuilder &ir, mlir::Type elementType);
Scalar poisonScalar(IRBuilder &ir, mlir::Type elementType);
/// cond (i1) ? a : b, per component.
Scalar selectScalar(IRBuilder &ir, llvm::Value *cond, Scalar a, Scalar b);

// --- Conversions between bits and carriers of narrow floats (Convert.cpp). ---

/// `value` (a carrier of `floatType`, any float) rounded to the nearest value
/// of `floatType`, ties to even; the identity for f32 and f64.
llvm::Value *roundToType(IRBuilder &ir, llvm::Value *value,
                         mlir::Type floatType);
/// Bits in memory (iN) of a carrier that is a value of the narrow float type.
llvm::Value *encodeNarrowFloat(IRBuilder &ir, llvm::Value *value,
                               mlir::Type floatType);
/// Carrier (float) of the narrow float type's bits.
llvm::Value *decodeNarrowFloat(IRBuilder &ir, llvm::Value *bits,
                               mlir::Type floatType);

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_SCALAR_H
