// Elementwise arithmetic on carriers (Scalar.h), for every element type:
// the functions behind MathOps.cpp, and what reductions and windows combine
// with. Results are rounded to the element type.
#ifndef SHOAL_LIB_CODEGEN_CPU_SCALARMATH_H
#define SHOAL_LIB_CODEGEN_CPU_SCALARMATH_H

#include "Scalar.h"

namespace shoal::cpu {

Scalar emitAdd(IRBuilder &ir, mlir::Type type, Scalar x, Scalar y);
Scalar emitSubtract(IRBuilder &ir, mlir::Type type, Scalar x, Scalar y);
Scalar emitMultiply(IRBuilder &ir, mlir::Type type, Scalar x, Scalar y);
Scalar emitDivide(IRBuilder &ir, mlir::Type type, Scalar x, Scalar y);
Scalar emitRemainder(IRBuilder &ir, mlir::Type type, Scalar x, Scalar y);
Scalar emitPower(IRBuilder &ir, mlir::Type type, Scalar x, Scalar y);
/// NaN if either is; -0 < +0; complex numbers by real, then imaginary part.
Scalar emitMaximum(IRBuilder &ir, mlir::Type type, Scalar x, Scalar y);
Scalar emitMinimum(IRBuilder &ir, mlir::Type type, Scalar x, Scalar y);
Scalar emitNegate(IRBuilder &ir, mlir::Type type, Scalar x);
/// Of a complex number its modulus, a real.
Scalar emitAbs(IRBuilder &ir, mlir::Type type, Scalar x);
Scalar emitSign(IRBuilder &ir, mlir::Type type, Scalar x);
Scalar emitConjugate(IRBuilder &ir, mlir::Type type, Scalar x);

/// A function of KernelMath/Entries.cpp by its name there ("exp") on operands
/// of a float or complex type.
Scalar emitFunction(IRBuilder &ir, llvm::StringRef name, mlir::Type type,
                    llvm::ArrayRef<Scalar> operands);

enum class Comparison { EQ, NE, GE, GT, LE, LT };
/// An i1. Floats by IEEE comparison, or by IEEE total order (-NaN < -inf < … <
/// -0 < +0 < … < +NaN); complex numbers lexicographically.
llvm::Value *emitCompare(IRBuilder &ir, Comparison direction, mlir::Type type,
                         Scalar x, Scalar y, bool totalOrder = false);

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_SCALARMATH_H
