#include "shoal/runtime/Pool.h"

#include <gtest/gtest.h>

using namespace shoal::rt;

namespace {

struct Counter : Task {
  Pool *pool;
  std::atomic<int> *left;
  std::atomic<int64_t> *sum;
  int turns = 20;
  void run() override {
    pool->parallelFor(100, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        sum->fetch_add(i);
    });
    if (--turns > 0)
      pool->submit(this);
    else
      left->fetch_sub(1);
  }
};

TEST(Pool, ManyTasksFewThreads) {
  for (unsigned threads : {1u, 2u, 5u}) {
    Pool pool(threads);
    std::atomic<int> left{50};
    std::atomic<int64_t> sum{0};
    std::vector<Counter> tasks(50);
    for (Counter &t : tasks) {
      t.pool = &pool;
      t.left = &left;
      t.sum = &sum;
      pool.submit(&t);
    }
    while (left.load() > 0)
      std::this_thread::yield();
    EXPECT_EQ(sum.load(), 50 * 20 * 4950);
  }
}

TEST(Pool, LoopFromOutside) {
  Pool pool(3);
  for (int64_t count : {0, 1, 7, 1000})
    for (int64_t grain : {1, 3, 2000}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
      pool.parallelFor(count, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          seen[static_cast<size_t>(i)]++;
      });
      for (auto &s : seen)
        EXPECT_EQ(s.load(), 1);
    }
}

} // namespace
