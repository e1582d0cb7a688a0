// The stand-in for libcuda.so.1: its devices, streams, events, modules, and
// the issue of work. Device memory is host memory; each stream is a thread.
//
// Environment (all optional):
//   SHOAL_TEST_CUDA_DEVICES   number of devices, 8
//   SHOAL_TEST_CUDA_CHIP      compute capability times ten, 90
//   SHOAL_TEST_CUDA_MEMORY    bytes of each device, 64 GiB
//   SHOAL_TEST_CUDA_VERSION   the driver's version, 13000
//   SHOAL_TEST_CUDA_MULTICAST 0: no multicast memory
//   SHOAL_TEST_CUDA_SEED      streams are held up by chance; 0: not at all
//   SHOAL_TEST_CUDA_FAULT     KIND@N: oom@N (the Nth allocation fails),
//                             lost@N (the Nth launch loses its device),
//                             hang@N (the Nth collective of a rank never ends)
#ifndef SHOAL_TEST_EMULATOR_DRIVER_STATE_H
#define SHOAL_TEST_EMULATOR_DRIVER_STATE_H

#include "Abi.h"

#include "cuda/Driver.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace shoal::standin {

using namespace shoal::cuda;

// More of CUresult.
inline constexpr CUresult CUDA_ERROR_INVALID_VALUE = 1;
inline constexpr CUresult CUDA_ERROR_NOT_INITIALIZED = 3;
inline constexpr CUresult CUDA_ERROR_INVALID_CONTEXT = 201;
inline constexpr CUresult CUDA_ERROR_INVALID_HANDLE = 400;
inline constexpr CUresult CUDA_ERROR_ILLEGAL_ADDRESS = 700;
inline constexpr CUresult CUDA_ERROR_LAUNCH_FAILED = 719;
inline constexpr CUresult CUDA_ERROR_DEVICE_LOST = 46; // device unavailable
inline constexpr CUresult CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901;
inline constexpr CUresult CUDA_ERROR_STREAM_CAPTURE_UNJOINED = 904;

/// What is known to have happened before: for each stream, how much of it.
struct Clock {
  std::vector<uint32_t> at;
  uint32_t of(size_t stream) const {
    return stream < at.size() ? at[stream] : 0;
  }
  void join(const Clock &other) {
    if (at.size() < other.at.size())
      at.resize(other.at.size());
    for (size_t i = 0; i < other.at.size(); ++i)
      at[i] = std::max(at[i], other.at[i]);
  }
  uint32_t tick(size_t stream) {
    if (at.size() <= stream)
      at.resize(stream + 1);
    return ++at[stream];
  }
};

struct Access {
  uintptr_t begin, end;
  bool write;
};

/// A piece of work of a stream.
struct Work {
  std::string what;
  std::vector<Access> accesses;
  std::function<CUresult()> run; ///< none: nothing to do
  std::atomic<bool> done{false};
};
using WorkPtr = std::shared_ptr<Work>;

/// Work that touched memory, and when.
struct Past {
  Access access;
  size_t stream;
  uint32_t clock;
  WorkPtr work;
};
/// Finds conflicting accesses that nothing orders (Checker.cpp).
class History {
public:
  void add(size_t stream, const Clock &now, const WorkPtr &work);
  /// Work not done yet that touches the range, or null.
  WorkPtr pending(uintptr_t begin, uintptr_t end) const;

private:
  std::vector<Past> past;
};

struct Device {
  int ordinal;
  unsigned retained = 0;
  size_t used = 0;
  std::atomic<CUresult> error{0}; ///< sticky
  std::vector<bool> peers;        ///< whose memory it may touch
};

struct Capture {
  struct Stream *origin;
  std::vector<WorkPtr> nodes;
  History history;
  std::vector<struct Stream *> streams;
  bool broken = false;
};

struct Record {
  WorkPtr work;
  Clock clock;
  std::shared_ptr<Capture> capture;
};

struct Stream {
  Device *device;
  size_t id;
  Clock clock, captureClock;
  std::shared_ptr<Capture> capture;

  std::mutex lock;
  std::condition_variable changed;
  std::deque<WorkPtr> queue;
  bool busy = false, ending = false;
  std::mt19937_64 random;
  std::thread worker;
};

struct Event {
  Device *device;
  std::shared_ptr<Record> last;
};

struct Function {
  struct Module *module;
  std::string name;
  void *entry;                 ///< ShoalEmuKernel, or a host kernel's
  const ShoalEmuParam *params; ///< null: one struct, of structBytes
  size_t structBytes = 0;
  int maxShared = 48 << 10;
};
struct Module {
  Device *device;
  void *library = nullptr; ///< null: the runtime's own kernels
  std::map<std::string, std::unique_ptr<Function>> functions;
};

struct Graph {
  Device *device;
  std::vector<WorkPtr> nodes;
};

struct Allocation {
  size_t bytes;
  Device *device; ///< null: pinned host memory
};

struct State {
  /// Guards everything but the streams' queues.
  std::mutex lock;
  bool initialised = false;
  std::vector<std::unique_ptr<Device>> devices;
  std::map<uintptr_t, Allocation> memory;
  size_t streams = 0;
  Clock host; ///< what the host has seen to be done
  History history;
  uint64_t allocations = 0, launches = 0;

  int version, chip;
  size_t memoryBytes;
  uint64_t seed;
  std::string fault; ///< "oom", …
  uint64_t faultAt = 0;
};
State &state();

/// The calling thread's device; null: none is current.
Device *&current();

/// A mistake of the program under test: said on stderr, and every device has
/// an error from now on.
CUresult violation(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/// Hands work to a stream, or to the capture it is in. Call without the lock.
CUresult issue(Stream *stream, WorkPtr work);
/// Whether the stream may be used by this thread; 0 or the error.
CUresult checkStream(Stream *stream, const char *what);
/// The allocation that holds all of it, or null.
const Allocation *findMemory(uintptr_t address, size_t bytes);
/// Whether kernels and copies of `device` may touch it; else a violation.
CUresult checkDeviceMemory(Device *device, uintptr_t address, size_t bytes,
                           const char *what);
void waitForStream(Stream *stream);

inline Stream *toStream(CUstream s) { return reinterpret_cast<Stream *>(s); }
inline Event *toEvent(CUevent e) { return reinterpret_cast<Event *>(e); }

} // namespace shoal::standin

/// For the stand-in of NCCL: work of a stream. Takes over `work`.
extern "C" int shoal_standin_issue(void *stream, shoal::standin::WorkPtr *work);
extern "C" int shoal_standin_check_memory(void *stream, const void *address,
                                          size_t bytes, const char *what);
extern "C" const char *shoal_standin_fault(unsigned long long *at);
extern "C" unsigned long long shoal_standin_seed(void);
extern "C" int shoal_standin_violation(const char *text);

#endif // SHOAL_TEST_EMULATOR_DRIVER_STATE_H
