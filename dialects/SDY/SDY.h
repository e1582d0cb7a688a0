// The sdy dialect: Shardy's meshes, shardings and manual regions, as JAX
// prints them. Semantics: https://openxla.org/shardy/sdy_dialect.
#ifndef SHOAL_DIALECTS_SDY_SDY_H
#define SHOAL_DIALECTS_SDY_SDY_H

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

#include <optional>
#include <string>

#include "dialects/SDY/SDYDialect.h.inc"

#include "dialects/SDY/SDYEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/SDY/SDYAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/SDY/SDY.h.inc"

namespace mlir::sdy {

/// Names of the attributes that operations and functions of other dialects
/// carry.
inline constexpr llvm::StringLiteral kShardingAttr = "sdy.sharding";
inline constexpr llvm::StringLiteral kShardingRuleAttr = "sdy.sharding_rule";

/// Checks a sharding of a value of `type` found on or under `op`: the mesh is
/// known, axes exist and are used once, sub-axes fit, the number of dimensions
/// is the rank. Emits an error that starts with `what` otherwise.
LogicalResult verifySharding(TensorShardingAttr sharding, Type type,
                             Operation *op, StringRef what);

/// Name of factor i in the text of a sharding rule: i, j, … z, z_1, z_2, ….
std::string factorName(int64_t index);

} // namespace mlir::sdy

#endif // SHOAL_DIALECTS_SDY_SDY_H
