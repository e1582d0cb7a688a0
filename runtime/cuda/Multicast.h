// Memory that multicast objects may bind, and such objects: an address that
// stands for the same place in the memory of several GPUs (NVLink SHARP). The
// functions of the driver are optional: found when first asked for.
#ifndef SHOAL_RUNTIME_CUDA_MULTICAST_H
#define SHOAL_RUNTIME_CUDA_MULTICAST_H

#include "cuda/Device.h"
#include "cuda/MulticastDriver.h"

#include <memory>
#include <span>
#include <vector>

namespace shoal::cuda {

/// Whether all of them can take part, and there are several.
bool supportsMulticast(std::span<const std::unique_ptr<Device>> devices);

/// An address range with memory behind it that some devices may use.
class MappedMemory {
public:
  ~MappedMemory();
  MappedMemory(const MappedMemory &) = delete;
  /// `bytes` of `owner`'s memory, rounded up so that multicast objects of these
  /// devices can bind all of it; every device may use it. Null: not possible.
  static std::unique_ptr<MappedMemory>
  allocate(const Device &owner,
           std::span<const std::unique_ptr<Device>> devices, size_t bytes);

  CUdeviceptr base = 0;
  size_t bytes = 0;
  CUmemGenericAllocationHandle handle = 0;
  const Device &device;

private:
  MappedMemory(const Device &device, const MulticastDriver &driver)
      : device(device), driver(driver) {}
  const MulticastDriver &driver;
  bool created = false, mapped = false;
};

/// A multicast object over whole memories of equal size, one for each device.
/// Address base + x stands for base + x in each of them.
class MulticastWindow {
public:
  ~MulticastWindow();
  MulticastWindow(const MulticastWindow &) = delete;
  static std::unique_ptr<MulticastWindow>
  make(std::span<const MappedMemory *const> memories);

  CUdeviceptr base = 0;

private:
  MulticastWindow(std::span<const MappedMemory *const> memories,
                  const MulticastDriver &driver)
      : memories(memories.begin(), memories.end()), driver(driver) {}
  std::vector<const MappedMemory *> memories;
  const MulticastDriver &driver;
  CUmemGenericAllocationHandle handle = 0;
  size_t bytes = 0, bound = 0;
  bool created = false, mapped = false;
};

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_MULTICAST_H
