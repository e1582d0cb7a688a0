// What the two ways to compute a convolution share.
#ifndef SHOAL_LIB_CODEGEN_CPU_SPECIAL_CONVOLUTION_H
#define SHOAL_LIB_CODEGEN_CPU_SPECIAL_CONVOLUTION_H

#include "Special.h"
#include "Window.h"
#include "lib/Codegen/CPU/Convert.h"

#include "dialects/StableHLO/StableHLO.h"

namespace shoal::cpu {

/// Sizes of a convolution as products of matrices, from shapes only.
struct ConvolutionGeometry {
  explicit ConvolutionGeometry(mlir::stablehlo::ConvolutionOp op);

  int64_t featureGroups, batchGroups, groups;
  int64_t inFeatures, outFeatures; // of one group
  llvm::SmallVector<int64_t> positions, window;
  llvm::SmallVector<WindowDim> dims;
  int64_t rows, inner;   // of one group's product
  int64_t block, blocks; // rows in a chunk, chunks of a group
};

/// What is summed in: narrow floats in f32, all else in the result's type.
inline mlir::Type convolutionSumType(mlir::Type outType) {
  return isNarrowFloat(outType) ? mlir::Float32Type::get(outType.getContext())
                                : outType;
}

/// Groups of one input feature, in a layout that DepthwiseConvolution.cpp
/// takes.
bool isDepthwise(mlir::stablehlo::ConvolutionOp op);
void emitDepthwise(mlir::stablehlo::ConvolutionOp op, BufferEmitter &b);
int64_t depthwiseChunks(mlir::stablehlo::ConvolutionOp op);

/// f32 and bf16, both operands in memory: one call of the runtime. False, and
/// no chunks, where that does not take it.
bool emitLibraryConvolution(mlir::stablehlo::ConvolutionOp op, BufferEmitter &b);
std::optional<int64_t>
libraryConvolutionChunks(mlir::stablehlo::ConvolutionOp op);

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_SPECIAL_CONVOLUTION_H
