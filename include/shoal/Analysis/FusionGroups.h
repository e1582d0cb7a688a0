// Which ops become one kernel.
#ifndef SHOAL_ANALYSIS_FUSIONGROUPS_H
#define SHOAL_ANALYSIS_FUSIONGROUPS_H

#include "shoal/Analysis/HostScalars.h"

#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

#include <memory>
#include <vector>

namespace shoal {

/// Ops of one block that are computed together. Runs where its last op stands:
/// everything outside that needs a value of the group comes later.
struct FusionGroup {
  enum class Kind {
    /// Loops over the shape of the root; all else is computed where needed.
    Loop,
    /// Reductions over minor dimensions, and ops on the same rows.
    Rows,
    /// Reductions whose minor dimension is kept.
    Columns,
    /// One op that makes its result at once, perhaps with producers of what it
    /// writes (dynamic_update_slice, scatter).
    Update,
    /// One op alone.
    Single,
    /// A product for the library (plan.matmul); producers are views only.
    Matmul,
    /// A product with cheap producers of its operands and the elementwise ops
    /// after it, where products are kernels (FusionOptions::library).
    Product,
  };
  Kind kind = Kind::Loop;
  /// In program order. An op may be in several groups: cheap ones are copied.
  llvm::SetVector<mlir::Operation *> ops;
  /// The first op chosen, last in program order.
  mlir::Operation *root = nullptr;
  /// Values computed here and needed outside, and values needed from outside,
  /// in order of their first use.
  llvm::SetVector<mlir::Value> outputs, inputs;
  /// Pairs (output, input): the output may be written into the input's memory.
  llvm::SmallVector<std::pair<unsigned, unsigned>> mayOverwrite;
};

struct FusionOptions {
  unsigned maxOps = 160;
  unsigned maxInputs = 24;
  /// Whether there is a library for products; else all are kernels.
  bool library = true;
  /// Products below this many multiply-adds are kernels of their own.
  int64_t smallProduct = 16 * 1024;
};

/// True for products that are calls of the runtime: f32, bf16, f64 and
/// integers, not small.
bool isLibraryProduct(mlir::stablehlo::DotGeneralOp dot,
                      const FusionOptions &options);

/// The groups of one block. What is in no group stays as it is: control flow,
/// collectives, host scalars, constants, and views (reshapes, contiguous
/// slices, slices and updates at host scalars) that no group wants.
class FusionGroups {
public:
  FusionGroups(mlir::Block &block, const HostScalars &hostScalars,
               const FusionOptions &options = {});
  ~FusionGroups();

  /// In order of execution.
  llvm::ArrayRef<FusionGroup> getGroups() const { return groups; }

  /// Ops that groups copied but that are needed in memory as well, and need no
  /// kernel for it (constants, views).
  const llvm::DenseSet<mlir::Operation *> &getStayingOps() const {
    return stays;
  }

private:
  std::vector<FusionGroup> groups;
  llvm::DenseSet<mlir::Operation *> stays;
};

} // namespace shoal

#endif // SHOAL_ANALYSIS_FUSIONGROUPS_H
