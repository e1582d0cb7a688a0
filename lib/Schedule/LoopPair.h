// A scan and its gradient: two loops, the second of which walks over what the
// first one stacks.
#ifndef SHOAL_LIB_SCHEDULE_LOOPPAIR_H
#define SHOAL_LIB_SCHEDULE_LOOPPAIR_H

#include "OpTimes.h"
#include "shoal/Analysis/LoopStacks.h"

#include "llvm/ADT/SetVector.h"

namespace shoal {

/// A stack that the first loop makes and the second one reads.
struct Stack {
  unsigned result;                              ///< of the first loop
  mlir::stablehlo::DynamicUpdateSliceOp update; ///< there
  llvm::SmallVector<mlir::stablehlo::DynamicSliceOp> reads;
  /// Row by row as the reference is, and read by nothing else.
  bool isOwn = false;
  bool canGo = false; ///< of these, those that may be computed again
  bool isRow = false; ///< row by row as the reference is, so that ours can be
  int64_t bytes = 0;
};

/// A unit attribute of an update: its stack will be moved to the memory of the
/// host (OffloadStacks.h).
inline constexpr llvm::StringLiteral kToHostAttr = "shoal.to_host";

class LoopPair {
public:
  LoopPair(const StackLoop &first, const StackLoop &second, OpTimes &times)
      : first(first), second(second), times(times) {}

  /// False if the first loop stacks nothing for the second one.
  bool find();
  /// What it takes to do without some stacks, by computing their rows again in
  /// the second loop, with new stacks of carried values if these are wanted.
  struct Price {
    double seconds = 0, weighed = 0;
    int64_t newBytes = 0;
    llvm::SetVector<mlir::Operation *> chain;
    llvm::SetVector<mlir::Value> leaves; ///< rows that are read
    llvm::SetVector<unsigned> added;     ///< carried values to stack
  };
  std::optional<Price> priceOf(llvm::ArrayRef<bool> dropped, bool mayAdd);
  void rewrite(llvm::ArrayRef<bool> dropped, const Price &price);

  /// The row that the second loop reads of all stacks, a value of its body, and
  /// that of its first iteration; whether that is the last one written.
  mlir::Value getReadIndex() const { return readIndex; }
  int64_t firstRowRead() const;
  int64_t firstRowWritten() const { return first.counterAt(0) - ivOffset; }
  bool isReversed() const { return order.back() == 0; }

  llvm::SmallVector<Stack> stacks;
  StackLoop first, second;

private:
  /// Through changes of shape alone, kernels that only do that included.
  mlir::Value rootOf(mlir::Value value);
  bool need(mlir::Value value, Price &price, bool mayAdd, int depth);

  OpTimes &times;
  mlir::Value writeIndex, readIndex; ///< of the reference's rows
  int64_t ivOffset = 0;              ///< the first loop's counter less its row
  llvm::SmallVector<int64_t> order; ///< by iteration of the first, the second's
  llvm::DenseMap<mlir::Value, unsigned>
      stackOf; ///< by root, stacks that may be read
  llvm::ArrayRef<bool> isDropped;
};

/// Erases what nobody uses, from a block's end.
void eraseUnused(mlir::Block &block);

} // namespace shoal

#endif // SHOAL_LIB_SCHEDULE_LOOPPAIR_H
