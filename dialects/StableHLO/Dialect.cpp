#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::stablehlo;

#include "dialects/StableHLO/StableHLODialect.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/StableHLO/StableHLOTypes.cpp.inc"

void StablehloDialect::initialize() {
  registerStablehloDialectOperations(this);
  registerTypes();
  registerAttributes();
  registerBytecode();
}

void StablehloDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/StableHLO/StableHLOTypes.cpp.inc"
      >();
}

Operation *StablehloDialect::materializeConstant(OpBuilder &builder,
                                                 Attribute value, Type type,
                                                 Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements || elements.getType() != type || !isa<RankedTensorType>(type))
    return nullptr;
  return ConstantOp::create(builder, loc, type, elements);
}

LogicalResult FutureType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 ArrayRef<Type> types) {
  for (Type type : types)
    if (!isa<RankedTensorType>(type))
      return emitError()
             << "future element type must be a ranked tensor, but got " << type;
  return success();
}

ReturnOp mlir::stablehlo::getRegionReturn(Region &region) {
  if (!region.hasOneBlock() || region.front().empty())
    return nullptr;
  return dyn_cast<ReturnOp>(region.front().back());
}

void mlir::stablehlo::buildSortComparisonBody(
    TypeRange elementTypes, ComparisonDirection direction,
    std::optional<ComparisonType> compareType, Region *body,
    OpBuilder *builder) {
  OpBuilder::InsertionGuard guard(*builder);
  Location loc = body->getLoc();
  Block *block = builder->createBlock(body);
  for (Type elementType : elementTypes) {
    Type type = RankedTensorType::get({}, elementType);
    block->addArguments({type, type}, {loc, loc});
  }
  Value result = CompareOp::create(
      *builder, loc, block->getArgument(0), block->getArgument(1), direction,
      compareType.value_or(ComparisonType::NOTYPE));
  ReturnOp::create(*builder, loc, result);
}
