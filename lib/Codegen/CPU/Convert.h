// Conversion of one element between any two types.
#ifndef SHOAL_LIB_CODEGEN_CPU_CONVERT_H
#define SHOAL_LIB_CODEGEN_CPU_CONVERT_H

#include "Scalar.h"

namespace shoal::cpu {

/// stablehlo.convert. Floats round once, to nearest even; overflow as in
/// KernelMath/Formats.h. Float to integer truncates, saturates, and makes 0 of
/// NaN. Integers wrap. To i1: whether the value differs from zero. Complex to
/// real drops the imaginary part.
Scalar convertScalar(IRBuilder &ir, Scalar value, mlir::Type from,
                     mlir::Type to);

/// The logical bits of an element as an integer of that width (complex: the
/// real part in the low half), and back.
llvm::Value *scalarToBits(IRBuilder &ir, Scalar value, mlir::Type elementType);
Scalar bitsToScalar(IRBuilder &ir, llvm::Value *bits, mlir::Type elementType);
/// Width of an element's logical bits: 1 for i1, 4 for i4, 64 for complex<f32>.
unsigned getLogicalBits(mlir::Type elementType);

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_CONVERT_H
