#include "shoal/runtime/Pool.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sched.h>

namespace shoal::rt {

static unsigned usableCores() {
  if (const char *text = std::getenv("SHOAL_NUM_THREADS")) {
    long n = std::strtol(text, nullptr, 10);
    if (n >= 1 && n <= 4096)
      return static_cast<unsigned>(n);
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
    return static_cast<unsigned>(CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

Pool &Pool::get() {
  // Never destroyed: a process that gives up on a hung rank must be able to
  // exit without joining it.
  static Pool *pool = new Pool(usableCores());
  return *pool;
}

Pool::Pool(unsigned numThreads) {
  threads.reserve(numThreads);
  for (unsigned i = 0; i < numThreads; ++i)
    threads.emplace_back([this] { workerMain(); });
}

Pool::~Pool() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping = true;
  }
  wake.notify_all();
  for (std::thread &t : threads)
    t.join();
}

void Pool::submit(Task *task, uint64_t progress) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    tasks.emplace(progress, task);
    signal.fetch_add(1, std::memory_order_release);
  }
  wake.notify_one();
}

void Pool::runLoop(Loop &loop) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    loops.push_back(&loop);
    signal.fetch_add(1, std::memory_order_release);
  }
  if ((loop.count + loop.grain - 1) / loop.grain > 2)
    wake.notify_all();
  else
    wake.notify_one();
  loop.work();
  {
    std::lock_guard<std::mutex> lock(mutex);
    auto it = std::find(loops.begin(), loops.end(), &loop);
    if (it != loops.end())
      loops.erase(it);
  }
  // Nobody joins any more; those who have are computing their last part.
  for (int spins = 0; spins < 2000; ++spins) {
    if (loop.helpers.load(std::memory_order_acquire) == 0)
      return;
    __builtin_ia32_pause();
  }
  std::unique_lock<std::mutex> lock(mutex);
  loopDone.wait(
      lock, [&] { return loop.helpers.load(std::memory_order_acquire) == 0; });
}

bool Pool::doOne(std::unique_lock<std::mutex> &lock) {
  // Chunks first: someone waits for them, and they are short.
  if (!loops.empty()) {
    Loop *loop = loops.back();
    if (loop->next.load(std::memory_order_relaxed) >= loop->count) {
      loops.pop_back(); // all parts are taken
      return true;
    }
    loop->helpers.fetch_add(1, std::memory_order_relaxed);
    lock.unlock();
    loop->work();
    // The owner destroys the loop as soon as it sees zero, so nothing of it
    // may be touched after the count went down: the wake-up goes through the
    // pool, which the owner waits for under the lock.
    lock.lock();
    if (loop->helpers.fetch_sub(1, std::memory_order_acq_rel) == 1)
      loopDone.notify_all();
    return true;
  }
  if (!tasks.empty()) {
    Task *task = tasks.begin()->second;
    tasks.erase(tasks.begin());
    lock.unlock();
    task->run();
    lock.lock();
    return true;
  }
  return false;
}

void Pool::workerMain() {
  std::unique_lock<std::mutex> lock(mutex);
  while (!stopping) {
    if (doOne(lock))
      continue;
    idle.fetch_add(1, std::memory_order_relaxed);
    uint64_t seen = signal.load(std::memory_order_acquire);
    lock.unlock();
    // Work often comes again within microseconds (the next kernel of a rank);
    // falling asleep and being woken costs more than this short look-out.
    auto start = std::chrono::steady_clock::now();
    bool found = false;
    for (int i = 0; !found; ++i) {
      found = signal.load(std::memory_order_acquire) != seen;
      __builtin_ia32_pause();
      if (i % 64 == 63 && std::chrono::steady_clock::now() - start >
                              std::chrono::microseconds(20))
        break;
    }
    lock.lock();
    if (!found)
      wake.wait(lock, [&] {
        return stopping || signal.load(std::memory_order_acquire) != seen;
      });
    idle.fetch_sub(1, std::memory_order_relaxed);
  }
}

} // namespace shoal::rt
