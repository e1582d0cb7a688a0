// The simulator against closed forms: chains, overlap, pipelines, links that
// are shared, stragglers, and programs that do not end.
#include "shoal/Simulate/Simulator.h"
#include "TestProgram.h"

#include <gtest/gtest.h>

using namespace shoal;
using program::CollectiveKind;
using program::Opcode;
using rt::DType;

namespace {

/// Kernels take what the test says; a link sends a byte a second, at once.
Hardware plain() {
  Hardware h;
  std::fill(std::begin(h.flops), std::end(h.flops), 1.0);
  h.memoryBytesPerSecond = 1;
  h.links.push_back({"link", 0, 1.0, 0.0, false});
  return h;
}

/// Ranks on one axis, buffers of `bytes`, kernels of one input and output.
struct Machine : rt::TestProgram {
  Hardware hardware = plain();
  std::vector<double> seconds;
  uint32_t buffer, a, b, c, d;

  explicit Machine(int64_t ranks, int64_t bytes = 8) {
    streams = 2;
    mesh(ranks);
    buffer = type(DType::UI8, {bytes});
    a = temporary(buffer);
    b = temporary(buffer);
    c = temporary(buffer);
    d = temporary(buffer);
  }
  uint32_t timed(double t) {
    seconds.push_back(t);
    return kernel(nullptr, 1, 1, 1);
  }
  void exec(uint32_t k, uint32_t in, uint32_t out) {
    add(Opcode::Exec, {k, in, out});
  }
  static std::vector<int64_t> permute(int64_t n, uint32_t in, uint32_t out) {
    std::vector<int64_t> ops{int64_t(CollectiveKind::Permute),
                             0,
                             0,
                             1,
                             int64_t(in),
                             int64_t(out),
                             n};
    for (int64_t i = 0; i < n; ++i)
      ops.insert(ops.end(), {i, (i + 1) % n});
    return ops;
  }
  void start(uint32_t event, std::vector<int64_t> collective) {
    collective.insert(collective.begin(), event);
    add(Opcode::CollectiveStart, collective, "start.mlir:1:1", 1);
  }
  void done(uint32_t event) { add(Opcode::CollectiveDone, {event}); }

  Simulation run(SimulationOptions options = {}) {
    std::vector<uint64_t> t = table(block(mainFirst));
    std::string wrong = program::validate(t.data(), t.size() * 8);
    EXPECT_EQ(wrong, "");
    options.hardware = &hardware;
    options.kernelSeconds = seconds;
    return simulate(program::View(t.data()), options);
  }
  size_t mainFirst = 0;
};

TEST(Simulator, OneAfterTheOther) {
  Machine m(4);
  uint32_t k = m.timed(3);
  m.exec(k, m.a, m.b);
  m.add(Opcode::Collective, Machine::permute(4, m.b, m.c));
  m.exec(k, m.c, m.d);
  Simulation s = m.run();
  EXPECT_EQ(s.error, "");
  EXPECT_DOUBLE_EQ(s.stepSeconds, 3 + 8 + 3);
  EXPECT_DOUBLE_EQ(s.exposedSeconds, 8);
  EXPECT_DOUBLE_EQ(s.computeSeconds, 6);
  EXPECT_DOUBLE_EQ(s.criticalPathSeconds, 14);
  EXPECT_EQ(s.ranksSimulated, 1);
  SimulationOptions all;
  all.allRanks = true;
  Simulation each = m.run(all);
  EXPECT_EQ(each.ranksSimulated, 4);
  EXPECT_DOUBLE_EQ(each.stepSeconds, s.stepSeconds);
  EXPECT_DOUBLE_EQ(each.exposedSeconds, s.exposedSeconds);
}

/// n chunks: while one is multiplied (C/n), the next one arrives (M/(n-1)):
/// T = C/n + (n-1) max(C/n, M/(n-1)).
TEST(Simulator, CollectiveMatmul) {
  for (double chunk : {2.0, 8.0, 20.0}) { // link: 8
    int64_t n = 5;
    Machine m(n);
    uint32_t k = m.timed(chunk);
    for (int64_t i = 0; i < n; ++i) {
      uint32_t have = i % 2 ? m.b : m.a, next = i % 2 ? m.a : m.b;
      if (i + 1 < n)
        m.start(0, Machine::permute(n, have, next));
      m.exec(k, have, m.c);
      if (i + 1 < n)
        m.done(0);
    }
    Simulation s = m.run();
    EXPECT_EQ(s.error, "");
    EXPECT_DOUBLE_EQ(s.stepSeconds, chunk + (n - 1) * std::max(chunk, 8.0));
    EXPECT_DOUBLE_EQ(s.exposedSeconds, std::max(0.0, 8 - chunk) * (n - 1));
    EXPECT_LE(s.lowerBound(), s.stepSeconds);
  }
}

/// A collective that begins when the kernels issued so far are done, as
/// SplitCollectives writes it; events 2 i and 2 i + 1.
void startAfterKernels(Machine &m, uint32_t i,
                       std::vector<int64_t> collective) {
  m.add(Opcode::Record, {2 * i + 1});
  m.add(Opcode::Wait, {2 * i + 1}, "wait.mlir:1:1", 1);
  m.start(2 * i, std::move(collective));
}

/// FSDP: a layer's weights are gathered (G) before it computes (C), or while
/// the one before does: L (G + C), or G + (L-1) max(G, C) + C.
TEST(Simulator, PrefetchOfLayers) {
  int64_t layers = 6;
  double gather = 8;
  for (double compute : {3.0, 8.0, 20.0})
    for (bool prefetch : {false, true}) {
      Machine m(4);
      uint32_t k = m.timed(compute);
      if (prefetch)
        m.add(Opcode::Collective, Machine::permute(4, m.a, m.b));
      for (int64_t i = 0; i < layers; ++i) {
        uint32_t weights = i % 2 ? m.c : m.b, next = i % 2 ? m.b : m.c;
        if (!prefetch)
          m.add(Opcode::Collective, Machine::permute(4, m.a, weights));
        else if (i + 1 < layers)
          startAfterKernels(m, 0, Machine::permute(4, m.a, next));
        m.exec(k, weights, m.d);
        if (prefetch && i + 1 < layers)
          m.done(0);
      }
      Simulation s = m.run();
      EXPECT_EQ(s.error, "");
      EXPECT_DOUBLE_EQ(
          s.stepSeconds,
          prefetch ? gather + (layers - 1) * std::max(gather, compute) + compute
                   : layers * (gather + compute));
    }
}

/// Domino: the batch in two halves, one of which computes (C/2) while the
/// other's sums are reduced (M/2): with M <= C the L (C + M) of a tensor
/// parallel model become L C + M/2. Its paper reports 1.3 times end to end;
/// here that is what M = 0.35 C gives, for many layers.
TEST(Simulator, Domino) {
  int64_t layers = 40;
  for (double compute : {16.0, 20.0, 2 * 8 / 0.35}) { // M: 2 * 8
    Machine halves(4, 8), whole(4, 16);
    uint32_t k = halves.timed(compute / 2), w = whole.timed(compute);
    for (int64_t i = 0; i < layers; ++i) {
      whole.exec(w, whole.a, whole.b);
      whole.add(Opcode::Collective, Machine::permute(4, whole.b, whole.a));
      for (uint32_t half : {0u, 1u}) {
        uint32_t in = half ? halves.c : halves.a,
                 out = half ? halves.d : halves.b;
        if (i > 0)
          halves.done(2 * half);
        halves.exec(k, in, out);
        startAfterKernels(halves, half, Machine::permute(4, out, in));
      }
    }
    halves.done(0);
    halves.done(2);
    Simulation s = halves.run(), plain = whole.run();
    EXPECT_EQ(s.error, "");
    EXPECT_DOUBLE_EQ(plain.stepSeconds, layers * (compute + 16));
    EXPECT_NEAR(s.stepSeconds, layers * compute + 8, 1e-9);
    if (compute > 40)
      EXPECT_NEAR(plain.stepSeconds / s.stepSeconds, 1.35, 0.02);
  }
}

/// Data parallel: gradients are reduced in buckets while the backward pass goes
/// on; a reduction takes alpha + bytes / beta. Small buckets pay alpha often,
/// large ones begin late: the best size is in between.
TEST(Simulator, BucketsOfGradients) {
  int64_t layers = 16;
  double compute = 4, alpha = 6, each = 2;
  std::vector<double> times;
  for (int64_t bucket : {1, 2, 4, 8, 16}) {
    Machine m(4);
    m.hardware.links[0].bytesPerSecond = 4;
    m.hardware.links[0].latency = alpha;
    m.events = 2 * layers;
    uint32_t k = m.timed(compute);
    uint32_t type = m.type(DType::UI8, {8 * bucket});
    double end = 0;
    for (int64_t i = 0; i < layers; ++i) {
      m.exec(k, m.a, m.b);
      if ((i + 1) % bucket)
        continue;
      uint32_t number = static_cast<uint32_t>(i / bucket);
      startAfterKernels(
          m, number, Machine::permute(4, m.temporary(type), m.temporary(type)));
      end = std::max(end, compute * static_cast<double>(i + 1)) + alpha +
            each * static_cast<double>(bucket);
    }
    for (int64_t b = 0; b < layers / bucket; ++b)
      m.done(static_cast<uint32_t>(2 * b));
    Simulation s = m.run();
    EXPECT_EQ(s.error, "");
    EXPECT_DOUBLE_EQ(s.stepSeconds, end);
    times.push_back(s.stepSeconds);
  }
  auto best = std::min_element(times.begin(), times.end()) - times.begin();
  EXPECT_EQ(best, 2); // of 4
  EXPECT_GT(times.front() / times[2], 1.5);
  EXPECT_GT(times.back() / times[2], 1.2);
}

/// Stages that pass microbatches on: (m + p - 1) F.
TEST(Simulator, Pipeline) {
  int64_t p = 4, micro = 7;
  Machine m(p);
  m.hardware.links[0].bytesPerSecond = 1e15;
  uint32_t k = m.timed(5);
  std::vector<int64_t> pairs{p - 1};
  for (int64_t i = 0; i + 1 < p; ++i)
    pairs.insert(pairs.end(), {i, i + 1});
  auto half = [&](CollectiveKind kind, int64_t in, int64_t out) {
    std::vector<int64_t> ops{int64_t(kind), 0, 0, 1, in, out, /*channel=*/1};
    ops.insert(ops.end(), pairs.begin(), pairs.end());
    m.add(Opcode::Collective, ops);
  };
  m.add(Opcode::SConst, {1, 0});
  m.add(Opcode::SConst, {2, micro});
  m.add(Opcode::SConst, {3, 1});
  size_t body = m.instructions.size();
  half(CollectiveKind::Recv, program::kNone, m.a);
  m.exec(k, m.a, m.b);
  half(CollectiveKind::Send, m.b, program::kNone);
  uint32_t loop = m.block(body);
  m.mainFirst = m.instructions.size();
  m.add(Opcode::SConst, {1, 0});
  m.add(Opcode::SConst, {2, micro});
  m.add(Opcode::SConst, {3, 1});
  m.add(Opcode::For, {0, 1, 2, 3, loop});
  Simulation s = m.run();
  EXPECT_EQ(s.error, "");
  EXPECT_EQ(s.ranksSimulated, p);
  EXPECT_NEAR(s.stepSeconds, (micro + p - 1) * 5, 1e-6);
}

/// Two transfers at once on one link take as long as one after the other.
TEST(Simulator, SharedLinks) {
  Machine m(4);
  m.streams = 3;
  m.start(0, Machine::permute(4, m.a, m.b));
  std::vector<int64_t> second = Machine::permute(4, m.c, m.d);
  second.insert(second.begin(), 1);
  m.add(Opcode::CollectiveStart, second, "second.mlir:1:1", 2);
  m.done(0);
  m.done(1);
  Simulation s = m.run();
  EXPECT_DOUBLE_EQ(s.stepSeconds, 16);
  EXPECT_DOUBLE_EQ(s.linkSeconds[0], 16);
  // On links of their own they take half of it.
  m.hardware.links[0].latency = 8; // half of the time nothing is sent
  EXPECT_DOUBLE_EQ(m.run().stepSeconds, 16);
}

TEST(Simulator, EveryoneWaitsForAStraggler) {
  Machine m(4);
  uint32_t k = m.timed(3);
  m.exec(k, m.a, m.b);
  m.add(Opcode::Collective, {int64_t(CollectiveKind::AllReduce), 0,
                             int64_t(program::Reduction::Add), 1, m.b, m.c});
  SimulationOptions options;
  options.slowdown = {1, 1, 5, 1};
  double alone = m.run().stepSeconds;
  EXPECT_DOUBLE_EQ(m.run(options).stepSeconds, alone + 4 * 3);
}

TEST(Simulator, JitterIsRepeatable) {
  Machine m(4);
  uint32_t k = m.timed(3);
  for (int i = 0; i < 5; ++i) {
    m.exec(k, m.a, m.b);
    m.add(Opcode::Collective, Machine::permute(4, m.b, m.a));
  }
  SimulationOptions options;
  options.jitter = 0.5;
  options.seed = 7;
  double first = m.run(options).stepSeconds;
  EXPECT_EQ(first, m.run(options).stepSeconds);
  EXPECT_GT(first, 5 * 11);
  EXPECT_LT(first, 5 * (4.5 + 8));
}

/// Branches on the rank's number: rank 0 takes `first`, the others `second`.
void branch(Machine &m, std::vector<int64_t> first,
            std::vector<int64_t> second) {
  size_t begin = m.instructions.size();
  if (!first.empty())
    m.add(Opcode::Collective, first, "first.mlir:3:1");
  uint32_t zero = m.block(begin);
  begin = m.instructions.size();
  if (!second.empty())
    m.add(Opcode::Collective, second, "second.mlir:4:1");
  uint32_t others = m.block(begin);
  m.mainFirst = m.instructions.size();
  m.add(Opcode::SRank, {0});
  m.add(Opcode::Case, {0, 2, zero, others});
}

TEST(Simulator, FindsDeadlocks) {
  Machine m(3);
  branch(m, Machine::permute(3, m.a, m.b), {});
  Simulation s = m.run();
  EXPECT_NE(s.error.find("deadlock: rank 0 waits in"), std::string::npos)
      << s.error;
  EXPECT_NE(s.error.find("first.mlir:3:1"), std::string::npos) << s.error;
}

TEST(Simulator, FindsCollectivesThatDiffer) {
  Machine m(3);
  branch(m, Machine::permute(3, m.a, m.b),
         {int64_t(CollectiveKind::AllReduce), 0,
          int64_t(program::Reduction::Add), 1, m.a, m.b});
  Simulation s = m.run();
  EXPECT_NE(s.error.find("ranks 0 and 1 disagree"), std::string::npos)
      << s.error;
}

TEST(Simulator, CriticalPathFollowsValues) {
  Machine m(2);
  uint32_t k = m.timed(3);
  m.exec(k, m.a, m.b);
  m.exec(k, m.a, m.c); // does not need the first
  m.exec(k, m.b, m.d);
  Simulation s = m.run();
  EXPECT_DOUBLE_EQ(s.stepSeconds, 9);
  EXPECT_DOUBLE_EQ(s.criticalPathSeconds, 6);
  EXPECT_DOUBLE_EQ(s.lowerBound(), 9);
}

TEST(Simulator, TimelineIsWhole) {
  Machine m(2);
  uint32_t k = m.timed(3);
  m.exec(k, m.a, m.b);
  m.add(Opcode::Collective, Machine::permute(2, m.b, m.c));
  SimulationOptions options;
  options.trace = true;
  options.allRanks = true;
  Simulation s = m.run(options);
  ASSERT_EQ(s.events.size(), 4u);
  EXPECT_FALSE(s.events[0].communication);
  EXPECT_DOUBLE_EQ(s.events[0].end, 3);
  EXPECT_TRUE(s.events[2].communication);
  EXPECT_DOUBLE_EQ(s.events[2].begin, 3);
  EXPECT_DOUBLE_EQ(s.events[2].end, 11);
}

} // namespace
