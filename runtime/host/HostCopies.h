// Copies between a rank's arena and the memory of its host, beside what the
// rank computes: what the copy engines of a GPU do.
#ifndef SHOAL_RUNTIME_HOST_HOSTCOPIES_H
#define SHOAL_RUNTIME_HOST_HOSTCOPIES_H

#include "shoal/runtime/Run.h"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

namespace shoal::rt {

/// Copies of one stream of a rank follow each other; others are beside them.
/// With an emulated link each arrives when the link has carried it.
class HostCopies {
public:
  explicit HostCopies(const EmulatedLink *link);
  ~HostCopies();

  using Queue = std::pair<int64_t, unsigned>; ///< rank, stream
  void issue(Queue queue, std::byte *to, const std::byte *from, size_t bytes);
  /// How many have been issued there so far.
  uint64_t issued(Queue queue);
  /// Waits until so many have been carried.
  void wait(Queue queue, uint64_t count);

private:
  using Clock = std::chrono::steady_clock;
  void run();

  struct Job {
    Queue queue;
    std::byte *to;
    const std::byte *from;
    size_t bytes;
    Clock::time_point begin;
  };
  struct State {
    uint64_t issued = 0, done = 0;
    Clock::time_point freeAt;
  };
  const EmulatedLink *link;
  std::mutex mutex;
  std::condition_variable changed, carried;
  bool ending = false;
  std::deque<Job> jobs;
  std::multimap<Clock::time_point, Queue> arrivals;
  std::map<Queue, State> states;
  std::thread thread;
};

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_HOST_HOSTCOPIES_H
