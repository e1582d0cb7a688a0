// Turning a program with unknown sizes into one where all are known. The walk
// over the program is in RefineShapes.cpp; what it does to single operations is
// declared here.
#ifndef SHOAL_LIB_IMPORT_REFINESHAPES_H
#define SHOAL_LIB_IMPORT_REFINESHAPES_H

#include "ShapeEvaluator.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/SymbolTable.h"

namespace shoal {

/// True for a tensor with unknown sizes, or of unknown rank.
bool isDynamic(mlir::Type type);

/// What holds of a value of both types: `declared` with the sizes that
/// `inferred` knows. An error at `op` if they disagree.
mlir::FailureOr<mlir::Type> meetTypes(mlir::Operation *op, mlir::Type declared,
                                      mlir::Type inferred);

/// The types of the results of `op` as they follow from its operands (and
/// regions), which are as static as they will be; the declared type where
/// nothing follows. Fails with a diagnostic where sizes do not fit.
/// InferResultTypes.cpp.
mlir::FailureOr<llvm::SmallVector<mlir::Type>>
inferResultTypes(mlir::Operation *op);

/// A program value that a size depends on could not be computed.
/// Says so at `op`, and what helps.
mlir::LogicalResult emitNotConstant(mlir::Operation *op, mlir::Value operand,
                                    llvm::StringRef what);

/// An operation whose shapes are values, in its static form. Succeeds with no
/// values if there is nothing to do. StaticForms.cpp.
mlir::FailureOr<llvm::SmallVector<mlir::Value>>
makeStatic(mlir::Operation *op, ShapeEvaluator &evaluator,
           mlir::OpBuilder &builder);

/// What is known of a custom call. ShapeCalls.cpp.
struct ShapeCallResult {
  bool handled = false; ///< the call is to be replaced by `values`
  llvm::SmallVector<mlir::Value> values;
};
/// Custom calls that are about shapes: assertions, dynamic forms of other
/// operations, operands that hold the sizes of results.
mlir::FailureOr<ShapeCallResult> refineShapeCall(mlir::Operation *op,
                                                 ShapeEvaluator &evaluator,
                                                 mlir::SymbolTable &symbols,
                                                 mlir::OpBuilder &builder);
/// Whether `op` is a custom call of which refineShapeCall knows.
bool isShapeCall(mlir::Operation *op);

} // namespace shoal

#endif // SHOAL_LIB_IMPORT_REFINESHAPES_H
