// The simulator against closed forms: chains, overlap, pipelines, links that
// are shared, stragglers, and programs that do not end.
#include "Machine.h"

#include <cmath>
#include <functional>

using namespace shoal;

namespace {

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

/// What moving 8 bytes takes of a device's compute comes before what it
/// computes next; the transfer goes on meanwhile.
TEST(Simulator, CollectivesComputeToo) {
  Machine m(4);
  m.hardware.collectiveWorkLatency = 1;
  m.hardware.movedBytesPerSecond = 4;
  m.start(0, Machine::permute(4, m.a, m.b));
  m.exec(m.timed(3), m.c, m.d);
  m.done(0);
  m.add(Opcode::Collective, Machine::permute(4, m.b, m.c));
  Simulation s = m.run();
  EXPECT_EQ(s.error, "");
  EXPECT_DOUBLE_EQ(s.computeSeconds, (1 + 2) + 3 + (1 + 2));
  EXPECT_DOUBLE_EQ(s.stepSeconds, 8 + 3 + 8);
  m.hardware.collectiveWorkLatency = 4; // beyond what the link takes
  s = m.run();
  EXPECT_DOUBLE_EQ(s.stepSeconds, (6 + 3) + 6 + 8);
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

/// Two groups of the same ranks, taken in different orders: each is whole, and
/// nobody comes to the end.
TEST(Simulator, FindsOrdersThatCross) {
  Machine m(2);
  program::Group other = m.groups.front();
  other.name = m.str("other");
  m.groups.push_back(other);
  auto both = [&](std::vector<int64_t> order) {
    size_t begin = m.instructions.size();
    for (int64_t group : order) {
      std::vector<int64_t> ops = Machine::permute(2, m.a, m.b);
      ops[1] = group;
      m.add(Opcode::Collective, ops, group ? "other.mlir:2:1" : "one.mlir:1:1");
    }
    return m.block(begin);
  };
  uint32_t zero = both({0, 1}), one = both({1, 0});
  m.mainFirst = m.instructions.size();
  m.add(Opcode::SRank, {0});
  m.add(Opcode::Case, {0, 2, zero, one});
  Simulation s = m.run();
  EXPECT_NE(s.error.find("deadlock: rank 0 waits in"), std::string::npos)
      << s.error;
  EXPECT_NE(s.error.find("rank 1 waits in"), std::string::npos) << s.error;
}

TEST(Simulator, FindsMessagesThatDiffer) {
  Machine m(2);
  uint32_t small = m.temporary(m.type(DType::UI8, {4}));
  size_t begin = m.instructions.size();
  m.add(Opcode::Collective, {int64_t(CollectiveKind::Send), 0, 0, 1, m.a,
                             program::kNone, 1, 1, 0, 1});
  uint32_t zero = m.block(begin);
  begin = m.instructions.size();
  m.add(Opcode::Collective, {int64_t(CollectiveKind::Recv), 0, 0, 1,
                             program::kNone, small, 1, 1, 0, 1});
  uint32_t one = m.block(begin);
  m.mainFirst = m.instructions.size();
  m.add(Opcode::SRank, {0});
  m.add(Opcode::Case, {0, 2, zero, one});
  Simulation s = m.run();
  EXPECT_NE(s.error.find("ranks 0 and 1 disagree: a message of 8 bytes"),
            std::string::npos)
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

/// Buffers are counted from what writes them to their last reader, a transfer's
/// until it is done; what overwrites its operand holds it once.
TEST(Simulator, MemoryOverTime) {
  Machine m(2); // buffers of 8 bytes
  uint32_t k = m.timed(3);
  uint32_t big = m.temporary(m.type(DType::UI8, {100}));
  m.exec(k, m.a, big);                       // 0 to 3
  m.exec(k, big, m.b);                       // 3 to 6
  m.start(0, Machine::permute(2, m.b, m.c)); // 0 to 8: at once
  m.exec(k, m.b, m.b);                       // 6 to 9
  m.done(0);
  m.exec(k, m.c, m.d); // 9 to 12
  SimulationOptions options;
  options.trace = true;
  Simulation s = m.run(options);
  auto at = [&](double time) {
    int64_t bytes = -1;
    for (auto [from, held] : s.memory)
      if (from <= time)
        bytes = held;
    return bytes;
  };
  EXPECT_DOUBLE_EQ(s.stepSeconds, 12);
  EXPECT_EQ(at(1), 8 + 100 + 8 + 8); // a, big, and b and c of the transfer
  EXPECT_EQ(at(4), 100 + 8 + 8);
  EXPECT_EQ(at(7), 8 + 8);
  EXPECT_EQ(at(10), 8 + 8); // c, d
  EXPECT_EQ(s.memory.back(), (std::pair<double, int64_t>(12, 0)));
}

/// Every collective, as the ranks issue it, against the alpha-beta model's
/// closed forms: S bytes of the whole tensor, n ranks, latency-bound and
/// bandwidth-bound.
TEST(Simulator, CollectivesTakeTheirClosedForms) {
  double alpha = 3, beta = 5;
  for (int64_t n : {2, 4, 8})
    for (int64_t each : {1, 16, 4096}) {
      int64_t whole = each * n;
      double S = static_cast<double>(whole), N = static_cast<double>(n),
             hops = std::log2(N);
      auto take = [&](CollectiveKind kind, bool wholeIn, bool wholeOut,
                      std::vector<int64_t> params, double closed) {
        Machine m(n);
        m.hardware.links[0].latency = alpha;
        m.hardware.links[0].bytesPerSecond = beta;
        uint32_t large = m.type(DType::UI8, {whole}),
                 small = m.type(DType::UI8, {each});
        std::vector<int64_t> ops{
            int64_t(kind),
            0,
            int64_t(kind == CollectiveKind::AllReduce ||
                            kind == CollectiveKind::ReduceScatter
                        ? program::Reduction::Add
                        : program::Reduction::None),
            1,
            int64_t(m.temporary(wholeIn ? large : small)),
            int64_t(m.temporary(wholeOut ? large : small))};
        ops.insert(ops.end(), params.begin(), params.end());
        m.add(Opcode::SConst, {0, 0}); // a broadcast's root
        m.add(Opcode::Collective, ops);
        SimulationOptions options;
        options.allRanks = true;
        Simulation s = m.run(options);
        EXPECT_EQ(s.error, "");
        EXPECT_NEAR(s.stepSeconds, closed, 1e-9 * closed)
            << "kind " << int64_t(kind) << ", " << n << " ranks, " << whole;
        EXPECT_DOUBLE_EQ(s.exposedSeconds, s.stepSeconds);
        EXPECT_LE(s.linkSeconds[0], s.stepSeconds * (1 + 1e-12));
      };
      double ring = (N - 1) * (alpha + S / N / beta);
      take(CollectiveKind::AllGather, false, true, {1, each, whole}, ring);
      take(CollectiveKind::ReduceScatter, true, false, {1, whole, each}, ring);
      take(CollectiveKind::AllReduce, true, true, {},
           std::min(2 * ring, 2 * (hops * alpha + S / beta)));
      take(CollectiveKind::Broadcast, true, true, {0},
           std::min(ring, hops * alpha + S / beta));
      take(CollectiveKind::AllToAll, true, true,
           {1, whole, each, 1, whole, each}, alpha + (N - 1) / N * S / beta);
      std::vector<int64_t> around{n};
      for (int64_t i = 0; i < n; ++i)
        around.insert(around.end(), {i, (i + 1) % n});
      take(CollectiveKind::Permute, true, true, around, alpha + S / beta);
    }
}

/// Ring attention with a causal mask: in each step a rank works on the scores
/// of its queries and the keys that came by, and all wait for the slowest. Of
/// the mean, cut into contiguous parts 1.868, in stripes 1.054, in one chunk
/// from the front and one from the back each 1.000.
TEST(Simulator, CausalImbalance) {
  int64_t P = 8, tokens = 128;
  auto contiguous = [&](int64_t t) { return t * P / tokens; };
  auto striped = [&](int64_t t) { return t % P; };
  auto zigzag = [&](int64_t t) {
    int64_t chunk = t * 2 * P / tokens;
    return std::min(chunk, 2 * P - 1 - chunk);
  };
  std::pair<std::function<int64_t(int64_t)>, double> ways[] = {
      {contiguous, 1.868}, {striped, 1.054}, {zigzag, 1.000}};
  for (auto &[owner, imbalance] : ways) {
    std::vector<std::vector<double>> work(P, std::vector<double>(P));
    for (int64_t q = 0; q < tokens; ++q)
      for (int64_t k = 0; k <= q; ++k)
        ++work[owner(q)][(owner(q) - owner(k) + P) % P];
    Machine m(P);
    m.hardware.links[0].bytesPerSecond = 1e15;
    std::vector<std::vector<int64_t>> cases;
    for (int64_t step = 0; step < P; ++step) {
      std::vector<int64_t> branches{0, P};
      for (int64_t r = 0; r < P; ++r) {
        size_t begin = m.instructions.size();
        m.exec(m.timed(work[r][step]), m.a, m.c);
        branches.push_back(m.block(begin));
      }
      cases.push_back(branches);
    }
    m.mainFirst = m.instructions.size();
    m.add(Opcode::SRank, {0});
    for (const std::vector<int64_t> &branches : cases) {
      m.add(Opcode::Case, branches);
      m.add(Opcode::Collective, Machine::permute(P, m.a, m.b));
    }
    Simulation s = m.run();
    EXPECT_EQ(s.error, "");
    double mean =
        static_cast<double>(tokens * (tokens + 1) / 2) / static_cast<double>(P);
    EXPECT_NEAR(s.stepSeconds / mean, imbalance, 5e-4);
    EXPECT_NEAR(s.computeSeconds, mean, 1e-6);
  }
}

} // namespace
