// Cuts against all ways to divide the nodes of random graphs.
#include "../../../lib/Collectives/MinCut.h"

#include <gtest/gtest.h>

#include <random>

using shoal::MinCut;

namespace {

struct Edge {
  unsigned from, to;
  double cost;
};

/// Of the nodes on the source's side (bits), what is cut; nothing if that must
/// never be.
double costOf(const std::vector<Edge> &edges, unsigned side) {
  double cost = 0;
  for (const Edge &edge : edges)
    if ((side >> edge.from & 1) && !(side >> edge.to & 1)) {
      if (edge.cost < 0)
        return -1;
      cost += edge.cost;
    }
  return cost;
}

TEST(MinCut, AgreesWithAllDivisions) {
  std::mt19937 random(1);
  auto draw = [&](unsigned n) { return random() % n; };
  for (int round = 0; round < 300; ++round) {
    unsigned nodes = 2 + draw(8);
    std::vector<Edge> edges;
    for (unsigned e = draw(4 * nodes); e > 0; --e) {
      unsigned from = draw(nodes), to = draw(nodes);
      // Between source and sink there is always a price.
      bool never = draw(5) == 0 && from != MinCut::kSource;
      if (from != to)
        edges.push_back(
            {from, to, never ? MinCut::kNever : double(draw(20)) * 1e-6});
    }
    MinCut cut;
    for (unsigned node = 2; node < nodes; ++node)
      cut.addNode();
    for (const Edge &edge : edges)
      cut.addEdge(edge.from, edge.to, edge.cost);
    double best = -1;
    for (unsigned side = 0; side < 1u << nodes; ++side) {
      double cost = costOf(edges, side);
      if ((side >> MinCut::kSource & 1) && !(side >> MinCut::kSink & 1) &&
          cost >= 0 && (best < 0 || cost < best))
        best = cost;
    }
    double found = cut.solve();
    unsigned side = 0;
    for (unsigned node = 0; node < nodes; ++node)
      side |= unsigned(cut.isOnSourceSide(node)) << node;
    EXPECT_NEAR(found, best, 1e-12);
    EXPECT_NEAR(costOf(edges, side), best, 1e-12);
    EXPECT_TRUE(side >> MinCut::kSource & 1);
    EXPECT_FALSE(side >> MinCut::kSink & 1);
  }
}

TEST(MinCut, TakesAsFewAsItCan) {
  MinCut cut;
  unsigned a = cut.addNode(), b = cut.addNode();
  cut.addEdge(MinCut::kSource, a, 2);
  cut.addEdge(a, b, 2);
  cut.addEdge(b, MinCut::kSink, 2);
  EXPECT_DOUBLE_EQ(cut.solve(), 2);
  EXPECT_FALSE(cut.isOnSourceSide(a));
  EXPECT_FALSE(cut.isOnSourceSide(b));
}

} // namespace
