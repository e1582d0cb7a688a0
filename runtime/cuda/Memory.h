// Which device memory a run needs: one allocation per device, divided before
// anything starts.
#ifndef SHOAL_RUNTIME_CUDA_MEMORY_H
#define SHOAL_RUNTIME_CUDA_MEMORY_H

#include "cuda/Device.h"
#include "cuda/Transport.h"

#include <map>

namespace shoal::cuda {

/// The memory of all ranks of one device.
struct DeviceArena {
  static constexpr size_t alignment = 256;
  size_t size = 0;
  CUdeviceptr base = 0;
  /// Constants that ranks of the device share: by constant and first index of
  /// the block. `owner` uploads it.
  struct SharedConstant {
    size_t offset;
    int64_t owner;
  };
  std::map<std::pair<uint32_t, std::vector<int64_t>>, SharedConstant> constants;

  size_t add(size_t bytes) {
    size_t at = size;
    size +=
        (std::max<size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
    return at;
  }
};

class Rank;

/// What a rank has besides its slots. Offsets from the arena's base until the
/// arena is there.
struct RankMemory {
  size_t arena = 0, arenaBytes = 0;
  /// Scratch of kernels, one for each stream, whose launches follow each other.
  std::vector<size_t> scratch, scratchBytes;
  /// Of collectives, which follow each other on the device.
  size_t workspace = 0, workspaceBytes = 0;
  size_t largestTransfer = 0;
};

/// Sizes of a rank's scratch and workspace, from a walk over its
/// instructions. The stream for collectives is the last.
RankMemory measure(const program::View &program, const Transport &transport,
                   const Rank &rank);

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_MEMORY_H
