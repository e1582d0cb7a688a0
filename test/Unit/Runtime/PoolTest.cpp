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

/// On one thread, which the first task holds until all others wait.
TEST(Pool, LeastProgressFirst) {
  struct Gate : Task {
    std::atomic<bool> begun{false}, open{false};
    void run() override {
      begun = true;
      while (!open)
        std::this_thread::yield();
    }
  };
  struct Noted : Task {
    int name;
    std::vector<int> *order;
    std::atomic<int> *left;
    void run() override {
      order->push_back(name);
      left->fetch_sub(1);
    }
  };
  Gate gate;
  std::vector<int> order;
  std::atomic<int> left{5};
  std::vector<Noted> tasks(5);
  Pool pool(1);
  pool.submit(&gate);
  while (!gate.begun)
    std::this_thread::yield();
  int name = 0;
  for (uint64_t progress : {7, 3, 7, 0, 3}) {
    Noted &task = tasks[static_cast<size_t>(name)];
    task.name = name++;
    task.order = &order;
    task.left = &left;
    pool.submit(&task, progress);
  }
  gate.open = true;
  while (left.load() > 0)
    std::this_thread::yield();
  EXPECT_EQ(order, (std::vector<int>{3, 1, 4, 0, 2}));
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
