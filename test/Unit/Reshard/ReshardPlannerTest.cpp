// The reshard planner against Dijkstra over all placements, and its promises.

#include "shoal/Analysis/ReshardPlanner.h"

#include <gtest/gtest.h>
#include <queue>
#include <random>

using namespace shoal;

namespace {
struct Fixture {
  std::vector<MeshAtom> atoms;
  MeshCosts costs;
  ReshardProblem problem;
  Fixture(std::vector<int64_t> sizes, std::vector<int64_t> shape)
      : costs(MeshCosts::bytesOnly(sizes.size())) {
    for (size_t i = 0; i < sizes.size(); ++i)
      atoms.push_back({static_cast<int>(i), 1, sizes[i]});
    problem.shape.assign(shape.begin(), shape.end());
    problem.atoms = atoms;
    problem.costs = &costs;
  }
  PlacementState tiled(std::vector<std::vector<int>> lists,
                       AtomSet partial = 0) const {
    std::vector<AtomList> dims;
    for (auto &list : lists)
      dims.push_back(AtomList(list.begin(), list.end()));
    PlacementState s = PlacementState::tiled(problem.shape, dims, atoms);
    s.partial = partial;
    return s;
  }
};

/// Dijkstra without bound, cache or memory limit.
double bruteForce(const PlacementState &from, const PlacementState &to,
                  const ReshardProblem &problem) {
  auto key = [](const PlacementState &s) {
    std::vector<int64_t> k;
    s.appendKey(k);
    return k;
  };
  std::map<std::vector<int64_t>, double> done;
  using Entry = std::pair<double, std::vector<int64_t>>;
  std::map<std::vector<int64_t>, PlacementState> states;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<Entry>> open;
  states[key(from)] = from;
  open.push({0.0, key(from)});
  while (!open.empty()) {
    auto [cost, k] = open.top();
    open.pop();
    if (!done.insert({k, cost}).second)
      continue;
    PlacementState state = states[k];
    if (state == to)
      return cost;
    for (const ReshardStep &step : reshardMoves(state, to, problem)) {
      auto next = key(step.after);
      states.insert({next, step.after});
      if (!done.count(next))
        open.push({cost + step.time, next});
    }
  }
  return -1.0;
}

/// Every placement of the atoms of `sizes` on two dimensions, or partial.
PlacementState randomState(const Fixture &f, std::mt19937 &rng) {
  size_t rank = f.problem.shape.size();
  std::vector<std::vector<int>> lists(rank);
  AtomSet partial = 0;
  std::vector<int> order(f.atoms.size());
  for (size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::shuffle(order.begin(), order.end(), rng);
  for (int atom : order) {
    int where = rng() % (rank + 2);
    if (where < static_cast<int>(rank))
      lists[where].push_back(atom);
    else if (where == static_cast<int>(rank))
      partial |= atomBit(atom);
  }
  return f.tiled(lists, partial);
}
} // namespace

TEST(ReshardPlanner, AgreesWithBruteForce) {
  std::mt19937 rng(7);
  for (auto shape : {std::vector<int64_t>{16, 16}, {12, 7}, {5, 24}})
    for (auto sizes : {std::vector<int64_t>{2, 4}, {2, 2, 2}, {3, 2}}) {
      Fixture f(sizes, shape);
      for (int i = 0; i < 40; ++i) {
        PlacementState from = randomState(f, rng), to = randomState(f, rng);
        ReshardPlan plan = planReshard(from, to, f.problem);
        double best = bruteForce(from, to, f.problem);
        EXPECT_NEAR(plan.time, best, 1e-6) << from.str() << " -> " << to.str();
        PlacementState state = from;
        for (const ReshardStep &step : plan.steps) {
          EXPECT_TRUE(step.before == state);
          state = step.after;
          for (size_t d = 0; d < shape.size(); ++d)
            EXPECT_GE(state.blocks[d] * partCount(state.dims[d], f.atoms),
                      shape[d]);
        }
        EXPECT_TRUE(state == to);
      }
    }
}

TEST(ReshardPlanner, WellKnownCases) {
  Fixture f({2, 4}, {16, 64});
  auto kinds = [&](const PlacementState &from, const PlacementState &to) {
    std::string text;
    for (const ReshardStep &step : planReshard(from, to, f.problem).steps)
      text += std::string(stringify(step.kind)) + " ";
    return text;
  };
  EXPECT_EQ(kinds(f.tiled({{0}, {1}}), f.tiled({{0}, {1}})), "");
  EXPECT_EQ(kinds(f.tiled({{0}, {1}}), f.tiled({{0}, {}})), "all_gather ");
  EXPECT_EQ(kinds(f.tiled({{0}, {}}), f.tiled({{0}, {1}})), "all_slice ");
  EXPECT_EQ(kinds(f.tiled({{1}, {}}), f.tiled({{}, {1}})), "all_to_all ");
  EXPECT_EQ(kinds(f.tiled({{}, {}}, 2), f.tiled({{}, {}})), "all_reduce ");
  EXPECT_EQ(kinds(f.tiled({{}, {}}, 2), f.tiled({{1}, {}})), "reduce_scatter ");
  // Both axes are reduced as one group.
  EXPECT_EQ(kinds(f.tiled({{}, {}}, 3), f.tiled({{}, {}})), "all_reduce ");
  EXPECT_EQ(kinds(f.tiled({{}, {}}), f.tiled({{}, {}}, 1)), "make_partial ");
  EXPECT_EQ(kinds(f.tiled({{0, 1}, {}}), f.tiled({{1, 0}, {}})), "permute ");
}

TEST(ReshardPlanner, ByteAccounting) {
  Fixture f({2, 4}, {16, 64});
  int64_t full = 16 * 64 * 4;
  auto bytes = [&](const PlacementState &from, const PlacementState &to) {
    return planReshard(from, to, f.problem).bytes;
  };
  EXPECT_EQ(bytes(f.tiled({{}, {1}}), f.tiled({{}, {}})), full * 3 / 4);
  EXPECT_EQ(bytes(f.tiled({{}, {}}, 2), f.tiled({{}, {}})), full * 6 / 4);
  EXPECT_EQ(bytes(f.tiled({{1}, {}}), f.tiled({{}, {1}})), full / 4 * 3 / 4);
  EXPECT_EQ(bytes(f.tiled({{}, {}}, 3), f.tiled({{}, {}})), full * 14 / 8);
}

TEST(ReshardPlanner, CacheIgnoresNamesOfAxes) {
  Fixture f({2, 2, 2}, {16, 64});
  ReshardPlanner planner(f.atoms, f.costs);
  const ReshardPlan &a =
      planner.plan(f.tiled({{0}, {}}), f.tiled({{}, {0}}), {16, 64}, 4);
  const ReshardPlan &b =
      planner.plan(f.tiled({{2}, {}}), f.tiled({{}, {2}}), {16, 64}, 4);
  EXPECT_EQ(planner.searches(), 1u);
  ASSERT_EQ(a.steps.size(), 1u);
  ASSERT_EQ(b.steps.size(), 1u);
  EXPECT_EQ(a.steps[0].atoms[0], 0);
  EXPECT_EQ(b.steps[0].atoms[0], 2);
}

TEST(AtomTable, CommonRefinement) {
  AtomTable table({8, 3}, {{0, 1, 2}, {0, 2, 4}, {0, 4, 2}});
  EXPECT_EQ(table.atoms().size(), 4u); // 2, 2, 2 and 3.
  EXPECT_TRUE(table.conflicts().empty());
  AtomList all = table.expand({0, 1, 8});
  EXPECT_EQ(all.size(), 3u);
  EXPECT_EQ(table.join(all).size(), 1u);
  EXPECT_EQ(table.join(all)[0].size, 8);
}
