// The search's move that lets one placement spread over a region.
#include "FormSearch.h"

#include "llvm/ADT/STLExtras.h"

#include <limits>

namespace shoal::propagate {

bool Search::improveRegion(int start, uint8_t placement, size_t limit,
                           size_t &visits) {
  // Placements that the region has settled on, and the nodes it consists of
  // with what they were.
  ++epoch;
  llvm::SmallVector<int, 64> region;
  llvm::SmallVector<uint8_t, 64> before;
  llvm::SmallVector<int, 32> queue{start};
  settledAt[start] = epoch;
  settled[start] = placement;

  // What a candidate costs as far as its values are settled; the others can
  // still adapt.
  auto settledCost = [&](const FormProblem::Node &node,
                         const FormProblem::Candidate &c, Price price) {
    double cost = c.cost;
    for (auto [i, v] : llvm::enumerate(node.uses))
      if (v >= 0 && settledAt[v] == epoch && settled[v] != c.uses[i])
        cost += problem.values[v].weight *
                problem.values[v].costs->get(settled[v], c.uses[i], price);
    for (auto [i, v] : llvm::enumerate(node.defs))
      if (v >= 0 && settledAt[v] == epoch && settled[v] != c.defs[i])
        cost += problem.values[v].weight *
                problem.values[v].costs->get(c.defs[i], settled[v], price);
    return cost;
  };
  auto visit = [&](int n, int via, uint8_t want, bool isDef, int slot) {
    const FormProblem::Node &node = problem.nodes[n];
    if (!node.free() || visitedAt[n] == epoch || region.size() >= limit)
      return;
    int best = -1;
    double bestCost = std::numeric_limits<double>::max();
    for (size_t c = 0; c < node.candidates.size(); ++c) {
      const FormProblem::Candidate &candidate = node.candidates[c];
      if ((isDef ? candidate.defs[slot] : candidate.uses[slot]) != want ||
          !usable(candidate))
        continue;
      if (settledCost(node, candidate, Price::AtLeast) >= bestCost)
        continue;
      // Among equals the one that changes least.
      double cost = settledCost(node, candidate, Price::Exact);
      const FormProblem::Candidate &now = node.candidates[choice[n]];
      for (size_t i = 0; i < node.uses.size(); ++i)
        cost += 1e-9 * (candidate.uses[i] != now.uses[i]);
      if (cost < bestCost) {
        bestCost = cost;
        best = c;
      }
    }
    if (best < 0)
      return;
    visitedAt[n] = epoch;
    before.push_back(choice[n]);
    region.push_back(n);
    const FormProblem::Candidate &now = node.candidates[choice[n]];
    const FormProblem::Candidate &next = node.candidates[best];
    auto settle = [&](int v, uint8_t old, uint8_t next) {
      if (v < 0 || v == via || old == next || !problem.values[v].costs ||
          settledAt[v] == epoch)
        return;
      settledAt[v] = epoch;
      settled[v] = next;
      queue.push_back(v);
    };
    for (auto [i, v] : llvm::enumerate(node.uses))
      settle(v, now.uses[i], next.uses[i]);
    for (auto [i, v] : llvm::enumerate(node.defs))
      settle(v, now.defs[i], next.defs[i]);
    choice[n] = best;
  };

  for (size_t at = 0; at < queue.size() && region.size() < limit; ++at) {
    int v = queue[at];
    uint8_t want = settled[v];
    FormProblem::ValueInfo &value = problem.values[v];
    if (value.def.node >= 0)
      visit(value.def.node, v, want, true, value.def.index);
    for (const FormProblem::Slot &use : value.uses)
      visit(use.node, v, want, false, use.index);
  }
  visits += region.size() + 1;
  if (region.empty())
    return false;

  auto swap = [&] {
    for (auto [n, c] : llvm::zip(region, before))
      std::swap(choice[n], c);
  };
  swap();
  double old = localCost(region);
  swap();
  // Mend the edges: what went too far goes back, one node at a time.
  for (int round = 0; round < 3; ++round) {
    bool changed = false;
    for (size_t i = 0; i < region.size(); ++i)
      changed |= improveNode(region[round % 2 ? i : region.size() - 1 - i]);
    if (!changed)
      break;
  }
  if (localCost(region) < old - margin(old))
    return true;
  for (auto [n, c] : llvm::zip(region, before))
    choice[n] = c;
  return false;
}

bool Search::improveRegions(size_t &budget) {
  struct Seed {
    double cost;
    int value;
  };
  std::vector<Seed> seeds;
  for (size_t v = 0; v < problem.values.size(); ++v)
    if (double cost = valueCost(v); cost > 0)
      seeds.push_back({cost, int(v)});
  llvm::sort(seeds, [](const Seed &a, const Seed &b) {
    return a.cost != b.cost ? a.cost > b.cost : a.value < b.value;
  });
  bool any = false;
  for (const Seed &seed : seeds) {
    FormProblem::ValueInfo &value = problem.values[seed.value];
    // What failed is tried again only when something about the value changed.
    if (!value.costs || value.def.node < 0 || failedAt[seed.value] == seed.cost)
      continue;
    bool found = false;
    // A small region first, then whatever can be reached.
    for (size_t limit : {12, 96}) {
      bool better = false;
      for (size_t p = 0; p < value.costs->size; ++p) {
        size_t visits = 0;
        better |= improveRegion(seed.value, p, limit, visits);
        if (budget < visits)
          return any || better;
        budget -= visits;
      }
      found |= better;
      if (better)
        break;
    }
    any |= found;
    if (!found)
      failedAt[seed.value] = seed.cost;
  }
  return any;
}

} // namespace shoal::propagate
