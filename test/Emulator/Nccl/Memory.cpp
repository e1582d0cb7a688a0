// Memory that NCCL allocates or is told of, and symmetric windows.
#include "Communicator.h"

using namespace shoal::standin;

extern "C" {
CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes);
CUresult cuMemFree_v2(CUdeviceptr pointer);

/// ncclWindow_t: a buffer of each rank, of one size.
struct ncclWindow_vidmem {
  std::shared_ptr<Ring> ring;
  int rank;
  void *base;
  size_t bytes;
};
}

/// Windows by communicator and number, until all ranks have theirs.
static std::mutex windowsLock;
static std::map<std::pair<Ring *, uint64_t>, std::vector<ncclWindow_vidmem *>>
    windows;
static std::map<std::pair<Ring *, int>, uint64_t> counts;
static std::map<ncclWindow_vidmem *, uint64_t> numbers;

extern "C" {

ncclResult_t ncclMemAlloc(void **pointer, size_t bytes) {
  CUdeviceptr memory = 0;
  if (cuMemAlloc_v2(&memory, bytes))
    return ncclUnhandledCudaError;
  *pointer = reinterpret_cast<void *>(memory);
  return ncclSuccess;
}
ncclResult_t ncclMemFree(void *pointer) {
  return cuMemFree_v2(reinterpret_cast<CUdeviceptr>(pointer))
             ? ncclUnhandledCudaError
             : ncclSuccess;
}

ncclResult_t ncclCommRegister(const ncclComm_t comm, void *, size_t bytes,
                              void **handle) {
  if (!comm || !bytes)
    return ncclInvalidArgument;
  *handle = new char;
  return ncclSuccess;
}
ncclResult_t ncclCommDeregister(const ncclComm_t, void *handle) {
  delete static_cast<char *>(handle);
  return ncclSuccess;
}

/// Collective: all ranks register their buffers in the same order.
ncclResult_t ncclCommWindowRegister(ncclComm_t comm, void *buffer, size_t bytes,
                                    ncclWindow_vidmem **result, int) {
  std::lock_guard guard(windowsLock);
  uint64_t number = counts[{comm->ring.get(), comm->rank}]++;
  auto &all = windows[{comm->ring.get(), number}];
  all.resize(comm->ring->size);
  auto *window = new ncclWindow_vidmem{comm->ring, comm->rank, buffer, bytes};
  for (const ncclWindow_vidmem *other : all)
    if (other && other->bytes != bytes) {
      shoal_standin_violation("ranks register windows of different sizes");
      return ncclInvalidArgument;
    }
  all[comm->rank] = window;
  numbers[window] = number;
  *result = window;
  return ncclSuccess;
}

ncclResult_t ncclCommWindowDeregister(ncclComm_t comm,
                                      ncclWindow_vidmem *window) {
  std::lock_guard guard(windowsLock);
  auto &all = windows[{comm->ring.get(), numbers[window]}];
  all[window->rank] = nullptr;
  numbers.erase(window);
  delete window;
  return ncclSuccess;
}

/// Where the window of a rank of this node's ranks lies; a rank that has not
/// registered yet is an error.
ncclResult_t ncclGetLsaDevicePointer(ncclWindow_vidmem *window, size_t offset,
                                     int rank, void **pointer) {
  std::lock_guard guard(windowsLock);
  auto &all = windows[{window->ring.get(), numbers[window]}];
  if (rank < 0 || size_t(rank) >= all.size() || !all[rank])
    return ncclInvalidUsage;
  *pointer = static_cast<char *>(all[rank]->base) + offset;
  return ncclSuccess;
}
}
