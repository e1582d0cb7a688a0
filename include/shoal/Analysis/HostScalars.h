// Which rank-0 integers the host can compute without reading device memory, and
// which loops it can therefore count.
#ifndef SHOAL_ANALYSIS_HOSTSCALARS_H
#define SHOAL_ANALYSIS_HOSTSCALARS_H

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseSet.h"

#include <optional>

namespace shoal {

/// A loop `for (iv = begin; iv < end; iv += step)`; `end` and `begin` are host
/// scalars that stand outside the loop (or constants inside its condition).
struct CountedLoop {
  unsigned ivIndex = 0;   ///< which carried value counts
  mlir::Value begin;      ///< its initial value
  mlir::Value end;        ///< the bound it is compared with
  int64_t step = 0;       ///< not 0
  bool inclusive = false; ///< goes on while iv == end, too (LE, GE)
  bool isUnsigned = false;
  /// Number of iterations, where begin and end are constants.
  std::optional<int64_t> tripCount;
};

/// The loop as one that counts, by its own text alone: its bound may be any
/// value from outside, or a constant in its condition. Loops that would wrap
/// around in the counter's type, or run away from the bound, do not count.
std::optional<CountedLoop> matchCountedLoop(mlir::stablehlo::WhileOp loop);

/// Host scalars of the code under an operation: rank-0 integers (and i1) that
/// derive from constants, the rank and loop counters by integer arithmetic
/// alone. Values carried by a loop are host scalars if their initial and their
/// next values are. Results of `if` and `case` are not. Works on StableHLO from
/// import to `fused`; must be computed anew when the code changes.
class HostScalars {
public:
  explicit HostScalars(mlir::Operation *root);

  bool contains(mlir::Value value) const { return scalars.contains(value); }

  /// True for ops that only compute host scalars: they stay outside kernels.
  bool isHostOp(mlir::Operation *op) const;

  /// True for dynamic_slice and dynamic_update_slice at host-scalar indices of
  /// a block that is contiguous in memory: a view, if left outside kernels.
  bool isHostView(mlir::Operation *op) const;

  /// matchCountedLoop where counter and bound are host scalars.
  std::optional<CountedLoop>
  getCountedLoop(mlir::stablehlo::WhileOp loop) const;

private:
  bool evaluate(mlir::Operation *op);
  void visit(mlir::Region &region);

  llvm::DenseSet<mlir::Value> scalars;
  /// (while op, index) whose carried value turned out not to be one.
  llvm::DenseSet<std::pair<mlir::Operation *, unsigned>> refuted;
};

/// True if a block of `sizes` inside a tensor of `shape` is one run of memory:
/// whole dimensions after the first one, if any, that is cut, and size 1
/// before.
bool isContiguousBlock(llvm::ArrayRef<int64_t> shape,
                       llvm::ArrayRef<int64_t> sizes);

/// The integer of a rank-0 (or splat one-element) constant.
std::optional<int64_t> getConstantInt(mlir::Value value);

} // namespace shoal

#endif // SHOAL_ANALYSIS_HOSTSCALARS_H
