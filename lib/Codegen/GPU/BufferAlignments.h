// What is known of the addresses that kernels are launched with.
#ifndef SHOAL_LIB_CODEGEN_GPU_BUFFERALIGNMENTS_H
#define SHOAL_LIB_CODEGEN_GPU_BUFFERALIGNMENTS_H

#include "dialects/Plan/Plan.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"

namespace shoal::gpu {

/// Alignments in bytes of all buffers of a module's programs. Arguments, results
/// and the arena start at multiples of 256, buffers in the arena at multiples of
/// 64, constants too; views and carried handles follow from that.
class BufferAlignments {
public:
  explicit BufferAlignments(mlir::ModuleOp module);

  /// The least of all launches, for the kernel's block arguments (scalars
  /// included, which have no address) and results. 64 where nothing in the
  /// module launches it.
  void of(plan::KernelOp kernel, llvm::SmallVectorImpl<int64_t> &inputs,
          llvm::SmallVectorImpl<int64_t> &outputs) const;

private:
  int64_t get(mlir::Value buffer) const;
  /// Lowers what is known of a buffer; true if that changed anything.
  bool lower(mlir::Value buffer, int64_t bytes);
  bool visit(mlir::Operation *op);

  llvm::DenseMap<mlir::Value, int64_t> known; // absent: the best
  llvm::DenseMap<mlir::StringAttr, llvm::SmallVector<plan::ExecOp, 1>> launches;
};

} // namespace shoal::gpu

#endif // SHOAL_LIB_CODEGEN_GPU_BUFFERALIGNMENTS_H
