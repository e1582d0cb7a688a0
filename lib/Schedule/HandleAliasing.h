// Which buffer values of a scheduled program can never be the same memory,
// although loops let handles change places.
#ifndef SHOAL_LIB_SCHEDULE_HANDLEALIASING_H
#define SHOAL_LIB_SCHEDULE_HANDLEALIASING_H

#include "Liveness.h"

#include "llvm/ADT/SmallSet.h"

namespace shoal {

class HandleAliasing {
public:
  explicit HandleAliasing(const Liveness &liveness) : liveness(liveness) {}

  /// The buffer that a value is, or is a part of, where both are used in the
  /// same iteration of the loops around them.
  mlir::Value getHandle(mlir::Value buffer) const;

  /// Two handles are apart if they may only point into different declarations,
  /// or if a loop carries both and exchanges what it carries without ever
  /// making two of them one.
  bool areDistinct(mlir::Value a, mlir::Value b);

private:
  using Indices = llvm::SmallSet<unsigned, 8>;
  /// The loop that carries the handle and its place there.
  static std::pair<mlir::Operation *, unsigned> getCarried(mlir::Value handle);
  /// Of a loop, the carried buffers that are permuted among each other and
  /// begin as different ones.
  const Indices &getPermuted(mlir::Operation *loop);

  const Liveness &liveness;
  llvm::DenseMap<mlir::Operation *, Indices> permuted;
};

} // namespace shoal

#endif // SHOAL_LIB_SCHEDULE_HANDLEALIASING_H
