// The strategy that takes every kernel.
#ifndef SHOAL_LIB_CODEGEN_GPU_SIMT_SIMT_H
#define SHOAL_LIB_CODEGEN_GPU_SIMT_SIMT_H

#include "shoal/Codegen/GPU/Strategy.h"

namespace shoal::gpu {
const Strategy &getSimtStrategy();
} // namespace shoal::gpu

#endif // SHOAL_LIB_CODEGEN_GPU_SIMT_SIMT_H
