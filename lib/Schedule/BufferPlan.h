// Which tensor values of a function share memory, and what must be copied.
//
// Every device value either is a view of another value (same bytes, other
// shape, or a contiguous part), or lives in a storage: one piece of memory at a
// time used by values whose live intervals do not overlap. Storages start out
// one per value; the plan merges them in order of what a copy would cost. Time
// is the position in the linear program, nested regions included; a value from
// outside a loop that is used inside lives until the loop ends.
#ifndef SHOAL_LIB_SCHEDULE_BUFFERPLAN_H
#define SHOAL_LIB_SCHEDULE_BUFFERPLAN_H

#include "dialects/Plan/Plan.h"
#include "shoal/Analysis/HostScalars.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace shoal {

/// Inclusive.
struct Interval {
  int64_t begin, end;
};

/// A place in a storage: a byte offset plus host scalars, each clamped to
/// [0, limit] and multiplied by a stride in bytes.
struct Place {
  struct Term {
    mlir::Value index; // rank-0 integer tensor that is a host scalar
    int64_t limit, stride;
  };
  int64_t offset = 0;
  llvm::SmallVector<Term, 1> terms;

  Place plus(const Place &other) const {
    Place sum = *this;
    sum.offset += other.offset;
    sum.terms.append(other.terms.begin(), other.terms.end());
    return sum;
  }
  bool isZero() const { return offset == 0 && terms.empty(); }
};

struct Storage {
  enum Kind { Arena, Argument, Result, Constant, Handle } kind = Arena;
  int64_t bytes = 0;
  /// Argument or result number; for a handle, which (LoopPlan::handles).
  unsigned index = 0;
  bool isHost = false;  ///< in the memory of the host
  bool writable = true; ///< false for constants and arguments not donated
  /// Handles: the loop they are carried by, and whether they are its results.
  mlir::Operation *loop = nullptr;
  bool isLoopResult = false;
  Interval scope = {INT64_MIN, INT64_MAX};
  llvm::SmallVector<Interval, 4> live;
  /// Values that live in it at place zero, and those forwarded to a place.
  llvm::SmallVector<mlir::Value, 4> members;
};

/// How a loop carries buffers that change places.
struct LoopPlan {
  struct HandleInfo {
    mlir::Type type;     // of the tensor
    unsigned underlying; // storage that the handle starts with
    int carry = -1;      // carried value it starts as, -1 for a spare
  };
  llvm::SmallVector<HandleInfo> handles;
  llvm::SmallVector<unsigned> argStorages; // storage of each handle in the body
  llvm::SmallVector<unsigned> resultStorages; // and after the loop
  /// For each handle, which handle's buffer it is in the next iteration.
  llvm::SmallVector<unsigned> next;
};

class BufferPlan {
public:
  BufferPlan(mlir::func::FuncOp func, const HostScalars &scalars)
      : func(func), scalars(scalars) {}

  /// Fails, with a diagnostic, on ops that no buffer can be planned for.
  mlir::LogicalResult build();

  /// True for values that live in device memory.
  bool isDevice(mlir::Value value) const;

  /// Carried value i of the loop is the same in each iteration: it yields its
  /// initial value (forwardInvariants).
  static bool isInvariant(mlir::stablehlo::WhileOp loop, unsigned i);

  unsigned storageOf(mlir::Value value) const;
  Place placeOf(mlir::Value value) const;
  const Storage &storage(unsigned id) const { return storages[id]; }
  /// The storage that this one was merged into.
  unsigned find(unsigned id) const;

  /// True if operand `i` of `op` (a loop's initial value, a yielded or returned
  /// value, the operands of dynamic_update_slice) does not already lie where it
  /// has to be.
  bool needsCopy(mlir::Operation *op, unsigned i) const {
    return copies.contains({op, i});
  }
  /// For a copied yield of a carried handle: which handle to copy into.
  unsigned copyHandle(mlir::Operation *op, unsigned i) const {
    return copyHandles.lookup({op, i});
  }
  const LoopPlan *loopPlan(mlir::Operation *loop) const {
    auto it = loops.find(loop);
    return it == loops.end() ? nullptr : &it->second;
  }
  /// The storage that result `i` of the entry is left in, or -1 where it must
  /// be copied there.
  int resultStorage(unsigned i) const { return resultStorages[i]; }
  /// The donated argument whose memory result `i` shares, or -1.
  int resultArgument(unsigned i) const { return resultArguments[i]; }

private:
  using OperandRef = std::pair<mlir::Operation *, unsigned>;

  // Setting up (BufferPlan.cpp).
  void number(mlir::Region &region);
  mlir::LogicalResult addValues(mlir::Region &region);
  mlir::LogicalResult addOp(mlir::Operation *op);
  mlir::LogicalResult checkHost();
  void addView(mlir::Value view, mlir::Value base, Place place);
  unsigned addStorage(mlir::Value value, Storage::Kind kind = Storage::Arena);
  void addLiveness();
  int64_t defTime(mlir::Value value) const;
  int64_t useTime(mlir::Value value, mlir::Operation *user) const;
  mlir::Value canonical(mlir::Value value) const;
  Interval scopeOf(mlir::Block *block) const;

  // Merging (BufferPlanMerge.cpp).
  bool tryMerge(unsigned a, unsigned b);
  bool interfere(const Storage &a, const Storage &b, unsigned idA,
                 unsigned idB) const;
  bool mayTouch(int64_t time, unsigned from, unsigned to) const;
  bool isWhole(mlir::Value value) const;
  void mergeUpdates();
  void mergeCarried(mlir::stablehlo::WhileOp loop);
  void carryByHandles(mlir::stablehlo::WhileOp loop,
                      llvm::ArrayRef<unsigned> carries);
  void mergeBranches(mlir::Operation *op);
  void mergeResults();
  void mergeOverwrites();
  void forwardUpdates();
  bool tryForward(mlir::stablehlo::DynamicUpdateSliceOp update);

  mutable mlir::func::FuncOp func;
  const HostScalars &scalars;

  llvm::DenseMap<mlir::Operation *, int64_t> time, endTime;
  llvm::DenseMap<int64_t, mlir::Operation *> opAt;
  int64_t now = 0;

  llvm::DenseMap<mlir::Value, std::pair<mlir::Value, Place>> views;
  llvm::DenseMap<mlir::Value, unsigned> storageIds;
  /// Owners that were forwarded into a part of their storage.
  llvm::DenseMap<mlir::Value, Place> ownerPlaces;
  mutable llvm::SmallVector<unsigned> parent;
  llvm::SmallVector<Storage> storages;
  llvm::SmallVector<mlir::Value>
      values; // device values, in order of definition

  llvm::DenseSet<OperandRef> copies;
  llvm::DenseMap<OperandRef, unsigned> copyHandles;
  llvm::DenseMap<mlir::Operation *, LoopPlan> loops;
  llvm::SmallVector<int> resultStorages, resultArguments;
};

/// Pairs (operand, result) of an op where the result may be written into the
/// operand's memory while the operand is read.
llvm::SmallVector<std::pair<unsigned, unsigned>>
getInPlacePairs(mlir::Operation *op);

/// If the op's result is its operand's memory (other shape, contiguous part):
/// the operand and the place in it.
std::optional<std::pair<mlir::Value, Place>>
getView(mlir::Operation *op, const HostScalars &scalars);

/// Where in its operand (at host scalars) a dynamic_update_slice writes.
Place getUpdatePlace(mlir::stablehlo::DynamicUpdateSliceOp update);

/// A row of a stack.
Place getRowPlace(mlir::Value stack, mlir::Value index);

/// Replaces carried values that no iteration changes by their initial values,
/// and optimization barriers by their operands.
void forwardInvariants(mlir::func::FuncOp func);

/// True if the function carries attribute tf.aliasing_output or
/// jax.buffer_donor on argument i.
bool isDonated(mlir::func::FuncOp func, unsigned i);

} // namespace shoal

#endif // SHOAL_LIB_SCHEDULE_BUFFERPLAN_H
