// The part of the CUDA driver API that makes address ranges and multicast
// objects: optional, found when first asked for (CUDA 12.1). Types and values
// are those of its public documentation.
#ifndef SHOAL_RUNTIME_CUDA_MULTICASTDRIVER_H
#define SHOAL_RUNTIME_CUDA_MULTICASTDRIVER_H

#include "cuda/Driver.h"

namespace shoal::cuda {

using CUmemGenericAllocationHandle = unsigned long long;
inline constexpr int CU_DEVICE_ATTRIBUTE_MULTICAST_SUPPORTED = 132;
inline constexpr int CU_MEM_ALLOCATION_TYPE_PINNED = 1;
inline constexpr int CU_MEM_LOCATION_TYPE_DEVICE = 1;
inline constexpr int CU_MEM_ACCESS_FLAGS_PROT_READWRITE = 3;
inline constexpr int CU_MULTICAST_GRANULARITY_RECOMMENDED = 1;

struct CUmemLocation {
  int type, id;
};
struct CUmemAllocationProp {
  int type, requestedHandleTypes;
  CUmemLocation location;
  void *win32HandleMetaData;
  unsigned char compressionType, gpuDirectRDMACapable;
  unsigned short usage;
  unsigned char reserved[4];
};
static_assert(sizeof(CUmemAllocationProp) == 32);
struct CUmemAccessDesc {
  CUmemLocation location;
  int flags;
};
static_assert(sizeof(CUmemAccessDesc) == 12);
struct CUmulticastObjectProp {
  unsigned numDevices;
  size_t size;
  unsigned long long handleTypes, flags;
};
static_assert(sizeof(CUmulticastObjectProp) == 32);

/// X(name of the symbol, name here, parameters).
#define SHOAL_MULTICAST_FUNCTIONS(X)                                           \
  X(cuMemCreate, create,                                                       \
    (CUmemGenericAllocationHandle * handle, size_t size,                       \
     const CUmemAllocationProp *prop, unsigned long long flags))               \
  X(cuMemRelease, release, (CUmemGenericAllocationHandle handle))              \
  X(cuMemAddressReserve, reserve,                                              \
    (CUdeviceptr * pointer, size_t size, size_t alignment,                     \
     CUdeviceptr address, unsigned long long flags))                           \
  X(cuMemAddressFree, freeAddress, (CUdeviceptr pointer, size_t size))         \
  X(cuMemMap, map,                                                             \
    (CUdeviceptr pointer, size_t size, size_t offset,                          \
     CUmemGenericAllocationHandle handle, unsigned long long flags))           \
  X(cuMemUnmap, unmap, (CUdeviceptr pointer, size_t size))                     \
  X(cuMemSetAccess, setAccess,                                                 \
    (CUdeviceptr pointer, size_t size, const CUmemAccessDesc *access,          \
     size_t count))                                                            \
  X(cuMulticastCreate, multicastCreate,                                        \
    (CUmemGenericAllocationHandle * handle,                                    \
     const CUmulticastObjectProp *prop))                                       \
  X(cuMulticastAddDevice, multicastAddDevice,                                  \
    (CUmemGenericAllocationHandle handle, CUdevice device))                    \
  X(cuMulticastBindMem, multicastBindMem,                                      \
    (CUmemGenericAllocationHandle handle, size_t offset,                       \
     CUmemGenericAllocationHandle memory, size_t memoryOffset, size_t size,    \
     unsigned long long flags))                                                \
  X(cuMulticastUnbind, multicastUnbind,                                        \
    (CUmemGenericAllocationHandle handle, CUdevice device, size_t offset,      \
     size_t size))                                                             \
  X(cuMulticastGetGranularity, multicastGranularity,                           \
    (size_t *granularity, const CUmulticastObjectProp *prop, int option))

struct MulticastDriver {
#define SHOAL_MEMBER(symbol, name, parameters) CUresult(*name) parameters;
  SHOAL_MULTICAST_FUNCTIONS(SHOAL_MEMBER)
#undef SHOAL_MEMBER
  /// Null if the driver lacks one of them.
  static const MulticastDriver *get(const Driver &driver);
};

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_MULTICASTDRIVER_H
