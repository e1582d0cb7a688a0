#include "Scalar.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/IR/Constants.h"

using namespace mlir;

namespace shoal::cpu {

Type getElementType(Type type) {
  if (auto shaped = dyn_cast<ShapedType>(type))
    return shaped.getElementType();
  return type;
}

bool isUnsigned(Type elementType) {
  return elementType.isUnsignedInteger() || elementType.isInteger(1);
}

bool isComplex(Type elementType) { return isa<ComplexType>(elementType); }

Type getComponentType(Type elementType) {
  if (auto complex = dyn_cast<ComplexType>(elementType))
    return complex.getElementType();
  return elementType;
}

bool isNarrowFloat(Type elementType) {
  auto type = dyn_cast<FloatType>(elementType);
  return type && type.getWidth() < 32;
}

bool isSupportedElementType(Type elementType) {
  Type type = getComponentType(elementType);
  if (isComplex(elementType))
    return type.isF32() || type.isF64();
  if (auto integer = dyn_cast<IntegerType>(type))
    return integer.getWidth() <= 64;
  if (auto floating = dyn_cast<FloatType>(type))
    return floating.getWidth() <= 16 || type.isF32() || type.isF64();
  return isa<IndexType>(type);
}

llvm::Type *getCarrierType(Type elementType, llvm::LLVMContext &context) {
  Type type = getComponentType(elementType);
  if (type.isF64())
    return llvm::Type::getDoubleTy(context);
  if (isa<FloatType>(type))
    return llvm::Type::getFloatTy(context);
  if (auto integer = dyn_cast<IntegerType>(type))
    return llvm::Type::getIntNTy(context, integer.getWidth());
  return llvm::Type::getInt64Ty(context);
}

llvm::Type *getMemoryType(Type elementType, llvm::LLVMContext &context) {
  Type type = getComponentType(elementType);
  if (isNarrowFloat(type))
    return llvm::Type::getIntNTy(
        context, cast<FloatType>(type).getWidth() > 8 ? 16 : 8);
  if (auto integer = dyn_cast<IntegerType>(type))
    return llvm::Type::getIntNTy(context,
                                 std::max(8u, integer.getWidth()));
  return getCarrierType(type, context);
}

int64_t getElementBytes(Type elementType) {
  Type type = getComponentType(elementType);
  int64_t bits = isa<IndexType>(type) ? 64 : type.getIntOrFloatBitWidth();
  int64_t bytes = bits <= 8 ? 1 : bits / 8;
  return isComplex(elementType) ? 2 * bytes : bytes;
}

static llvm::Value *fromMemory(IRBuilder &ir, Type type, llvm::Value *value) {
  if (isNarrowFloat(type))
    return decodeNarrowFloat(ir, value, type);
  if (type.isInteger(1))
    return ir.CreateICmpNE(value, llvm::ConstantInt::get(value->getType(), 0));
  if (isa<IntegerType>(type))
    return ir.CreateTrunc(value, getCarrierType(type, ir.getContext()));
  return value;
}

static llvm::Value *toMemory(IRBuilder &ir, Type type, llvm::Value *value) {
  if (isNarrowFloat(type))
    return encodeNarrowFloat(ir, value, type);
  if (isa<IntegerType>(type)) {
    llvm::Type *memory = getMemoryType(type, ir.getContext());
    return isUnsigned(type) ? ir.CreateZExt(value, memory)
                            : ir.CreateSExt(value, memory);
  }
  return value;
}

Scalar loadElement(IRBuilder &ir, Type elementType, llvm::Value *base,
                   llvm::Value *index,
                   SmallVectorImpl<llvm::Instruction *> *accesses) {
  Type type = getComponentType(elementType);
  llvm::Type *memory = getMemoryType(type, ir.getContext());
  llvm::Align align(getElementBytes(type));
  auto load = [&](llvm::Value *at) {
    llvm::Value *address = ir.CreateInBoundsGEP(memory, base, at);
    llvm::LoadInst *loaded = ir.CreateAlignedLoad(memory, address, align);
    if (accesses)
      accesses->push_back(loaded);
    return fromMemory(ir, type, loaded);
  };
  if (!isComplex(elementType))
    return {load(index)};
  llvm::Value *twice = ir.CreateShl(index, 1, "", true, true);
  Scalar result;
  result.re = load(twice);
  result.im = load(ir.CreateOr(twice, ir.getInt64(1)));
  return result;
}

void storeElement(IRBuilder &ir, Type elementType, Scalar value,
                  llvm::Value *base, llvm::Value *index,
                  SmallVectorImpl<llvm::Instruction *> *accesses) {
  Type type = getComponentType(elementType);
  llvm::Type *memory = getMemoryType(type, ir.getContext());
  llvm::Align align(getElementBytes(type));
  auto store = [&](llvm::Value *at, llvm::Value *component) {
    llvm::Value *address = ir.CreateInBoundsGEP(memory, base, at);
    llvm::StoreInst *stored =
        ir.CreateAlignedStore(toMemory(ir, type, component), address, align);
    if (accesses)
      accesses->push_back(stored);
  };
  if (!isComplex(elementType))
    return store(index, value.re);
  llvm::Value *twice = ir.CreateShl(index, 1, "", true, true);
  store(twice, value.re);
  store(ir.CreateOr(twice, ir.getInt64(1)), value.im);
}

static llvm::Value *floatConstant(IRBuilder &ir, APFloat value, Type type) {
  bool lossless;
  value.convert(type.isF64() ? APFloat::IEEEdouble() : APFloat::IEEEsingle(),
                APFloat::rmNearestTiesToEven, &lossless);
  return llvm::ConstantFP::get(ir.getContext(), value);
}

Scalar constantScalar(IRBuilder &ir, Attribute value, Type elementType) {
  if (auto integer = dyn_cast<IntegerAttr>(value))
    return {llvm::ConstantInt::get(ir.getContext(), integer.getValue())};
  if (auto floating = dyn_cast<FloatAttr>(value))
    return {floatConstant(ir, floating.getValue(), elementType)};
  if (auto parts = dyn_cast<ArrayAttr>(value); parts && parts.size() == 2)
    return {constantScalar(ir, parts[0], getComponentType(elementType)).re,
            constantScalar(ir, parts[1], getComponentType(elementType)).re};
  return poisonScalar(ir, elementType);
}

Scalar constantElement(IRBuilder &ir, DenseElementsAttr constant,
                       int64_t index) {
  Type type = constant.getElementType();
  if (constant.isSplat())
    index = 0;
  Type component = getComponentType(type);
  if (isComplex(type)) {
    if (isa<FloatType>(component)) {
      auto value = *(constant.value_begin<std::complex<APFloat>>() + index);
      return {floatConstant(ir, value.real(), component),
              floatConstant(ir, value.imag(), component)};
    }
    return poisonScalar(ir, type);
  }
  if (isa<FloatType>(type))
    return {floatConstant(ir, *(constant.value_begin<APFloat>() + index),
                          type)};
  return {llvm::ConstantInt::get(ir.getContext(),
                                 *(constant.value_begin<APInt>() + index))};
}

Scalar zeroScalar(IRBuilder &ir, Type elementType) {
  llvm::Value *zero =
      llvm::Constant::getNullValue(getCarrierType(elementType, ir.getContext()));
  return {zero, isComplex(elementType) ? zero : nullptr};
}

Scalar poisonScalar(IRBuilder &ir, Type elementType) {
  llvm::Value *poison =
      llvm::PoisonValue::get(getCarrierType(elementType, ir.getContext()));
  return {poison, isComplex(elementType) ? poison : nullptr};
}

Scalar selectScalar(IRBuilder &ir, llvm::Value *cond, Scalar a, Scalar b) {
  Scalar result;
  result.re = ir.CreateSelect(cond, a.re, b.re);
  if (a.im)
    result.im = ir.CreateSelect(cond, a.im, b.im);
  return result;
}

} // namespace shoal::cpu
