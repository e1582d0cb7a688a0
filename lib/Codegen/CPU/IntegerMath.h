// Integer arithmetic on carriers (iN of the logical width), all of it defined:
// nothing traps and nothing is poison, whatever the operands.
#ifndef SHOAL_LIB_CODEGEN_CPU_INTEGERMATH_H
#define SHOAL_LIB_CODEGEN_CPU_INTEGERMATH_H

#include "Scalar.h"

namespace shoal::cpu {

/// x / 0 is -1 (all ones); the least signed value over -1 wraps to itself.
llvm::Value *emitIntDivide(IRBuilder &ir, llvm::Value *x, llvm::Value *y,
                           bool isUnsigned);
/// x rem 0 is x; sign of the dividend.
llvm::Value *emitIntRemainder(IRBuilder &ir, llvm::Value *x, llvm::Value *y,
                              bool isUnsigned);
/// Shifts by an unsigned amount; from the width on, 0 (or all sign bits).
llvm::Value *emitShiftLeft(IRBuilder &ir, llvm::Value *x, llvm::Value *amount);
llvm::Value *emitShiftRight(IRBuilder &ir, llvm::Value *x, llvm::Value *amount,
                            bool arithmetic);
/// x to the power y, wrapping; a negative power is the truncated reciprocal:
/// 1 for 1, +-1 for -1, else 0.
llvm::Value *emitIntPower(IRBuilder &ir, llvm::Value *x, llvm::Value *y,
                          bool isUnsigned);
llvm::Value *emitIntAbs(IRBuilder &ir, llvm::Value *x, bool isUnsigned);
llvm::Value *emitIntSign(IRBuilder &ir, llvm::Value *x, bool isUnsigned);

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_INTEGERMATH_H
