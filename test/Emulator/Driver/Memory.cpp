// Device and pinned memory, copies and fills.
#include "State.h"

#include <cstring>
#include <sys/mman.h>

using namespace shoal::standin;

static size_t mapped(size_t bytes) { return (bytes + 8191) / 4096 * 4096; }

/// Ends at the end of a page as far as alignment allows, and an unmapped page
/// follows.
static void *allocate(size_t bytes) {
  size_t size = mapped(bytes);
  void *region = mmap(nullptr, size + 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (region == MAP_FAILED)
    return nullptr;
  mprotect(static_cast<char *>(region) + size, 4096, PROT_NONE);
  return region;
}

const Allocation *shoal::standin::findMemory(uintptr_t address, size_t bytes) {
  auto &memory = state().memory;
  auto after = memory.upper_bound(address);
  if (after == memory.begin())
    return nullptr;
  const auto &[base, allocation] = *std::prev(after);
  return address + bytes <= base + allocation.bytes ? &allocation : nullptr;
}

CUresult shoal::standin::checkDeviceMemory(Device *device, uintptr_t address,
                                           size_t bytes, const char *what) {
  std::unique_lock guard(state().lock);
  const Allocation *found = findMemory(address, bytes);
  if (found && (found->device == device || !found->device ||
                device->peers[found->device->ordinal]))
    return CUDA_SUCCESS;
  guard.unlock();
  return violation("%s: %zu bytes at %p are %s", what, bytes, (void *)address,
                   found ? "on another device, whose memory this one was not "
                           "given access to"
                         : "in no allocation");
}

static CUresult checkPinned(uintptr_t address, size_t bytes, const char *what) {
  std::unique_lock guard(state().lock);
  const Allocation *found = findMemory(address, bytes);
  if (found && !found->device)
    return CUDA_SUCCESS;
  guard.unlock();
  return violation("%s: %zu bytes at %p are not in pinned host memory", what,
                   bytes, (void *)address);
}

static Access range(uintptr_t address, size_t bytes, bool write) {
  return {address, address + bytes, write};
}

static CUresult copy(Stream *stream, uintptr_t to, uintptr_t from, size_t bytes,
                     const char *what) {
  if (bytes == 0)
    return CUDA_SUCCESS;
  auto work = std::make_shared<Work>();
  work->what = what;
  work->accesses = {range(to, bytes, true), range(from, bytes, false)};
  work->run = [=] {
    std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from),
                 bytes);
    return CUDA_SUCCESS;
  };
  return issue(stream, std::move(work));
}

template <typename T>
static CUresult fill(CUdeviceptr to, T value, size_t count, CUstream stream) {
  Stream *s = toStream(stream);
  if (CUresult error = checkStream(s, "cuMemsetAsync"))
    return error;
  size_t bytes = count * sizeof(T);
  if (to % sizeof(T))
    return violation("cuMemsetAsync: %p is not a multiple of %zu", (void *)to,
                     sizeof(T));
  if (CUresult error = checkDeviceMemory(s->device, to, bytes, "cuMemsetAsync"))
    return error;
  auto work = std::make_shared<Work>();
  work->what = "a fill";
  work->accesses = {range(to, bytes, true)};
  work->run = [=] {
    std::fill_n(reinterpret_cast<T *>(to), count, value);
    return CUDA_SUCCESS;
  };
  return issue(s, std::move(work));
}

extern "C" {

CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  if (!current())
    return CUDA_ERROR_INVALID_CONTEXT;
  if (CUresult error = current()->error)
    return error;
  std::lock_guard guard(state().lock);
  *total = state().memoryBytes;
  *free = *total - std::min(*total, current()->used);
  return CUDA_SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes) {
  State &s = state();
  Device *device = current();
  if (!device)
    return CUDA_ERROR_INVALID_CONTEXT;
  if (device->error)
    return device->error;
  if (bytes == 0)
    return CUDA_ERROR_INVALID_VALUE;
  std::lock_guard guard(s.lock);
  if (s.fault == "oom" && ++s.allocations == s.faultAt)
    return CUDA_ERROR_OUT_OF_MEMORY;
  if (device->used + bytes > s.memoryBytes)
    return CUDA_ERROR_OUT_OF_MEMORY;
  void *memory = allocate(bytes);
  if (!memory)
    return CUDA_ERROR_OUT_OF_MEMORY;
  // Nothing may rely on fresh memory being zero.
  std::memset(memory, 0xff, bytes);
  device->used += bytes;
  s.memory[reinterpret_cast<uintptr_t>(memory)] = {bytes, device};
  shoal_emu_add_memory(memory, bytes, "device memory");
  *pointer = reinterpret_cast<CUdeviceptr>(memory);
  return CUDA_SUCCESS;
}

static CUresult release(uintptr_t address, bool device) {
  State &s = state();
  std::unique_lock guard(s.lock);
  auto found = s.memory.find(address);
  if (found == s.memory.end() || (found->second.device != nullptr) != device) {
    guard.unlock();
    return violation("%p is freed and was not allocated", (void *)address);
  }
  Allocation allocation = found->second;
  WorkPtr user = s.history.pending(address, address + allocation.bytes);
  s.memory.erase(found);
  if (allocation.device)
    allocation.device->used -= allocation.bytes;
  guard.unlock();
  if (user)
    return violation("%p is freed while %s may still use it", (void *)address,
                     user->what.c_str());
  shoal_emu_remove_memory(reinterpret_cast<void *>(address));
  munmap(reinterpret_cast<void *>(address), mapped(allocation.bytes) + 4096);
  return CUDA_SUCCESS;
}

CUresult cuMemFree_v2(CUdeviceptr pointer) {
  return pointer ? release(pointer, true) : CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void **pointer, size_t bytes, unsigned) {
  if (!current())
    return CUDA_ERROR_INVALID_CONTEXT;
  void *memory = bytes ? allocate(bytes) : nullptr;
  if (!memory)
    return CUDA_ERROR_OUT_OF_MEMORY;
  std::lock_guard guard(state().lock);
  state().memory[reinterpret_cast<uintptr_t>(memory)] = {bytes, nullptr};
  shoal_emu_add_memory(memory, bytes, "pinned host memory");
  *pointer = memory;
  return CUDA_SUCCESS;
}
CUresult cuMemFreeHost(void *pointer) {
  return release(reinterpret_cast<uintptr_t>(pointer), false);
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes,
                              CUstream stream) {
  Stream *s = toStream(stream);
  const char *what = "a copy from the host";
  CUresult error = checkStream(s, what);
  if (!error && bytes)
    error = checkDeviceMemory(s->device, to, bytes, what);
  if (!error && bytes)
    error = checkPinned(reinterpret_cast<uintptr_t>(from), bytes, what);
  return error ? error
               : copy(s, to, reinterpret_cast<uintptr_t>(from), bytes, what);
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes,
                              CUstream stream) {
  Stream *s = toStream(stream);
  const char *what = "a copy to the host";
  CUresult error = checkStream(s, what);
  if (!error && bytes)
    error = checkDeviceMemory(s->device, from, bytes, what);
  if (!error && bytes)
    error = checkPinned(reinterpret_cast<uintptr_t>(to), bytes, what);
  return error ? error
               : copy(s, reinterpret_cast<uintptr_t>(to), from, bytes, what);
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes,
                              CUstream stream) {
  Stream *s = toStream(stream);
  const char *what = "a copy on the device";
  CUresult error = checkStream(s, what);
  if (!error && bytes)
    error = checkDeviceMemory(s->device, to, bytes, what);
  if (!error && bytes)
    error = checkDeviceMemory(s->device, from, bytes, what);
  if (!error && to < from + bytes && from < to + bytes && bytes)
    error = violation("%s overlaps itself", what);
  return error ? error : copy(s, to, from, bytes, what);
}

CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext toContext,
                           CUdeviceptr from, CUcontext fromContext,
                           size_t bytes, CUstream stream) {
  Stream *s = toStream(stream);
  const char *what = "a copy between devices";
  CUresult error = checkStream(s, what);
  if (!error && bytes)
    error = checkDeviceMemory(reinterpret_cast<Device *>(toContext), to, bytes,
                              what);
  if (!error && bytes)
    error = checkDeviceMemory(reinterpret_cast<Device *>(fromContext), from,
                              bytes, what);
  return error ? error : copy(s, to, from, bytes, what);
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count,
                         CUstream stream) {
  return fill<uint8_t>(to, value, count, stream);
}
CUresult cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t count,
                          CUstream stream) {
  return fill<uint16_t>(to, value, count, stream);
}
CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count,
                          CUstream stream) {
  return fill<uint32_t>(to, value, count, stream);
}

int shoal_standin_check_memory(void *stream, const void *address, size_t bytes,
                               const char *what) {
  return checkDeviceMemory(static_cast<Stream *>(stream)->device,
                           reinterpret_cast<uintptr_t>(address), bytes, what);
}
}
