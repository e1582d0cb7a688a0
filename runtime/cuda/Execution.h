// One run of a program on GPUs: its devices, its ranks' threads, and how the
// run ends, well or not.
#ifndef SHOAL_RUNTIME_CUDA_EXECUTION_H
#define SHOAL_RUNTIME_CUDA_EXECUTION_H

#include "core/CustomCalls.h"
#include "core/Judge.h"
#include "cuda/Multicast.h"
#include "cuda/Rank.h"
#include "shoal/runtime/Cuda.h"
#include "shoal/runtime/Shards.h"
#include "shoal/runtime/World.h"

#include <condition_variable>
#include <functional>
#include <mutex>

namespace shoal::cuda {

/// A check that all ranks of this process reach; the last one judges.
struct PendingCheck : rt::CheckedValues {
  int64_t arrived = 0, left = 0;
  bool done = false, good = false;
};

class Execution {
public:
  Execution(const rt::Package &package, const rt::RunOptions &options,
            const rt::CudaOptions &cuda);
  ~Execution();

  /// Opens devices, loads the code, allocates, connects the ranks and uploads
  /// what stays.
  rt::Status prepare(std::vector<rt::HostTensor> arguments);
  /// Runs all ranks once; `begun` is when they started. With `graph` set the
  /// step is captured first if it can be.
  rt::Status step(bool graph, std::chrono::steady_clock::time_point &begun);
  rt::Result<std::vector<rt::HostTensor>> takeResults();
  double sumOverProcesses(double here);
  std::vector<rt::ProfileRow> takeProfile(int64_t steps) const;
  void clearProfile();
  /// Ends the ranks' threads and gives back the devices. False: some thread is
  /// still busy, and nothing may be freed.
  bool close();

  // Used by ranks and transports.
  /// Records the first failure; the others stop as soon as they can.
  void fail(rt::Status status);
  bool hasFailed() const { return failed.load(std::memory_order_relaxed); }
  /// All ranks of the program meet to judge; true unless the run has failed.
  bool meetCheck(Rank &rank, uint32_t check,
                 const program::Instruction &instruction,
                 std::span<const int64_t> operands, const std::byte *actual,
                 const std::byte *expected, bool &good);
  /// Waits on the mutex's condition until `ready`, or the run has failed.
  template <typename Ready>
  bool waitUntil(std::unique_lock<std::mutex> &lock,
                 std::condition_variable &changed, Rank &rank,
                 const Ready &ready) {
    rank.waiting = rank.meets = true;
    while (!ready() && !hasFailed())
      changed.wait_for(lock, std::chrono::milliseconds(20));
    rank.waiting = rank.meets = false;
    return ready();
  }
  bool isHere(int64_t rank) const { return homeOf(rank) == process(); }
  int homeOf(int64_t rank) const;
  int process() const { return options.world ? options.world->rank() : 0; }
  /// Seconds since the run began.
  double now() const;
  Rank *findRank(int64_t number) const;
  std::string activity();

  const rt::Package &package;
  const program::View &program;
  const rt::RunOptions options;
  const rt::CudaOptions cuda;
  std::span<const program::Group> groups;
  std::vector<rt::HostTensor> arguments;
  std::vector<ShoalCustomCallFn> customCalls;
  const Driver *driver = nullptr;
  std::vector<std::unique_ptr<Device>> devices;
  std::vector<DeviceArena> arenas; ///< of the devices
  /// The arenas' memory, where multicast objects may bind it; else empty.
  std::vector<std::unique_ptr<MappedMemory>> mappedArenas;
  std::vector<std::unique_ptr<Rank>> ranks;
  std::unique_ptr<Transport> transport;
  std::vector<std::string> failedChecks;

private:
  rt::Status openDevices();
  rt::Status makeTransport(bool sharedDevices);
  rt::Status allocate();
  bool canCapture() const;
  /// Runs a job on every rank's thread and watches over them.
  rt::Status everyRank(std::function<bool(Rank &)> job);
  void threadMain(Rank &rank);
  bool allIdle() const { return busy == 0; }
  uint64_t progress(bool askDevices, bool &inCollective);
  rt::Status died() const;
  std::string places(bool onlyWaiting) const;
  /// What the flight recorders say about the collective that does not end; the
  /// whole is written to a file that the text names.
  std::string flightReport();

  // The ranks' threads: job number `generation` runs when it changes.
  std::mutex mutex;
  std::condition_variable begin, ended;
  std::vector<std::thread> threads;
  std::function<bool(Rank &)> job;
  uint64_t generation = 0;
  uint64_t deviceProgress = 0;
  int64_t busy = 0;
  bool closing = false;
  std::atomic<bool> failed{false};
  rt::Status failure;
  std::chrono::steady_clock::time_point started;

  std::mutex checkMutex;
  std::condition_variable checkChanged;
  std::map<std::pair<uint32_t, uint64_t>, PendingCheck> checks;
  std::vector<std::vector<uint64_t>> checkTurns; // by rank, check
  std::vector<bool> reported;
  bool judge(uint32_t check, uint64_t turn,
             const program::Instruction &instruction,
             std::span<const int64_t> operands, PendingCheck &values);
  uint64_t figures = 0;
};

} // namespace shoal::cuda

#endif // SHOAL_RUNTIME_CUDA_EXECUTION_H
