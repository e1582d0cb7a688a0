// Which buffers the ops of a scheduled program read and write.
#ifndef SHOAL_LIB_SCHEDULE_FOOTPRINTS_H
#define SHOAL_LIB_SCHEDULE_FOOTPRINTS_H

#include "HandleAliasing.h"

#include "llvm/ADT/SetVector.h"

namespace shoal {

class Footprints {
public:
  explicit Footprints(plan::ProgramOp program);

  /// The first op after the collective, in its block, that must not run beside
  /// it; the block's terminator if there is none.
  mlir::Operation *firstConflict(mlir::Operation *collective);

  /// Buffers that the op, with what is nested in it, reads and does not write.
  llvm::SmallVector<mlir::Value> readOnly(mlir::Operation *op);

  /// What `from` touched, `to` touches from now on, besides what it did.
  void give(mlir::Operation *from, mlir::Operation *to);

private:
  struct Footprint {
    llvm::SmallSetVector<mlir::Value, 4> reads, writes;
  };
  Liveness liveness;
  HandleAliasing aliasing;
  llvm::DenseMap<mlir::Operation *, Footprint> footprints;
};

} // namespace shoal

#endif // SHOAL_LIB_SCHEDULE_FOOTPRINTS_H
