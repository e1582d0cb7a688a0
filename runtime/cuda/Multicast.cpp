#include "cuda/Multicast.h"

namespace shoal::cuda {

const MulticastDriver *MulticastDriver::get(const Driver &driver) {
  static const MulticastDriver *const found = [&]() -> const MulticastDriver * {
    static MulticastDriver functions;
    bool good = true;
#define SHOAL_LOAD(symbol, name, parameters)                                   \
  functions.name =                                                             \
      reinterpret_cast<decltype(functions.name)>(driver.find(#symbol));        \
  good &= functions.name != nullptr;
    SHOAL_MULTICAST_FUNCTIONS(SHOAL_LOAD)
#undef SHOAL_LOAD
    return good ? &functions : nullptr;
  }();
  return found;
}

bool supportsMulticast(std::span<const std::unique_ptr<Device>> devices) {
  if (devices.size() < 2 || !MulticastDriver::get(devices[0]->driver))
    return false;
  for (const auto &device : devices) {
    int supported = 0;
    if (device->driver.deviceGetAttribute(
            &supported, CU_DEVICE_ATTRIBUTE_MULTICAST_SUPPORTED,
            device->handle) != CUDA_SUCCESS ||
        !supported || !device->hasMultimem())
      return false;
  }
  return true;
}

/// What multicast objects of so many devices count in; 0: not possible.
static size_t granularityOf(const MulticastDriver &driver, size_t devices,
                            size_t bytes) {
  CUmulticastObjectProp prop = {static_cast<unsigned>(devices), bytes, 0, 0};
  size_t granularity = 0;
  if (driver.multicastGranularity(&granularity, &prop,
                                  CU_MULTICAST_GRANULARITY_RECOMMENDED))
    return 0;
  return granularity;
}

std::unique_ptr<MappedMemory>
MappedMemory::allocate(const Device &owner,
                       std::span<const std::unique_ptr<Device>> devices,
                       size_t bytes) {
  const MulticastDriver &d = *MulticastDriver::get(owner.driver);
  size_t unit = granularityOf(d, devices.size(), bytes);
  if (unit == 0)
    return nullptr;
  std::unique_ptr<MappedMemory> memory(new MappedMemory(owner, d));
  memory->bytes = (bytes + unit - 1) / unit * unit;
  CUmemAllocationProp prop = {};
  prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  prop.location = {CU_MEM_LOCATION_TYPE_DEVICE, owner.handle};
  if (d.create(&memory->handle, memory->bytes, &prop, 0))
    return nullptr;
  memory->created = true;
  if (d.reserve(&memory->base, memory->bytes, unit, 0, 0)) {
    memory->base = 0;
    return nullptr;
  }
  if (d.map(memory->base, memory->bytes, 0, memory->handle, 0))
    return nullptr;
  memory->mapped = true;
  std::vector<CUmemAccessDesc> access;
  for (const auto &device : devices)
    access.push_back({{CU_MEM_LOCATION_TYPE_DEVICE, device->handle},
                      CU_MEM_ACCESS_FLAGS_PROT_READWRITE});
  if (d.setAccess(memory->base, memory->bytes, access.data(), access.size()))
    return nullptr;
  return memory;
}

MappedMemory::~MappedMemory() {
  device.makeCurrent();
  if (mapped)
    driver.unmap(base, bytes);
  if (base)
    driver.freeAddress(base, bytes);
  if (created)
    driver.release(handle);
}

std::unique_ptr<MulticastWindow>
MulticastWindow::make(std::span<const MappedMemory *const> memories) {
  const MulticastDriver &d = *MulticastDriver::get(memories[0]->device.driver);
  std::unique_ptr<MulticastWindow> window(new MulticastWindow(memories, d));
  window->bytes = memories[0]->bytes;
  size_t unit = granularityOf(d, memories.size(), window->bytes);
  for (const MappedMemory *memory : memories)
    if (memory->bytes != window->bytes || !unit || window->bytes % unit)
      return nullptr;
  CUmulticastObjectProp prop = {static_cast<unsigned>(memories.size()),
                                window->bytes, 0, 0};
  if (d.multicastCreate(&window->handle, &prop))
    return nullptr;
  window->created = true;
  // All devices before any memory.
  for (const MappedMemory *memory : memories)
    if (d.multicastAddDevice(window->handle, memory->device.handle))
      return nullptr;
  for (const MappedMemory *memory : memories) {
    memory->device.makeCurrent();
    if (d.multicastBindMem(window->handle, 0, memory->handle, 0, window->bytes,
                           0))
      return nullptr;
    ++window->bound;
  }
  if (d.reserve(&window->base, window->bytes, unit, 0, 0)) {
    window->base = 0;
    return nullptr;
  }
  if (d.map(window->base, window->bytes, 0, window->handle, 0))
    return nullptr;
  window->mapped = true;
  std::vector<CUmemAccessDesc> access;
  for (const MappedMemory *memory : memories)
    access.push_back({{CU_MEM_LOCATION_TYPE_DEVICE, memory->device.handle},
                      CU_MEM_ACCESS_FLAGS_PROT_READWRITE});
  if (d.setAccess(window->base, window->bytes, access.data(), access.size()))
    return nullptr;
  return window;
}

MulticastWindow::~MulticastWindow() {
  if (mapped)
    driver.unmap(base, bytes);
  if (base)
    driver.freeAddress(base, bytes);
  for (size_t i = 0; i < bound; ++i)
    driver.multicastUnbind(handle, memories[i]->device.handle, 0, bytes);
  if (created)
    driver.release(handle);
}

} // namespace shoal::cuda
