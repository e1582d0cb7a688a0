// The chlo dialect: what JAX prints beside StableHLO. Semantics:
// https://openxla.org/stablehlo/generated/chlo.
#ifndef SHOAL_DIALECTS_CHLO_CHLO_H
#define SHOAL_DIALECTS_CHLO_CHLO_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/CHLO/CHLODialect.h.inc"

#include "dialects/CHLO/CHLOEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/CHLO/CHLOAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/CHLO/CHLO.h.inc"

namespace mlir::chlo {

/// Shape that two shapes broadcast to. `dimensions`, if given, are the result
/// dimensions that the shape of lower rank takes; by default the last ones.
/// Failure if sizes do not fit. A dynamic size takes the other one.
FailureOr<SmallVector<int64_t>>
broadcastShapes(ArrayRef<int64_t> lhs, ArrayRef<int64_t> rhs,
                std::optional<ArrayRef<int64_t>> dimensions);

} // namespace mlir::chlo

#endif // SHOAL_DIALECTS_CHLO_CHLO_H
