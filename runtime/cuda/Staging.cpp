#include "cuda/Staging.h"

#include <algorithm>
#include <cstring>

namespace shoal::cuda {

CUresult Staging::allocate(size_t largest) {
  size = std::clamp<size_t>(largest, 64, most);
  for (int h = 0; h < 2; ++h) {
    void *pointer = nullptr;
    if (CUresult r = device.driver.memHostAlloc(&pointer, size,
                                                CU_MEMHOSTALLOC_PORTABLE))
      return r;
    memory[h] = static_cast<std::byte *>(pointer);
    if (CUresult r =
            device.driver.eventCreate(&events[h], CU_EVENT_DISABLE_TIMING))
      return r;
  }
  return CUDA_SUCCESS;
}

Staging::~Staging() {
  for (int h = 0; h < 2; ++h) {
    if (memory[h])
      device.driver.memFreeHost(memory[h]);
    if (events[h])
      device.driver.eventDestroy(events[h]);
  }
}

CUresult Staging::waitFor(int half) {
  if (!busy[half])
    return CUDA_SUCCESS;
  if (!wait(events[half]))
    return CUDA_ERROR_NOT_READY;
  busy[half] = false;
  return CUDA_SUCCESS;
}

CUresult Staging::upload(CUdeviceptr to, const std::byte *from, size_t bytes,
                         CUstream stream) {
  for (int half = 0; bytes > 0; half ^= 1) {
    size_t n = std::min(bytes, size);
    if (CUresult r = waitFor(half))
      return r;
    std::memcpy(memory[half], from, n);
    if (CUresult r = device.driver.memcpyHtoDAsync(to, memory[half], n, stream))
      return r;
    if (CUresult r = device.driver.eventRecord(events[half], stream))
      return r;
    busy[half] = true;
    to += n;
    from += n;
    bytes -= n;
  }
  return CUDA_SUCCESS;
}

CUresult Staging::download(std::byte *to, CUdeviceptr from, size_t bytes,
                           CUstream stream) {
  // What is being copied into each half.
  std::byte *target[2] = {};
  size_t length[2] = {};
  auto take = [&](int half) {
    if (CUresult r = waitFor(half))
      return r;
    if (length[half])
      std::memcpy(target[half], memory[half], length[half]);
    length[half] = 0;
    return CUDA_SUCCESS;
  };
  int half = 0;
  for (; bytes > 0; half ^= 1) {
    size_t n = std::min(bytes, size);
    if (CUresult r = take(half))
      return r;
    if (CUresult r =
            device.driver.memcpyDtoHAsync(memory[half], from, n, stream))
      return r;
    if (CUresult r = device.driver.eventRecord(events[half], stream))
      return r;
    busy[half] = true;
    target[half] = to;
    length[half] = n;
    to += n;
    from += n;
    bytes -= n;
  }
  if (CUresult r = take(half))
    return r;
  return take(half ^ 1);
}

} // namespace shoal::cuda
