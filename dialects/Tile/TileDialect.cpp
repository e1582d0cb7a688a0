// Registration, types and attributes of the tile dialect.
#include "dialects/Tile/Tile.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::tile;

#include "dialects/Tile/TileDialect.cpp.inc"
#include "dialects/Tile/TileEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Tile/TileAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Tile/TileTypes.cpp.inc"

namespace {
/// Layouts are long: they stand before the module, under a name.
struct TileAsmInterface : OpAsmDialectInterface {
  using OpAsmDialectInterface::OpAsmDialectInterface;
  AliasResult getAlias(Attribute attr, raw_ostream &os) const override {
    if (!isa<LayoutAttr>(attr))
      return AliasResult::NoAlias;
    os << "layout";
    return AliasResult::FinalAlias;
  }
};
} // namespace

void TileDialect::initialize() {
  addInterfaces<TileAsmInterface>();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Tile/TileAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Tile/TileTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Tile/Tile.cpp.inc"
      >();
}

static bool isPowerOfTwoShape(ArrayRef<int64_t> shape) {
  return llvm::all_of(
      shape, [](int64_t dim) { return dim > 0 && llvm::isPowerOf2_64(dim); });
}

bool shoal::tile::isTileType(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() &&
         isPowerOfTwoShape(tensor.getShape()) &&
         (!tensor.getEncoding() || isa<LayoutAttr>(tensor.getEncoding()));
}

LayoutAttr shoal::tile::getLayout(Type type) {
  return dyn_cast_if_present<LayoutAttr>(
      cast<RankedTensorType>(type).getEncoding());
}

RankedTensorType shoal::tile::withLayout(Type type, LayoutAttr layout) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape(), tensor.getElementType(),
                               layout);
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

Attribute LayoutAttr::parse(AsmParser &parser, Type) {
  SmallVector<int64_t> shape;
  LinearLayout::Bases bases;
  SMLoc loc = parser.getCurrentLocation();
  auto parseBasis = [&](std::vector<std::vector<int64_t>> &list) {
    list.emplace_back();
    return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
      return parser.parseInteger(list.back().emplace_back());
    });
  };
  auto parseInput = [&]() -> ParseResult {
    StringRef name;
    auto &input = bases.emplace_back();
    if (parser.parseKeyword(&name) || parser.parseEqual())
      return failure();
    input.first = name.str();
    return parser.parseCommaSeparatedList(
        AsmParser::Delimiter::Square, [&] { return parseBasis(input.second); });
  };
  if (parser.parseLess())
    return {};
  // A rank-0 tile has no shape to print.
  if (failed(parser.parseOptionalKeyword("scalar")) &&
      (parser.parseDimensionList(shape, false, /*withTrailingX=*/false)))
    return {};
  if (parser.parseComma() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Braces,
                                     parseInput) ||
      parser.parseGreater())
    return {};
  std::vector<std::pair<std::string, int64_t>> outs;
  for (auto [i, size] : llvm::enumerate(shape))
    outs.push_back({tensorDimName(i), size});
  std::optional<LinearLayout> map = LinearLayout::create(bases, outs);
  if (!map) {
    parser.emitError(loc) << "malformed layout: sizes must be powers of two, "
                             "and every basis one coordinate per dimension "
                             "inside them";
    return {};
  }
  return get(parser.getContext(), std::move(*map));
}

void LayoutAttr::print(AsmPrinter &printer) const {
  const LinearLayout &map = getMap();
  printer << '<';
  if (map.outs().empty())
    printer << "scalar";
  llvm::interleave(map.outShape(), printer, "x");
  printer << ", {";
  llvm::interleaveComma(map.ins(), printer, [&](const LinearLayout::Dim &in) {
    printer << in.name << " = [";
    llvm::interleaveComma(llvm::seq(in.bits), printer, [&](unsigned bit) {
      printer << '[';
      llvm::interleaveComma(map.basis(in.name, bit), printer);
      printer << ']';
    });
    printer << ']';
  });
  printer << "}>";
}

LogicalResult
LayoutAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                           function_ref<InFlightDiagnostic()> emitError) const {
  if (ArrayRef<int64_t>(getMap().outShape()) != shape)
    return emitError() << "the layout is one of another shape";
  if (!getMap().isSurjective())
    return emitError() << "the layout does not reach every element";
  return success();
}

LayoutAttr LayoutAttr::restrictTo(ArrayRef<int64_t> shape) const {
  LinearLayout map = getMap();
  SmallVector<int64_t> full = map.outShape();
  assert(full.size() == shape.size() && "a layout of another rank");
  for (auto [i, size] : llvm::enumerate(shape))
    if (size != full[i])
      map = map.resizeOut(tensorDimName(i), size);
  return get(getContext(), map.removeZeroBits(kRegister));
}

LogicalResult LaunchAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 ArrayRef<int64_t> grid, int64_t warps,
                                 ArrayRef<int64_t> cluster, int64_t) {
  auto bad = [](ArrayRef<int64_t> sizes) {
    return sizes.size() != 3 ||
           llvm::any_of(sizes, [](int64_t size) { return size < 1; });
  };
  if (bad(grid) || (!cluster.empty() && bad(cluster)))
    return emitError() << "grid and cluster have three sizes of at least 1";
  if (grid[0] > INT32_MAX || grid[1] > 65535 || grid[2] > 65535)
    return emitError() << "grid too large: at most 2147483647 x 65535 x 65535";
  if (warps < 1 || warps > 32 || !llvm::isPowerOf2_64(warps))
    return emitError() << "warps must be a power of two, at most 32";
  return success();
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

static SmallVector<int64_t> denseStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t i = int64_t(shape.size()) - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * std::max<int64_t>(shape[i + 1], 1);
  return strides;
}

ViewType ViewType::get(RankedTensorType tensor) {
  return get(tensor.getContext(), tensor.getShape(), tensor.getElementType(),
             denseStrides(tensor.getShape()));
}

bool ViewType::isDense() const {
  return getStrides() == ArrayRef<int64_t>(denseStrides(getShape()));
}

Type ViewType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape, strides;
  Type elementType;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseDimensionList(shape, false) ||
      parser.parseType(elementType))
    return {};
  strides = denseStrides(shape);
  if (succeeded(parser.parseOptionalComma())) {
    strides.clear();
    if (parser.parseKeyword("strides") || parser.parseEqual() ||
        parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
          return parser.parseInteger(strides.emplace_back());
        }))
      return {};
  }
  if (parser.parseGreater())
    return {};
  return parser.getChecked<ViewType>(loc, parser.getContext(), shape,
                                     elementType, strides);
}

void ViewType::print(AsmPrinter &printer) const {
  printer << '<';
  for (int64_t dim : getShape())
    printer << dim << 'x';
  printer << getElementType();
  if (!isDense()) {
    printer << ", strides = [";
    llvm::interleaveComma(getStrides(), printer);
    printer << ']';
  }
  printer << '>';
}

LogicalResult ViewType::verify(function_ref<InFlightDiagnostic()> emitError,
                               ArrayRef<int64_t> shape, Type elementType,
                               ArrayRef<int64_t> strides) {
  if (llvm::any_of(shape, [](int64_t dim) { return dim < 0; }))
    return emitError() << "a view needs a static shape";
  if (strides.size() != shape.size())
    return emitError() << "a view needs one stride per dimension";
  if (!elementType || !elementType.isIntOrFloat())
    return emitError() << "elements of a view are integers or floats";
  return success();
}

Type SharedType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type elementType;
  LayoutAttr layout;
  int64_t stages = 1;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseDimensionList(shape, false) ||
      parser.parseType(elementType) || parser.parseComma() ||
      parser.parseAttribute(layout))
    return {};
  if (succeeded(parser.parseOptionalComma()))
    if (parser.parseKeyword("stages") || parser.parseEqual() ||
        parser.parseInteger(stages))
      return {};
  if (parser.parseGreater())
    return {};
  return parser.getChecked<SharedType>(loc, parser.getContext(), shape,
                                       elementType, layout, stages);
}

void SharedType::print(AsmPrinter &printer) const {
  printer << '<';
  for (int64_t dim : getShape())
    printer << dim << 'x';
  printer << getElementType() << ", " << getLayout();
  if (getStages() != 1)
    printer << ", stages = " << getStages();
  printer << '>';
}

LogicalResult SharedType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 ArrayRef<int64_t> shape, Type elementType,
                                 LayoutAttr layout, int64_t stages) {
  if (!elementType || !elementType.isIntOrFloat())
    return emitError() << "elements of a shared buffer are integers or floats";
  if (!isPowerOfTwoShape(shape) || stages < 1)
    return emitError() << "a shared buffer has power-of-two dimensions and at "
                          "least one stage";
  const LinearLayout &map = layout.getMap();
  if (map.ins().size() != 1 || !map.hasIn(kOffset) || !map.isInvertible() ||
      ArrayRef<int64_t>(map.outShape()) != shape)
    return emitError() << "the layout of a shared buffer maps 'offset' one to "
                          "one to its elements";
  return success();
}

int64_t SharedType::getStageBytes() const {
  int64_t bytes = llvm::divideCeil(getElementType().getIntOrFloatBitWidth(), 8);
  for (int64_t dim : getShape())
    bytes *= dim;
  return bytes;
}
