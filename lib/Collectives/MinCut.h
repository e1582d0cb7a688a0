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
  /// Of an edge that is never cut.
  static constexpr double kNever = -1;
  static constexpr unsigned kSource = 0, kSink = 1;

  MinCut() : first(2, kNone) {}

  unsigned addNode() {
    first.push_back(kNone);
    return static_cast<unsigned>(first.size() - 1);
  }
  /// Costs `cost` (not negative, or kNever) if `from` is on the source's side
  /// and `to` is not.
  void addEdge(unsigned from, unsigned to, double cost);

  /// The cost of the cheapest cut, up to 2^-50 of the sum of all costs; the
  /// source's side is as small as it can be.
  double solve();
  bool isOnSourceSide(unsigned node) const { return level[node] >= 0; }

private:
  static constexpr unsigned kNone = ~0u;
  struct Edge {
    unsigned to, next;
    double cost; ///< 0 of reverse edges
    int64_t rest;
  };
  bool findLevels();
  void push();

  std::vector<unsigned> first, current;
  std::vector<Edge> edges;
  std::vector<int> level;
};

} // namespace shoal

#endif // SHOAL_COLLECTIVES_MINCUT_H
