// Initialisation, devices, contexts, errors.
#include "State.h"

#include "cuda/MulticastDriver.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace shoal::standin;

static uint64_t number(const char *name, uint64_t otherwise) {
  const char *text = std::getenv(name);
  return text && *text ? std::strtoull(text, nullptr, 0) : otherwise;
}

State &shoal::standin::state() {
  static State *all = [] {
    auto *s = new State;
    s->version = number("SHOAL_TEST_CUDA_VERSION", 13000);
    s->chip = number("SHOAL_TEST_CUDA_CHIP", 90);
    s->memoryBytes = number("SHOAL_TEST_CUDA_MEMORY", uint64_t(64) << 30);
    s->seed = number("SHOAL_TEST_CUDA_SEED", 0);
    uint64_t count = number("SHOAL_TEST_CUDA_DEVICES", 8);
    for (uint64_t i = 0; i < count; ++i) {
      s->devices.push_back(std::make_unique<Device>());
      s->devices.back()->ordinal = i;
      s->devices.back()->peers.assign(count, false);
    }
    if (const char *fault = std::getenv("SHOAL_TEST_CUDA_FAULT")) {
      const char *at = std::strchr(fault, '@');
      s->fault = at ? std::string(fault, at) : fault;
      s->faultAt = at ? std::strtoull(at + 1, nullptr, 0) : 1;
    }
    return s;
  }();
  return *all;
}

Device *&shoal::standin::current() {
  static thread_local Device *device = nullptr;
  return device;
}

CUresult shoal::standin::violation(const char *pattern, ...) {
  char text[2048];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  std::fprintf(stderr, "stand-in driver: misuse: %s\n", text);
  for (auto &device : state().devices)
    device->error = CUDA_ERROR_LAUNCH_FAILED;
  return CUDA_ERROR_LAUNCH_FAILED;
}

static Device *deviceOf(CUdevice ordinal) {
  State &s = state();
  return ordinal >= 0 && size_t(ordinal) < s.devices.size()
             ? s.devices[ordinal].get()
             : nullptr;
}
static Device *deviceOf(CUcontext context) {
  return reinterpret_cast<Device *>(context);
}

extern "C" {

CUresult cuInit(unsigned) {
  State &s = state();
  std::lock_guard guard(s.lock);
  if (s.devices.empty())
    return CUDA_ERROR_NO_DEVICE;
  s.initialised = true;
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int *version) {
  *version = state().version;
  return CUDA_SUCCESS;
}

static const struct {
  CUresult code;
  const char *name, *text;
} errors[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "device is unavailable"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available"},
    {218, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {600, "CUDA_ERROR_NOT_READY", "device not ready"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access"},
    {704, "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED", "peer access is enabled"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "capture was invalidated"},
    {904, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "unjoined work in a capture"},
};

CUresult cuGetErrorName(CUresult error, const char **text) {
  for (auto &known : errors)
    if (known.code == error)
      return *text = known.name, CUDA_SUCCESS;
  *text = nullptr;
  return CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGetErrorString(CUresult error, const char **text) {
  for (auto &known : errors)
    if (known.code == error)
      return *text = known.text, CUDA_SUCCESS;
  *text = nullptr;
  return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDeviceGetCount(int *count) {
  if (!state().initialised)
    return CUDA_ERROR_NOT_INITIALIZED;
  *count = state().devices.size();
  return CUDA_SUCCESS;
}
CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  if (!state().initialised)
    return CUDA_ERROR_NOT_INITIALIZED;
  if (!deviceOf(ordinal))
    return CUDA_ERROR_INVALID_VALUE;
  *device = ordinal;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char *name, int size, CUdevice device) {
  if (!deviceOf(device))
    return CUDA_ERROR_INVALID_VALUE;
  std::snprintf(name, size, "Shoal stand-in");
  return CUDA_SUCCESS;
}

static bool supportsMulticast() {
  const char *given = std::getenv("SHOAL_TEST_CUDA_MULTICAST");
  return !given || std::string(given) != "0";
}

CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
  if (!deviceOf(device))
    return CUDA_ERROR_INVALID_VALUE;
  int chip = state().chip;
  switch (attribute) {
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
    *value = chip / 10;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
    *value = chip % 10;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
    *value = chip / 10 == 8 ? (chip == 80 ? 163 << 10 : 99 << 10) : 227 << 10;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_MULTICAST_SUPPORTED:
    *value = chip >= 90 && supportsMulticast();
    return CUDA_SUCCESS;
  case 16: // multiprocessors
    *value = 4;
    return CUDA_SUCCESS;
  default:
    return violation("attribute %d of a device, which this stand-in does not "
                     "know",
                     attribute);
  }
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice) {
  *bytes = state().memoryBytes;
  return CUDA_SUCCESS;
}
CUresult cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer) {
  *can = deviceOf(device) && deviceOf(peer) && device != peer;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice ordinal) {
  Device *device = deviceOf(ordinal);
  if (!device)
    return CUDA_ERROR_INVALID_VALUE;
  std::lock_guard guard(state().lock);
  ++device->retained;
  *context = reinterpret_cast<CUcontext>(device);
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice ordinal) {
  Device *device = deviceOf(ordinal);
  std::lock_guard guard(state().lock);
  if (!device || !device->retained)
    return CUDA_ERROR_INVALID_CONTEXT;
  if (--device->retained == 0 && device->used && !device->error)
    std::fprintf(stderr,
                 "stand-in driver: device %d is let go with %zu bytes not "
                 "freed\n",
                 ordinal, device->used);
  return CUDA_SUCCESS;
}
CUresult cuCtxSetCurrent(CUcontext context) {
  current() = deviceOf(context);
  return CUDA_SUCCESS;
}
CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned) {
  Device *mine = current(), *other = deviceOf(peer);
  if (!mine || !other || mine == other)
    return CUDA_ERROR_INVALID_CONTEXT;
  std::lock_guard guard(state().lock);
  if (mine->peers[other->ordinal])
    return CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
  mine->peers[other->ordinal] = true;
  return CUDA_SUCCESS;
}

const char *shoal_standin_fault(unsigned long long *at) {
  *at = state().faultAt;
  return state().fault.c_str();
}
unsigned long long shoal_standin_seed(void) { return state().seed; }
int shoal_standin_violation(const char *text) { return violation("%s", text); }
}
