// The process-wide pool: as many threads as cores, on which the tasks of ranks
// and the chunks of kernels run.
#ifndef SHOAL_RUNTIME_POOL_H
#define SHOAL_RUNTIME_POOL_H

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace shoal::rt {

/// Work of one rank until it finishes or has to wait; run once per `submit`.
class Task {
public:
  virtual ~Task() = default;
  virtual void run() = 0;
};

/// Tasks wait in one queue and never block a thread: one that must wait returns
/// from `run` and is submitted again by whoever ends its wait. So any number of
/// ranks shares a few threads, and idle threads sleep. Of the tasks that wait
/// the one with the least `progress` runs first, of those the first to come:
/// ranks that meet again and again get nowhere faster than the last of them.
class Pool {
public:
  /// The pool of the process; the first call starts its threads, as many as the
  /// process may use cores (or SHOAL_NUM_THREADS).
  static Pool &get();

  explicit Pool(unsigned numThreads);
  ~Pool();
  Pool(const Pool &) = delete;

  unsigned numThreads() const { return static_cast<unsigned>(threads.size()); }
  void submit(Task *task, uint64_t progress = 0);

  /// Calls body(begin, end) for parts of [0, count) that together cover it, on
  /// this thread and on those that are idle; returns when all have ended. The
  /// parts are multiples of `grain` wide but for the last.
  template <typename Body>
  void parallelFor(int64_t count, int64_t grain, const Body &body) {
    if (count <= grain || idle.load(std::memory_order_relaxed) == 0) {
      if (count > 0)
        body(int64_t{0}, count);
      return;
    }
    Loop loop;
    loop.count = count;
    loop.grain = grain;
    loop.context = &body;
    loop.call = [](const void *context, int64_t begin, int64_t end) {
      (*static_cast<const Body *>(context))(begin, end);
    };
    runLoop(loop);
  }

private:
  struct Loop {
    int64_t count, grain;
    const void *context;
    void (*call)(const void *, int64_t, int64_t);
    std::atomic<int64_t> next{0};
    std::atomic<int> helpers{0};
    void work() {
      for (;;) {
        int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
        if (begin >= count)
          return;
        call(context, begin, begin + grain < count ? begin + grain : count);
      }
    }
  };
  void runLoop(Loop &loop);
  void workerMain();
  /// Takes one task or joins one loop; false when there is nothing. Called and
  /// returns with the lock held.
  bool doOne(std::unique_lock<std::mutex> &lock);

  std::mutex mutex;
  std::condition_variable wake, loopDone;
  std::multimap<uint64_t, Task *> tasks; // by progress
  std::vector<Loop *> loops;
  std::atomic<int> idle{0};
  std::atomic<uint64_t> signal{0}; // changes when there is new work
  bool stopping = false;
  std::vector<std::thread> threads;
};

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_POOL_H
