// Kernels with a dot_general or a convolution as tile kernels.
#ifndef SHOAL_CODEGEN_GPU_CONTRACTION_H
#define SHOAL_CODEGEN_GPU_CONTRACTION_H

#include "shoal/Codegen/GPU/TileCompiler.h"

namespace shoal {

/// Writes a kernel whose body has one dot_general or convolution, with
/// elementwise ops, broadcasts, transposes, reshapes and slices before and
/// after it, as tile.funcs with layouts at the end of `module`, one per launch
/// (the first is called `symbol`). None, without a diagnostic, for other kernels and element types without tensor core
/// instructions (integers above 8 bits, complex). Attention is taken too.
llvm::SmallVector<tile::FuncOp> makeContractionFuncs(const TileSource &source,
                                                     const TileTarget &target,
                                                     mlir::ModuleOp module);

/// The same for a body softmax(f(queries · keys)) · values, f elementwise
/// (scale, mask, bias): one kernel without the scores in memory. Grouped and
/// repeated keys are loops like others. Queries, keys and values may be moved
/// and converted first, the result be moved and changed element by element.
/// More results of the body may be the softmax's row statistics (maxima, one
/// over the sums).
///
/// And for attention's gradient, a body that computes
///   P = exp(f(queries · keys) - maxima) * inverse sums,
///   dS = g(P * (cotangent · values - D)), D one number a row, and any of
///   dS · keys, dS · queries, P · cotangent,
/// g elementwise: a kernel for the product over the keys and one or two for
/// those over the queries; each result is summed up in one order.
llvm::SmallVector<tile::FuncOp> makeAttentionFuncs(const TileSource &source,
                                                   const TileTarget &target,
                                                   mlir::ModuleOp module);

} // namespace shoal

#endif // SHOAL_CODEGEN_GPU_CONTRACTION_H
