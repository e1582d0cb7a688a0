#include "IntegerMath.h"

#include "lib/Codegen/KernelMath/KernelMath.h"

namespace shoal::cpu {

static llvm::Constant *constant(llvm::Value *like, int64_t value) {
  return llvm::ConstantInt::get(like->getType(), value, /*IsSigned=*/true,
                                /*ImplicitTrunc=*/true);
}
static llvm::Constant *least(llvm::Value *like) {
  return llvm::ConstantInt::get(
      like->getType(),
      llvm::APInt::getSignedMinValue(like->getType()->getIntegerBitWidth()));
}
/// x is the least value and y is -1.
static llvm::Value *overflows(IRBuilder &ir, llvm::Value *x, llvm::Value *y) {
  return ir.CreateAnd(ir.CreateICmpEQ(x, least(x)),
                      ir.CreateICmpEQ(y, constant(y, -1)));
}

llvm::Value *emitIntDivide(IRBuilder &ir, llvm::Value *x, llvm::Value *y,
                           bool isUnsigned) {
  llvm::Value *zero = ir.CreateICmpEQ(y, constant(y, 0));
  if (isUnsigned) {
    llvm::Value *safe = ir.CreateSelect(zero, constant(y, 1), y);
    return ir.CreateSelect(zero, constant(x, -1), ir.CreateUDiv(x, safe));
  }
  llvm::Value *overflow = overflows(ir, x, y);
  llvm::Value *safe =
      ir.CreateSelect(ir.CreateOr(zero, overflow), constant(y, 1), y);
  // Overflow divides by one, which is the wrapped result.
  return ir.CreateSelect(zero, constant(x, -1), ir.CreateSDiv(x, safe));
}

llvm::Value *emitIntRemainder(IRBuilder &ir, llvm::Value *x, llvm::Value *y,
                              bool isUnsigned) {
  llvm::Value *zero = ir.CreateICmpEQ(y, constant(y, 0));
  if (isUnsigned) {
    llvm::Value *safe = ir.CreateSelect(zero, constant(y, 1), y);
    return ir.CreateSelect(zero, x, ir.CreateURem(x, safe));
  }
  llvm::Value *overflow = overflows(ir, x, y);
  llvm::Value *safe =
      ir.CreateSelect(ir.CreateOr(zero, overflow), constant(y, 1), y);
  return ir.CreateSelect(zero, x, ir.CreateSRem(x, safe));
}

llvm::Value *emitShiftLeft(IRBuilder &ir, llvm::Value *x, llvm::Value *amount) {
  unsigned width = x->getType()->getIntegerBitWidth();
  llvm::Value *beyond = ir.CreateICmpUGT(amount, constant(amount, width - 1));
  return ir.CreateSelect(beyond, constant(x, 0), ir.CreateShl(x, amount));
}

llvm::Value *emitShiftRight(IRBuilder &ir, llvm::Value *x, llvm::Value *amount,
                            bool arithmetic) {
  unsigned width = x->getType()->getIntegerBitWidth();
  llvm::Value *last = constant(amount, width - 1);
  llvm::Value *beyond = ir.CreateICmpUGT(amount, last);
  if (arithmetic)
    return ir.CreateAShr(x, ir.CreateSelect(beyond, last, amount));
  return ir.CreateSelect(beyond, constant(x, 0), ir.CreateLShr(x, amount));
}

llvm::Value *emitIntPower(IRBuilder &ir, llvm::Value *x, llvm::Value *y,
                          bool isUnsigned) {
  llvm::Type *wide = ir.getInt64Ty();
  auto extend = [&](llvm::Value *v) {
    return isUnsigned ? ir.CreateZExt(v, wide) : ir.CreateSExt(v, wide);
  };
  llvm::Value *result =
      kernelmath::call(ir, isUnsigned ? "shoal_pow_ui64" : "shoal_pow_i64",
                       wide, {extend(x), extend(y)});
  return ir.CreateTrunc(result, x->getType());
}

llvm::Value *emitIntAbs(IRBuilder &ir, llvm::Value *x, bool isUnsigned) {
  if (isUnsigned)
    return x;
  llvm::Value *negative = ir.CreateICmpSLT(x, constant(x, 0));
  return ir.CreateSelect(negative, ir.CreateNeg(x), x);
}

llvm::Value *emitIntSign(IRBuilder &ir, llvm::Value *x, bool isUnsigned) {
  llvm::Value *positive = ir.CreateSelect(ir.CreateICmpEQ(x, constant(x, 0)),
                                          constant(x, 0), constant(x, 1));
  if (isUnsigned)
    return positive;
  return ir.CreateSelect(ir.CreateICmpSLT(x, constant(x, 0)), constant(x, -1),
                         positive);
}

} // namespace shoal::cpu
