// The plan dialect: kernels, and the host program that runs them. See
// README.md.
#ifndef SHOAL_DIALECTS_PLAN_PLAN_H
#define SHOAL_DIALECTS_PLAN_PLAN_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Plan/PlanDialect.h.inc"
#include "dialects/Plan/PlanEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Plan/PlanAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Plan/PlanTypes.h.inc"

#define GET_OP_CLASSES
#include "dialects/Plan/Plan.h.inc"

namespace shoal::plan {

/// Bytes that an element takes in memory (the kernel ABI's storage: at least
/// one byte; complex two reals; quantized its storage type; tokens none).
int64_t getElementBytes(mlir::Type elementType);

/// Bytes of a dense tensor of static shape; -1 if they overflow 63 bits.
int64_t getTensorBytes(mlir::ShapedType type);

/// Whether a tensor is in the memory of the host (its encoding is HostAttr),
/// and the type of the same tensor there, or on the device.
bool isOnHost(mlir::Type type);
mlir::RankedTensorType toHost(mlir::Type type);
mlir::RankedTensorType toDevice(mlir::Type type);

} // namespace shoal::plan

#endif // SHOAL_DIALECTS_PLAN_PLAN_H
