#include "MinCut.h"

#include <algorithm>
#include <cmath>

namespace shoal {

static constexpr int64_t kUnlimited = INT64_C(1) << 60;

void MinCut::addEdge(unsigned from, unsigned to, double cost) {
  edges.push_back({to, first[from], cost, 0});
  first[from] = static_cast<unsigned>(edges.size() - 1);
  edges.push_back({from, first[to], 0, 0});
  first[to] = static_cast<unsigned>(edges.size() - 1);
}

/// Distances from the source over edges that have room; whether the sink has
/// one.
bool MinCut::findLevels() {
  level.assign(first.size(), -1);
  std::vector<unsigned> queue{kSource};
  level[kSource] = 0;
  for (size_t i = 0; i < queue.size(); ++i)
    for (unsigned e = first[queue[i]]; e != kNone; e = edges[e].next)
      if (edges[e].rest > 0 && level[edges[e].to] < 0) {
        level[edges[e].to] = level[queue[i]] + 1;
        queue.push_back(edges[e].to);
      }
  return level[kSink] >= 0;
}

/// As much as goes along the levels.
void MinCut::push() {
  std::vector<unsigned> path; // edges from the source
  unsigned node = kSource;
  while (true) {
    if (node == kSink) {
      int64_t most = kUnlimited;
      for (unsigned e : path)
        most = std::min(most, edges[e].rest);
      size_t back = path.size();
      for (size_t i = path.size(); i-- > 0;) {
        edges[path[i]].rest -= most;
        edges[path[i] ^ 1].rest += most;
        if (edges[path[i]].rest == 0)
          back = i;
      }
      // (All of it unlimited: never, for a cut that exists.)
      if (back == path.size())
        return;
      node = edges[path[back] ^ 1].to;
      path.resize(back);
      continue;
    }
    unsigned &e = current[node];
    while (e != kNone &&
           (edges[e].rest == 0 || level[edges[e].to] != level[node] + 1))
      e = edges[e].next;
    if (e != kNone) {
      path.push_back(e);
      node = edges[e].to;
      continue;
    }
    if (path.empty())
      return;
    level[node] = -1; // leads nowhere
    node = edges[path.back() ^ 1].to;
    path.pop_back();
  }
}

double MinCut::solve() {
  // In whole numbers, of which all limited ones together are far below what is
  // unlimited.
  double total = 0;
  for (const Edge &edge : edges)
    total += std::max(edge.cost, 0.0);
  double scale = total > 0 ? std::ldexp(1.0, 50) / total : 1;
  for (Edge &edge : edges)
    edge.rest =
        edge.cost < 0 ? kUnlimited : static_cast<int64_t>(edge.cost * scale);
  while (findLevels()) {
    current = first;
    push();
  }
  double cost = 0;
  for (size_t e = 0; e < edges.size(); e += 2)
    if (isOnSourceSide(edges[e + 1].to) && !isOnSourceSide(edges[e].to))
      cost += edges[e].cost;
  return cost;
}

} // namespace shoal
