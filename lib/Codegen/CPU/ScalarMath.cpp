#include "ScalarMath.h"

#include "IntegerMath.h"
#include "lib/Codegen/KernelMath/KernelMath.h"

#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace shoal::cpu {

/// One real or complex float operation per part, rounded to the part's type.
template <typename Fn>
static Scalar perPart(IRBuilder &ir, Type type, Scalar x, Scalar y, Fn fn) {
  Type part = getComponentType(type);
  Scalar result{roundToType(ir, fn(x.re, y.re), part)};
  if (x.im)
    result.im = roundToType(ir, fn(x.im, y.im), part);
  return result;
}

Scalar emitFunction(IRBuilder &ir, llvm::StringRef name, Type type,
                    llvm::ArrayRef<Scalar> operands) {
  bool isDouble = getComponentType(type).isF64();
  SmallVector<llvm::Value *> arguments;
  for (Scalar operand : operands) {
    arguments.push_back(operand.re);
    if (operand.im)
      arguments.push_back(operand.im);
  }
  std::string function = ("shoal_" + name).str();
  if (isComplex(type)) {
    function += isDouble ? "_c128" : "_c64";
    auto [re, im] = kernelmath::callComplex(ir, function, arguments);
    return {re, im};
  }
  function += isDouble ? "_f64" : "_f32";
  llvm::Value *result =
      kernelmath::call(ir, function, arguments.front()->getType(), arguments);
  return {roundToType(ir, result, type)};
}

Scalar emitAdd(IRBuilder &ir, Type type, Scalar x, Scalar y) {
  if (type.isInteger(1))
    return {ir.CreateOr(x.re, y.re)};
  if (!isa<FloatType, ComplexType>(type))
    return {ir.CreateAdd(x.re, y.re)};
  return perPart(ir, type, x, y, [&](llvm::Value *a, llvm::Value *b) {
    return ir.CreateFAdd(a, b);
  });
}

Scalar emitSubtract(IRBuilder &ir, Type type, Scalar x, Scalar y) {
  if (!isa<FloatType, ComplexType>(type))
    return {ir.CreateSub(x.re, y.re)};
  return perPart(ir, type, x, y, [&](llvm::Value *a, llvm::Value *b) {
    return ir.CreateFSub(a, b);
  });
}

Scalar emitMultiply(IRBuilder &ir, Type type, Scalar x, Scalar y) {
  if (!isa<FloatType, ComplexType>(type))
    return {ir.CreateMul(x.re, y.re)}; // of i1: and
  if (!isComplex(type))
    return {roundToType(ir, ir.CreateFMul(x.re, y.re), type)};
  return {ir.CreateFSub(ir.CreateFMul(x.re, y.re), ir.CreateFMul(x.im, y.im)),
          ir.CreateFAdd(ir.CreateFMul(x.re, y.im), ir.CreateFMul(x.im, y.re))};
}

Scalar emitDivide(IRBuilder &ir, Type type, Scalar x, Scalar y) {
  if (isComplex(type))
    return emitFunction(ir, "divide", type, {x, y});
  if (isa<FloatType>(type))
    return {roundToType(ir, ir.CreateFDiv(x.re, y.re), type)};
  return {emitIntDivide(ir, x.re, y.re, isUnsigned(type))};
}

Scalar emitRemainder(IRBuilder &ir, Type type, Scalar x, Scalar y) {
  // frem is C's fmod, exact; only formats without minus zero round it.
  if (isa<FloatType>(type))
    return {roundToType(ir, ir.CreateFRem(x.re, y.re), type)};
  if (!isComplex(type))
    return {emitIntRemainder(ir, x.re, y.re, isUnsigned(type))};
  // x - y trunc(x / y), the quotient truncated part by part.
  Scalar q = emitDivide(ir, type, x, y);
  q.re = ir.CreateUnaryIntrinsic(llvm::Intrinsic::trunc, q.re);
  q.im = ir.CreateUnaryIntrinsic(llvm::Intrinsic::trunc, q.im);
  return emitSubtract(ir, type, x, emitMultiply(ir, type, y, q));
}

Scalar emitPower(IRBuilder &ir, Type type, Scalar x, Scalar y) {
  if (isa<FloatType, ComplexType>(type))
    return emitFunction(ir, "pow", type, {x, y});
  return {emitIntPower(ir, x.re, y.re, isUnsigned(type))};
}

/// The larger or smaller of two complex numbers; NaN first.
static Scalar emitComplexExtreme(IRBuilder &ir, Type type, Scalar x, Scalar y,
                                 Comparison direction) {
  llvm::Value *xFirst = emitCompare(ir, direction, type, x, y);
  llvm::Value *xNaN = ir.CreateFCmpUNO(x.re, x.im);
  llvm::Value *yNaN = ir.CreateFCmpUNO(y.re, y.im);
  llvm::Value *takeX =
      ir.CreateOr(xNaN, ir.CreateAnd(xFirst, ir.CreateNot(yNaN)));
  return selectScalar(ir, takeX, x, y);
}

Scalar emitMaximum(IRBuilder &ir, Type type, Scalar x, Scalar y) {
  if (isComplex(type))
    return emitComplexExtreme(ir, type, x, y, Comparison::GE);
  if (isa<FloatType>(type))
    return {ir.CreateBinaryIntrinsic(llvm::Intrinsic::maximum, x.re, y.re)};
  return {ir.CreateBinaryIntrinsic(isUnsigned(type) ? llvm::Intrinsic::umax
                                                    : llvm::Intrinsic::smax,
                                   x.re, y.re)};
}

Scalar emitMinimum(IRBuilder &ir, Type type, Scalar x, Scalar y) {
  if (isComplex(type))
    return emitComplexExtreme(ir, type, x, y, Comparison::LE);
  if (isa<FloatType>(type))
    return {ir.CreateBinaryIntrinsic(llvm::Intrinsic::minimum, x.re, y.re)};
  return {ir.CreateBinaryIntrinsic(isUnsigned(type) ? llvm::Intrinsic::umin
                                                    : llvm::Intrinsic::smin,
                                   x.re, y.re)};
}

Scalar emitNegate(IRBuilder &ir, Type type, Scalar x) {
  if (!isa<FloatType, ComplexType>(type))
    return {ir.CreateNeg(x.re)};
  // Formats without minus zero or infinity round the sign away.
  Scalar result{roundToType(ir, ir.CreateFNeg(x.re), getComponentType(type))};
  if (x.im)
    result.im = ir.CreateFNeg(x.im);
  return result;
}

Scalar emitAbs(IRBuilder &ir, Type type, Scalar x) {
  if (isComplex(type)) {
    return emitFunction(ir, "hypot", getComponentType(type),
                        {Scalar{x.re}, Scalar{x.im}});
  }
  if (isa<FloatType>(type))
    return {ir.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x.re)};
  return {emitIntAbs(ir, x.re, isUnsigned(type))};
}

Scalar emitSign(IRBuilder &ir, Type type, Scalar x) {
  if (isComplex(type))
    return emitFunction(ir, "sign", type, {x});
  if (!isa<FloatType>(type))
    return {emitIntSign(ir, x.re, isUnsigned(type))};
  llvm::Type *t = x.re->getType();
  llvm::Value *one = ir.CreateBinaryIntrinsic(
      llvm::Intrinsic::copysign, llvm::ConstantFP::get(t, 1.0), x.re);
  // Zeros and NaN are their own sign.
  llvm::Value *nonZero = ir.CreateFCmpONE(x.re, llvm::ConstantFP::get(t, 0.0));
  return {ir.CreateSelect(nonZero, one, x.re)};
}

Scalar emitConjugate(IRBuilder &ir, Type type, Scalar x) {
  if (x.im)
    x.im = ir.CreateFNeg(x.im);
  return x;
}

/// An integer whose signed order is IEEE's total order of the float.
static llvm::Value *totalOrderKey(IRBuilder &ir, llvm::Value *x) {
  unsigned width = x->getType()->getPrimitiveSizeInBits();
  llvm::Type *type = ir.getIntNTy(width);
  llvm::Value *bits = ir.CreateBitCast(x, type);
  llvm::Value *sign = ir.CreateAShr(bits, width - 1);
  return ir.CreateXor(bits, ir.CreateLShr(sign, 1));
}

static llvm::CmpInst::Predicate floatPredicate(Comparison direction) {
  switch (direction) {
  case Comparison::EQ:
    return llvm::CmpInst::FCMP_OEQ;
  case Comparison::NE:
    return llvm::CmpInst::FCMP_UNE;
  case Comparison::GE:
    return llvm::CmpInst::FCMP_OGE;
  case Comparison::GT:
    return llvm::CmpInst::FCMP_OGT;
  case Comparison::LE:
    return llvm::CmpInst::FCMP_OLE;
  case Comparison::LT:
    return llvm::CmpInst::FCMP_OLT;
  }
  return llvm::CmpInst::FCMP_OEQ;
}

static llvm::CmpInst::Predicate integerPredicate(Comparison direction,
                                                 bool isUnsignedType) {
  switch (direction) {
  case Comparison::EQ:
    return llvm::CmpInst::ICMP_EQ;
  case Comparison::NE:
    return llvm::CmpInst::ICMP_NE;
  case Comparison::GE:
    return isUnsignedType ? llvm::CmpInst::ICMP_UGE : llvm::CmpInst::ICMP_SGE;
  case Comparison::GT:
    return isUnsignedType ? llvm::CmpInst::ICMP_UGT : llvm::CmpInst::ICMP_SGT;
  case Comparison::LE:
    return isUnsignedType ? llvm::CmpInst::ICMP_ULE : llvm::CmpInst::ICMP_SLE;
  case Comparison::LT:
    return isUnsignedType ? llvm::CmpInst::ICMP_ULT : llvm::CmpInst::ICMP_SLT;
  }
  return llvm::CmpInst::ICMP_EQ;
}

llvm::Value *emitCompare(IRBuilder &ir, Comparison direction, Type type,
                         Scalar x, Scalar y, bool totalOrder) {
  if (isComplex(type)) {
    Type part = getComponentType(type);
    auto parts = [&](Comparison c, bool im) {
      return emitCompare(ir, c, part, {im ? x.im : x.re}, {im ? y.im : y.re},
                         totalOrder);
    };
    if (direction == Comparison::EQ)
      return ir.CreateAnd(parts(Comparison::EQ, false),
                          parts(Comparison::EQ, true));
    if (direction == Comparison::NE)
      return ir.CreateOr(parts(Comparison::NE, false),
                         parts(Comparison::NE, true));
    bool greater = direction == Comparison::GE || direction == Comparison::GT;
    llvm::Value *first =
        parts(greater ? Comparison::GT : Comparison::LT, false);
    llvm::Value *tie =
        ir.CreateAnd(parts(Comparison::EQ, false), parts(direction, true));
    return ir.CreateOr(first, tie);
  }
  if (!isa<FloatType>(type))
    return ir.CreateICmp(integerPredicate(direction, isUnsigned(type)), x.re,
                         y.re);
  if (totalOrder)
    return ir.CreateICmp(integerPredicate(direction, false),
                         totalOrderKey(ir, x.re), totalOrderKey(ir, y.re));
  return ir.CreateFCmp(floatPredicate(direction), x.re, y.re);
}

} // namespace shoal::cpu
