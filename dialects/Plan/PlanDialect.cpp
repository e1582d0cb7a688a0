// Registration, types and attributes of the plan dialect.
#include "dialects/Plan/Plan.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal::plan;

#include "dialects/Plan/PlanDialect.cpp.inc"
#include "dialects/Plan/PlanEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Plan/PlanAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Plan/PlanTypes.cpp.inc"

void PlanDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Plan/PlanAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Plan/PlanTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Plan/Plan.cpp.inc"
      >();
}

int64_t shoal::plan::getElementBytes(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return 2 * getElementBytes(complex.getElementType());
  if (auto quantized = dyn_cast<quant::QuantizedType>(type))
    return getElementBytes(quantized.getStorageType());
  if (type.isIntOrFloat())
    return llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
  if (isa<IndexType>(type))
    return 8;
  return 0;
}

int64_t shoal::plan::getTensorBytes(ShapedType type) {
  int64_t bytes = getElementBytes(type.getElementType());
  for (int64_t dim : type.getShape()) {
    if (dim == 0)
      return 0;
    if (dim < 0 || llvm::MulOverflow(bytes, dim, bytes))
      return -1;
  }
  return bytes;
}

bool shoal::plan::isOnHost(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa_and_nonnull<HostAttr>(tensor.getEncoding());
}

RankedTensorType shoal::plan::toHost(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape(), tensor.getElementType(),
                               HostAttr::get(type.getContext()));
}

RankedTensorType shoal::plan::toDevice(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape(), tensor.getElementType());
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

Type BufferType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type elementType;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() ||
      parser.parseDimensionList(shape, /*allowDynamic=*/false) ||
      parser.parseType(elementType) || parser.parseGreater())
    return {};
  return parser.getChecked<BufferType>(loc, parser.getContext(), shape,
                                       elementType);
}

void BufferType::print(AsmPrinter &printer) const {
  printer << '<';
  for (int64_t dim : getShape())
    printer << dim << 'x';
  printer << getElementType() << '>';
}

LogicalResult BufferType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 ArrayRef<int64_t> shape, Type elementType) {
  if (llvm::any_of(shape, [](int64_t dim) { return dim < 0; }))
    return emitError() << "buffer needs a static shape";
  if (!elementType)
    return emitError() << "buffer needs an element type";
  return success();
}

RankedTensorType BufferType::getTensorType() const {
  return RankedTensorType::get(getShape(), getElementType());
}
int64_t BufferType::getBytes() const { return getTensorBytes(getTensorType()); }
int64_t BufferType::getNumElements() const {
  return getTensorType().getNumElements();
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

int64_t GroupAttr::getGroupSize() const {
  if (getTableSize())
    return getTableSize();
  int64_t size = 1;
  for (size_t i = 0; i + 1 < getDigits().size(); i += 2)
    size *= getDigits()[i];
  return size;
}

LogicalResult GroupAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                StringAttr name, ArrayRef<int64_t> digits,
                                int64_t tableSize, ArrayRef<int64_t> table) {
  if (digits.size() % 2)
    return emitError() << "digits must be pairs of size and stride";
  for (int64_t value : digits)
    if (value <= 0)
      return emitError() << "sizes and strides of digits must be positive";
  if (tableSize < 0 || (tableSize == 0) != table.empty() ||
      (tableSize && table.size() % tableSize))
    return emitError() << "table must hold rows of 'size' ranks";
  if (tableSize && !digits.empty())
    return emitError() << "a group has digits or a table, not both";
  return success();
}
