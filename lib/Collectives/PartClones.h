// Ops on a part of an index, made from the ops on all of it.
#ifndef SHOAL_COLLECTIVES_PARTCLONES_H
#define SHOAL_COLLECTIVES_PARTCLONES_H

#include "IndexClasses.h"

#include "mlir/IR/Builders.h"

namespace shoal {

/// The type with one of `parts` blocks of a dimension: the last may be padded.
mlir::RankedTensorType partOf(mlir::RankedTensorType type, unsigned dim,
                              int64_t parts);

/// The op on a part of its operands, with results as large as that makes them.
mlir::Operation *clonePart(mlir::OpBuilder &b, mlir::Operation *op,
                           const PartFactor &factor,
                           llvm::ArrayRef<mlir::Value> operands, int64_t parts);

/// Values that are the same all along a dimension (IndexClasses::isFree), made
/// with a part of it.
class FreeParts {
public:
  FreeParts(const IndexClasses &classes, int64_t parts)
      : classes(classes), parts(parts) {}
  mlir::Value of(mlir::Value value, unsigned dim);

private:
  const IndexClasses &classes;
  int64_t parts;
  llvm::DenseMap<std::pair<mlir::Value, unsigned>, mlir::Value> known;
};

} // namespace shoal

#endif // SHOAL_COLLECTIVES_PARTCLONES_H
