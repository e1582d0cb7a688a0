// How attributes and types are encoded in portable artifacts: a code, then the
// fields. They are decoded into what they mean; no versioned forms are made.
#include "dialects/StableHLO/StableHLO.h"
#include "dialects/VHLO/VHLO.h"

#include "mlir/Bytecode/BytecodeImplementation.h"

using namespace mlir;
using namespace mlir::vhlo;

namespace {

/// Fixed for good by the artifacts that exist.
enum class AttributeCode : uint64_t {
  Array = 1,
  Boolean = 2,
  ComparisonDirection = 3,
  ComparisonType = 4,
  CustomCallApiVersion = 5,
  Dictionary = 6,
  FftType = 7,
  Float = 8,
  Integer = 9,
  OutputOperandAlias = 10,
  Precision = 11,
  RngAlgorithm = 12,
  RngDistribution = 13,
  String = 14,
  Tensor = 15,
  Transpose = 16,
  Type = 17,
  TypeExtensions = 18,
  ResultAccuracyMode = 19,
  ResultAccuracy = 20,
  SubAxisInfo = 21,
  AxisRef = 22,
  ReplicaGroupMeshAxes = 23,
  MeshAxis = 24,
  Mesh = 25,
};

enum class TypeCode : uint64_t {
  Boolean = 0,
  Complex = 1,
  BF16 = 2,
  F16 = 3,
  F32 = 4,
  F64 = 5,
  F8E4M3FN = 6,
  F8E5M2 = 7,
  Function = 8,
  Index = 9,
  SI4 = 10,
  SI8 = 11,
  SI16 = 12,
  SI32 = 13,
  SI64 = 14,
  UI4 = 15,
  UI8 = 16,
  UI16 = 17,
  UI32 = 18,
  UI64 = 19,
  RankedTensor = 20,
  RankedTensorWithEncoding = 21,
  Token = 22,
  Tuple = 23,
  UniformQuantized = 24,
  UnrankedTensor = 25,
  F8E4M3FNUZ = 27,
  F8E5M2FNUZ = 28,
  F8E4M3B11FNUZ = 29,
  UniformQuantizedPerAxis = 30,
  SI2 = 31,
  UI2 = 32,
  None = 33,
  TF32 = 34,
  F8E4M3 = 35,
  F8E3M4 = 36,
  F4E2M1FN = 37,
  F6E2M3FN = 38,
  F6E3M2FN = 39,
  F8E8M0FNU = 40,
  Future = 42,
};

class VhloBytecodeInterface : public BytecodeDialectInterface {
public:
  explicit VhloBytecodeInterface(Dialect *dialect)
      : BytecodeDialectInterface(dialect) {}
  Attribute readAttribute(DialectBytecodeReader &reader) const override;
  Type readType(DialectBytecodeReader &reader) const override;

private:
  Attribute readBuiltin(AttributeCode code,
                        DialectBytecodeReader &reader) const;
  Attribute readMesh(AttributeCode code, DialectBytecodeReader &reader) const;
  Attribute readTensor(DialectBytecodeReader &reader) const;
  Type readTensorType(DialectBytecodeReader &reader, bool hasEncoding) const;
  Type readQuantizedType(DialectBytecodeReader &reader) const;
  Type readPerAxisQuantizedType(DialectBytecodeReader &reader) const;
};

/// An enumeration's number; null, with an error, if it is not known.
template <typename Attr, typename Symbolize>
Attribute readEnum(DialectBytecodeReader &reader, MLIRContext *context,
                   Symbolize symbolize) {
  uint64_t number = 0;
  if (failed(reader.readVarInt(number)))
    return {};
  auto value = number <= UINT32_MAX ? symbolize(static_cast<uint32_t>(number))
                                    : std::nullopt;
  if (!value) {
    reader.emitError() << "unknown value " << number << " of vhlo."
                       << Attr::getMnemonic();
    return {};
  }
  return Attr::get(context, *value);
}

/// A count, then that many attributes.
LogicalResult readAttributes(DialectBytecodeReader &reader,
                             SmallVectorImpl<Attribute> &attributes) {
  uint64_t count = 0;
  if (failed(reader.readVarInt(count)))
    return failure();
  for (uint64_t i = 0; i < count; ++i)
    if (failed(reader.readAttribute(attributes.emplace_back())))
      return failure();
  return success();
}

} // namespace

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

/// Values as raw bytes, one element for a splat.
Attribute
VhloBytecodeInterface::readTensor(DialectBytecodeReader &reader) const {
  Type type;
  ArrayRef<char> data;
  if (failed(reader.readType(type)) || failed(reader.readBlob(data)))
    return {};
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape()) {
    reader.emitError() << "expected a tensor of static shape, got " << type;
    return {};
  }
  Type element = tensor.getElementType();
  // Quantized constants hold integers, of the storage type.
  if (auto quantized = dyn_cast<quant::QuantizedType>(element))
    tensor = tensor.clone(quantized.getStorageType());
  if (!tensor.getElementType().isIntOrIndexOrFloat() &&
      !isa<ComplexType>(tensor.getElementType())) {
    reader.emitError() << "cannot read a constant of " << type;
    return {};
  }
  bool isSplat = false;
  if (!DenseElementsAttr::isValidRawBuffer(tensor, data, isSplat)) {
    reader.emitError() << "a constant of " << type << " cannot have "
                       << data.size() << " bytes";
    return {};
  }
  return DenseElementsAttr::getFromRawBuffer(tensor, data);
}

/// What stands for a builtin attribute.
Attribute
VhloBytecodeInterface::readBuiltin(AttributeCode code,
                                   DialectBytecodeReader &reader) const {
  MLIRContext *context = getContext();
  switch (code) {
  case AttributeCode::Array: {
    SmallVector<Attribute> elements;
    if (failed(readAttributes(reader, elements)))
      return {};
    return ArrayAttr::get(context, elements);
  }
  case AttributeCode::Boolean: {
    uint64_t value = 0;
    if (failed(reader.readVarInt(value)))
      return {};
    return BoolAttr::get(context, value != 0);
  }
  case AttributeCode::Dictionary: {
    uint64_t count = 0;
    if (failed(reader.readVarInt(count)))
      return {};
    NamedAttrList entries;
    for (uint64_t i = 0; i < count; ++i) {
      StringAttr name;
      Attribute value;
      if (failed(reader.readAttribute(name)) ||
          failed(reader.readAttribute(value)))
        return {};
      if (name.empty() || entries.get(name)) {
        reader.emitError() << "bad key '" << name.getValue()
                           << "' of a dictionary";
        return {};
      }
      entries.append(name, value);
    }
    return entries.getDictionary(context);
  }
  case AttributeCode::Float: {
    FloatType type;
    if (failed(reader.readType(type)))
      return {};
    FailureOr<APFloat> value =
        reader.readAPFloatWithKnownSemantics(type.getFloatSemantics());
    if (failed(value))
      return {};
    return FloatAttr::get(type, *value);
  }
  case AttributeCode::Integer: {
    Type type;
    if (failed(reader.readType(type)))
      return {};
    if (!type.isIntOrIndex()) {
      reader.emitError() << "expected an integer type, got " << type;
      return {};
    }
    unsigned width = type.isIndex() ? IndexType::kInternalStorageBitWidth
                                    : type.getIntOrFloatBitWidth();
    FailureOr<APInt> value = reader.readAPIntWithKnownWidth(width);
    if (failed(value))
      return {};
    return IntegerAttr::get(type, *value);
  }
  case AttributeCode::String: {
    StringRef value;
    if (failed(reader.readString(value)))
      return {};
    return StringAttr::get(context, value);
  }
  case AttributeCode::Tensor:
    return readTensor(reader);
  case AttributeCode::Type: {
    Type type;
    if (failed(reader.readType(type)))
      return {};
    return TypeAttr::get(type);
  }
  default:
    return {};
  }
}

/// Meshes and groups by their axes.
Attribute VhloBytecodeInterface::readMesh(AttributeCode code,
                                          DialectBytecodeReader &reader) const {
  MLIRContext *context = getContext();
  auto emitError = [&]() { return reader.emitError(); };
  StringAttr name;
  int64_t preSize = 0, size = 0;
  switch (code) {
  case AttributeCode::SubAxisInfo:
    if (failed(reader.readSignedVarInt(preSize)) ||
        failed(reader.readSignedVarInt(size)))
      return {};
    return stablehlo::SubAxisInfoAttr::getChecked(emitError, context, preSize,
                                                  size);
  case AttributeCode::AxisRef: {
    uint64_t hasSubAxis = 0;
    stablehlo::SubAxisInfoAttr subAxis;
    if (failed(reader.readAttribute(name)) ||
        failed(reader.readVarInt(hasSubAxis)) ||
        (hasSubAxis && failed(reader.readAttribute(subAxis))))
      return {};
    return stablehlo::AxisRefAttr::get(context, name.getValue(), subAxis);
  }
  case AttributeCode::ReplicaGroupMeshAxes: {
    Attribute mesh;
    ArrayAttr axes;
    if (failed(reader.readAttribute(mesh)) ||
        failed(reader.readAttribute(axes)))
      return {};
    // The name of a mesh is written as a string.
    if (auto symbol = dyn_cast<StringAttr>(mesh))
      mesh = FlatSymbolRefAttr::get(symbol);
    return stablehlo::ReplicaGroupMeshAxesAttr::getChecked(emitError, context,
                                                           mesh, axes);
  }
  case AttributeCode::MeshAxis:
    if (failed(reader.readAttribute(name)) ||
        failed(reader.readSignedVarInt(size)))
      return {};
    return stablehlo::MeshAxisAttr::getChecked(emitError, context,
                                               name.getValue(), size);
  case AttributeCode::Mesh: {
    ArrayAttr axes;
    DenseIntElementsAttr deviceIds;
    if (failed(reader.readAttribute(axes)) ||
        failed(reader.readOptionalAttribute(deviceIds)))
      return {};
    return stablehlo::MeshAttr::getChecked(emitError, context, axes, deviceIds);
  }
  default:
    return {};
  }
}

Attribute
VhloBytecodeInterface::readAttribute(DialectBytecodeReader &reader) const {
  using namespace stablehlo;
  MLIRContext *context = getContext();
  using Number = uint32_t;
  uint64_t number = 0;
  if (failed(reader.readVarInt(number)))
    return {};
  auto code = static_cast<AttributeCode>(number);
  switch (code) {
  case AttributeCode::ComparisonDirection:
    return readEnum<ComparisonDirectionAttr>(reader, context, [](Number n) {
      return symbolizeComparisonDirection(n);
    });
  case AttributeCode::ComparisonType:
    return readEnum<ComparisonTypeAttr>(
        reader, context, [](Number n) { return symbolizeComparisonType(n); });
  case AttributeCode::FftType:
    return readEnum<FftTypeAttr>(reader, context,
                                 [](Number n) { return symbolizeFftType(n); });
  case AttributeCode::Precision:
    return readEnum<PrecisionAttr>(
        reader, context, [](Number n) { return symbolizePrecision(n); });
  case AttributeCode::RngAlgorithm:
    return readEnum<RngAlgorithmAttr>(
        reader, context, [](Number n) { return symbolizeRngAlgorithm(n); });
  case AttributeCode::RngDistribution:
    return readEnum<RngDistributionAttr>(
        reader, context, [](Number n) { return symbolizeRngDistribution(n); });
  case AttributeCode::Transpose:
    return readEnum<TransposeAttr>(
        reader, context, [](Number n) { return symbolizeTranspose(n); });
  case AttributeCode::ResultAccuracyMode:
    return readEnum<ResultAccuracyModeAttr>(reader, context, [](Number n) {
      return symbolizeResultAccuracyMode(n);
    });
  case AttributeCode::CustomCallApiVersion: {
    // Outside of artifacts this is a plain integer.
    uint64_t value = 0;
    if (failed(reader.readVarInt(value)))
      return {};
    if (value > INT32_MAX ||
        !symbolizeCustomCallApiVersion(static_cast<uint32_t>(value))) {
      reader.emitError() << "unknown custom call API version " << value;
      return {};
    }
    return IntegerAttr::get(IntegerType::get(context, 32), value);
  }
  case AttributeCode::OutputOperandAlias: {
    SmallVector<int64_t> output, operand;
    int64_t index = 0;
    if (failed(reader.readSignedVarInts(output)) ||
        failed(reader.readSignedVarInt(index)) ||
        failed(reader.readSignedVarInts(operand)))
      return {};
    return OutputOperandAliasAttr::get(context, output, index, operand);
  }
  case AttributeCode::TypeExtensions: {
    SmallVector<int64_t> bounds;
    if (failed(reader.readSignedVarInts(bounds)))
      return {};
    return TypeExtensionsAttr::get(context, bounds);
  }
  case AttributeCode::ResultAccuracy: {
    auto atol = reader.readAPFloatWithKnownSemantics(APFloat::IEEEdouble());
    if (failed(atol))
      return {};
    auto rtol = reader.readAPFloatWithKnownSemantics(APFloat::IEEEdouble());
    int64_t ulps = 0;
    ResultAccuracyModeAttr mode;
    if (failed(rtol) || failed(reader.readSignedVarInt(ulps)) ||
        failed(reader.readAttribute(mode)))
      return {};
    return ResultAccuracyAttr::getChecked([&]() { return reader.emitError(); },
                                          context, *atol, *rtol, ulps, mode);
  }
  case AttributeCode::Array:
  case AttributeCode::Boolean:
  case AttributeCode::Dictionary:
  case AttributeCode::Float:
  case AttributeCode::Integer:
  case AttributeCode::String:
  case AttributeCode::Tensor:
  case AttributeCode::Type:
    return readBuiltin(code, reader);
  case AttributeCode::SubAxisInfo:
  case AttributeCode::AxisRef:
  case AttributeCode::ReplicaGroupMeshAxes:
  case AttributeCode::MeshAxis:
  case AttributeCode::Mesh:
    return readMesh(code, reader);
  }
  reader.emitError() << "unknown vhlo attribute code: " << number
                     << "; the artifact is from a newer version";
  return {};
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

Type VhloBytecodeInterface::readTensorType(DialectBytecodeReader &reader,
                                           bool hasEncoding) const {
  Attribute encoding;
  SmallVector<int64_t> shape;
  Type element;
  if ((hasEncoding && failed(reader.readAttribute(encoding))) ||
      failed(reader.readSignedVarInts(shape)) ||
      failed(reader.readType(element)))
    return {};
  return RankedTensorType::getChecked([&]() { return reader.emitError(); },
                                      ArrayRef<int64_t>(shape), element,
                                      encoding);
}

Type VhloBytecodeInterface::readQuantizedType(
    DialectBytecodeReader &reader) const {
  uint64_t flags = 0;
  Type storage, expressed;
  int64_t zeroPoint = 0, min = 0, max = 0;
  if (failed(reader.readVarInt(flags)) || failed(reader.readType(storage)) ||
      failed(reader.readType(expressed)))
    return {};
  auto scale = reader.readAPFloatWithKnownSemantics(APFloat::IEEEdouble());
  if (failed(scale) || failed(reader.readSignedVarInt(zeroPoint)) ||
      failed(reader.readSignedVarInt(min)) ||
      failed(reader.readSignedVarInt(max)))
    return {};
  return quant::UniformQuantizedType::getChecked(
      [&]() { return reader.emitError(); }, static_cast<unsigned>(flags),
      storage, expressed, scale->convertToDouble(), zeroPoint, min, max);
}

Type VhloBytecodeInterface::readPerAxisQuantizedType(
    DialectBytecodeReader &reader) const {
  uint64_t flags = 0, dimension = 0, count = 0;
  Type storage, expressed;
  int64_t min = 0, max = 0;
  if (failed(reader.readVarInt(flags)) || failed(reader.readType(storage)) ||
      failed(reader.readType(expressed)) ||
      failed(reader.readVarInt(dimension)) ||
      failed(reader.readSignedVarInt(min)) ||
      failed(reader.readSignedVarInt(max)) || failed(reader.readVarInt(count)))
    return {};
  SmallVector<double> scales;
  SmallVector<int64_t> zeroPoints;
  // Grown as they are read: the count may be damaged.
  for (uint64_t i = 0; i < count; ++i) {
    auto scale = reader.readAPFloatWithKnownSemantics(APFloat::IEEEdouble());
    if (failed(scale))
      return {};
    scales.push_back(scale->convertToDouble());
  }
  if (failed(reader.readVarInt(count)))
    return {};
  for (uint64_t i = 0; i < count; ++i)
    if (failed(reader.readSignedVarInt(zeroPoints.emplace_back())))
      return {};
  if (dimension > INT32_MAX) {
    reader.emitError() << "quantized dimension " << dimension
                       << " is out of range";
    return {};
  }
  return quant::UniformQuantizedPerAxisType::getChecked(
      [&]() { return reader.emitError(); }, static_cast<unsigned>(flags),
      storage, expressed, scales, zeroPoints, static_cast<int32_t>(dimension),
      min, max);
}

/// iN or uiN by code; null for other types.
static Type getIntegerType(MLIRContext *context, TypeCode code) {
  auto get = [context](unsigned width, bool isUnsigned) {
    return IntegerType::get(context, width,
                            isUnsigned ? IntegerType::Unsigned
                                       : IntegerType::Signless);
  };
  switch (code) {
  case TypeCode::Boolean:
    return get(1, false);
  case TypeCode::SI2:
    return get(2, false);
  case TypeCode::SI4:
    return get(4, false);
  case TypeCode::SI8:
    return get(8, false);
  case TypeCode::SI16:
    return get(16, false);
  case TypeCode::SI32:
    return get(32, false);
  case TypeCode::SI64:
    return get(64, false);
  case TypeCode::UI2:
    return get(2, true);
  case TypeCode::UI4:
    return get(4, true);
  case TypeCode::UI8:
    return get(8, true);
  case TypeCode::UI16:
    return get(16, true);
  case TypeCode::UI32:
    return get(32, true);
  case TypeCode::UI64:
    return get(64, true);
  default:
    return {};
  }
}

/// A float type by code; null for other types.
static Type getFloatType(MLIRContext *context, TypeCode code) {
  switch (code) {
  case TypeCode::BF16:
    return BFloat16Type::get(context);
  case TypeCode::F16:
    return Float16Type::get(context);
  case TypeCode::F32:
    return Float32Type::get(context);
  case TypeCode::F64:
    return Float64Type::get(context);
  case TypeCode::TF32:
    return FloatTF32Type::get(context);
  case TypeCode::F8E4M3FN:
    return Float8E4M3FNType::get(context);
  case TypeCode::F8E5M2:
    return Float8E5M2Type::get(context);
  case TypeCode::F8E4M3FNUZ:
    return Float8E4M3FNUZType::get(context);
  case TypeCode::F8E5M2FNUZ:
    return Float8E5M2FNUZType::get(context);
  case TypeCode::F8E4M3B11FNUZ:
    return Float8E4M3B11FNUZType::get(context);
  case TypeCode::F8E4M3:
    return Float8E4M3Type::get(context);
  case TypeCode::F8E3M4:
    return Float8E3M4Type::get(context);
  case TypeCode::F4E2M1FN:
    return Float4E2M1FNType::get(context);
  case TypeCode::F6E2M3FN:
    return Float6E2M3FNType::get(context);
  case TypeCode::F6E3M2FN:
    return Float6E3M2FNType::get(context);
  case TypeCode::F8E8M0FNU:
    return Float8E8M0FNUType::get(context);
  default:
    return {};
  }
}

Type VhloBytecodeInterface::readType(DialectBytecodeReader &reader) const {
  MLIRContext *context = getContext();
  auto emitError = [&]() { return reader.emitError(); };
  uint64_t number = 0;
  if (failed(reader.readVarInt(number)))
    return {};
  auto code = static_cast<TypeCode>(number);
  if (Type integer = getIntegerType(context, code))
    return integer;
  if (Type floating = getFloatType(context, code))
    return floating;
  SmallVector<Type> types, more;
  Type element;
  switch (code) {
  case TypeCode::Complex:
    if (failed(reader.readType(element)))
      return {};
    return ComplexType::getChecked(emitError, element);
  case TypeCode::Function:
    if (failed(reader.readTypes(types)) || failed(reader.readTypes(more)))
      return {};
    return FunctionType::get(context, types, more);
  case TypeCode::Index:
    return IndexType::get(context);
  case TypeCode::None:
    return NoneType::get(context);
  case TypeCode::RankedTensor:
    return readTensorType(reader, /*hasEncoding=*/false);
  case TypeCode::RankedTensorWithEncoding:
    return readTensorType(reader, /*hasEncoding=*/true);
  case TypeCode::UnrankedTensor:
    if (failed(reader.readType(element)))
      return {};
    return UnrankedTensorType::getChecked(emitError, element);
  case TypeCode::Token:
    return stablehlo::TokenType::get(context);
  case TypeCode::Tuple:
    if (failed(reader.readTypes(types)))
      return {};
    return TupleType::get(context, types);
  case TypeCode::UniformQuantized:
    return readQuantizedType(reader);
  case TypeCode::UniformQuantizedPerAxis:
    return readPerAxisQuantizedType(reader);
  case TypeCode::Future:
    if (failed(reader.readTypes(types)))
      return {};
    return stablehlo::FutureType::getChecked(emitError, context,
                                             ArrayRef<Type>(types));
  default:
    reader.emitError()
        << "unknown vhlo type code: " << number
        << "; the artifact is from a newer version, or has types that "
           "are not supported";
    return {};
  }
}

void VhloDialect::registerBytecode() { addInterfaces<VhloBytecodeInterface>(); }
