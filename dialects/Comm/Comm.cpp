// The comm dialect: registration, groups, the type of futures.
#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/Sharding.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::comm;

#include "dialects/Comm/CommDialect.cpp.inc"

#include "dialects/Comm/CommInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Comm/CommAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Comm/CommTypes.cpp.inc"

void CommDialect::initialize() {
  registerAttributes();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "dialects/Comm/Comm.cpp.inc"
      >();
}
void CommDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Comm/CommAttrs.cpp.inc"
      >();
}
void CommDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Comm/CommTypes.cpp.inc"
      >();
}

int64_t comm::getTensorBytes(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped || !shaped.hasStaticShape())
    return 0;
  Type element = shaped.getElementType();
  int64_t parts = 1;
  if (auto complex = dyn_cast<ComplexType>(element)) {
    parts = 2;
    element = complex.getElementType();
  }
  int64_t bits = element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 64;
  return shaped.getNumElements() * parts * ((bits + 7) / 8);
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

static SmallVector<SmallVector<int64_t>> readTable(ArrayAttr table) {
  SmallVector<SmallVector<int64_t>> groups;
  for (Attribute row : table)
    groups.emplace_back(cast<DenseI64ArrayAttr>(row).asArrayRef());
  return groups;
}

MeshAttr GroupsAttr::getMesh(Operation *from) const {
  return lookupMesh(getMeshOrRef(), from);
}

int64_t GroupsAttr::getGroupSize(Operation *from) const {
  if (isTable()) {
    size_t size = 0;
    for (const auto &group : readTable(getTable()))
      size = std::max(size, group.size());
    return size;
  }
  MeshAttr mesh = getMesh(from);
  return mesh ? getAxesSize(getAxes(), mesh) : 0;
}

SmallVector<SmallVector<int64_t>>
GroupsAttr::getDeviceGroups(Operation *from) const {
  if (isTable())
    return readTable(getTable());
  MeshAttr mesh = getMesh(from);
  if (!mesh)
    return {};
  SmallVector<SmallVector<int64_t>> groups = getGroups(getAxes(), mesh);
  for (auto &group : groups)
    for (int64_t &member : group)
      member = mesh.getDeviceId(member);
  return groups;
}

GroupsAttr GroupsAttr::getFromTable(MLIRContext *context,
                                    ArrayRef<SmallVector<int64_t>> groups) {
  SmallVector<Attribute> rows;
  for (const auto &group : groups)
    rows.push_back(DenseI64ArrayAttr::get(context, group));
  return get(ArrayAttr::get(context, rows));
}

Attribute GroupsAttr::parse(AsmParser &p, Type) {
  MLIRContext *context = p.getContext();
  if (p.parseLess())
    return {};
  if (succeeded(p.parseOptionalLSquare())) {
    SmallVector<SmallVector<int64_t>> groups;
    if (failed(p.parseOptionalRSquare())) {
      do {
        auto &group = groups.emplace_back();
        if (p.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
              return p.parseInteger(group.emplace_back());
            }))
          return {};
      } while (succeeded(p.parseOptionalComma()));
      if (p.parseRSquare())
        return {};
    }
    if (p.parseGreater())
      return {};
    return getFromTable(context, groups);
  }
  Attribute meshOrRef;
  if (succeeded(p.parseOptionalKeyword("mesh"))) {
    meshOrRef = MeshAttr::parse(p, Type());
    if (!meshOrRef)
      return {};
  } else {
    FlatSymbolRefAttr ref;
    if (p.parseAttribute(ref))
      return {};
    meshOrRef = ref;
  }
  SmallVector<AxisRefAttr> axes;
  auto parseAxis = [&]() -> ParseResult {
    std::string name;
    int64_t pre = 0, size = 0;
    if (p.parseString(&name))
      return failure();
    if (succeeded(p.parseOptionalColon()) &&
        (p.parseLParen() || p.parseInteger(pre) || p.parseRParen() ||
         p.parseInteger(size)))
      return failure();
    axes.push_back(AxisRefAttr::get(context, name, pre, size));
    return success();
  };
  if (p.parseComma() ||
      p.parseCommaSeparatedList(AsmParser::Delimiter::Braces, parseAxis) ||
      p.parseGreater())
    return {};
  return get(meshOrRef, axes);
}

void GroupsAttr::print(AsmPrinter &p) const {
  p << '<';
  if (isTable()) {
    p << '[';
    llvm::interleaveComma(readTable(getTable()), p, [&](const auto &group) {
      p << '[';
      llvm::interleaveComma(group, p);
      p << ']';
    });
    p << "]>";
    return;
  }
  if (auto mesh = dyn_cast<MeshAttr>(getMeshOrRef())) {
    p << "mesh";
    p.printStrippedAttrOrType(mesh);
  } else {
    p << getMeshOrRef();
  }
  p << ", " << axesToString(getAxes()) << '>';
}
