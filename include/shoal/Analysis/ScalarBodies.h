// Bodies of reductions and comparators: functions of scalars, looked at by
// rules and lowerings alike.
#ifndef SHOAL_ANALYSIS_SCALARBODIES_H
#define SHOAL_ANALYSIS_SCALARBODIES_H

#include "dialects/Shoal/ShardingRule.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Region.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/ArrayRef.h"

namespace shoal {

/// The value that is copied, resharded or constrained to become `value`;
/// broadcasts and reshapes from scalar to scalar are passed through as well.
mlir::Value rootOf(mlir::Value value);

/// Whether each op of the body works on scalars element by element, so that it
/// can be done on whole tensors at once.
bool isElementwiseBody(mlir::Region &body);

/// Whether the constants `inits` change nothing on either side of the body, a
/// function of (x…, y…): judged by computing it at a few points. False where
/// an initial value is no constant or the body has an op not known here.
bool isNeutral(mlir::Region &body, llvm::ArrayRef<mlir::Value> inits);

/// The op of that kind on two tensors or scalars of one type.
mlir::Value createCombine(mlir::OpBuilder &builder, mlir::Location loc,
                          ReductionKind kind, mlir::Value x, mlir::Value y);

/// A float of fewer than 16 bits: sums that devices share are not rounded to
/// it part by part, so adding and multiplying are no way to combine parts.
bool isRoundedFloat(mlir::Type typeOrElement);

} // namespace shoal

#endif // SHOAL_ANALYSIS_SCALARBODIES_H
