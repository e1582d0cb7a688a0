// Memory in address ranges of its own, and multicast objects over it.
#include "State.h"

#include "cuda/MulticastDriver.h"

#include <cstring>
#include <set>
#include <sys/mman.h>
#include <unistd.h>

using namespace shoal::standin;

extern "C" void shoal_emu_add_multicast(const void *base, uint64_t bytes,
                                        void *const *members, uint32_t count);
extern "C" void shoal_emu_remove_multicast(const void *base);

namespace {
constexpr size_t granularity = 2 << 20;

/// Memory of a device, or a multicast object.
struct Object {
  size_t bytes = 0;
  Device *device = nullptr; ///< null: multicast
  int file = -1;
  unsigned wanted = 0;            ///< devices of a multicast object
  std::set<int> devices;          ///< added
  std::map<int, uint64_t> memory; ///< bound, by device
  bool released = false;
  int users = 0; ///< mappings and multicast objects
};
struct Mapping {
  size_t bytes;
  uint64_t object;
  bool accessible = false;
};
std::mutex lock;
std::map<uint64_t, Object> objects;
std::map<uintptr_t, size_t> ranges;
std::map<uintptr_t, Mapping> mappings;
uint64_t nextObject = 1;

Object *find(uint64_t handle, const char *what) {
  auto it = objects.find(handle);
  if (it != objects.end() && !it->second.released)
    return &it->second;
  violation("%s: no memory and no multicast object", what);
  return nullptr;
}

void dropIfUnused(uint64_t handle) {
  Object &object = objects[handle];
  if (!object.released || object.users)
    return;
  if (object.device) {
    std::lock_guard guard(state().lock);
    object.device->used -= object.bytes;
  }
  if (object.file >= 0)
    close(object.file);
  objects.erase(handle);
}
} // namespace

extern "C" {

CUresult cuMulticastGetGranularity(size_t *result,
                                   const CUmulticastObjectProp *prop, int) {
  if (prop->numDevices < 1 || !prop->size)
    return CUDA_ERROR_INVALID_VALUE;
  *result = granularity;
  return CUDA_SUCCESS;
}

CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, size_t bytes,
                     const CUmemAllocationProp *prop, unsigned long long) {
  State &s = state();
  if (prop->type != CU_MEM_ALLOCATION_TYPE_PINNED ||
      prop->location.type != CU_MEM_LOCATION_TYPE_DEVICE ||
      prop->location.id < 0 || size_t(prop->location.id) >= s.devices.size() ||
      !bytes || bytes % granularity)
    return violation("cuMemCreate: arguments that are not allowed");
  Device *device = s.devices[prop->location.id].get();
  {
    std::lock_guard guard(s.lock);
    if (s.fault == "oom" && ++s.allocations == s.faultAt)
      return CUDA_ERROR_OUT_OF_MEMORY;
    if (device->used + bytes > s.memoryBytes)
      return CUDA_ERROR_OUT_OF_MEMORY;
    device->used += bytes;
  }
  std::lock_guard guard(lock);
  Object &object = objects[nextObject];
  object.bytes = bytes;
  object.device = device;
  object.file = memfd_create("shoal-device-memory", 0);
  if (object.file < 0 || ftruncate(object.file, off_t(bytes)))
    return CUDA_ERROR_OUT_OF_MEMORY;
  *handle = nextObject++;
  return CUDA_SUCCESS;
}

CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
  std::lock_guard guard(lock);
  Object *object = find(handle, "cuMemRelease");
  if (!object)
    return CUDA_ERROR_INVALID_VALUE;
  object->released = true;
  dropIfUnused(handle);
  return CUDA_SUCCESS;
}

CUresult cuMemAddressReserve(CUdeviceptr *pointer, size_t bytes, size_t, //
                             CUdeviceptr, unsigned long long) {
  if (!bytes || bytes % granularity)
    return violation("cuMemAddressReserve: %zu bytes", bytes);
  void *region = mmap(nullptr, bytes + 4096, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (region == MAP_FAILED)
    return CUDA_ERROR_OUT_OF_MEMORY;
  std::lock_guard guard(lock);
  ranges[reinterpret_cast<uintptr_t>(region)] = bytes;
  *pointer = reinterpret_cast<CUdeviceptr>(region);
  return CUDA_SUCCESS;
}

CUresult cuMemAddressFree(CUdeviceptr pointer, size_t bytes) {
  std::lock_guard guard(lock);
  auto it = ranges.find(pointer);
  if (it == ranges.end() || it->second != bytes || mappings.count(pointer))
    return violation("cuMemAddressFree: not reserved so, or still mapped");
  munmap(reinterpret_cast<void *>(pointer), bytes + 4096);
  ranges.erase(it);
  return CUDA_SUCCESS;
}

CUresult cuMemMap(CUdeviceptr pointer, size_t bytes, size_t offset,
                  CUmemGenericAllocationHandle handle, unsigned long long) {
  std::lock_guard guard(lock);
  Object *object = find(handle, "cuMemMap");
  auto range = ranges.find(pointer);
  if (!object)
    return CUDA_ERROR_INVALID_VALUE;
  if (range == ranges.end() || range->second != bytes || offset ||
      bytes != object->bytes || mappings.count(pointer))
    return violation("cuMemMap: not a reserved range of the object's size");
  mappings[pointer] = {bytes, handle};
  ++object->users;
  return CUDA_SUCCESS;
}

CUresult cuMemSetAccess(CUdeviceptr pointer, size_t bytes,
                        const CUmemAccessDesc *access, size_t count) {
  std::unique_lock guard(lock);
  auto it = mappings.find(pointer);
  if (it == mappings.end() || it->second.bytes != bytes ||
      it->second.accessible)
    return violation("cuMemSetAccess: nothing is mapped there, or twice");
  Object &object = objects[it->second.object];
  std::set<int> users;
  for (size_t i = 0; i < count; ++i) {
    if (access[i].location.type != CU_MEM_LOCATION_TYPE_DEVICE ||
        access[i].flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
      return violation("cuMemSetAccess: arguments that are not allowed");
    users.insert(access[i].location.id);
  }
  void *base = reinterpret_cast<void *>(pointer);
  it->second.accessible = true;
  if (object.device) {
    if (!users.count(object.device->ordinal))
      return violation("cuMemSetAccess: the owner gets no access");
    if (mmap(base, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
             object.file, 0) == MAP_FAILED)
      return CUDA_ERROR_OUT_OF_MEMORY;
    std::memset(base, 0xff, bytes); // nothing may rely on zeros
    std::lock_guard inner(state().lock);
    state().memory[pointer] = {bytes, object.device};
    shoal_emu_add_memory(base, bytes, "device memory");
    return CUDA_SUCCESS;
  }
  if (object.memory.size() != object.wanted || users != object.devices)
    return violation("a multicast object is used before each of its devices "
                     "has bound memory and gets access");
  // Members are where their memory is mapped.
  std::vector<void *> members;
  for (auto [device, memory] : object.memory)
    for (auto &[address, mapping] : mappings)
      if (mapping.object == memory && mapping.accessible)
        members.push_back(reinterpret_cast<void *>(address));
  if (members.size() != object.wanted)
    return violation("memory of a multicast object is not mapped once");
  shoal_emu_add_multicast(base, bytes, members.data(), members.size());
  return CUDA_SUCCESS;
}

CUresult cuMemUnmap(CUdeviceptr pointer, size_t bytes) {
  std::lock_guard guard(lock);
  auto it = mappings.find(pointer);
  if (it == mappings.end() || it->second.bytes != bytes)
    return violation("cuMemUnmap: nothing is mapped there");
  uint64_t handle = it->second.object;
  Object &object = objects[handle];
  void *base = reinterpret_cast<void *>(pointer);
  if (it->second.accessible && object.device) {
    std::unique_lock inner(state().lock);
    WorkPtr user = state().history.pending(pointer, pointer + bytes);
    state().memory.erase(pointer);
    inner.unlock();
    if (user)
      return violation("%p is unmapped while %s may still use it", base,
                       user->what.c_str());
    shoal_emu_remove_memory(base);
    mmap(base, bytes, PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  } else if (it->second.accessible) {
    shoal_emu_remove_multicast(base);
  }
  mappings.erase(it);
  --object.users;
  dropIfUnused(handle);
  return CUDA_SUCCESS;
}

CUresult cuMulticastCreate(CUmemGenericAllocationHandle *handle,
                           const CUmulticastObjectProp *prop) {
  if (prop->numDevices < 2 || !prop->size || prop->size % granularity)
    return violation("cuMulticastCreate: %u devices, %zu bytes",
                     prop->numDevices, prop->size);
  std::lock_guard guard(lock);
  Object &object = objects[nextObject];
  object.bytes = prop->size;
  object.wanted = prop->numDevices;
  *handle = nextObject++;
  return CUDA_SUCCESS;
}

CUresult cuMulticastAddDevice(CUmemGenericAllocationHandle handle,
                              CUdevice device) {
  std::lock_guard guard(lock);
  Object *object = find(handle, "cuMulticastAddDevice");
  if (!object)
    return CUDA_ERROR_INVALID_VALUE;
  if (object->device || !object->memory.empty() ||
      object->devices.size() == object->wanted ||
      !object->devices.insert(device).second)
    return violation("cuMulticastAddDevice: device %d is there already, is one "
                     "too many, or memory is bound already",
                     device);
  return CUDA_SUCCESS;
}

CUresult cuMulticastBindMem(CUmemGenericAllocationHandle handle, size_t offset,
                            CUmemGenericAllocationHandle memoryHandle,
                            size_t memoryOffset, size_t bytes,
                            unsigned long long) {
  std::lock_guard guard(lock);
  Object *object = find(handle, "cuMulticastBindMem");
  Object *memory = find(memoryHandle, "cuMulticastBindMem");
  if (!object || !memory)
    return CUDA_ERROR_INVALID_VALUE;
  if (object->device || !memory->device || offset || memoryOffset ||
      bytes != object->bytes || bytes != memory->bytes)
    return violation("cuMulticastBindMem: parts, which this stand-in does not "
                     "know");
  if (object->devices.size() != object->wanted ||
      !object->devices.count(memory->device->ordinal))
    return violation("cuMulticastBindMem: before all devices are added");
  if (!object->memory.emplace(memory->device->ordinal, memoryHandle).second)
    return violation("cuMulticastBindMem: device %d has bound memory already",
                     memory->device->ordinal);
  ++memory->users;
  return CUDA_SUCCESS;
}

CUresult cuMulticastUnbind(CUmemGenericAllocationHandle handle, CUdevice device,
                           size_t, size_t) {
  std::lock_guard guard(lock);
  Object *object = find(handle, "cuMulticastUnbind");
  if (!object)
    return CUDA_ERROR_INVALID_VALUE;
  auto it = object->memory.find(device);
  if (it == object->memory.end())
    return violation("cuMulticastUnbind: device %d has bound no memory",
                     device);
  uint64_t memory = it->second;
  object->memory.erase(it);
  --objects[memory].users;
  dropIfUnused(memory);
  return CUDA_SUCCESS;
}
}
