// The tile level of GPU code generation: kernels to tile.func, to LLVM IR.
#ifndef SHOAL_CODEGEN_GPU_TILECOMPILER_H
#define SHOAL_CODEGEN_GPU_TILECOMPILER_H

#include "dialects/Tile/Tile.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/IR/Region.h"
#include "llvm/ADT/SmallVector.h"

#include <array>
#include <memory>
#include <optional>
#include <string>

namespace llvm {
class Module;
}

namespace shoal {

/// What kernels are made for.
struct TileTarget {
  /// 80, 89, 90, 100, …
  unsigned sm = 80;
  /// Architecture-specific instructions are there (sm_90a, sm_100a).
  bool archSpecific = false;
  /// Multiprocessors, to fill (H100: 132); a guess where it is not known.
  unsigned multiprocessors = 132;
  /// Largest dynamic shared memory of a block, in bytes.
  int64_t maxSharedBytes = 163 * 1024;
  /// Products of f32 with precision DEFAULT may run in tf32.
  bool allowTf32 = false;
};

/// What the launcher must know; the kernel's arguments are those that gpu.md
/// fixes: buffers, i64 scalars, the workspace.
struct TileKernelInfo {
  std::array<int64_t, 3> grid = {1, 1, 1};
  int64_t block = 32;
  std::array<int64_t, 3> cluster = {1, 1, 1};
  int64_t sharedBytes = 0;
  int64_t scratchBytes = 0;
  bool scratchZeroed = false;
};

/// A kernel as lib/Fuse made it (plan.kernel's body), for the strategies.
struct TileSource {
  std::string symbol;
  mlir::Region *body = nullptr;
  /// For each block argument whether it is a host scalar.
  llvm::SmallVector<bool> scalarInputs;
  /// Pairs (output, block argument) that may be one buffer.
  llvm::SmallVector<std::pair<unsigned, unsigned>> mayOverwrite;
  /// Alignment in bytes that the addresses of block arguments and of outputs
  /// are known to have at every launch; empty: 64. (plan.view operands may be
  /// aligned to their element only.)
  llvm::SmallVector<int64_t> inputAlign, outputAlign;
};

/// Writes the kernel as tile.func ops at the end of `module`, one per launch (all
/// take the same arguments; the first is called `symbol`), by the first strategy
/// that takes it: elementwise, rows, columns. Empty, without a diagnostic, if
/// none does: it is a kernel for another level then.
llvm::SmallVector<tile::FuncOp> makeTileFuncs(const TileSource &source,
                                              const TileTarget &target,
                                              mlir::ModuleOp module);

/// If makeTileFuncs takes the kernel.
bool canBeTileFuncs(const TileSource &source);

/// Gives every tile of the function a layout.
mlir::LogicalResult assignTileLayouts(tile::FuncOp func);

/// Emits a kernel whose tiles have layouts into an LLVM module for NVPTX (data
/// layout and triple set by the caller). KernelMath's functions and the
/// shoal_ptx_* ones are only declared; `@shoal_smem` is declared if needed.
mlir::FailureOr<TileKernelInfo> lowerTileFunc(tile::FuncOp func,
                                              llvm::Module &module,
                                              const TileTarget &target);


} // namespace shoal

#endif // SHOAL_CODEGEN_GPU_TILECOMPILER_H
