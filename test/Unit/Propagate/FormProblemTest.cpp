// The search for forms against all choices there are, on small random graphs.

#include "../../../lib/Propagate/FormProblem.h"

#include "gtest/gtest.h"

#include <random>

using namespace shoal::propagate;

namespace {

/// A graph of `n` nodes with one result each; operands come from earlier nodes.
/// With `tree`, every result has at most one use.
struct RandomProblem {
  FormProblem problem;
  std::vector<std::unique_ptr<MoveCosts>> costs;

  RandomProblem(int n, bool tree, unsigned seed) {
    std::mt19937 random(seed);
    auto pick = [&](int limit) { return int(random() % limit); };
    std::vector<int> unused;
    for (int i = 0; i < n; ++i) {
      FormProblem::Node node;
      int operands = i == 0 ? 0 : 1 + pick(2);
      for (int k = 0; k < operands && (!tree || !unused.empty()); ++k) {
        int v = tree ? unused[pick(unused.size())] : pick(i);
        if (tree)
          unused.erase(std::find(unused.begin(), unused.end(), v));
        problem.values[v].uses.push_back({i, int(node.uses.size())});
        node.uses.push_back(v);
      }
      node.defs.push_back(i);
      unused.push_back(i);
      int candidates = 1 + pick(3);
      for (int c = 0; c < candidates; ++c) {
        FormProblem::Candidate candidate;
        candidate.cost = pick(10);
        for (size_t k = 0; k < node.uses.size(); ++k)
          candidate.uses.push_back(pick(3));
        candidate.defs.push_back(pick(3));
        node.candidates.push_back(candidate);
      }
      auto table = std::make_unique<MoveCosts>();
      table->size = 3;
      for (int k = 0; k < 9; ++k)
        table->table.push_back(pick(20));
      FormProblem::ValueInfo value;
      value.def = {i, 0};
      value.weight = 1 + pick(2);
      value.costs = table.get();
      costs.push_back(std::move(table));
      problem.values.push_back(value);
      problem.nodes.push_back(node);
    }
  }

  double bruteForce() {
    std::vector<uint8_t> choice(problem.nodes.size(), 0);
    double best = 1e30;
    while (true) {
      best = std::min(best, getCost(problem, choice));
      size_t i = 0;
      while (i < choice.size() &&
             ++choice[i] == problem.nodes[i].candidates.size())
        choice[i++] = 0;
      if (i == choice.size())
        return best;
    }
  }
};

TEST(FormProblem, OptimalOnTrees) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    RandomProblem r(8, /*tree=*/true, seed);
    std::vector<uint8_t> choice(r.problem.nodes.size(), 0);
    improve(r.problem, choice);
    EXPECT_NEAR(getCost(r.problem, choice), r.bruteForce(), 1e-6) << "seed " << seed;
  }
}

TEST(FormProblem, NearlyAlwaysOptimalOnSmallGraphs) {
  int optimal = 0;
  double excess = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    RandomProblem r(9, /*tree=*/false, seed);
    std::vector<uint8_t> choice(r.problem.nodes.size(), 0);
    improve(r.problem, choice);
    double best = r.bruteForce(), got = getCost(r.problem, choice);
    EXPECT_GE(got, best - 1e-6);
    optimal += got <= best + 1e-6;
    excess += got / best - 1;
  }
  EXPECT_GE(optimal, 180);
  EXPECT_LE(excess / 200, 0.01);
}

TEST(FormProblem, CopiesComeFromOneAnother) {
  // 0 -> 1 costs 4, 0 -> 2 costs 8, 1 -> 2 costs 2.
  MoveCosts costs;
  costs.size = 3;
  costs.table = {0, 4, 8, 9, 0, 2, 9, 9, 0};
  CopyTree tree = planCopies(costs, 0, {2, 1, 2});
  EXPECT_FLOAT_EQ(tree.cost, 6);
  ASSERT_EQ(tree.moves.size(), 2u);
  EXPECT_EQ(tree.moves[1], (std::pair<uint8_t, uint8_t>(1, 2)));
}

} // namespace
