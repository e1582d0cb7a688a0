// Kernels that a library on the GPU's machine does as well: cuFFT, cuSOLVER,
// cuBLAS. The package holds both, and the runtime takes the library where it is
// installed.
#ifndef SHOAL_LIB_CODEGEN_GPU_LIBRARYCALLS_H
#define SHOAL_LIB_CODEGEN_GPU_LIBRARYCALLS_H

#include "shoal/Codegen/CPU/KernelCompiler.h"

#include <string>

namespace shoal::gpu {

/// The call that does what the kernel does, as runtime/cuda/math/MathCall.h
/// reads it ("fft kind=1 double=0 batch=4 lengths=8,16"), or "". Where a call
/// for each matrix would be slower than the kernel there is none.
std::string describeLibraryCall(const KernelSource &source);

} // namespace shoal::gpu

#endif // SHOAL_LIB_CODEGEN_GPU_LIBRARYCALLS_H
