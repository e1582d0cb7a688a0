//===- SharedLayouts.h - Shared memory: swizzles, conflicts, conversions --===//
//
// A shared-memory layout maps (offset) to (dim0, dim1, …) and is invertible;
// offsets count elements. Shared memory has 32 banks of 4 bytes; an access of
// a warp is done in wavefronts of at most 128 bytes.
//
//===----------------------------------------------------------------------===//

#ifndef SHOAL_CODEGEN_GPU_SHAREDLAYOUTS_H
#define SHOAL_CODEGEN_GPU_SHAREDLAYOUTS_H

#include "shoal/Codegen/GPU/LinearLayout.h"

namespace shoal {

/// Row-major along `order` (fastest first) without a swizzle.
LinearLayout plainSharedLayout(llvm::ArrayRef<int64_t> shape,
                               llvm::ArrayRef<unsigned> order);

/// The XOR swizzle on 16-byte pieces of the fastest dimension that makes both
/// 16-byte row accesses (cp.async, vector stores) and 8x8 ldmatrix accesses
/// (with and without .trans) free of conflicts: the piece index is XORed with
/// the row index, over pieces of 32, 64 or 128 bytes as the row has. `shape`
/// may have leading dimensions (stages), which come slowest.
LinearLayout swizzledSharedLayout(llvm::ArrayRef<int64_t> shape,
                                  llvm::ArrayRef<unsigned> order,
                                  unsigned elementBits);

/// The layout for an operand that is copied in 16-byte pieces along the fastest
/// dimension of `order` (consecutive lanes taking consecutive pieces, as
/// cp.async does) and read in the register layout `read`, for element types
/// and orders where ldmatrix does not apply: pieces stay whole, and both sides
/// are free of conflicts where that is possible.
LinearLayout operandSharedLayout(llvm::ArrayRef<int64_t> shape,
                                 llvm::ArrayRef<unsigned> order,
                                 unsigned elementBits,
                                 const LinearLayout &read);

/// The layout through which `src` can be stored and `dst` loaded with the
/// widest common vectors and, where that is possible, without conflicts.
/// Both are register layouts of the same tensor.
LinearLayout conversionSharedLayout(const LinearLayout &src,
                                    const LinearLayout &dst,
                                    unsigned elementBits);

/// How a register layout accesses shared memory.
struct SharedAccess {
  /// Register bits (positions) in one vector access: bit i is offset 1 << i.
  llvm::SmallVector<unsigned> vectorBits;
  /// Elements per access.
  int64_t vector = 1;
  /// Wavefronts that one access of a warp takes, and the fewest possible for
  /// the distinct bytes that it touches.
  int64_t wavefronts = 1;
  int64_t idealWavefronts = 1;
  bool conflictFree() const { return wavefronts == idealWavefronts; }
};
/// The widest vector access (at most 16 bytes) of `regs` in `shared`, and its
/// bank conflicts.
SharedAccess analyzeSharedAccess(const LinearLayout &regs,
                                 const LinearLayout &shared,
                                 unsigned elementBits);

/// (register, lane, warp, block) -> offset.
LinearLayout sharedOffsets(const LinearLayout &regs,
                           const LinearLayout &shared);

/// ldmatrix / stmatrix of 8x8 matrices of 16-bit units (smaller elements
/// packed; .trans only for 16-bit elements).
struct MatrixAccess {
  bool trans = false;
  /// Matrices per instruction: 1, 2 or 4 (registers of 32 bits per thread).
  unsigned count = 1;
  /// (register, lane, warp, block) -> offset of the 16-byte row whose address
  /// lane `lane` gives; register = the instruction's index.
  LinearLayout address;
  /// The register bits of the tile within an instruction: first those packed
  /// into a 32-bit register, then those that choose among its `count`
  /// registers; `instructionBits` choose the instruction.
  llvm::SmallVector<unsigned> packedBits, matrixBits, instructionBits;
};
/// If (and how) `regs` can be loaded by ldmatrix, or stored by stmatrix.
std::optional<MatrixAccess> matchMatrixAccess(const LinearLayout &regs,
                                              const LinearLayout &shared,
                                              unsigned elementBits);

/// How a tensor in registers gets from one layout to another.
struct ConversionPlan {
  enum class Kind { None, Registers, Shuffle, Shared };
  Kind kind = Kind::None;

  /// Registers: result register i is operand register sources[i].
  llvm::SmallVector<unsigned> sources;

  /// Shuffle: on the operand's registers `sendOrder` (duplicates removed;
  /// padded by repeating them) as array a of n values:
  ///  1. for each lane bit b with sendXor[b] != 0: a[i] = (lane bit b is set) ?
  ///     a[i ^ sendXor[b]] : a[i], for all i at once;
  ///  2. t[i] = shfl.idx(a[sendRegister[i]], from ^ roundLane[i]), where from =
  ///     XOR of laneFrom[b] over the set lane bits b;
  ///  3. for each lane bit b with receiveXor[b] != 0: t[i] = (lane bit b is
  ///     set) ? t[i ^ receiveXor[b]] : t[i];
  ///  4. result register i is t[receiveOrder[i]].
  llvm::SmallVector<unsigned> sendOrder, sendRegister, roundLane, receiveOrder;
  unsigned laneFrom[5] = {}, sendXor[5] = {}, receiveXor[5] = {};
  /// False if every lane reads itself in step 2, which then needs no shuffle.
  bool lanesMove = false;

  /// Shared: store the operand and load the result through this layout, with
  /// a block barrier between (and one before the next use of the memory).
  LinearLayout shared;
  SharedAccess store, load;
  /// Bytes of shared memory needed.
  int64_t sharedBytes = 0;

  /// A rough number of instructions per thread.
  int64_t cost = 0;
};
/// The cheapest plan. Both layouts have the same output dimensions and reach
/// all of them; none if they do not, or if blocks would have to exchange data.
std::optional<ConversionPlan> planConversion(const LinearLayout &src,
                                             const LinearLayout &dst,
                                             unsigned elementBits);

} // namespace shoal

#endif // SHOAL_CODEGEN_GPU_SHAREDLAYOUTS_H
