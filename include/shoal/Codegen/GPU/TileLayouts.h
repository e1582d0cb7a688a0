//===- TileLayouts.h - Register layouts of tiles and of mma fragments -----===//
//
// Builders of the layouts that kernels use. All map (register, lane, warp,
// block) to (dim0, dim1, …); a warp has 32 lanes; every input dimension is
// there, of size 1 where it has no bits. Tensor sizes are powers of two.
//
//===----------------------------------------------------------------------===//

#ifndef SHOAL_CODEGEN_GPU_TILELAYOUTS_H
#define SHOAL_CODEGEN_GPU_TILELAYOUTS_H

#include "shoal/Codegen/GPU/LinearLayout.h"

namespace shoal {

/// A layout of exactly `shape`: where the layout is smaller, registers repeat
/// it (minor dimension of `order` first); where it is larger, the bits beyond
/// become broadcast. `order` lists dimensions from the fastest to the slowest.
LinearLayout fitToShape(const LinearLayout &layout,
                        llvm::ArrayRef<int64_t> shape,
                        llvm::ArrayRef<unsigned> order);

/// Each thread owns sizePerThread consecutive elements, a warp
/// threadsPerWarp such pieces, a block warpsPerBlock such warps, all laid out
/// along `order` (fastest dimension first), fitted to `shape`.
LinearLayout blockedLayout(llvm::ArrayRef<int64_t> shape,
                           llvm::ArrayRef<int64_t> sizePerThread,
                           llvm::ArrayRef<int64_t> threadsPerWarp,
                           llvm::ArrayRef<int64_t> warpsPerBlock,
                           llvm::ArrayRef<unsigned> order);

/// The coalesced layout: `vector` consecutive elements per thread in the
/// fastest dimension, then lanes, then warps along `order`.
LinearLayout coalescedLayout(llvm::ArrayRef<int64_t> shape, int64_t vector,
                             int64_t warps, llvm::ArrayRef<unsigned> order);

/// The layout of the reduction of `layout` over dimension `dim`: the dimension
/// is dropped, and the ones behind it move up one name. Its owners hold copies.
LinearLayout sliceLayout(const LinearLayout &layout, unsigned dim);

/// A layout for a tensor with a unit dimension inserted at `dim`, the inverse
/// of a slice as far as names go.
LinearLayout expandDimsLayout(const LinearLayout &layout, unsigned dim);

/// The tensor transposed: result dimension i is operand dimension perm[i].
LinearLayout transposeLayout(const LinearLayout &layout,
                             llvm::ArrayRef<unsigned> perm);

/// The tensor reshaped, row-major.
LinearLayout reshapeLayout(const LinearLayout &layout,
                           llvm::ArrayRef<int64_t> shape);

/// A warp-level mma.sync instruction. `m`, `n`, `k` elements; `bits` of an
/// operand element, which decides how many share a 32-bit register.
struct MmaShape {
  unsigned m, n, k, bits;
  bool operator==(const MmaShape &) const = default;
};
inline constexpr MmaShape kMma16{16, 8, 16, 16}; // bf16, f16
inline constexpr MmaShape kMmaTf32{16, 8, 8, 32};
inline constexpr MmaShape kMma8{16, 8, 32, 8}; // fp8, int8
inline constexpr MmaShape kMmaF64{8, 8, 4, 64};

enum class MmaOperand { A, B, C };

/// The fragment of one instruction: registers and lanes to A (m x k),
/// B (k x n) or C (m x n). Register order is the instruction's operand order.
LinearLayout mmaFragment(MmaShape mma, MmaOperand operand);

/// The fragments of a block tile of `shape` (A: m x k, B: k x n, C: m x n) by
/// warpsM x warpsN warps, warp index = m + n·warpsM (m fastest). Registers:
/// the instruction's, then repetitions along k (A, B) or n (C), then along m
/// or n (A, B) or m (C). Warps are neighbours: warp i starts at row i·m, so
/// repetitions stride over all warps.
LinearLayout mmaLayout(MmaShape mma, MmaOperand operand,
                       llvm::ArrayRef<int64_t> shape, int64_t warpsM,
                       int64_t warpsN);

/// Registers bits (positions) that walk 1, 2, 4, … along the contiguous
/// dimension `dim` and can so be one vector access of at most `maxElements`.
/// The layout's other inputs are aligned to the vector by construction.
llvm::SmallVector<unsigned> vectorRegisterBits(const LinearLayout &layout,
                                               unsigned dim,
                                               int64_t maxElements);

/// Number of elements of the widest vector access along dimension `dim`, at
/// most maxBits / elementBits.
int64_t vectorWidth(const LinearLayout &layout, unsigned dim,
                    unsigned elementBits, unsigned maxBits = 128);

} // namespace shoal

#endif // SHOAL_CODEGEN_GPU_TILELAYOUTS_H
