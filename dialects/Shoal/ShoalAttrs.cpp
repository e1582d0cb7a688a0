// Attributes of the shoal dialect: assembly and accessors.
#include "dialects/Shoal/Shoal.h"
#include "dialects/Shoal/Sharding.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace shoal;

#define GET_ATTRDEF_CLASSES
#include "dialects/Shoal/ShoalAttrs.cpp.inc"

void ShoalDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Shoal/ShoalAttrs.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Shared pieces of assembly
//===----------------------------------------------------------------------===//

namespace {
using Delimiter = AsmParser::Delimiter;

void printString(AsmPrinter &p, StringRef s) {
  p << '"';
  llvm::printEscapedString(s, p.getStream());
  p << '"';
}

ParseResult parseAxisRef(AsmParser &p, AxisRefAttr &axis) {
  std::string name;
  int64_t pre = 0, size = 0;
  if (p.parseString(&name))
    return failure();
  if (succeeded(p.parseOptionalColon())) {
    SMLoc loc = p.getCurrentLocation();
    if (p.parseLParen() || p.parseInteger(pre) || p.parseRParen() ||
        p.parseInteger(size))
      return failure();
    if (pre < 1 || size < 1)
      return p.emitError(loc, "sub-axis sizes must be positive");
  }
  axis = AxisRefAttr::get(p.getContext(), name, pre, size);
  return success();
}

void printAxisRef(AsmPrinter &p, AxisRefAttr axis) {
  printString(p, axis.getName());
  if (axis.isSubAxis())
    p << ":(" << axis.getPreSize() << ')' << axis.getSubSize();
}

ParseResult parseAxes(AsmParser &p, SmallVectorImpl<AxisRefAttr> &axes) {
  return p.parseCommaSeparatedList(Delimiter::Braces, [&]() -> ParseResult {
    return parseAxisRef(p, axes.emplace_back());
  });
}

void printAxes(AsmPrinter &p, ArrayRef<AxisRefAttr> axes) {
  p << '{';
  llvm::interleaveComma(axes, p, [&](AxisRefAttr a) { printAxisRef(p, a); });
  p << '}';
}

ParseResult parseDim(AsmParser &p, DimShardingAttr &dim) {
  SmallVector<AxisRefAttr> axes;
  bool open = false;
  if (p.parseCommaSeparatedList(Delimiter::Braces, [&]() -> ParseResult {
        if (open)
          return p.emitError(p.getCurrentLocation(),
                             "'?' must come last in a dimension");
        if (succeeded(p.parseOptionalQuestion())) {
          open = true;
          return success();
        }
        return parseAxisRef(p, axes.emplace_back());
      }))
    return failure();
  int64_t priority = -1, block = 0;
  SMLoc loc = p.getCurrentLocation();
  StringRef keyword;
  while (succeeded(p.parseOptionalKeyword(&keyword))) {
    if (keyword == "block") {
      if (p.parseInteger(block))
        return failure();
      if (block < 1)
        return p.emitError(loc, "a block has at least one element");
    } else if (keyword.size() < 2 || keyword[0] != 'p' ||
               keyword.drop_front().getAsInteger(10, priority)) {
      return p.emitError(loc, "expected a priority such as p0, or a block");
    }
    loc = p.getCurrentLocation();
  }
  dim = DimShardingAttr::get(p.getContext(), axes, open, priority, block);
  return success();
}

void printDim(AsmPrinter &p, DimShardingAttr dim) {
  p << '{';
  llvm::interleaveComma(dim.getAxes(), p,
                        [&](AxisRefAttr a) { printAxisRef(p, a); });
  if (dim.getIsOpen())
    p << (dim.emptyAxes() ? "?" : ", ?");
  p << '}';
  if (dim.hasPriority())
    p << 'p' << dim.getPriority();
  if (dim.getBlock())
    p << " block " << dim.getBlock();
}

ParseResult parseDims(AsmParser &p, SmallVectorImpl<DimShardingAttr> &dims) {
  return p.parseCommaSeparatedList(Delimiter::Square, [&]() -> ParseResult {
    return parseDim(p, dims.emplace_back());
  });
}

void printDims(AsmPrinter &p, ArrayRef<DimShardingAttr> dims) {
  p << '[';
  llvm::interleaveComma(dims, p, [&](DimShardingAttr d) { printDim(p, d); });
  p << ']';
}

ParseResult parseMeshOrRef(AsmParser &p, Attribute &meshOrRef) {
  if (succeeded(p.parseOptionalKeyword("mesh"))) {
    meshOrRef = MeshAttr::parse(p, Type());
    return success(meshOrRef != nullptr);
  }
  FlatSymbolRefAttr ref;
  if (p.parseAttribute(ref))
    return failure();
  meshOrRef = ref;
  return success();
}

void printMeshOrRef(AsmPrinter &p, Attribute meshOrRef) {
  if (auto mesh = dyn_cast<MeshAttr>(meshOrRef)) {
    p << "mesh";
    p.printStrippedAttrOrType(mesh);
    return;
  }
  p << meshOrRef;
}
} // namespace

//===----------------------------------------------------------------------===//
// Mesh
//===----------------------------------------------------------------------===//

Attribute MeshAxisAttr::parse(AsmParser &p, Type) {
  std::string name;
  int64_t size;
  if (p.parseString(&name) || p.parseEqual() || p.parseInteger(size))
    return {};
  return get(p.getContext(), name, size);
}
void MeshAxisAttr::print(AsmPrinter &p) const {
  printString(p, getName());
  p << '=' << getSize();
}

static ParseResult parseDouble(AsmParser &p, std::optional<APFloat> &value) {
  double number;
  if (p.parseFloat(number))
    return failure();
  value = APFloat(number);
  return success();
}

Attribute AxisTopologyAttr::parse(AsmParser &p, Type) {
  std::string name;
  std::optional<APFloat> bandwidth, latency;
  if (p.parseString(&name) || p.parseEqual() || p.parseLParen() ||
      parseDouble(p, bandwidth) || p.parseComma() || parseDouble(p, latency) ||
      p.parseRParen())
    return {};
  return get(p.getContext(), name, *bandwidth, *latency);
}
void AxisTopologyAttr::print(AsmPrinter &p) const {
  printString(p, getName());
  p << " = (";
  p.printFloat(getBandwidthGBs());
  p << ", ";
  p.printFloat(getLatencyUs());
  p << ')';
}

Attribute MeshAttr::parse(AsmParser &p, Type) {
  SmallVector<MeshAxisAttr> axes;
  SmallVector<int64_t> deviceIds;
  SmallVector<AxisTopologyAttr> topology;
  auto parseAxis = [&]() -> ParseResult {
    auto axis = cast_if_present<MeshAxisAttr>(MeshAxisAttr::parse(p, Type()));
    axes.push_back(axis);
    return success(axis != nullptr);
  };
  auto parseId = [&]() -> ParseResult {
    return p.parseInteger(deviceIds.emplace_back());
  };
  auto parseTopology = [&]() -> ParseResult {
    auto entry =
        cast_if_present<AxisTopologyAttr>(AxisTopologyAttr::parse(p, Type()));
    topology.push_back(entry);
    return success(entry != nullptr);
  };
  if (p.parseLess() || p.parseCommaSeparatedList(Delimiter::Square, parseAxis))
    return {};
  while (succeeded(p.parseOptionalComma())) {
    SMLoc loc = p.getCurrentLocation();
    StringRef keyword;
    if (p.parseKeyword(&keyword) || p.parseEqual())
      return {};
    if (keyword == "device_ids") {
      if (p.parseCommaSeparatedList(Delimiter::Square, parseId))
        return {};
    } else if (keyword == "topology") {
      if (p.parseCommaSeparatedList(Delimiter::Braces, parseTopology))
        return {};
    } else {
      p.emitError(loc, "expected 'device_ids' or 'topology'");
      return {};
    }
  }
  if (p.parseGreater())
    return {};
  return get(p.getContext(), axes, deviceIds, topology);
}
void MeshAttr::print(AsmPrinter &p) const {
  p << "<[";
  llvm::interleaveComma(getAxes(), p, [&](MeshAxisAttr a) { a.print(p); });
  p << ']';
  if (!getDeviceIds().empty()) {
    p << ", device_ids=[";
    llvm::interleaveComma(getDeviceIds(), p);
    p << ']';
  }
  if (!getTopology().empty()) {
    p << ", topology={";
    llvm::interleaveComma(getTopology(), p,
                          [&](AxisTopologyAttr t) { t.print(p); });
    p << '}';
  }
  p << '>';
}

//===----------------------------------------------------------------------===//
// Axes, dimensions, shardings, forms
//===----------------------------------------------------------------------===//

Attribute AxisRefAttr::parse(AsmParser &p, Type) {
  AxisRefAttr axis;
  if (p.parseLess() || parseAxisRef(p, axis) || p.parseGreater())
    return {};
  return axis;
}
void AxisRefAttr::print(AsmPrinter &p) const {
  p << '<';
  printAxisRef(p, *this);
  p << '>';
}

Attribute DimShardingAttr::parse(AsmParser &p, Type) {
  DimShardingAttr dim;
  if (p.parseLess() || parseDim(p, dim) || p.parseGreater())
    return {};
  return dim;
}
void DimShardingAttr::print(AsmPrinter &p) const {
  p << '<';
  printDim(p, *this);
  p << '>';
}

Attribute ShardingAttr::parse(AsmParser &p, Type) {
  Attribute meshOrRef;
  SmallVector<DimShardingAttr> dims;
  SmallVector<AxisRefAttr> replicated, partial;
  ReductionKind kind = ReductionKind::Add;
  if (p.parseLess() || parseMeshOrRef(p, meshOrRef) || p.parseComma() ||
      parseDims(p, dims))
    return {};
  while (succeeded(p.parseOptionalComma())) {
    SMLoc loc = p.getCurrentLocation();
    StringRef keyword;
    if (p.parseKeyword(&keyword) || p.parseEqual())
      return {};
    if (keyword == "replicated") {
      if (parseAxes(p, replicated))
        return {};
    } else if (keyword == "partial") {
      loc = p.getCurrentLocation();
      if (p.parseKeyword(&keyword))
        return {};
      std::optional<ReductionKind> parsed = symbolizeReductionKind(keyword);
      if (!parsed) {
        p.emitError(loc, "expected add, mul, min, max, and, or, or xor");
        return {};
      }
      kind = *parsed;
      if (parseAxes(p, partial))
        return {};
    } else {
      p.emitError(loc, "expected 'replicated' or 'partial'");
      return {};
    }
  }
  if (p.parseGreater())
    return {};
  return get(meshOrRef, dims, replicated, kind, partial);
}
void ShardingAttr::print(AsmPrinter &p) const {
  p << '<';
  printMeshOrRef(p, getMeshOrRef());
  p << ", ";
  printDims(p, getDims());
  if (!getReplicated().empty()) {
    p << ", replicated = ";
    printAxes(p, getReplicated());
  }
  if (isPartial()) {
    p << ", partial = " << stringifyReductionKind(getPartialKind()) << ' ';
    printAxes(p, getPartialAxes());
  }
  p << '>';
}

Attribute ShardingPerValueAttr::parse(AsmParser &p, Type) {
  SmallVector<ShardingAttr> shardings;
  if (p.parseLess() ||
      p.parseCommaSeparatedList(Delimiter::Square, [&]() -> ParseResult {
        auto sharding =
            cast_if_present<ShardingAttr>(ShardingAttr::parse(p, Type()));
        shardings.push_back(sharding);
        return success(sharding != nullptr);
      }) ||
      p.parseGreater())
    return {};
  return get(p.getContext(), shardings);
}
void ShardingPerValueAttr::print(AsmPrinter &p) const {
  p << "<[";
  llvm::interleaveComma(getShardings(), p,
                        [&](ShardingAttr s) { s.print(p); });
  p << "]>";
}

Attribute FormAttr::parse(AsmParser &p, Type) {
  Attribute meshOrRef;
  SmallVector<DimShardingAttr> factors;
  std::string strategy;
  if (p.parseLess() || parseMeshOrRef(p, meshOrRef) || p.parseComma() ||
      parseDims(p, factors))
    return {};
  if (succeeded(p.parseOptionalComma()) &&
      (p.parseKeyword("strategy") || p.parseEqual() ||
       p.parseString(&strategy)))
    return {};
  if (p.parseGreater())
    return {};
  return get(meshOrRef, factors, strategy);
}
void FormAttr::print(AsmPrinter &p) const {
  p << '<';
  printMeshOrRef(p, getMeshOrRef());
  p << ", ";
  printDims(p, getFactors());
  if (!getStrategy().empty()) {
    p << ", strategy = ";
    printString(p, getStrategy());
  }
  p << '>';
}
