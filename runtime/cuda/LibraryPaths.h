// Where NVIDIA's Python packages put their libraries.
#ifndef SHOAL_RUNTIME_CUDA_LIBRARYPATHS_H
#define SHOAL_RUNTIME_CUDA_LIBRARYPATHS_H

#include <initializer_list>
#include <string>
#include <vector>

namespace shoal::cuda {

/// Files there are of these ("nccl/lib/libnccl.so.2": paths below
/// site-packages/nvidia, wildcards allowed), in the active virtual environment
/// and in the one that Shoal's set-up makes beside the build tree.
std::vector<std::string>
packagedLibraries(std::initializer_list<const char *> patterns);

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_LIBRARYPATHS_H
