// The cheapest cut of a graph between two nodes.
#ifndef SHOAL_COLLECTIVES_MINCUT_H
#define SHOAL_COLLECTIVES_MINCUT_H

#include <cstdint>
#include <vector>

namespace shoal {

/// A directed graph whose edges cost to be cut. Nodes 0 and 1 are source and
/// sink. Dinic's algorithm ("Algorithm for solution of a problem of maximum
/// flow in networks with power estimation", 1970), without recursion.
class MinCut {
public:
  static constexpr int64_t kNever = INT64_C(1) << 60;
  static constexpr unsigned kSource = 0, kSink = 1;

  MinCut() : first(2, kNone) {}

  unsigned addNode() {
    first.push_back(kNone);
    return static_cast<unsigned>(first.size() - 1);
  }
  /// Costs `cost` if `from` is on the source's side and `to` is not. kNever is
  /// never cut; sums of other costs must stay below it.
  void addEdge(unsigned from, unsigned to, int64_t cost);

  /// The cost of the cheapest cut; the source's side is as small as it can be.
  int64_t solve();
  bool isOnSourceSide(unsigned node) const { return level[node] >= 0; }

private:
  static constexpr unsigned kNone = ~0u;
  struct Edge {
    unsigned to, next;
    int64_t rest;
  };
  bool findLevels();
  int64_t push();

  std::vector<unsigned> first, current;
  std::vector<Edge> edges;
  std::vector<int> level;
};

} // namespace shoal

#endif // SHOAL_COLLECTIVES_MINCUT_H
