// The part of the CUDA driver API that the runtime uses, opened at run time.
//
// Nothing of CUDA is needed to build Shoal: the types and values below are
// those of the public documentation of the driver API (stable since CUDA 12.0,
// which is the oldest driver accepted). The test suite's stand-in library
// implements exactly the functions of SHOAL_CUDA_FUNCTIONS.
//
// What the runtime relies on, and a stand-in has to keep:
//   - One primary context per device, retained once, current on each thread
//     that works for a rank of the device. Unified addressing: a device pointer
//     says which device it is on.
//   - All streams are CU_STREAM_NON_BLOCKING; nothing uses the null stream.
//     Work of different streams is ordered by events only (recorded with
//     CU_EVENT_DISABLE_TIMING, waited for by cuStreamWaitEvent or asked for by
//     cuEventQuery). A wait for an event that was never recorded is a mistake.
//   - Host memory of copies is pinned (cuMemHostAlloc, portable); it is touched
//     by the host only before the copy is issued or after an event behind it.
//   - Memory is given back only when all streams that use it have ended.
//   - Kernel parameters are read when the launch is issued.
//   - Capture: one stream begins (thread-local mode), others join it by events
//     and are joined again before it ends. While capturing, only launches,
//     memsets, device copies, event records and waits, and NCCL calls happen.
//   - An error of the device is sticky: every later call returns it.
//   - cuModuleLoadDataEx gets a cubin, NUL-terminated PTX, or (tests only) an
//     ELF shared object for the host. PTX whose first line is
//     kRuntimeKernelsMark holds the runtime's own kernels (cuda/kernels); a
//     stand-in that cannot run PTX takes their host versions, linked from
//     ShoalRuntimeKernelsHost.
#ifndef SHOAL_RUNTIME_CUDA_DRIVER_H
#define SHOAL_RUNTIME_CUDA_DRIVER_H

#include "shoal/runtime/Status.h"

#include <cstddef>
#include <cstdint>

namespace shoal::cuda {

using CUresult = int;
using CUdevice = int;
using CUdeviceptr = unsigned long long;
using CUcontext = struct CUctx_st *;
using CUmodule = struct CUmod_st *;
using CUfunction = struct CUfunc_st *;
using CUstream = struct CUstream_st *;
using CUevent = struct CUevent_st *;
using CUgraph = struct CUgraph_st *;
using CUgraphExec = struct CUgraphExec_st *;

inline constexpr CUresult CUDA_SUCCESS = 0;
inline constexpr CUresult CUDA_ERROR_OUT_OF_MEMORY = 2;
inline constexpr CUresult CUDA_ERROR_STUB_LIBRARY = 34;
inline constexpr CUresult CUDA_ERROR_NO_DEVICE = 100;
inline constexpr CUresult CUDA_ERROR_INVALID_IMAGE = 200;
inline constexpr CUresult CUDA_ERROR_NO_BINARY_FOR_GPU = 209;
inline constexpr CUresult CUDA_ERROR_INVALID_PTX = 218;
inline constexpr CUresult CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222;
inline constexpr CUresult CUDA_ERROR_NOT_FOUND = 500;
inline constexpr CUresult CUDA_ERROR_NOT_READY = 600;
inline constexpr CUresult CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED = 704;
inline constexpr CUresult CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803;

// CUdevice_attribute
inline constexpr int CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75;
inline constexpr int CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76;
inline constexpr int CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97;
// CUfunction_attribute
inline constexpr int CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;
inline constexpr int CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED = 14;
// Flags
inline constexpr unsigned CU_STREAM_NON_BLOCKING = 1;
inline constexpr unsigned CU_EVENT_DISABLE_TIMING = 2;
inline constexpr unsigned CU_MEMHOSTALLOC_PORTABLE = 1;
inline constexpr int CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1;
// CUjit_option
inline constexpr int CU_JIT_ERROR_LOG_BUFFER = 5;
inline constexpr int CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6;
// CUlaunchAttributeID
inline constexpr int CU_LAUNCH_ATTRIBUTE_COOPERATIVE = 2;
inline constexpr int CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION = 4;

struct CUlaunchAttribute {
  int id;
  int pad;
  union {
    char bytes[64];
    int cooperative;
    struct {
      unsigned x, y, z;
    } clusterDim;
  } value;
};
static_assert(sizeof(CUlaunchAttribute) == 72);

struct CUlaunchConfig {
  unsigned gridDimX, gridDimY, gridDimZ;
  unsigned blockDimX, blockDimY, blockDimZ;
  unsigned sharedMemBytes;
  CUstream hStream;
  CUlaunchAttribute *attrs;
  unsigned numAttrs;
};
static_assert(sizeof(CUlaunchConfig) == 56);

/// First line of the PTX of the runtime's own kernels.
inline constexpr char kRuntimeKernelsMark[] = "// shoal runtime kernels";

/// X(name of the symbol, name in Driver, parameters).
#define SHOAL_CUDA_FUNCTIONS(X)                                                \
  X(cuInit, init, (unsigned flags))                                            \
  X(cuDriverGetVersion, driverGetVersion, (int *version))                      \
  X(cuGetErrorName, getErrorName, (CUresult error, const char **text))         \
  X(cuGetErrorString, getErrorString, (CUresult error, const char **text))     \
  X(cuDeviceGetCount, deviceGetCount, (int *count))                            \
  X(cuDeviceGet, deviceGet, (CUdevice * device, int ordinal))                  \
  X(cuDeviceGetName, deviceGetName, (char *name, int size, CUdevice device))   \
  X(cuDeviceGetAttribute, deviceGetAttribute,                                  \
    (int *value, int attribute, CUdevice device))                              \
  X(cuDeviceTotalMem_v2, deviceTotalMem, (size_t *bytes, CUdevice device))     \
  X(cuDeviceCanAccessPeer, deviceCanAccessPeer,                                \
    (int *can, CUdevice device, CUdevice peer))                                \
  X(cuDevicePrimaryCtxRetain, primaryCtxRetain,                                \
    (CUcontext * context, CUdevice device))                                    \
  X(cuDevicePrimaryCtxRelease_v2, primaryCtxRelease, (CUdevice device))        \
  X(cuCtxSetCurrent, ctxSetCurrent, (CUcontext context))                       \
  X(cuCtxEnablePeerAccess, ctxEnablePeerAccess,                                \
    (CUcontext peer, unsigned flags))                                          \
  X(cuMemGetInfo_v2, memGetInfo, (size_t *free, size_t *total))                \
  X(cuMemAlloc_v2, memAlloc, (CUdeviceptr * pointer, size_t bytes))            \
  X(cuMemFree_v2, memFree, (CUdeviceptr pointer))                              \
  X(cuMemHostAlloc, memHostAlloc,                                              \
    (void **pointer, size_t bytes, unsigned flags))                            \
  X(cuMemFreeHost, memFreeHost, (void *pointer))                               \
  X(cuMemcpyHtoDAsync_v2, memcpyHtoDAsync,                                     \
    (CUdeviceptr to, const void *from, size_t bytes, CUstream stream))         \
  X(cuMemcpyDtoHAsync_v2, memcpyDtoHAsync,                                     \
    (void *to, CUdeviceptr from, size_t bytes, CUstream stream))               \
  X(cuMemcpyDtoDAsync_v2, memcpyDtoDAsync,                                     \
    (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream))         \
  X(cuMemcpyPeerAsync, memcpyPeerAsync,                                        \
    (CUdeviceptr to, CUcontext toContext, CUdeviceptr from,                    \
     CUcontext fromContext, size_t bytes, CUstream stream))                    \
  X(cuMemsetD8Async, memsetD8Async,                                            \
    (CUdeviceptr to, unsigned char value, size_t count, CUstream stream))      \
  X(cuMemsetD16Async, memsetD16Async,                                          \
    (CUdeviceptr to, unsigned short value, size_t count, CUstream stream))     \
  X(cuMemsetD32Async, memsetD32Async,                                          \
    (CUdeviceptr to, unsigned value, size_t count, CUstream stream))           \
  X(cuModuleLoadDataEx, moduleLoadData,                                        \
    (CUmodule * module, const void *image, unsigned numOptions,                \
     const int *options, void **values))                                       \
  X(cuModuleUnload, moduleUnload, (CUmodule module))                           \
  X(cuModuleGetFunction, moduleGetFunction,                                    \
    (CUfunction * function, CUmodule module, const char *name))                \
  X(cuFuncSetAttribute, funcSetAttribute,                                      \
    (CUfunction function, int attribute, int value))                           \
  X(cuLaunchKernel, launchKernel,                                              \
    (CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ,      \
     unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,  \
     CUstream stream, void **parameters, void **extra))                        \
  X(cuLaunchKernelEx, launchKernelEx,                                          \
    (const CUlaunchConfig *config, CUfunction function, void **parameters,     \
     void **extra))                                                            \
  X(cuStreamCreate, streamCreate, (CUstream * stream, unsigned flags))         \
  X(cuStreamDestroy_v2, streamDestroy, (CUstream stream))                      \
  X(cuStreamQuery, streamQuery, (CUstream stream))                             \
  X(cuStreamSynchronize, streamSynchronize, (CUstream stream))                 \
  X(cuStreamWaitEvent, streamWaitEvent,                                        \
    (CUstream stream, CUevent event, unsigned flags))                          \
  X(cuEventCreate, eventCreate, (CUevent * event, unsigned flags))             \
  X(cuEventDestroy_v2, eventDestroy, (CUevent event))                          \
  X(cuEventRecord, eventRecord, (CUevent event, CUstream stream))              \
  X(cuEventQuery, eventQuery, (CUevent event))                                 \
  X(cuStreamBeginCapture_v2, streamBeginCapture, (CUstream stream, int mode))  \
  X(cuStreamEndCapture, streamEndCapture, (CUstream stream, CUgraph * graph))  \
  X(cuGraphInstantiateWithFlags, graphInstantiate,                             \
    (CUgraphExec * exec, CUgraph graph, unsigned long long flags))             \
  X(cuGraphLaunch, graphLaunch, (CUgraphExec exec, CUstream stream))           \
  X(cuGraphExecDestroy, graphExecDestroy, (CUgraphExec exec))                  \
  X(cuGraphDestroy, graphDestroy, (CUgraph graph))

/// The functions of the driver, of which there is one in the process.
struct Driver {
#define SHOAL_MEMBER(symbol, name, parameters) CUresult(*name) parameters;
  SHOAL_CUDA_FUNCTIONS(SHOAL_MEMBER)
#undef SHOAL_MEMBER

  /// A function that is not needed; null if the driver lacks it.
  void *find(const char *symbol) const;

  void *library = nullptr;
  int version = 0; ///< 12040 is CUDA 12.4
  std::string path;

  /// Opens SHOAL_CUDA_LIBRARY or libcuda.so.1, once, and initializes it. The
  /// error (exit code 2) says what is missing: the driver, a newer one, a GPU.
  static rt::Result<const Driver *> open();

  /// "out of memory (CUDA_ERROR_OUT_OF_MEMORY)".
  std::string describe(CUresult error) const;
};

/// The oldest driver that has all of it: CUDA 12.0.
inline constexpr int kOldestDriver = 12000;

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_DRIVER_H
