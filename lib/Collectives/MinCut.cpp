#include "MinCut.h"

#include <algorithm>

namespace shoal {

void MinCut::addEdge(unsigned from, unsigned to, int64_t cost) {
  edges.push_back({to, first[from], cost});
  first[from] = static_cast<unsigned>(edges.size() - 1);
  edges.push_back({from, first[to], 0});
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
int64_t MinCut::push() {
  int64_t total = 0;
  std::vector<unsigned> path; // edges from the source
  unsigned node = kSource;
  while (true) {
    if (node == kSink) {
      int64_t most = kNever;
      for (unsigned e : path)
        most = std::min(most, edges[e].rest);
      total += most;
      size_t back = path.size();
      for (size_t i = path.size(); i-- > 0;) {
        edges[path[i]].rest -= most;
        edges[path[i] ^ 1].rest += most;
        if (edges[path[i]].rest == 0)
          back = i;
      }
      // (All of it unlimited: never, for a cut that exists.)
      if (back == path.size())
        return total;
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
      return total;
    level[node] = -1; // leads nowhere
    node = edges[path.back() ^ 1].to;
    path.pop_back();
  }
}

int64_t MinCut::solve() {
  int64_t total = 0;
  while (findLevels()) {
    current = first;
    total += push();
  }
  return total;
}

} // namespace shoal
