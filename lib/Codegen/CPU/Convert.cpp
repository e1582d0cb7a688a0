#include "Convert.h"

#include "lib/Codegen/KernelMath/KernelMath.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/IR/IntrinsicsNVPTX.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace shoal::cpu {

namespace {
/// "f8E4M3FN", as in the names of Entries.cpp.
std::string formatName(Type floatType) {
  std::string name;
  llvm::raw_string_ostream(name) << floatType;
  return name;
}

llvm::Value *maskTop16(IRBuilder &ir, llvm::Value *bits) {
  return ir.CreateAnd(bits, ir.getInt32(0xffff0000u));
}

/// Of an f32: by integer operations, since the processor's conversion flushes
/// subnormals; GPUs have one that does not.
llvm::Value *roundToBF16(IRBuilder &ir, llvm::Value *value) {
  if (ir.GetInsertBlock()->getModule()->getTargetTriple().isNVPTX()) {
    llvm::Value *narrow =
        ir.CreateIntrinsic(llvm::Intrinsic::nvvm_f2bf16_rn, {}, {value});
    llvm::Value *half = ir.CreateZExt(
        ir.CreateBitCast(narrow, ir.getInt16Ty()), ir.getInt32Ty());
    return ir.CreateBitCast(ir.CreateShl(half, 16), ir.getFloatTy());
  }
  llvm::Value *bits = ir.CreateBitCast(value, ir.getInt32Ty());
  llvm::Value *last = ir.CreateAnd(ir.CreateLShr(bits, 16), ir.getInt32(1));
  llvm::Value *rounded =
      ir.CreateAdd(ir.CreateAdd(bits, ir.getInt32(0x7fff)), last);
  llvm::Value *quiet = ir.CreateOr(bits, ir.getInt32(0x400000));
  llvm::Value *isNaN = ir.CreateFCmpUNO(value, value);
  llvm::Value *result = maskTop16(ir, ir.CreateSelect(isNaN, quiet, rounded));
  return ir.CreateBitCast(result, ir.getFloatTy());
}

llvm::Value *emitIntToFloat(IRBuilder &ir, llvm::Value *value, Type from,
                            Type to) {
  bool isUnsignedType = isUnsigned(from);
  unsigned width = value->getType()->getIntegerBitWidth();
  auto cast = [&](llvm::Value *v, llvm::Type *type) {
    return isUnsignedType ? ir.CreateUIToFP(v, type) : ir.CreateSIToFP(v, type);
  };
  if (to.isF64())
    return cast(value, ir.getDoubleTy());
  // Below 24 bits a float is exact, and rounding it once more is all.
  if (to.isF32() || width <= 16)
    return roundToType(ir, cast(value, ir.getFloatTy()), to);
  if (width <= 32)
    return roundToType(ir, cast(value, ir.getDoubleTy()), to);
  llvm::Value *odd = kernelmath::call(
      ir, isUnsignedType ? "shoal_toodd_ui64" : "shoal_toodd_i64",
      ir.getFloatTy(), {value});
  return roundToType(ir, odd, to);
}

/// Saturating, 0 for NaN. Written with selects: LLVM's own saturating
/// conversions have no vector form on x86.
llvm::Value *emitFloatToInt(IRBuilder &ir, llvm::Value *value, Type to) {
  llvm::Type *floatType = value->getType();
  if (to.isInteger(1))
    return ir.CreateFCmpUNE(value, llvm::ConstantFP::get(floatType, 0.0));
  bool isUnsignedType = isUnsigned(to);
  llvm::Type *type = getCarrierType(to, ir.getContext());
  unsigned width = type->getIntegerBitWidth();
  llvm::APInt least = isUnsignedType ? llvm::APInt::getMinValue(width)
                                     : llvm::APInt::getSignedMinValue(width);
  llvm::APInt most = isUnsignedType ? llvm::APInt::getMaxValue(width)
                                    : llvm::APInt::getSignedMaxValue(width);
  llvm::APFloat low(floatType->getFltSemantics()), high = low;
  low.convertFromAPInt(least, !isUnsignedType, llvm::APFloat::rmTowardZero);
  bool exact =
      high.convertFromAPInt(most, !isUnsignedType,
                            llvm::APFloat::rmTowardZero) == llvm::APFloat::opOK;
  llvm::Value *lowest = llvm::ConstantFP::get(floatType, low);
  llvm::Value *highest = llvm::ConstantFP::get(floatType, high);
  // NaN becomes the lowest value here.
  llvm::Value *inside =
      ir.CreateSelect(ir.CreateFCmpOGT(value, lowest), value, lowest);
  inside = ir.CreateSelect(ir.CreateFCmpOLT(inside, highest), inside, highest);
  // Below 32 bits by the conversion that every vector unit has.
  llvm::Value *result;
  if (width < 32)
    result = ir.CreateTrunc(ir.CreateFPToSI(inside, ir.getInt32Ty()), type);
  else if (isUnsignedType)
    result = ir.CreateFPToUI(inside, type);
  else
    result = ir.CreateFPToSI(inside, type);
  if (!exact)
    result = ir.CreateSelect(ir.CreateFCmpOGT(value, highest),
                             llvm::ConstantInt::get(type, most), result);
  if (isUnsignedType)
    return result; // whose lowest value is 0
  return ir.CreateSelect(ir.CreateFCmpUNO(value, value),
                         llvm::ConstantInt::get(type, 0), result);
}

llvm::Value *convertReal(IRBuilder &ir, llvm::Value *value, Type from,
                         Type to) {
  if (from == to)
    return value;
  bool fromFloat = isa<FloatType>(from), toFloat = isa<FloatType>(to);
  if (fromFloat && toFloat) {
    if (to.isF64())
      return ir.CreateFPExt(value, ir.getDoubleTy());
    if (to.isF32() && from.isF64())
      return ir.CreateFPTrunc(value, ir.getFloatTy());
    return roundToType(ir, value, to);
  }
  if (toFloat)
    return emitIntToFloat(ir, value, from, to);
  if (fromFloat)
    return emitFloatToInt(ir, value, to);
  if (to.isInteger(1))
    return ir.CreateICmpNE(value, llvm::ConstantInt::get(value->getType(), 0));
  llvm::Type *type = getCarrierType(to, ir.getContext());
  return isUnsigned(from) ? ir.CreateZExtOrTrunc(value, type)
                          : ir.CreateSExtOrTrunc(value, type);
}
} // namespace

llvm::Value *roundToType(IRBuilder &ir, llvm::Value *value, Type floatType) {
  if (!isNarrowFloat(floatType))
    return value;
  if (value->getType()->isDoubleTy())
    value = kernelmath::call(ir, "shoal_toodd_f64", ir.getFloatTy(), {value});
  if (floatType.isBF16())
    return roundToBF16(ir, value);
  if (floatType.isF16())
    return ir.CreateFPExt(ir.CreateFPTrunc(value, ir.getHalfTy()),
                          ir.getFloatTy());
  return kernelmath::call(ir, "shoal_round_" + formatName(floatType),
                          ir.getFloatTy(), {value});
}

llvm::Value *encodeNarrowFloat(IRBuilder &ir, llvm::Value *value,
                               Type floatType) {
  if (floatType.isBF16())
    return ir.CreateTrunc(
        ir.CreateLShr(ir.CreateBitCast(value, ir.getInt32Ty()), 16),
        ir.getInt16Ty());
  if (floatType.isF16())
    return ir.CreateBitCast(ir.CreateFPTrunc(value, ir.getHalfTy()),
                            ir.getInt16Ty());
  return kernelmath::call(ir, "shoal_encode_" + formatName(floatType),
                          ir.getInt8Ty(), {value});
}

llvm::Value *decodeNarrowFloat(IRBuilder &ir, llvm::Value *bits,
                               Type floatType) {
  if (floatType.isBF16())
    return ir.CreateBitCast(
        ir.CreateShl(ir.CreateZExt(bits, ir.getInt32Ty()), 16),
        ir.getFloatTy());
  if (floatType.isF16())
    return ir.CreateFPExt(ir.CreateBitCast(bits, ir.getHalfTy()),
                          ir.getFloatTy());
  return kernelmath::call(ir, "shoal_decode_" + formatName(floatType),
                          ir.getFloatTy(), {bits});
}

Scalar convertScalar(IRBuilder &ir, Scalar value, Type from, Type to) {
  Type fromPart = getComponentType(from), toPart = getComponentType(to);
  // Of a complex number only the real part counts, for a bit, too.
  Scalar result{convertReal(ir, value.re, fromPart, toPart)};
  if (isComplex(to))
    result.im = value.im ? convertReal(ir, value.im, fromPart, toPart)
                         : llvm::ConstantFP::get(result.re->getType(), 0.0);
  return result;
}

unsigned getLogicalBits(Type elementType) {
  if (auto complex = dyn_cast<ComplexType>(elementType))
    return 2 * getLogicalBits(complex.getElementType());
  if (isa<IndexType>(elementType))
    return 64;
  return elementType.getIntOrFloatBitWidth();
}

llvm::Value *scalarToBits(IRBuilder &ir, Scalar value, Type elementType) {
  if (isComplex(elementType)) {
    Type part = getComponentType(elementType);
    unsigned width = getLogicalBits(part);
    llvm::Type *both = ir.getIntNTy(2 * width);
    llvm::Value *re = ir.CreateZExt(scalarToBits(ir, {value.re}, part), both);
    llvm::Value *im = ir.CreateZExt(scalarToBits(ir, {value.im}, part), both);
    return ir.CreateOr(re, ir.CreateShl(im, width));
  }
  if (!isa<FloatType>(elementType))
    return value.re;
  llvm::Type *bits = ir.getIntNTy(getLogicalBits(elementType));
  if (isNarrowFloat(elementType))
    return ir.CreateTrunc(encodeNarrowFloat(ir, value.re, elementType), bits);
  return ir.CreateBitCast(value.re, bits);
}

Scalar bitsToScalar(IRBuilder &ir, llvm::Value *bits, Type elementType) {
  if (isComplex(elementType)) {
    Type part = getComponentType(elementType);
    unsigned width = getLogicalBits(part);
    llvm::Type *half = ir.getIntNTy(width);
    llvm::Value *im = ir.CreateTrunc(ir.CreateLShr(bits, width), half);
    return {bitsToScalar(ir, ir.CreateTrunc(bits, half), part).re,
            bitsToScalar(ir, im, part).re};
  }
  if (!isa<FloatType>(elementType))
    return {bits};
  if (isNarrowFloat(elementType))
    return {decodeNarrowFloat(
        ir, ir.CreateZExt(bits, getMemoryType(elementType, ir.getContext())),
        elementType)};
  return {ir.CreateBitCast(bits, getCarrierType(elementType, ir.getContext()))};
}

} // namespace shoal::cpu
