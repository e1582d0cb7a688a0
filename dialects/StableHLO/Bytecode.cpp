// How attributes and types of the dialect are encoded in MLIR bytecode: a code,
// then the fields one after another. The codes and the order of fields are
// those of the reference implementation, so that bytecode that JAX writes can
// be read, and the other way round. (Ops need nothing here: their attributes
// are encoded in the order in which the .td files list them.)
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Bytecode/BytecodeImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::stablehlo;

namespace {

/// Fixed for good: files hold these numbers. 0 was an attribute that is gone.
enum class AttributeCode : uint64_t {
  ChannelHandle = 1,
  ComparisonDirection = 2,
  ComparisonType = 3,
  ConvDimensionNumbers = 4,
  DotDimensionNumbers = 5,
  FftType = 6,
  GatherDimensionNumbers = 7,
  Precision = 8,
  RngAlgorithm = 9,
  RngDistribution = 10,
  ScatterDimensionNumbers = 11,
  Transpose = 12,
  TypeExtensions = 13,
  OutputOperandAlias = 14,
  DotAlgorithm = 15,
  ResultAccuracyMode = 16,
  ResultAccuracy = 17,
  ReplicaGroupMeshAxes = 18,
  SubAxisInfo = 19,
  AxisRef = 20,
  MeshAxis = 21,
  Mesh = 22,
};

enum class TypeCode : uint64_t { Token = 0, Future = 1 };

using Ints = SmallVector<int64_t>;

//===----------------------------------------------------------------------===//
// Fields
//===----------------------------------------------------------------------===//

LogicalResult readField(DialectBytecodeReader &reader, int64_t &value) {
  return reader.readSignedVarInt(value);
}
LogicalResult readField(DialectBytecodeReader &reader, Ints &values) {
  return reader.readSignedVarInts(values);
}
LogicalResult readField(DialectBytecodeReader &reader, bool &value) {
  return reader.readBool(value);
}
LogicalResult readField(DialectBytecodeReader &reader, StringRef &value) {
  return reader.readString(value);
}
LogicalResult readField(DialectBytecodeReader &reader, Type &value) {
  return reader.readType(value);
}
LogicalResult readField(DialectBytecodeReader &reader, APFloat &value) {
  FailureOr<APFloat> read =
      reader.readAPFloatWithKnownSemantics(APFloat::IEEEdouble());
  if (failed(read))
    return failure();
  value = *read;
  return success();
}
template <typename Attr>
  requires std::is_base_of_v<Attribute, Attr>
LogicalResult readField(DialectBytecodeReader &reader, Attr &value) {
  return reader.readAttribute(value);
}

/// Reads all of them, in order.
template <typename... Fields>
bool read(DialectBytecodeReader &reader, Fields &...fields) {
  return (succeeded(readField(reader, fields)) && ...);
}

void writeField(DialectBytecodeWriter &writer, int64_t value) {
  writer.writeSignedVarInt(value);
}
void writeField(DialectBytecodeWriter &writer, ArrayRef<int64_t> values) {
  writer.writeSignedVarInts(values);
}
void writeField(DialectBytecodeWriter &writer, bool value) {
  writer.writeOwnedBool(value);
}
void writeField(DialectBytecodeWriter &writer, StringRef value) {
  writer.writeOwnedString(value);
}
void writeField(DialectBytecodeWriter &writer, Type value) {
  writer.writeType(value);
}
void writeField(DialectBytecodeWriter &writer, const APFloat &value) {
  writer.writeAPFloatWithKnownSemantics(value);
}
void writeField(DialectBytecodeWriter &writer, Attribute value) {
  writer.writeAttribute(value);
}

/// Writes the code and all fields, in order.
template <typename... Fields>
void write(DialectBytecodeWriter &writer, AttributeCode code,
           const Fields &...fields) {
  writer.writeVarInt(static_cast<uint64_t>(code));
  (writeField(writer, fields), ...);
}

//===----------------------------------------------------------------------===//
// Enumerations
//===----------------------------------------------------------------------===//

/// An enumeration's number. Unknown ones come from newer writers.
template <typename Attr, typename Symbolize>
Attribute readEnum(DialectBytecodeReader &reader, MLIRContext *context,
                   Symbolize symbolize) {
  uint64_t number = 0;
  if (failed(reader.readVarInt(number)))
    return {};
  auto value = number <= UINT32_MAX ? symbolize(static_cast<uint32_t>(number))
                                    : std::nullopt;
  if (!value) {
    reader.emitError() << "unknown value " << number << " of stablehlo."
                       << Attr::getMnemonic();
    return {};
  }
  return Attr::get(context, *value);
}

template <typename Attr>
void writeEnum(DialectBytecodeWriter &writer, AttributeCode code, Attr attr) {
  writer.writeVarInt(static_cast<uint64_t>(code));
  writer.writeVarInt(static_cast<uint64_t>(attr.getValue()));
}

//===----------------------------------------------------------------------===//
// The interface
//===----------------------------------------------------------------------===//

struct Version : DialectVersion {
  uint64_t major = 0, minor = 0, patch = 0;
};

class StablehloBytecodeInterface : public BytecodeDialectInterface {
public:
  explicit StablehloBytecodeInterface(Dialect *dialect)
      : BytecodeDialectInterface(dialect) {}

  Attribute readAttribute(DialectBytecodeReader &reader) const override;
  LogicalResult writeAttribute(Attribute attr,
                               DialectBytecodeWriter &writer) const override;
  Type readType(DialectBytecodeReader &reader) const override;
  LogicalResult writeType(Type type,
                          DialectBytecodeWriter &writer) const override;

  /// Says who wrote it; nothing has changed so far that reading depends on.
  std::unique_ptr<DialectVersion>
  readVersion(DialectBytecodeReader &reader) const override {
    auto version = std::make_unique<Version>();
    if (failed(reader.readVarInt(version->major)) ||
        failed(reader.readVarInt(version->minor)) ||
        failed(reader.readVarInt(version->patch)))
      return nullptr;
    return version;
  }

private:
  Attribute readDimensionNumbers(AttributeCode code,
                                 DialectBytecodeReader &reader) const;
  Attribute readMesh(AttributeCode code, DialectBytecodeReader &reader) const;
};

} // namespace

/// Attributes that only list dimensions.
Attribute StablehloBytecodeInterface::readDimensionNumbers(
    AttributeCode code, DialectBytecodeReader &reader) const {
  MLIRContext *context = getContext();
  Ints a, b, c, d, e;
  int64_t number = 0;
  switch (code) {
  case AttributeCode::ConvDimensionNumbers: {
    int64_t inputBatch, inputFeature, kernelInput, kernelOutput, outputBatch,
        outputFeature;
    if (!read(reader, inputBatch, inputFeature, a, kernelInput, kernelOutput, b,
              outputBatch, outputFeature, c))
      return {};
    return ConvDimensionNumbersAttr::get(context, inputBatch, inputFeature, a,
                                         kernelInput, kernelOutput, b,
                                         outputBatch, outputFeature, c);
  }
  case AttributeCode::DotDimensionNumbers:
    if (!read(reader, a, b, c, d))
      return {};
    return DotDimensionNumbersAttr::get(context, a, b, c, d);
  case AttributeCode::GatherDimensionNumbers:
    if (!read(reader, a, b, c, d, e, number))
      return {};
    return GatherDimensionNumbersAttr::get(context, a, b, c, d, e, number);
  case AttributeCode::ScatterDimensionNumbers:
    if (!read(reader, a, b, c, d, e, number))
      return {};
    return ScatterDimensionNumbersAttr::get(context, a, b, c, d, e, number);
  case AttributeCode::TypeExtensions:
    if (!read(reader, a))
      return {};
    return TypeExtensionsAttr::get(context, a);
  case AttributeCode::OutputOperandAlias:
    if (!read(reader, a, number, b))
      return {};
    return OutputOperandAliasAttr::get(context, a, number, b);
  default:
    return {};
  }
}

/// Meshes and their axes, which have verifiers of their own.
Attribute
StablehloBytecodeInterface::readMesh(AttributeCode code,
                                     DialectBytecodeReader &reader) const {
  MLIRContext *context = getContext();
  auto emitError = [&]() { return reader.emitError(); };
  StringRef name;
  int64_t preSize = 0, size = 0;
  bool present = false;
  switch (code) {
  case AttributeCode::ReplicaGroupMeshAxes: {
    Attribute mesh;
    uint64_t count = 0;
    if (!read(reader, mesh) || failed(reader.readVarInt(count)))
      return {};
    SmallVector<Attribute> axes;
    for (uint64_t i = 0; i < count; ++i)
      if (!read(reader, axes.emplace_back()))
        return {};
    return ReplicaGroupMeshAxesAttr::getChecked(emitError, context, mesh,
                                                ArrayAttr::get(context, axes));
  }
  case AttributeCode::SubAxisInfo:
    if (!read(reader, preSize, size))
      return {};
    return SubAxisInfoAttr::getChecked(emitError, context, preSize, size);
  case AttributeCode::AxisRef: {
    SubAxisInfoAttr subAxis;
    if (!read(reader, name, present) || (present && !read(reader, subAxis)))
      return {};
    return AxisRefAttr::get(context, name, subAxis);
  }
  case AttributeCode::MeshAxis:
    if (!read(reader, name, size))
      return {};
    return MeshAxisAttr::getChecked(emitError, context, name, size);
  case AttributeCode::Mesh: {
    ArrayAttr axes;
    DenseIntElementsAttr deviceIds;
    if (!read(reader, axes, present) || (present && !read(reader, deviceIds)))
      return {};
    return MeshAttr::getChecked(emitError, context, axes, deviceIds);
  }
  default:
    return {};
  }
}

Attribute
StablehloBytecodeInterface::readAttribute(DialectBytecodeReader &reader) const {
  MLIRContext *context = getContext();
  auto emitError = [&]() { return reader.emitError(); };
  uint64_t number = 0;
  if (failed(reader.readVarInt(number)))
    return {};
  auto code = static_cast<AttributeCode>(number);
  using Number = uint32_t;
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
  case AttributeCode::ChannelHandle: {
    int64_t handle, type;
    if (!read(reader, handle, type))
      return {};
    return ChannelHandleAttr::get(context, handle, type);
  }
  case AttributeCode::DotAlgorithm: {
    Type lhs, rhs, accumulation;
    int64_t lhsCount, rhsCount, operations;
    bool imprecise;
    if (!read(reader, lhs, rhs, accumulation, lhsCount, rhsCount, operations,
              imprecise))
      return {};
    return DotAlgorithmAttr::getChecked(emitError, context, lhs, rhs,
                                        accumulation, lhsCount, rhsCount,
                                        operations, imprecise);
  }
  case AttributeCode::ResultAccuracy: {
    APFloat atol(0.0), rtol(0.0);
    int64_t ulps;
    ResultAccuracyModeAttr mode;
    if (!read(reader, atol, rtol, ulps, mode))
      return {};
    return ResultAccuracyAttr::getChecked(emitError, context, atol, rtol, ulps,
                                          mode);
  }
  case AttributeCode::ConvDimensionNumbers:
  case AttributeCode::DotDimensionNumbers:
  case AttributeCode::GatherDimensionNumbers:
  case AttributeCode::ScatterDimensionNumbers:
  case AttributeCode::TypeExtensions:
  case AttributeCode::OutputOperandAlias:
    return readDimensionNumbers(code, reader);
  case AttributeCode::ReplicaGroupMeshAxes:
  case AttributeCode::SubAxisInfo:
  case AttributeCode::AxisRef:
  case AttributeCode::MeshAxis:
  case AttributeCode::Mesh:
    return readMesh(code, reader);
  }
  reader.emitError() << "unknown stablehlo attribute code: " << number;
  return {};
}

LogicalResult
StablehloBytecodeInterface::writeAttribute(Attribute attr,
                                           DialectBytecodeWriter &w) const {
  using Code = AttributeCode;
  return TypeSwitch<Attribute, LogicalResult>(attr)
      .Case([&](ComparisonDirectionAttr a) {
        return writeEnum(w, Code::ComparisonDirection, a), success();
      })
      .Case([&](ComparisonTypeAttr a) {
        return writeEnum(w, Code::ComparisonType, a), success();
      })
      .Case([&](FftTypeAttr a) {
        return writeEnum(w, Code::FftType, a), success();
      })
      .Case([&](PrecisionAttr a) {
        return writeEnum(w, Code::Precision, a), success();
      })
      .Case([&](RngAlgorithmAttr a) {
        return writeEnum(w, Code::RngAlgorithm, a), success();
      })
      .Case([&](RngDistributionAttr a) {
        return writeEnum(w, Code::RngDistribution, a), success();
      })
      .Case([&](TransposeAttr a) {
        return writeEnum(w, Code::Transpose, a), success();
      })
      .Case([&](ResultAccuracyModeAttr a) {
        return writeEnum(w, Code::ResultAccuracyMode, a), success();
      })
      .Case([&](ChannelHandleAttr a) {
        write(w, Code::ChannelHandle, a.getHandle(), a.getType());
        return success();
      })
      .Case([&](ConvDimensionNumbersAttr a) {
        write(w, Code::ConvDimensionNumbers, a.getInputBatchDimension(),
              a.getInputFeatureDimension(), a.getInputSpatialDimensions(),
              a.getKernelInputFeatureDimension(),
              a.getKernelOutputFeatureDimension(),
              a.getKernelSpatialDimensions(), a.getOutputBatchDimension(),
              a.getOutputFeatureDimension(), a.getOutputSpatialDimensions());
        return success();
      })
      .Case([&](DotDimensionNumbersAttr a) {
        write(w, Code::DotDimensionNumbers, a.getLhsBatchingDimensions(),
              a.getRhsBatchingDimensions(), a.getLhsContractingDimensions(),
              a.getRhsContractingDimensions());
        return success();
      })
      .Case([&](GatherDimensionNumbersAttr a) {
        write(w, Code::GatherDimensionNumbers, a.getOffsetDims(),
              a.getCollapsedSliceDims(), a.getOperandBatchingDims(),
              a.getStartIndicesBatchingDims(), a.getStartIndexMap(),
              a.getIndexVectorDim());
        return success();
      })
      .Case([&](ScatterDimensionNumbersAttr a) {
        write(w, Code::ScatterDimensionNumbers, a.getUpdateWindowDims(),
              a.getInsertedWindowDims(), a.getInputBatchingDims(),
              a.getScatterIndicesBatchingDims(),
              a.getScatterDimsToOperandDims(), a.getIndexVectorDim());
        return success();
      })
      .Case([&](TypeExtensionsAttr a) {
        write(w, Code::TypeExtensions, a.getBounds());
        return success();
      })
      .Case([&](OutputOperandAliasAttr a) {
        write(w, Code::OutputOperandAlias, a.getOutputTupleIndices(),
              a.getOperandIndex(), a.getOperandTupleIndices());
        return success();
      })
      .Case([&](DotAlgorithmAttr a) {
        write(w, Code::DotAlgorithm, a.getLhsPrecisionType(),
              a.getRhsPrecisionType(), a.getAccumulationType(),
              a.getLhsComponentCount(), a.getRhsComponentCount(),
              a.getNumPrimitiveOperations(), a.getAllowImpreciseAccumulation());
        return success();
      })
      .Case([&](ResultAccuracyAttr a) {
        write(w, Code::ResultAccuracy, a.getAtol(), a.getRtol(), a.getUlps(),
              a.getMode());
        return success();
      })
      .Case([&](ReplicaGroupMeshAxesAttr a) {
        write(w, Code::ReplicaGroupMeshAxes, a.getMesh());
        w.writeVarInt(a.getAxes().size());
        for (Attribute axis : a.getAxes())
          w.writeAttribute(axis);
        return success();
      })
      .Case([&](SubAxisInfoAttr a) {
        write(w, Code::SubAxisInfo, a.getPreSize(), a.getSize());
        return success();
      })
      .Case([&](AxisRefAttr a) {
        write(w, Code::AxisRef, a.getName(),
              static_cast<bool>(a.getSubAxisInfo()));
        if (a.getSubAxisInfo())
          w.writeAttribute(a.getSubAxisInfo());
        return success();
      })
      .Case([&](MeshAxisAttr a) {
        write(w, Code::MeshAxis, a.getName(), a.getSize());
        return success();
      })
      .Case([&](MeshAttr a) {
        write(w, Code::Mesh, a.getAxes(), static_cast<bool>(a.getDeviceIds()));
        if (a.getDeviceIds())
          w.writeAttribute(a.getDeviceIds());
        return success();
      })
      // Anything else is encoded as text.
      .Default([](Attribute) { return failure(); });
}

Type StablehloBytecodeInterface::readType(DialectBytecodeReader &reader) const {
  uint64_t number = 0;
  if (failed(reader.readVarInt(number)))
    return {};
  switch (static_cast<TypeCode>(number)) {
  case TypeCode::Token:
    return TokenType::get(getContext());
  case TypeCode::Future: {
    SmallVector<Type> types;
    if (failed(reader.readTypes(types)))
      return {};
    return FutureType::getChecked([&]() { return reader.emitError(); },
                                  getContext(), ArrayRef<Type>(types));
  }
  }
  reader.emitError() << "unknown stablehlo type code: " << number;
  return {};
}

LogicalResult
StablehloBytecodeInterface::writeType(Type type,
                                      DialectBytecodeWriter &writer) const {
  if (isa<TokenType>(type)) {
    writer.writeVarInt(static_cast<uint64_t>(TypeCode::Token));
    return success();
  }
  if (auto future = dyn_cast<FutureType>(type)) {
    writer.writeVarInt(static_cast<uint64_t>(TypeCode::Future));
    writer.writeTypes(future.getTypes());
    return success();
  }
  return failure();
}

void StablehloDialect::registerBytecode() {
  addInterfaces<StablehloBytecodeInterface>();
}
