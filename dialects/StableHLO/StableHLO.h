// The stablehlo dialect: ops, attributes and types, under the names that the
// reference implementation gives them.

#ifndef SHOAL_DIALECTS_STABLEHLO_STABLEHLO_H
#define SHOAL_DIALECTS_STABLEHLO_STABLEHLO_H

#include "dialects/StableHLO/AssemblyFormat.h"
#include "dialects/StableHLO/Base.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/StableHLO/StableHLOAttrInterfaces.h.inc"

#include "dialects/StableHLO/StableHLODialect.h.inc"
#include "dialects/StableHLO/StableHLOEnums.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/StableHLO/StableHLOTypes.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/StableHLO/StableHLOAttrs.h.inc"

namespace mlir::stablehlo {

/// Mode DEFAULT and no tolerances: what an op without the attribute asks for.
ResultAccuracyAttr getDefaultResultAccuracy(MLIRContext *context);

/// The formats of ops call these unqualified.
using namespace ::mlir::hlo::assembly; // NOLINT

/// The terminator of a region's only block; null if the region is empty, has
/// several blocks or does not end in a return.
class ReturnOp;
ReturnOp getRegionReturn(Region &region);

} // namespace mlir::stablehlo

#define GET_OP_CLASSES
#include "dialects/StableHLO/StableHLO.h.inc"

namespace mlir::stablehlo {

/// Adds `lhs op rhs` and a return to `body` as a reduction's function of two
/// scalars of type `elementType`, e.g. buildReduceBody<AddOp>(f32, …).
template <typename Op>
void buildReduceBody(Type elementType, Region &body, OpBuilder &builder) {
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(&body);
  Type type = RankedTensorType::get({}, elementType);
  Location loc = body.getLoc();
  block->addArguments({type, type}, {loc, loc});
  Value result = Op::create(builder, loc, block->getArgument(0),
                            block->getArgument(1));
  ReturnOp::create(builder, loc, result);
}

/// For ops that sort: a comparator of pairs of scalars of these types that
/// compares the first pair.
void buildSortComparisonBody(TypeRange elementTypes, ComparisonDirection direction,
                             std::optional<ComparisonType> compareType,
                             Region *body, OpBuilder *builder);

} // namespace mlir::stablehlo

#endif // SHOAL_DIALECTS_STABLEHLO_STABLEHLO_H
