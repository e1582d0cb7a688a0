// Replica groups given by axes of a device mesh.
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace mlir::stablehlo;

LogicalResult MeshAxisAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   StringRef name, int64_t size) {
  if (name.empty())
    return emitError() << "expected a mesh axis with a name";
  if (size < 1)
    return emitError() << "expected a mesh axis of positive size, got " << size;
  return success();
}

LogicalResult MeshAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               ArrayAttr axes, DenseIntElementsAttr deviceIds) {
  llvm::StringSet<> names;
  int64_t devices = 1;
  for (Attribute attr : axes) {
    auto axis = dyn_cast<MeshAxisAttr>(attr);
    if (!axis)
      return emitError() << "expected a mesh axis, got " << attr;
    if (!names.insert(axis.getName()).second)
      return emitError() << "mesh has two axes named '" << axis.getName()
                         << "'";
    if (llvm::MulOverflow(devices, axis.getSize(), devices))
      return emitError() << "mesh has too many devices";
  }
  if (!deviceIds)
    return success();
  if (!deviceIds.getElementType().isSignlessInteger(64))
    return emitError() << "expected device ids of type i64";
  if (deviceIds.getNumElements() != devices)
    return emitError() << "mesh has " << devices << " devices but "
                       << deviceIds.getNumElements() << " device ids";
  return success();
}

Attribute MeshAttr::parse(AsmParser &parser, Type) {
  SmallVector<Attribute> axes;
  DenseIntElementsAttr deviceIds;
  SMLoc loc = parser.getCurrentLocation();
  auto parseAxis = [&]() -> ParseResult {
    MeshAxisAttr axis;
    if (parser.parseCustomAttributeWithFallback(axis))
      return failure();
    axes.push_back(axis);
    return success();
  };
  if (parser.parseLess() || parser.parseKeyword("axes") ||
      parser.parseEqual() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseAxis))
    return {};
  if (succeeded(parser.parseOptionalComma()))
    if (parser.parseKeyword("device_ids") || parser.parseEqual() ||
        parser.parseAttribute(deviceIds))
      return {};
  if (parser.parseGreater())
    return {};
  return parser.getChecked<MeshAttr>(loc, parser.getContext(),
                                     parser.getBuilder().getArrayAttr(axes),
                                     deviceIds);
}

void MeshAttr::print(AsmPrinter &p) const {
  p << "<axes=[";
  llvm::interleaveComma(getAxes(), p.getStream(), [&](Attribute axis) {
    p.printStrippedAttrOrType(cast<MeshAxisAttr>(axis));
  });
  p << ']';
  if (getDeviceIds())
    p << ", device_ids=" << getDeviceIds();
  p << '>';
}

LogicalResult
SubAxisInfoAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                        int64_t preSize, int64_t size) {
  if (preSize < 1 || size < 2)
    return emitError()
           << "expected a sub-axis with a pre-size of at least 1 and a "
              "size of at least 2";
  return success();
}

Attribute AxisRefAttr::parse(AsmParser &parser, Type) {
  std::string name;
  SubAxisInfoAttr subAxis;
  if (parser.parseLess() || parser.parseKeyword("name") ||
      parser.parseEqual() || parser.parseString(&name))
    return {};
  if (succeeded(parser.parseOptionalComma()))
    if (parser.parseKeyword("sub_axis_info") || parser.parseEqual() ||
        parser.parseCustomAttributeWithFallback(subAxis))
      return {};
  if (parser.parseGreater())
    return {};
  return get(parser.getContext(), name, subAxis);
}

void AxisRefAttr::print(AsmPrinter &p) const {
  p << "<name = ";
  p.printString(getName());
  if (getSubAxisInfo()) {
    p << ", sub_axis_info = ";
    p.printStrippedAttrOrType(getSubAxisInfo());
  }
  p << '>';
}

LogicalResult
ReplicaGroupMeshAxesAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 Attribute mesh, ArrayAttr axes) {
  auto meshAttr = dyn_cast<MeshAttr>(mesh);
  if (!meshAttr && !isa<FlatSymbolRefAttr>(mesh))
    return emitError() << "expected a mesh or the name of one, got " << mesh;
  llvm::SmallDenseSet<Attribute> seen;
  for (Attribute attr : axes) {
    auto axis = dyn_cast<AxisRefAttr>(attr);
    if (!axis)
      return emitError() << "expected AxisRefAttr in axes list";
    if (!seen.insert(axis).second)
      return emitError() << "axis '" << axis.getName() << "' is given twice";
    if (!meshAttr)
      continue;
    auto found = llvm::find_if(meshAttr.getAxes(), [&](Attribute each) {
      return cast<MeshAxisAttr>(each).getName() == axis.getName();
    });
    if (found == meshAttr.getAxes().end())
      return emitError() << "axis '" << axis.getName()
                         << "' not found in mesh definition";
    int64_t size = cast<MeshAxisAttr>(*found).getSize();
    if (SubAxisInfoAttr sub = axis.getSubAxisInfo()) {
      int64_t covered = 0;
      if (llvm::MulOverflow(sub.getPreSize(), sub.getSize(), covered) ||
          size % covered != 0)
        return emitError() << "sub-axis of '" << axis.getName()
                           << "' does not divide its size " << size;
    }
  }
  return success();
}
