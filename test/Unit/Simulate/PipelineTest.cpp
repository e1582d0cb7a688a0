// Pipeline schedules as programs of kernels and messages, a block of
// instructions for each rank, against the closed forms of their papers: GPipe,
// 1F1B and interleaved 1F1B (Megatron-LM), ZB-H1 and ZB-H2 (zero bubble), and
// a state that is handed on in chunks.
#include "Machine.h"

#include <map>

using namespace shoal;

namespace {

/// F forward, B backward; or I the gradient of inputs and W that of weights.
struct Action {
  char kind;
  int64_t chunk, micro;
};
using Order = std::vector<Action>;

/// `p` ranks with a chunk of the model each, or several, dealt out in turn.
struct Pipeline {
  int64_t p;
  std::map<char, double> seconds;
  std::vector<Order> orders; ///< of each rank

  struct Run {
    double step = 0;
    /// By rank: seconds between its first and last kernel in which none runs;
    /// most microbatches (of a chunk) whose activations it holds at a time.
    std::vector<double> idle;
    std::vector<int64_t> peak;
  };

  Run run() const {
    Machine m(p);
    m.hardware.links[0].bytesPerSecond = 1e18;
    m.streams = 1;
    int64_t stages = 0;
    for (size_t r = 0; r < orders.size(); ++r)
      for (const Action &a : orders[r])
        stages = std::max(stages, (a.chunk + 1) * p);
    std::map<char, uint32_t> kernels;
    for (auto [kind, t] : seconds)
      kernels[kind] = m.timed(t);
    m.events = 1;
    std::map<size_t, Action> actionOf; // by instruction
    std::vector<int64_t> branches{0, p};
    for (int64_t r = 0; r < p; ++r) {
      size_t begin = m.instructions.size();
      // A message of a stage's boundary goes its own way: it waits for nothing
      // but what it carries.
      std::map<std::pair<CollectiveKind, int64_t>, uint32_t> ways;
      auto message = [&](CollectiveKind kind, int64_t boundary, int64_t from,
                         int64_t to) {
        auto [way, isNew] = ways.try_emplace({kind, boundary}, 0);
        if (isNew) {
          way->second = m.streams++;
          m.events = std::max(m.events, m.streams);
        }
        uint32_t stream = way->second;
        bool sends = kind == CollectiveKind::Send;
        if (sends) {
          m.add(Opcode::Record, {0});
          m.add(Opcode::Wait, {0}, "wait.mlir:1:1",
                static_cast<uint16_t>(stream));
        }
        m.add(Opcode::CollectiveStart,
              {stream, int64_t(kind), 0, 0, 1,
               sends ? int64_t(m.b) : int64_t(program::kNone),
               sends ? int64_t(program::kNone) : int64_t(m.a), boundary, 1,
               from, to},
              "message.mlir:1:1", static_cast<uint16_t>(stream));
        if (!sends)
          m.done(stream);
      };
      int64_t next = (r + 1) % p, before = (r + p - 1) % p;
      for (const Action &a : orders[static_cast<size_t>(r)]) {
        int64_t stage = a.chunk * p + r;
        bool forward = a.kind == 'F', moves = a.kind != 'W';
        // Forward messages into stage s have number s, gradients out of it
        // stages + s.
        if (moves && forward && stage > 0)
          message(CollectiveKind::Recv, stage, before, r);
        if (moves && !forward && stage + 1 < stages)
          message(CollectiveKind::Recv, stages + stage + 1, next, r);
        actionOf[m.instructions.size()] = a;
        m.exec(kernels[a.kind], m.a, m.b);
        if (moves && forward && stage + 1 < stages)
          message(CollectiveKind::Send, stage + 1, r, next);
        if (moves && !forward && stage > 0)
          message(CollectiveKind::Send, stages + stage, r, before);
      }
      branches.push_back(m.block(begin));
    }
    m.mainFirst = m.instructions.size();
    m.add(Opcode::SRank, {0});
    m.add(Opcode::Case, branches);
    SimulationOptions options;
    options.trace = true;
    Simulation s = m.run(options);
    EXPECT_EQ(s.error, "");
    EXPECT_EQ(s.ranksSimulated, p);

    Run result{s.stepSeconds, std::vector<double>(p, 0),
               std::vector<int64_t>(p, 0)};
    std::vector<double> first(p, 1e300), last(p, 0), busy(p, 0);
    std::map<double, int64_t> none;
    std::vector<std::vector<std::pair<double, int64_t>>> changes(p);
    bool splits = seconds.count('W');
    for (const Simulation::Event &e : s.events) {
      auto action = actionOf.find(e.instruction);
      if (e.communication || action == actionOf.end())
        continue;
      first[e.rank] = std::min(first[e.rank], e.begin);
      last[e.rank] = std::max(last[e.rank], e.end);
      busy[e.rank] += e.end - e.begin;
      if (action->second.kind == 'F')
        changes[e.rank].push_back({e.begin, 1});
      else if (action->second.kind == (splits ? 'W' : 'B'))
        changes[e.rank].push_back({e.end - 1e-6, -1});
    }
    for (int64_t r = 0; r < p; ++r) {
      result.idle[r] = last[r] - first[r] - busy[r];
      std::sort(changes[r].begin(), changes[r].end());
      int64_t held = 0;
      for (auto [time, change] : changes[r])
        result.peak[r] = std::max(result.peak[r], held += change);
    }
    return result;
  }
};

/// `warmUp` forwards first, then a backward and a forward in turn; weights'
/// gradients `later` microbatches behind those of the inputs.
Order oneByOne(int64_t m, int64_t warmUp, bool splits, int64_t later) {
  Order order;
  int64_t forward = 0;
  for (; forward < std::min(m, warmUp); ++forward)
    order.push_back({'F', 0, forward});
  for (int64_t i = 0; i < m; ++i) {
    order.push_back({splits ? 'I' : 'B', 0, i});
    if (splits && i >= later)
      order.push_back({'W', 0, i - later});
    if (forward < m)
      order.push_back({'F', 0, forward++});
  }
  for (int64_t i = std::max<int64_t>(0, m - later); splits && i < m; ++i)
    order.push_back({'W', 0, i});
  return order;
}

constexpr std::pair<int64_t, int64_t> kSizes[] = {
    {2, 4}, {4, 8}, {4, 12}, {8, 16}};

TEST(Pipeline, GPipe) {
  for (auto [p, m] : kSizes) {
    Pipeline pipeline{p, {{'F', 2}, {'B', 5}}, {}};
    for (int64_t r = 0; r < p; ++r)
      pipeline.orders.push_back(oneByOne(m, m, false, 0));
    Pipeline::Run run = pipeline.run();
    EXPECT_NEAR(run.step, static_cast<double>((m + p - 1) * 7), 1e-6);
    for (int64_t r = 0; r < p; ++r)
      EXPECT_EQ(run.peak[r], m);
  }
}

TEST(Pipeline, OneForwardOneBackward) {
  for (auto [p, m] : kSizes) {
    Pipeline pipeline{p, {{'F', 2}, {'B', 5}}, {}};
    for (int64_t r = 0; r < p; ++r)
      pipeline.orders.push_back(oneByOne(m, p - r, false, 0));
    Pipeline::Run run = pipeline.run();
    EXPECT_NEAR(run.step, static_cast<double>((m + p - 1) * 7), 1e-6);
    for (int64_t r = 0; r < p; ++r)
      EXPECT_EQ(run.peak[r], std::min(m, p - r));
  }
}

TEST(Pipeline, Interleaved) {
  for (auto [p, m] : kSizes)
    for (int64_t v : {2, 3}) {
      // Times of one chunk, of which each microbatch has v.
      Pipeline pipeline{p, {{'F', 2}, {'B', 5}}, {}};
      for (int64_t r = 0; r < p; ++r) {
        int64_t total = m * v,
                warmUp = std::min(total, 2 * (p - r - 1) + (v - 1) * p);
        auto at = [&, p = p](char kind, int64_t k) {
          int64_t chunk = k % (p * v) / p;
          return Action{kind, kind == 'F' ? chunk : v - 1 - chunk,
                        k / (p * v) * p + k % p};
        };
        Order order;
        for (int64_t k = 0; k < total + warmUp; ++k) {
          if (k < total)
            order.push_back(at('F', k));
          if (k >= warmUp)
            order.push_back(at('B', k - warmUp));
        }
        pipeline.orders.push_back(order);
      }
      Pipeline::Run run = pipeline.run();
      // Of all that (p-1)/(vm+p-1) is the bubble.
      EXPECT_NEAR(run.step, static_cast<double>((v * m + p - 1) * 7), 1e-6);
      for (int64_t r = 0; r < p; ++r)
        EXPECT_EQ(run.peak[r],
                  std::min(m * v, 2 * (p - r - 1) + (v - 1) * p + 1));
    }
}

TEST(Pipeline, ZeroBubbleH1) {
  for (auto [p, m] : kSizes)
    for (auto [F, I, W] :
         {std::tuple(4., 4., 4.), {4., 5., 3.}, {3., 4., 2.}}) {
      Pipeline pipeline{p, {{'F', F}, {'I', I}, {'W', W}}, {}};
      for (int64_t r = 0; r < p; ++r)
        pipeline.orders.push_back(oneByOne(m, p - r, true, r));
      Pipeline::Run run = pipeline.run();
      EXPECT_NEAR(run.step,
                  static_cast<double>(m) * (F + I + W) +
                      static_cast<double>(p - 1) * (F + I - W),
                  1e-6);
      EXPECT_EQ(*std::max_element(run.peak.begin(), run.peak.end()), p);
    }
}

TEST(Pipeline, ZeroBubbleH2) {
  for (auto [p, m] : kSizes) {
    Pipeline pipeline{p, {{'F', 3}, {'I', 3}, {'W', 3}}, {}};
    for (int64_t r = 0; r < p; ++r)
      pipeline.orders.push_back(oneByOne(m, 2 * (p - r) - 1, true, 2 * r));
    Pipeline::Run run = pipeline.run();
    EXPECT_NEAR(run.step, static_cast<double>(3 * (3 * m + p - 1)), 1e-6);
    for (int64_t r = 0; r < p; ++r) {
      EXPECT_NEAR(run.idle[r], 0, 1e-6);
      EXPECT_LE(run.peak[r], 2 * p - 1);
    }
  }
}

/// A state handed on from rank to rank in K chunks (a scan over a sequence that
/// is cut): (K + P - 2) / K of the time that all of it takes over one link.
TEST(Pipeline, StateInChunks) {
  int64_t P = 5;
  for (int64_t K : {1, 2, 8}) {
    Machine m(P, 80 / K);
    m.hardware.links[0].bytesPerSecond = 2;
    std::vector<int64_t> branches{0, P};
    for (int64_t r = 0; r < P; ++r) {
      size_t begin = m.instructions.size();
      m.streams = 3;
      for (int64_t k = 0; k < K; ++k) {
        if (r > 0) {
          m.add(Opcode::CollectiveStart,
                {1, int64_t(CollectiveKind::Recv), 0, 0, 1, program::kNone, m.a,
                 r, 1, r - 1, r},
                "recv.mlir:1:1", 1);
          m.add(Opcode::Wait, {1}, "wait.mlir:1:1", 2);
        }
        if (r + 1 < P)
          m.add(Opcode::CollectiveStart,
                {2, int64_t(CollectiveKind::Send), 0, 0, 1, m.b, program::kNone,
                 r + 1, 1, r, r + 1},
                "send.mlir:1:1", 2);
      }
      branches.push_back(m.block(begin));
    }
    m.mainFirst = m.instructions.size();
    m.add(Opcode::SRank, {0});
    m.add(Opcode::Case, branches);
    Simulation s = m.run();
    EXPECT_EQ(s.error, "");
    EXPECT_NEAR(s.stepSeconds,
                static_cast<double>(K + P - 2) / static_cast<double>(K) * 40,
                1e-6);
  }
}

} // namespace
