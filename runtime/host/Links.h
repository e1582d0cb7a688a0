// Links that are not there: collectives take as long as they would over links
// of a given bandwidth and latency, so that what overlap is worth can be
// measured on one machine.
//
// The data is moved at once, by the last rank to arrive; only its arrival is
// put off, counted from before it was moved. A rank has one link per named
// axis. A collective takes the slowest link among its group's axes, of all
// members at once, and links carry one transfer after the other.
#ifndef SHOAL_RUNTIME_HOST_LINKS_H
#define SHOAL_RUNTIME_HOST_LINKS_H

#include "core/CollectiveCall.h"
#include "shoal/runtime/Run.h"

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace shoal::rt {

class Links {
public:
  using Clock = std::chrono::steady_clock;

  Links(const program::View &program, const std::vector<EmulatedLink> &links);
  ~Links();

  /// "" or which axis no group of the program is over.
  std::string check() const;

  /// Runs `done` when a collective of rank's group that began at `begin` has
  /// been carried; at once if its group has no emulated link.
  void carry(uint32_t group, int64_t rank, const CollectiveCall &call,
             Clock::time_point begin, std::function<void()> done);
  /// The same for a message between two ranks.
  void carryMessage(uint32_t group, int64_t from, int64_t to, int64_t bytes,
                    std::function<void()> done);

private:
  void run();
  void later(const std::vector<int64_t> &members, size_t link,
             Clock::time_point begin, double seconds,
             std::function<void()> done);

  const program::View &program;
  std::vector<EmulatedLink> links;
  std::vector<int> linkOf; ///< by group; -1: none
  std::vector<std::string> axes;

  std::mutex mutex;
  std::condition_variable changed;
  bool ending = false;
  std::map<std::pair<int64_t, size_t>, Clock::time_point> freeAt;
  std::multimap<Clock::time_point, std::function<void()>> arrivals;
  std::thread thread;
};

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_HOST_LINKS_H
