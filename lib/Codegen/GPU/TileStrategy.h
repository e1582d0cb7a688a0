// The strategies of the tile level.
#ifndef SHOAL_LIB_CODEGEN_GPU_TILESTRATEGY_H
#define SHOAL_LIB_CODEGEN_GPU_TILESTRATEGY_H

#include "shoal/Codegen/GPU/Strategy.h"

namespace shoal::gpu {
/// dot_general and convolution with what is fused around them.
const Strategy &getContractionStrategy();
/// softmax(queries · keys) · values without the scores in memory.
const Strategy &getAttentionStrategy();
/// Elementwise ops and reductions of rows and columns, in one pass over memory
/// where it fits.
const Strategy &getFusedStrategy();
} // namespace shoal::gpu

#endif // SHOAL_LIB_CODEGEN_GPU_TILESTRATEGY_H
