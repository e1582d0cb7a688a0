// Stacks of a scan in the memory of the host.
#ifndef SHOAL_LIB_SCHEDULE_OFFLOADSTACKS_H
#define SHOAL_LIB_SCHEDULE_OFFLOADSTACKS_H

#include "shoal/Analysis/Hardware.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <cstdint>

namespace shoal {

class LoopPair;

/// The first of two loops (LoopPair.h) writes each row of a stack to the memory
/// of the host while it goes on, the second one fetches each row an iteration
/// ahead.
class StackOffload {
public:
  StackOffload(mlir::func::FuncOp func, const Hardware &hardware, bool remarks)
      : func(func), hardware(hardware), remarks(remarks) {}

  /// Marks stacks of the block's loops until so many bytes of the device's
  /// memory are saved, as long as the loops' iterations leave time for the
  /// copies; those first that take most time to compute again. Returns the
  /// bytes.
  int64_t mark(mlir::Block &block, int64_t wanted);
  /// Moves the stacks that are marked.
  void move(mlir::Block &block);

private:
  bool movePair(mlir::Block &block);
  void rewrite(LoopPair &pair, llvm::ArrayRef<unsigned> chosen,
               llvm::ArrayRef<bool> late);

  mlir::func::FuncOp func;
  const Hardware &hardware;
  bool remarks;
};

} // namespace shoal

#endif // SHOAL_LIB_SCHEDULE_OFFLOADSTACKS_H
