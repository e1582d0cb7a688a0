// Bytecode of the attributes, in the numbering that Shardy writes: one number
// per attribute class, then its parameters in order.
#include "dialects/SDY/SDY.h"

#include "mlir/Bytecode/BytecodeImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::sdy;

namespace {

enum Code : uint64_t {
  kManualAxes = 0,
  kMeshAxis = 1,
  kMesh = 2,
  kSubAxisInfo = 3,
  kAxisRef = 4,
  kDimensionSharding = 5,
  kTensorSharding = 6,
  kTensorShardingPerValue = 7,
  kDimMapping = 8,
  kTensorMapping = 9,
  kOpShardingRule = 10,
  kAxisRefList = 11,
  kListOfAxisRefLists = 12,
  kAllToAllParam = 13,
  kAllToAllParamList = 14,
  // The same classes with unreduced axes, which came later.
  kTensorShardingUnreduced = 15,
  kTensorShardingPerValueUnreduced = 16,
  kTensorShardingReduction = 17,
};

/// Versions only tell which codes may occur; we read all.
struct Version : DialectVersion {};

class Bytecode : public BytecodeDialectInterface {
public:
  Bytecode(Dialect *dialect) : BytecodeDialectInterface(dialect) {}

  Attribute readAttribute(DialectBytecodeReader &reader) const override {
    uint64_t code;
    if (failed(reader.readVarInt(code)))
      return {};
    switch (code) {
    case kManualAxes:
      return readList<ManualAxesAttr, StringAttr>(reader);
    case kMeshAxis: {
      StringRef name;
      int64_t size;
      if (failed(reader.readString(name)) ||
          failed(reader.readSignedVarInt(size)))
        return {};
      return MeshAxisAttr::get(getContext(), name, size);
    }
    case kMesh: {
      SmallVector<MeshAxisAttr> axes;
      SmallVector<int64_t> ids;
      if (failed(reader.readAttributes(axes)) ||
          failed(reader.readSignedVarInts(ids)) ||
          failed(
              MeshAttr::verify([&] { return reader.emitError(); }, axes, ids)))
        return {};
      return MeshAttr::get(getContext(), axes, ids);
    }
    case kSubAxisInfo: {
      int64_t preSize, size;
      if (failed(reader.readSignedVarInt(preSize)) ||
          failed(reader.readSignedVarInt(size)))
        return {};
      return SubAxisInfoAttr::get(getContext(), preSize, size);
    }
    case kAxisRef: {
      StringRef name;
      SubAxisInfoAttr info;
      if (failed(reader.readString(name)) ||
          failed(reader.readOptionalAttribute(info)))
        return {};
      return AxisRefAttr::get(getContext(), name, info);
    }
    case kDimensionSharding: {
      SmallVector<AxisRefAttr> axes;
      bool isClosed, hasPriority;
      uint64_t priority;
      if (failed(reader.readAttributes(axes)) ||
          failed(reader.readBool(isClosed)) ||
          failed(reader.readVarIntWithFlag(priority, hasPriority)))
        return {};
      return DimensionShardingAttr::get(
          getContext(), axes, isClosed,
          hasPriority ? std::optional<int64_t>(priority) : std::nullopt);
    }
    case kTensorSharding:
    case kTensorShardingUnreduced:
    case kTensorShardingReduction:
      return readSharding(reader, code);
    case kTensorShardingPerValue:
    case kTensorShardingPerValueUnreduced:
      return readList<TensorShardingPerValueAttr, TensorShardingAttr>(reader);
    case kDimMapping: {
      SmallVector<int64_t> factors;
      if (failed(reader.readSignedVarInts(factors)))
        return {};
      return DimMappingAttr::get(getContext(), factors);
    }
    case kTensorMapping:
      return readList<TensorMappingAttr, DimMappingAttr>(reader);
    case kOpShardingRule:
      return readRule(reader);
    case kAxisRefList:
      return readList<AxisRefListAttr, AxisRefAttr>(reader);
    case kListOfAxisRefLists:
      return readList<ListOfAxisRefListsAttr, AxisRefListAttr>(reader);
    case kAllToAllParam: {
      SmallVector<AxisRefAttr> axes;
      int64_t source, target;
      if (failed(reader.readAttributes(axes)) ||
          failed(reader.readSignedVarInt(source)) ||
          failed(reader.readSignedVarInt(target)))
        return {};
      return AllToAllParamAttr::get(getContext(), axes, source, target);
    }
    case kAllToAllParamList:
      return readList<AllToAllParamListAttr, AllToAllParamAttr>(reader);
    }
    reader.emitError() << "sdy attribute with unknown code " << code;
    return {};
  }

  LogicalResult writeAttribute(Attribute attribute,
                               DialectBytecodeWriter &writer) const override {
    return llvm::TypeSwitch<Attribute, LogicalResult>(attribute)
        .Case([&](ManualAxesAttr attr) {
          return writeList(writer, kManualAxes, attr.getValue());
        })
        .Case([&](MeshAxisAttr attr) {
          writer.writeVarInt(kMeshAxis);
          writer.writeOwnedString(attr.getName());
          writer.writeSignedVarInt(attr.getSize());
          return success();
        })
        .Case([&](MeshAttr attr) {
          writer.writeVarInt(kMesh);
          writer.writeAttributes(attr.getAxes());
          writer.writeSignedVarInts(attr.getDeviceIds());
          return success();
        })
        .Case([&](SubAxisInfoAttr attr) {
          writer.writeVarInt(kSubAxisInfo);
          writer.writeSignedVarInt(attr.getPreSize());
          writer.writeSignedVarInt(attr.getSize());
          return success();
        })
        .Case([&](AxisRefAttr attr) {
          writer.writeVarInt(kAxisRef);
          writer.writeOwnedString(attr.getName());
          writer.writeOptionalAttribute(attr.getSubAxisInfo());
          return success();
        })
        .Case([&](DimensionShardingAttr attr) {
          writer.writeVarInt(kDimensionSharding);
          writer.writeAttributes(attr.getAxes());
          writer.writeOwnedBool(attr.getIsClosed());
          writer.writeVarIntWithFlag(attr.getPriority().value_or(0),
                                     attr.getPriority().has_value());
          return success();
        })
        .Case([&](TensorShardingAttr attr) {
          writeSharding(attr, writer);
          return success();
        })
        .Case([&](TensorShardingPerValueAttr attr) {
          bool unreduced =
              llvm::any_of(attr.getShardings(), [](TensorShardingAttr one) {
                return !one.getUnreducedAxes().empty();
              });
          return writeList(writer,
                           unreduced ? kTensorShardingPerValueUnreduced
                                     : kTensorShardingPerValue,
                           attr.getShardings());
        })
        .Case([&](DimMappingAttr attr) {
          writer.writeVarInt(kDimMapping);
          writer.writeSignedVarInts(attr.getFactorIndices());
          return success();
        })
        .Case([&](TensorMappingAttr attr) {
          return writeList(writer, kTensorMapping, attr.getDimMappings());
        })
        .Case([&](OpShardingRuleAttr attr) {
          writeRule(attr, writer);
          return success();
        })
        .Case([&](AxisRefListAttr attr) {
          return writeList(writer, kAxisRefList, attr.getValue());
        })
        .Case([&](ListOfAxisRefListsAttr attr) {
          return writeList(writer, kListOfAxisRefLists, attr.getValue());
        })
        .Case([&](AllToAllParamAttr attr) {
          writer.writeVarInt(kAllToAllParam);
          writer.writeAttributes(attr.getAxes());
          writer.writeSignedVarInt(attr.getSrcDim());
          writer.writeSignedVarInt(attr.getTgtDim());
          return success();
        })
        .Case([&](AllToAllParamListAttr attr) {
          return writeList(writer, kAllToAllParamList, attr.getValue());
        })
        .Default([](Attribute) { return failure(); });
  }

  std::unique_ptr<DialectVersion>
  readVersion(DialectBytecodeReader &reader) const override {
    uint64_t major, minor, patch;
    if (failed(reader.readVarInt(major)) || failed(reader.readVarInt(minor)) ||
        failed(reader.readVarInt(patch)))
      return nullptr;
    return std::make_unique<Version>();
  }

private:
  template <typename T, typename Element>
  Attribute readList(DialectBytecodeReader &reader) const {
    SmallVector<Element> elements;
    if (failed(reader.readAttributes(elements)))
      return {};
    return T::get(getContext(), elements);
  }

  template <typename T>
  LogicalResult writeList(DialectBytecodeWriter &writer, Code code,
                          ArrayRef<T> elements) const {
    writer.writeVarInt(code);
    writer.writeAttributes(elements);
    return success();
  }

  Attribute readSharding(DialectBytecodeReader &reader, uint64_t code) const {
    Attribute meshOrRef;
    SmallVector<DimensionShardingAttr> dims;
    SmallVector<AxisRefAttr> replicated, unreduced;
    int64_t reduction = 0;
    if (failed(reader.readAttribute(meshOrRef)) ||
        failed(reader.readAttributes(dims)) ||
        failed(reader.readAttributes(replicated)) ||
        (code != kTensorSharding && failed(reader.readAttributes(unreduced))) ||
        (code == kTensorShardingReduction &&
         failed(reader.readSignedVarInt(reduction))))
      return {};
    if (!isa<MeshAttr, FlatSymbolRefAttr>(meshOrRef)) {
      reader.emitError() << "sharding names neither a mesh nor a symbol";
      return {};
    }
    std::optional<ReductionOp> op = symbolizeReductionOp(reduction);
    if (!op) {
      reader.emitError() << "sharding has unknown reduction " << reduction;
      return {};
    }
    return TensorShardingAttr::get(getContext(), meshOrRef, dims, replicated,
                                   unreduced, *op);
  }

  void writeSharding(TensorShardingAttr attr,
                     DialectBytecodeWriter &writer) const {
    bool unreduced = !attr.getUnreducedAxes().empty();
    bool reduction = unreduced && attr.getReductionOp() != ReductionOp::SUM;
    writer.writeVarInt(reduction   ? kTensorShardingReduction
                       : unreduced ? kTensorShardingUnreduced
                                   : kTensorSharding);
    writer.writeAttribute(attr.getMeshOrRef());
    writer.writeAttributes(attr.getDimShardings());
    writer.writeAttributes(attr.getReplicatedAxes());
    if (unreduced)
      writer.writeAttributes(attr.getUnreducedAxes());
    if (reduction)
      writer.writeSignedVarInt(int64_t(attr.getReductionOp()));
  }

  Attribute readRule(DialectBytecodeReader &reader) const {
    SmallVector<int64_t> sizes, reduction, replication, permutation, blocked;
    SmallVector<TensorMappingAttr> operands, results;
    bool isCustom;
    if (failed(reader.readSignedVarInts(sizes)) ||
        failed(reader.readAttributes(operands)) ||
        failed(reader.readAttributes(results)) ||
        failed(reader.readSignedVarInts(reduction)) ||
        failed(reader.readSignedVarInts(replication)) ||
        failed(reader.readSignedVarInts(permutation)) ||
        failed(reader.readSignedVarInts(blocked)) ||
        failed(reader.readBool(isCustom)))
      return {};
    return OpShardingRuleAttr::get(getContext(), sizes, operands, results,
                                   reduction, replication, permutation, blocked,
                                   isCustom);
  }

  void writeRule(OpShardingRuleAttr attr, DialectBytecodeWriter &writer) const {
    writer.writeVarInt(kOpShardingRule);
    writer.writeSignedVarInts(attr.getFactorSizes());
    writer.writeAttributes(attr.getOperandMappings());
    writer.writeAttributes(attr.getResultMappings());
    writer.writeSignedVarInts(attr.getReductionFactors());
    writer.writeSignedVarInts(attr.getNeedReplicationFactors());
    writer.writeSignedVarInts(attr.getPermutationFactors());
    writer.writeSignedVarInts(attr.getBlockedPropagationFactors());
    writer.writeOwnedBool(attr.getIsCustomRule());
  }
};
} // namespace

void SdyDialect::registerBytecode() { addInterfaces<Bytecode>(); }
