// Bytecode of the attributes, in the numbering that upstream writes. What has
// no number (precision, dimension numbers) travels as text.
#include "dialects/CHLO/CHLO.h"

#include "mlir/Bytecode/BytecodeImplementation.h"

using namespace mlir;
using namespace mlir::chlo;

namespace {

enum Code : uint64_t { kComparisonDirection = 0, kComparisonType = 1 };

class Bytecode : public BytecodeDialectInterface {
public:
  Bytecode(Dialect *dialect) : BytecodeDialectInterface(dialect) {}

  Attribute readAttribute(DialectBytecodeReader &reader) const override {
    uint64_t code, value;
    if (failed(reader.readVarInt(code)) || failed(reader.readVarInt(value)))
      return {};
    if (code == kComparisonDirection) {
      if (auto direction = symbolizeComparisonDirection(value))
        return ComparisonDirectionAttr::get(getContext(), *direction);
    } else if (code == kComparisonType) {
      if (auto type = symbolizeComparisonType(value))
        return ComparisonTypeAttr::get(getContext(), *type);
    }
    reader.emitError() << "chlo attribute with unknown code " << code
                       << " or value " << value;
    return {};
  }

  LogicalResult writeAttribute(Attribute attribute,
                               DialectBytecodeWriter &writer) const override {
    if (auto direction = dyn_cast<ComparisonDirectionAttr>(attribute)) {
      writer.writeVarInt(kComparisonDirection);
      writer.writeVarInt(uint64_t(direction.getValue()));
      return success();
    }
    if (auto type = dyn_cast<ComparisonTypeAttr>(attribute)) {
      writer.writeVarInt(kComparisonType);
      writer.writeVarInt(uint64_t(type.getValue()));
      return success();
    }
    return failure();
  }
};
} // namespace

void ChloDialect::registerBytecode() { addInterfaces<Bytecode>(); }
