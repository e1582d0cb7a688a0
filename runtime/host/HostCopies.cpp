#include "host/HostCopies.h"

#include <algorithm>
#include <cstring>

namespace shoal::rt {

HostCopies::HostCopies(const EmulatedLink *link)
    : link(link), thread([this] { run(); }) {}

HostCopies::~HostCopies() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    ending = true;
  }
  changed.notify_all();
  thread.join();
}

void HostCopies::issue(Queue queue, std::byte *to, const std::byte *from,
                       size_t bytes) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    ++states[queue].issued;
    jobs.push_back({queue, to, from, bytes, Clock::now()});
  }
  changed.notify_all();
}

uint64_t HostCopies::issued(Queue queue) {
  std::lock_guard<std::mutex> lock(mutex);
  return states[queue].issued;
}

void HostCopies::wait(Queue queue, uint64_t count) {
  std::unique_lock<std::mutex> lock(mutex);
  State &state = states[queue];
  carried.wait(lock, [&] { return state.done >= count; });
}

void HostCopies::run() {
  std::unique_lock<std::mutex> lock(mutex);
  for (;;) {
    while (!arrivals.empty() && arrivals.begin()->first <= Clock::now()) {
      ++states[arrivals.begin()->second].done;
      arrivals.erase(arrivals.begin());
      carried.notify_all();
    }
    if (!jobs.empty()) {
      Job job = jobs.front();
      jobs.pop_front();
      lock.unlock();
      std::memcpy(job.to, job.from, job.bytes);
      lock.lock();
      State &state = states[job.queue];
      Clock::time_point end = Clock::now();
      if (link) {
        double seconds = link->latency +
                         static_cast<double>(job.bytes) / link->bytesPerSecond;
        end = std::max(end, std::max(job.begin, state.freeAt) +
                                std::chrono::duration_cast<Clock::duration>(
                                    std::chrono::duration<double>(seconds)));
      }
      state.freeAt = end;
      arrivals.emplace(end, job.queue);
      continue;
    }
    if (ending && arrivals.empty())
      return;
    if (arrivals.empty())
      changed.wait(lock);
    else
      changed.wait_until(lock, arrivals.begin()->first);
  }
}

} // namespace shoal::rt
