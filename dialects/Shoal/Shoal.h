// The shoal dialect: meshes, shardings, and the ops that state them.
#ifndef DIALECTS_SHOAL_SHOAL_H
#define DIALECTS_SHOAL_SHOAL_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Shoal/ShoalDialect.h.inc"
#include "dialects/Shoal/ShoalEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Shoal/ShoalAttrs.h.inc"

#include "dialects/Shoal/ShardingRule.h"
#include "dialects/Shoal/ShardableOpInterface.h.inc"

#define GET_OP_CLASSES
#include "dialects/Shoal/Shoal.h.inc"

#endif // DIALECTS_SHOAL_SHOAL_H
