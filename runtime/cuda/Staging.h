// Pinned host memory through which a rank's data goes to and from its device.
#ifndef SHOAL_RUNTIME_CUDA_STAGING_H
#define SHOAL_RUNTIME_CUDA_STAGING_H

#include "cuda/Device.h"

#include <cstddef>
#include <functional>

namespace shoal::cuda {

/// Two buffers in turn: one is filled or emptied while the other is copied.
/// Used by one thread, with the device's context current.
class Staging {
public:
  /// `wait` waits for an event and is false if the run has failed meanwhile.
  Staging(const Device &device, std::function<bool(CUevent)> wait)
      : device(device), wait(std::move(wait)) {}
  ~Staging();
  Staging(const Staging &) = delete;

  /// Allocates both halves, for transfers of up to `largest` bytes; larger ones
  /// go in pieces.
  CUresult allocate(size_t largest);

  /// Copies host memory of any kind to the device. Returns when `from` may be
  /// changed; the device's side is ordered by the stream.
  CUresult upload(CUdeviceptr to, const std::byte *from, size_t bytes,
                  CUstream stream);
  /// Copies to host memory of any kind; returns when it is there.
  CUresult download(std::byte *to, CUdeviceptr from, size_t bytes,
                    CUstream stream);

private:
  CUresult waitFor(int half);
  const Device &device;
  std::function<bool(CUevent)> wait;
  static constexpr size_t most = size_t{8} << 20;
  size_t size = 0;
  std::byte *memory[2] = {};
  CUevent events[2] = {};
  bool busy[2] = {};
};

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_STAGING_H
