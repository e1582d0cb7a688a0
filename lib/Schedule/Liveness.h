// Life of the buffers of a scheduled program.
#ifndef SHOAL_LIB_SCHEDULE_LIVENESS_H
#define SHOAL_LIB_SCHEDULE_LIVENESS_H

#include "dialects/Plan/Plan.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"

namespace shoal {

/// A read or write of a buffer by an op.
struct Access {
  mlir::Operation *op;
  mlir::Value buffer;
  bool isWrite;
};

/// Which declarations (alloc, argument, result, constant) the memory behind
/// each buffer value may belong to, and when each declaration's contents are
/// needed: from the first to the last access in program order, stretched over a
/// loop where an iteration may see what an earlier one, or what came before,
/// left.
class Liveness {
public:
  explicit Liveness(plan::ProgramOp program);

  /// Declarations that the handle may point into.
  llvm::ArrayRef<mlir::Operation *> getRoots(mlir::Value buffer) const;

  struct Span {
    int64_t begin = INT64_MAX, end = INT64_MIN;
    bool empty() const { return end < begin; }
    bool overlaps(const Span &other) const {
      return begin <= other.end && other.begin <= end;
    }
  };
  /// Empty if nothing touches the declaration.
  Span getSpan(mlir::Operation *declaration) const;

  llvm::ArrayRef<Access> getAccesses() const { return accesses; }

private:
  void number(mlir::Region &region);
  void collectRoots(plan::ProgramOp program);
  void collectAccesses(mlir::Operation *op);

  llvm::DenseMap<mlir::Operation *, int64_t> time, endTime;
  int64_t now = 0;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::Operation *, 2>> roots;
  llvm::SmallVector<Access> accesses;
  llvm::DenseMap<mlir::Operation *, Span> spans;
};

} // namespace shoal

#endif // SHOAL_LIB_SCHEDULE_LIVENESS_H
