// Text form of meshes and shardings, and what their attributes answer.
#include "dialects/SDY/SDY.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::sdy;

#define GET_ATTRDEF_CLASSES
#include "dialects/SDY/SDYAttrs.cpp.inc"

void SdyDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/SDY/SDYAttrs.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Meshes
//===----------------------------------------------------------------------===//

bool MeshAttr::hasAxis(StringRef name) const { return getAxisIndex(name) >= 0; }

int64_t MeshAttr::getAxisIndex(StringRef name) const {
  for (auto [index, axis] : llvm::enumerate(getAxes()))
    if (axis.getName() == name)
      return index;
  return -1;
}

int64_t MeshAttr::getAxisSize(StringRef name) const {
  int64_t index = getAxisIndex(name);
  return index < 0 ? 0 : getAxes()[index].getSize();
}

int64_t MeshAttr::getTotalSize() const {
  int64_t size = 1;
  for (MeshAxisAttr axis : getAxes())
    size *= axis.getSize();
  return size;
}

LogicalResult MeshAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               ArrayRef<MeshAxisAttr> axes,
                               ArrayRef<int64_t> deviceIds) {
  // Far above any machine, and low enough for products never to overflow.
  constexpr int64_t kMaxDevices = int64_t(1) << 31;
  int64_t size = 1;
  llvm::SmallDenseSet<StringRef> names;
  for (MeshAxisAttr axis : axes) {
    if (!names.insert(axis.getName()).second)
      return emitError() << "mesh has two axes named \"" << axis.getName()
                         << "\"";
    if (axis.getSize() < 1)
      return emitError() << "mesh axis \"" << axis.getName()
                         << "\" must have a size of at least 1, not "
                         << axis.getSize();
    if (axis.getSize() > kMaxDevices / size)
      return emitError() << "mesh has too many devices";
    size *= axis.getSize();
  }
  if (deviceIds.empty())
    return success();
  if (axes.empty() && deviceIds.size() != 1)
    return emitError() << "a mesh without axes has one device id, not "
                       << deviceIds.size();
  for (int64_t id : deviceIds)
    if (id < 0)
      return emitError() << "mesh has a negative device id: " << id;
  if (axes.empty())
    return success();
  if (int64_t(deviceIds.size()) != size)
    return emitError() << "mesh has " << size << " devices, but "
                       << deviceIds.size() << " device ids";
  SmallVector<bool> seen(size, false);
  for (int64_t id : deviceIds) {
    if (id >= size || seen[id])
      return emitError() << "device ids of a mesh must be 0 to " << size - 1
                         << " in some order; " << id
                         << (id >= size ? " is too large" : " stands twice");
    seen[id] = true;
  }
  return success();
}

Attribute MeshAxisAttr::parse(AsmParser &parser, Type) {
  std::string name;
  int64_t size;
  if (parser.parseString(&name) || parser.parseEqual() ||
      parser.parseInteger(size))
    return {};
  return MeshAxisAttr::get(parser.getContext(), name, size);
}

void MeshAxisAttr::print(AsmPrinter &printer) const {
  printer.printString(getName());
  printer << "=" << getSize();
}

Attribute MeshAttr::parse(AsmParser &parser, Type) {
  SmallVector<MeshAxisAttr> axes;
  SmallVector<int64_t> ids;
  SMLoc loc = parser.getCurrentLocation();
  auto parseAxis = [&]() -> ParseResult {
    auto axis = dyn_cast_or_null<MeshAxisAttr>(MeshAxisAttr::parse(parser, {}));
    if (!axis)
      return failure();
    axes.push_back(axis);
    return success();
  };
  auto parseId = [&]() { return parser.parseInteger(ids.emplace_back()); };
  if (parser.parseLess() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseAxis))
    return {};
  if (succeeded(parser.parseOptionalComma())) {
    if (parser.parseKeyword("device_ids") || parser.parseEqual() ||
        parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseId))
      return {};
  }
  if (parser.parseGreater())
    return {};
  // Ids in order say nothing.
  bool inOrder = !axes.empty();
  for (auto [index, id] : llvm::enumerate(ids))
    inOrder &= int64_t(index) == id;
  int64_t size = 1;
  for (MeshAxisAttr axis : axes)
    size *=
        axis.getSize() > 0 && axis.getSize() < (1 << 20) ? axis.getSize() : 1;
  if (inOrder && size == int64_t(ids.size()))
    ids.clear();
  return parser.getChecked<MeshAttr>(loc, parser.getContext(), axes, ids);
}

void MeshAttr::print(AsmPrinter &printer) const {
  printer << "<[";
  llvm::interleaveComma(getAxes(), printer,
                        [&](MeshAxisAttr axis) { axis.print(printer); });
  printer << "]";
  if (!getDeviceIds().empty()) {
    printer << ", device_ids=[";
    llvm::interleaveComma(getDeviceIds(), printer);
    printer << "]";
  }
  printer << ">";
}

//===----------------------------------------------------------------------===//
// Axes
//===----------------------------------------------------------------------===//

int64_t AxisRefAttr::getSize(MeshAttr mesh) const {
  return getSubAxisInfo() ? getSubAxisInfo().getSize()
                          : mesh.getAxisSize(getName());
}

bool AxisRefAttr::overlaps(AxisRefAttr other) const {
  if (getName() != other.getName())
    return false;
  if (!getSubAxisInfo() || !other.getSubAxisInfo())
    return true;
  return getSubAxisInfo().getPreSize() <
             other.getSubAxisInfo().getNextPreSize() &&
         other.getSubAxisInfo().getPreSize() <
             getSubAxisInfo().getNextPreSize();
}

std::string AxisRefAttr::toString() const {
  std::string text = "\"" + getName().str() + "\"";
  if (SubAxisInfoAttr info = getSubAxisInfo())
    text += ":(" + std::to_string(info.getPreSize()) + ")" +
            std::to_string(info.getSize());
  return text;
}

Attribute SubAxisInfoAttr::parse(AsmParser &parser, Type) {
  int64_t preSize, size;
  if (parser.parseLParen() || parser.parseInteger(preSize) ||
      parser.parseRParen() || parser.parseInteger(size))
    return {};
  return SubAxisInfoAttr::get(parser.getContext(), preSize, size);
}

void SubAxisInfoAttr::print(AsmPrinter &printer) const {
  printer << "(" << getPreSize() << ")" << getSize();
}

Attribute AxisRefAttr::parse(AsmParser &parser, Type) {
  std::string name;
  if (parser.parseString(&name))
    return {};
  SubAxisInfoAttr info;
  if (succeeded(parser.parseOptionalColon())) {
    info =
        dyn_cast_or_null<SubAxisInfoAttr>(SubAxisInfoAttr::parse(parser, {}));
    if (!info)
      return {};
  }
  return AxisRefAttr::get(parser.getContext(), name, info);
}

void AxisRefAttr::print(AsmPrinter &printer) const {
  printer.printString(getName());
  if (SubAxisInfoAttr info = getSubAxisInfo()) {
    printer << ":";
    info.print(printer);
  }
}

static ParseResult parseAxis(AsmParser &parser,
                             SmallVectorImpl<AxisRefAttr> &axes) {
  auto axis = dyn_cast_or_null<AxisRefAttr>(AxisRefAttr::parse(parser, {}));
  if (!axis)
    return failure();
  axes.push_back(axis);
  return success();
}

static ParseResult parseAxes(AsmParser &parser,
                             SmallVectorImpl<AxisRefAttr> &axes) {
  return parser.parseCommaSeparatedList(
      AsmParser::Delimiter::Braces, [&]() { return parseAxis(parser, axes); });
}

static void printAxes(AsmPrinter &printer, ArrayRef<AxisRefAttr> axes) {
  printer << "{";
  llvm::interleaveComma(axes, printer,
                        [&](AxisRefAttr axis) { axis.print(printer); });
  printer << "}";
}

Attribute AxisRefListAttr::parse(AsmParser &parser, Type) {
  SmallVector<AxisRefAttr> axes;
  if (parseAxes(parser, axes))
    return {};
  return AxisRefListAttr::get(parser.getContext(), axes);
}

void AxisRefListAttr::print(AsmPrinter &printer) const {
  printAxes(printer, getValue());
}

/// Parses `[a, b, …]` with elements of an attribute class of this dialect.
template <typename T>
static ParseResult parseSquareList(AsmParser &parser,
                                   SmallVectorImpl<T> &elements) {
  return parser.parseCommaSeparatedList(
      AsmParser::Delimiter::Square, [&]() -> ParseResult {
        auto element = dyn_cast_or_null<T>(T::parse(parser, {}));
        if (!element)
          return failure();
        elements.push_back(element);
        return success();
      });
}

template <typename T>
static void printSquareList(AsmPrinter &printer, ArrayRef<T> elements) {
  printer << "[";
  llvm::interleaveComma(elements, printer,
                        [&](T element) { element.print(printer); });
  printer << "]";
}

Attribute ListOfAxisRefListsAttr::parse(AsmParser &parser, Type) {
  SmallVector<AxisRefListAttr> lists;
  if (parseSquareList(parser, lists))
    return {};
  return ListOfAxisRefListsAttr::get(parser.getContext(), lists);
}

void ListOfAxisRefListsAttr::print(AsmPrinter &printer) const {
  printSquareList(printer, getValue());
}

Attribute AllToAllParamAttr::parse(AsmParser &parser, Type) {
  SmallVector<AxisRefAttr> axes;
  int64_t source, target;
  if (parseAxes(parser, axes) || parser.parseColon() ||
      parser.parseInteger(source) || parser.parseArrow() ||
      parser.parseInteger(target))
    return {};
  return AllToAllParamAttr::get(parser.getContext(), axes, source, target);
}

void AllToAllParamAttr::print(AsmPrinter &printer) const {
  printAxes(printer, getAxes());
  printer << ": " << getSrcDim() << "->" << getTgtDim();
}

Attribute AllToAllParamListAttr::parse(AsmParser &parser, Type) {
  SmallVector<AllToAllParamAttr> params;
  if (parseSquareList(parser, params))
    return {};
  return AllToAllParamListAttr::get(parser.getContext(), params);
}

void AllToAllParamListAttr::print(AsmPrinter &printer) const {
  printSquareList(printer, getValue());
}

Attribute ManualAxesAttr::parse(AsmParser &parser, Type) {
  SmallVector<StringAttr> names;
  auto parseName = [&]() -> ParseResult {
    std::string name;
    if (parser.parseString(&name))
      return failure();
    names.push_back(StringAttr::get(parser.getContext(), name));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Braces, parseName))
    return {};
  return ManualAxesAttr::get(parser.getContext(), names);
}

void ManualAxesAttr::print(AsmPrinter &printer) const {
  printer << "{";
  llvm::interleaveComma(getValue(), printer, [&](StringAttr name) {
    printer.printString(name.getValue());
  });
  printer << "}";
}

//===----------------------------------------------------------------------===//
// Shardings
//===----------------------------------------------------------------------===//

Attribute DimensionShardingAttr::parse(AsmParser &parser, Type) {
  SmallVector<AxisRefAttr> axes;
  bool isClosed = true;
  if (parser.parseLBrace())
    return {};
  if (failed(parser.parseOptionalRBrace())) {
    do {
      if (succeeded(parser.parseOptionalQuestion())) {
        isClosed = false;
        break;
      }
      if (parseAxis(parser, axes))
        return {};
    } while (succeeded(parser.parseOptionalComma()));
    if (parser.parseRBrace())
      return {};
  }
  std::optional<int64_t> priority;
  SMLoc loc = parser.getCurrentLocation();
  StringRef keyword;
  if (succeeded(parser.parseOptionalKeyword(&keyword))) {
    int64_t value;
    if (!keyword.consume_front("p") || keyword.getAsInteger(10, value)) {
      parser.emitError(loc, "expected a priority such as p1");
      return {};
    }
    priority = value;
  }
  return DimensionShardingAttr::get(parser.getContext(), axes, isClosed,
                                    priority);
}

void DimensionShardingAttr::print(AsmPrinter &printer) const {
  printer << "{";
  llvm::interleaveComma(getAxes(), printer,
                        [&](AxisRefAttr axis) { axis.print(printer); });
  if (!getIsClosed())
    printer << (getAxes().empty() ? "?" : ", ?");
  printer << "}";
  if (getPriority())
    printer << "p" << *getPriority();
}

StringRef TensorShardingAttr::getMeshName() const {
  if (auto symbol = dyn_cast<FlatSymbolRefAttr>(getMeshOrRef()))
    return symbol.getValue();
  return {};
}

MeshAttr TensorShardingAttr::getMesh(Operation *op) const {
  if (auto mesh = dyn_cast<MeshAttr>(getMeshOrRef()))
    return mesh;
  auto meshOp = SymbolTable::lookupNearestSymbolFrom<MeshOp>(
      op, cast<FlatSymbolRefAttr>(getMeshOrRef()));
  return meshOp ? meshOp.getMesh() : MeshAttr();
}

FailureOr<SmallVector<int64_t>>
TensorShardingAttr::getLocalShape(ArrayRef<int64_t> shape, MeshAttr mesh,
                                  function_ref<bool(StringRef)> keep) const {
  SmallVector<int64_t> local(shape);
  for (auto [size, dim] : llvm::zip(local, getDimShardings())) {
    int64_t parts = 1;
    for (AxisRefAttr axis : dim.getAxes())
      if (keep(axis.getName()))
        parts *= axis.getSize(mesh);
    if (ShapedType::isDynamic(size))
      continue;
    if (parts == 0 || size % parts != 0)
      return failure();
    size /= parts;
  }
  return local;
}

Attribute TensorShardingAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  Attribute meshOrRef;
  if (succeeded(parser.parseOptionalKeyword("mesh"))) {
    meshOrRef = MeshAttr::parse(parser, {});
    if (!meshOrRef)
      return {};
  } else {
    StringAttr symbol;
    if (parser.parseSymbolName(symbol))
      return {};
    meshOrRef = FlatSymbolRefAttr::get(symbol);
  }
  SmallVector<DimensionShardingAttr> dims;
  SmallVector<AxisRefAttr> replicated, unreduced;
  ReductionOp reduction = ReductionOp::SUM;
  if (parser.parseComma() || parseSquareList(parser, dims))
    return {};
  bool sawReplicated = false, sawUnreduced = false;
  while (succeeded(parser.parseOptionalComma())) {
    SMLoc loc = parser.getCurrentLocation();
    if (!sawReplicated &&
        succeeded(parser.parseOptionalKeyword("replicated"))) {
      sawReplicated = true;
      if (parser.parseEqual() || parseAxes(parser, replicated))
        return {};
      continue;
    }
    if (!sawUnreduced && succeeded(parser.parseOptionalKeyword("unreduced"))) {
      sawUnreduced = true;
      StringRef keyword;
      if (parser.parseEqual())
        return {};
      if (succeeded(parser.parseOptionalKeyword(&keyword))) {
        std::optional<ReductionOp> op = symbolizeReductionOp(keyword);
        if (!op) {
          parser.emitError(loc, "unknown reduction '")
              << keyword << "', expected sum, max or min";
          return {};
        }
        reduction = *op;
      }
      if (parseAxes(parser, unreduced))
        return {};
      continue;
    }
    parser.emitError(loc, "expected 'replicated={…}' or 'unreduced={…}', each "
                          "at most once");
    return {};
  }
  if (parser.parseGreater())
    return {};
  return TensorShardingAttr::get(
      parser.getContext(), meshOrRef, dims, replicated, unreduced,
      unreduced.empty() ? ReductionOp::SUM : reduction);
}

void TensorShardingAttr::print(AsmPrinter &printer) const {
  printer << "<";
  if (auto mesh = dyn_cast<MeshAttr>(getMeshOrRef())) {
    printer << "mesh";
    mesh.print(printer);
  } else {
    printer.printSymbolName(getMeshName());
  }
  printer << ", ";
  printSquareList(printer, getDimShardings());
  if (!getReplicatedAxes().empty()) {
    printer << ", replicated=";
    printAxes(printer, getReplicatedAxes());
  }
  if (!getUnreducedAxes().empty()) {
    printer << ", unreduced=";
    if (getReductionOp() != ReductionOp::SUM)
      printer << stringifyReductionOp(getReductionOp());
    printAxes(printer, getUnreducedAxes());
  }
  printer << ">";
}

Attribute TensorShardingPerValueAttr::parse(AsmParser &parser, Type) {
  SmallVector<TensorShardingAttr> shardings;
  if (parser.parseLess() || parseSquareList(parser, shardings) ||
      parser.parseGreater())
    return {};
  return TensorShardingPerValueAttr::get(parser.getContext(), shardings);
}

void TensorShardingPerValueAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printSquareList(printer, getShardings());
  printer << ">";
}
