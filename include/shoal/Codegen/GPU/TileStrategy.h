// The tile level as GPU code generation uses it.
#ifndef SHOAL_CODEGEN_GPU_TILESTRATEGY_H
#define SHOAL_CODEGEN_GPU_TILESTRATEGY_H

#include "shoal/Codegen/GPU/Strategy.h"
#include "shoal/Codegen/GPU/TileCompiler.h"

namespace shoal {

/// All of it for functions that are the launches of one kernel: layouts where
/// they are missing, code, and what the launcher must know.
mlir::LogicalResult emitTileFuncs(llvm::ArrayRef<tile::FuncOp> functions,
                                  const TileTarget &target,
                                  llvm::Module &module,
                                  gpu::KernelCode &code);

TileSource toTileSource(const KernelSource &source);
TileTarget toTileTarget(const gpu::Chip &chip);

/// Fused elementwise ops, reductions of rows and columns, transposes.
const gpu::Strategy &getFusedTileStrategy();

} // namespace shoal

#endif // SHOAL_CODEGEN_GPU_TILESTRATEGY_H
