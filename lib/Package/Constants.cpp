// Constants as bytes. See Constants.h.
#include "Constants.h"

#include "dialects/Plan/Plan.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace shoal;
using program::DType;

DType shoal::getDType(Type type) {
  if (auto quantized = dyn_cast<quant::QuantizedType>(type)) {
    // Storage types are signless; the flag says which they are.
    Type storage = quantized.getStorageType();
    if (!quantized.isSigned() && storage.isSignlessInteger())
      storage =
          IntegerType::get(type.getContext(), storage.getIntOrFloatBitWidth(),
                           IntegerType::Unsigned);
    return getDType(storage);
  }
  if (auto integer = dyn_cast<IntegerType>(type)) {
    bool isUnsigned = integer.isUnsigned();
    switch (integer.getWidth()) {
    case 1:
      return DType::I1;
    case 2:
      return isUnsigned ? DType::UI2 : DType::I2;
    case 4:
      return isUnsigned ? DType::UI4 : DType::I4;
    case 8:
      return isUnsigned ? DType::UI8 : DType::I8;
    case 16:
      return isUnsigned ? DType::UI16 : DType::I16;
    case 32:
      return isUnsigned ? DType::UI32 : DType::I32;
    case 64:
      return isUnsigned ? DType::UI64 : DType::I64;
    default:
      return DType::Invalid;
    }
  }
  if (auto complex = dyn_cast<ComplexType>(type))
    return complex.getElementType().isF32()   ? DType::C64
           : complex.getElementType().isF64() ? DType::C128
                                              : DType::Invalid;
  if (type.isF32())
    return DType::F32;
  if (type.isF64())
    return DType::F64;
  if (type.isF16())
    return DType::F16;
  if (type.isBF16())
    return DType::BF16;
  if (isa<Float4E2M1FNType>(type))
    return DType::F4E2M1FN;
  if (isa<Float6E2M3FNType>(type))
    return DType::F6E2M3FN;
  if (isa<Float6E3M2FNType>(type))
    return DType::F6E3M2FN;
  if (isa<Float8E3M4Type>(type))
    return DType::F8E3M4;
  if (isa<Float8E4M3Type>(type))
    return DType::F8E4M3;
  if (isa<Float8E4M3FNType>(type))
    return DType::F8E4M3FN;
  if (isa<Float8E4M3FNUZType>(type))
    return DType::F8E4M3FNUZ;
  if (isa<Float8E4M3B11FNUZType>(type))
    return DType::F8E4M3B11FNUZ;
  if (isa<Float8E5M2Type>(type))
    return DType::F8E5M2;
  if (isa<Float8E5M2FNUZType>(type))
    return DType::F8E5M2FNUZ;
  if (isa<Float8E8M0FNUType>(type))
    return DType::F8E8M0FNU;
  return DType::Invalid;
}

static void appendBits(const APInt &bits, int64_t bytes, bool isSigned,
                       SmallVectorImpl<char> &out) {
  // i1 is 0 or 1; other narrow integers fill their byte.
  APInt wide = bits.getBitWidth() == 1 || !isSigned
                   ? bits.zextOrTrunc(bytes * 8)
                   : bits.sextOrTrunc(bytes * 8);
  for (int64_t i = 0; i < bytes; ++i)
    out.push_back(static_cast<char>(wide.extractBitsAsZExtValue(8, i * 8)));
}

SmallVector<char> shoal::getElement(Attribute value, Type type) {
  SmallVector<char> out;
  if (auto quantized = dyn_cast<quant::QuantizedType>(type))
    type = quantized.getStorageType();
  if (auto complex = dyn_cast<ComplexType>(type)) {
    auto parts = dyn_cast<ArrayAttr>(value);
    if (!parts || parts.size() != 2)
      return out;
    for (Attribute part : parts)
      out.append(getElement(part, complex.getElementType()));
    return out;
  }
  int64_t bytes = plan::getElementBytes(type);
  if (auto integer = dyn_cast<IntegerAttr>(value)) {
    bool isSigned = !type.isUnsignedInteger();
    appendBits(integer.getValue(), bytes, isSigned, out);
  } else if (auto number = dyn_cast<FloatAttr>(value)) {
    appendBits(number.getValue().bitcastToAPInt(), bytes, false, out);
  }
  return out;
}

LogicalResult shoal::appendElements(ElementsAttr value,
                                    std::vector<char> &bytes) {
  auto type = cast<RankedTensorType>(value.getShapedType());
  Type element = type.getElementType();
  if (auto quantized = dyn_cast<quant::QuantizedType>(element))
    element = quantized.getStorageType();
  int64_t width = plan::getElementBytes(element), count = type.getNumElements();
  if (width == 0)
    return failure();
  if (count == 0)
    return success();
  Type part = element;
  if (auto complex = dyn_cast<ComplexType>(part))
    part = complex.getElementType();
  bool wholeBytes =
      part.isIntOrFloat() && part.getIntOrFloatBitWidth() % 8 == 0;

  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || static_cast<int64_t>(blob->getData().size()) < count * width)
      return failure();
    bytes.insert(bytes.end(), blob->getData().begin(),
                 blob->getData().begin() + count * width);
    return success();
  }
  auto dense = dyn_cast<DenseElementsAttr>(value);
  if (!dense)
    return failure();
  if (dense.isSplat()) {
    SmallVector<char> one =
        getElement(dense.getSplatValue<Attribute>(), element);
    if (static_cast<int64_t>(one.size()) != width)
      return failure();
    bytes.reserve(bytes.size() + count * width);
    for (int64_t i = 0; i < count; ++i)
      bytes.insert(bytes.end(), one.begin(), one.end());
    return success();
  }
  if (wholeBytes &&
      static_cast<int64_t>(dense.getRawData().size()) == count * width) {
    bytes.insert(bytes.end(), dense.getRawData().begin(),
                 dense.getRawData().end());
    return success();
  }
  SmallVector<char> out;
  if (isa<IntegerType>(element)) {
    for (const APInt &bits : dense.getValues<APInt>())
      appendBits(bits, width, !element.isUnsignedInteger(), out);
  } else if (isa<FloatType>(element)) {
    for (const APFloat &number : dense.getValues<APFloat>())
      appendBits(number.bitcastToAPInt(), width, false, out);
  } else {
    return failure();
  }
  bytes.insert(bytes.end(), out.begin(), out.end());
  return success();
}
