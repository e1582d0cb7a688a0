// One tile.func becomes one kernel function of LLVM IR.
//
// A tile is a list of LLVM values, one per register index of its layout. Their
// type (getRegisterType) is the element's bits where it is a narrow float
// (i16, i8), and the scalar emitter's carrier otherwise (i1, iN, float, double).
#ifndef SHOAL_LIB_CODEGEN_GPU_TILE_TILELOWERING_H
#define SHOAL_LIB_CODEGEN_GPU_TILE_TILELOWERING_H

#include "shoal/Codegen/GPU/TileCompiler.h"

#include "dialects/Tile/Tile.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

namespace shoal::tile {

using IRBuilder = llvm::IRBuilder<>;
using Registers = llvm::SmallVector<llvm::Value *>;

llvm::Type *getRegisterType(mlir::Type elementType, llvm::LLVMContext &context);
int64_t getElementBytes(mlir::Type elementType);

class Lowering {
public:
  Lowering(FuncOp func, llvm::Module &module, const TileTarget &target);
  /// Emits the kernel. Failures are reported at their op.
  mlir::FailureOr<TileKernelInfo> run();

  FuncOp func;
  llvm::Module &module;
  const TileTarget &target;
  llvm::Function *kernel = nullptr;
  IRBuilder ir;

  // --- Values ----------------------------------------------------------
  llvm::Value *scalar(mlir::Value value) { return scalars.lookup(value); }
  void setScalar(mlir::Value value, llvm::Value *result) {
    scalars[value] = result;
  }
  const Registers &registers(mlir::Value tile) { return tiles[tile]; }
  void setRegisters(mlir::Value tile, Registers values);

  /// Global memory: the address of element 0…0 and what is known of it.
  struct View {
    llvm::Value *pointer = nullptr;
    /// Alignment of `pointer` in bytes.
    int64_t align = 1;
    /// Nothing writes there while the kernel runs.
    bool readonly = false;
    /// Which kernel argument it is part of.
    unsigned argument = 0;
  };
  const View &view(mlir::Value value) { return views[value]; }
  void setView(mlir::Value value, View view) { views[value] = view; }

  /// A shared buffer: its offset in bytes from the start of shared memory, of
  /// type i32.
  llvm::Value *sharedOffset(mlir::Value buffer) { return shared.lookup(buffer); }
  void setSharedOffset(mlir::Value buffer, llvm::Value *offset) {
    shared[buffer] = offset;
  }

  // --- Threads ---------------------------------------------------------
  llvm::Value *threadId(); // i32, as are the next two
  llvm::Value *lane();
  llvm::Value *warp();
  llvm::Value *isThreadZero();
  /// The coordinates that a thread contributes to a tile's elements (i32 each,
  /// computed at the kernel's start); those of register r are added (or XORed)
  /// to them, see combine().
  llvm::ArrayRef<llvm::Value *> threadCoordinates(LayoutAttr layout);
  /// The part that lane and warp contribute to output `out` of a map whose
  /// inputs are named as a register layout's.
  llvm::Value *threadPart(const LinearLayout &map, llvm::StringRef out);
  llvm::SmallVector<int64_t> registerCoordinates(LayoutAttr layout,
                                                 unsigned reg);
  /// thread part ^ register part along a dimension, as an addition where no
  /// bit is in both.
  llvm::Value *coordinate(LayoutAttr layout, unsigned dim, unsigned reg);
  bool isDisjoint(LayoutAttr layout, unsigned dim);
  /// i1: this thread is the one that acts for all that hold copies of a tile;
  /// null if there are no copies. `registerMask`: register bits that only
  /// repeat others.
  llvm::Value *isOwner(LayoutAttr layout, uint64_t &registerMask);

  // --- Instructions ------------------------------------------------------
  llvm::Value *i32(int64_t value) { return ir.getInt32(value); }
  void barrier();
  /// The value of lane (this ^ mask), any register type.
  llvm::Value *shuffleXor(llvm::Value *value, unsigned mask);
  /// The value of lane `from` (i32).
  llvm::Value *shuffleIndex(llvm::Value *value, llvm::Value *from);
  /// The value of lane (this - delta), of this lane where there is none.
  llvm::Value *shuffleUp(llvm::Value *value, unsigned delta);
  /// Pointer to byte `offset` (i32) of shared memory.
  llvm::Value *sharedPointer(llvm::Value *offset);
  llvm::Value *sharedPointer(int64_t offset) { return sharedPointer(i32(offset)); }
  /// Scratch in shared memory for one op, used as: begin (waits for the last
  /// use), write, barrier(), read.
  int64_t beginScratch(int64_t bytes);
  void ifThen(llvm::Value *condition, llvm::function_ref<void()> then);

  /// The function of a scalar region: arguments and results in register types.
  llvm::Function *body(mlir::Region &region);
  Registers callBody(llvm::Function *function, llvm::ArrayRef<llvm::Value *> arguments);

  mlir::LogicalResult lowerBlock(mlir::Block &block);
  mlir::LogicalResult lowerOp(mlir::Operation *op);
  /// > 0 inside loops: scratch may be in use from the iteration before.
  unsigned loopDepth = 0;
  bool scratchUsed = false;

private:
  mlir::LogicalResult lowerScalar(mlir::Operation *op);
  mlir::LogicalResult lowerFor(mlir::Operation *op);
  mlir::LogicalResult lowerIf(mlir::Operation *op);
  llvm::Value *entryValue(llvm::function_ref<llvm::Value *()> make);

  llvm::DenseMap<mlir::Value, llvm::Value *> scalars, shared;
  llvm::DenseMap<mlir::Value, Registers> tiles;
  llvm::DenseMap<mlir::Value, View> views;
  llvm::DenseMap<LayoutAttr, Registers> coordinates;
  llvm::DenseMap<mlir::Region *, llvm::Function *> bodies;
  llvm::Instruction *entryEnd = nullptr;
  llvm::Value *tid = nullptr, *laneId = nullptr, *warpId = nullptr,
              *threadZero = nullptr;
  /// Bytes of the explicit buffers, then of the scratch behind them.
  int64_t sharedBytes = 0, scratchBytes = 0;
};

/// Emits the alwaysinline function of a region of scalar ops (ScalarBodies.cpp);
/// null if an op has no code (reported).
llvm::Function *emitScalarBody(mlir::Region &region, llvm::Module &module,
                               llvm::StringRef name);

/// A number as it lies in a register.
llvm::Constant *makeRegisterConstant(Lowering &l, mlir::TypedAttr value);

// One function per op; each reports its own failure.
mlir::LogicalResult lowerLoad(Lowering &l, LoadOp op);
mlir::LogicalResult lowerStore(Lowering &l, StoreOp op);
mlir::LogicalResult lowerView(Lowering &l, ViewOp op);
mlir::LogicalResult lowerGather(Lowering &l, GatherOp op);
mlir::LogicalResult lowerScatter(Lowering &l, ScatterOp op);
mlir::LogicalResult lowerArrive(Lowering &l, ArriveOp op);
mlir::LogicalResult lowerMap(Lowering &l, MapOp op);
mlir::LogicalResult lowerBroadcast(Lowering &l, BroadcastOp op);
mlir::LogicalResult lowerIota(Lowering &l, IotaOp op);
mlir::LogicalResult lowerConstant(Lowering &l, ConstantOp op);
mlir::LogicalResult lowerReduce(Lowering &l, ReduceOp op);
mlir::LogicalResult lowerScan(Lowering &l, ScanOp op);
mlir::LogicalResult lowerConvertLayout(Lowering &l, ConvertLayoutOp op);
mlir::LogicalResult lowerLocalLoad(Lowering &l, LocalLoadOp op);
mlir::LogicalResult lowerLocalStore(Lowering &l, LocalStoreOp op);
mlir::LogicalResult lowerAsyncCopy(Lowering &l, AsyncCopyOp op);
mlir::LogicalResult lowerAsyncCommit(Lowering &l, AsyncCommitOp op);
mlir::LogicalResult lowerAsyncWait(Lowering &l, AsyncWaitOp op);
mlir::LogicalResult lowerDot(Lowering &l, DotOp op);

} // namespace shoal::tile

#endif // SHOAL_LIB_CODEGEN_GPU_TILE_TILELOWERING_H
