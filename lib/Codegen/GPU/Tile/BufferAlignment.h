// How the buffers of a kernel are aligned at its launches.
#ifndef SHOAL_LIB_CODEGEN_GPU_TILE_BUFFERALIGNMENT_H
#define SHOAL_LIB_CODEGEN_GPU_TILE_BUFFERALIGNMENT_H

#include "shoal/Codegen/GPU/TileStrategy.h"

namespace shoal {

/// Sets inputAlign and outputAlign from all plan.exec of the kernel in its
/// module: whole buffers are aligned to 64 bytes, views of them as their offsets
/// and strides say. Without any (a module that is not scheduled): 64.
void findBufferAlignments(const KernelSource &kernel, TileSource &source);

} // namespace shoal

#endif // SHOAL_LIB_CODEGEN_GPU_TILE_BUFFERALIGNMENT_H
