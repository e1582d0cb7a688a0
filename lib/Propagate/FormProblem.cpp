#include "FormSearch.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

namespace shoal::propagate {

CopyTree planCopies(MoveCosts &costs, uint8_t have,
                    llvm::ArrayRef<uint8_t> wanted) {
  CopyTree tree;
  llvm::SmallVector<uint8_t, 4> left;
  for (uint8_t w : wanted)
    if (w != have && !llvm::is_contained(left, w))
      left.push_back(w);
  llvm::SmallVector<uint8_t, 4> made{have};
  // Prim's algorithm; moves are not symmetric, so this is a heuristic for the
  // cheapest arborescence, exact for up to two wanted placements.
  if (left.size() == 2) {
    float direct = costs.get(have, left[0]) + costs.get(have, left[1]);
    float first = costs.get(have, left[0]) + costs.get(left[0], left[1]);
    float second = costs.get(have, left[1]) + costs.get(left[1], left[0]);
    if (first <= direct && first <= second)
      tree = {{{have, left[0]}, {left[0], left[1]}}, first};
    else if (second < direct)
      tree = {{{have, left[1]}, {left[1], left[0]}}, second};
    else
      tree = {{{have, left[0]}, {have, left[1]}}, direct};
    return tree;
  }
  while (!left.empty()) {
    float best = std::numeric_limits<float>::max();
    size_t bestTo = 0;
    uint8_t bestFrom = have;
    for (uint8_t from : made)
      for (size_t i = 0; i < left.size(); ++i)
        if (float cost = costs.get(from, left[i]); cost < best) {
          best = cost;
          bestTo = i;
          bestFrom = from;
        }
    tree.moves.push_back({bestFrom, left[bestTo]});
    tree.cost += best;
    made.push_back(left[bestTo]);
    left.erase(left.begin() + bestTo);
  }
  return tree;
}

double copiesCost(MoveCosts &costs, uint8_t have,
                  llvm::ArrayRef<uint8_t> wanted, Price price) {
  if (price == Price::Exact)
    return planCopies(costs, have, wanted).cost;
  // Each is moved from somewhere.
  double cost = 0;
  for (auto [i, to] : llvm::enumerate(wanted)) {
    if (to == have || llvm::is_contained(wanted.take_front(i), to))
      continue;
    float least = costs.get(have, to, price);
    for (uint8_t from : wanted)
      if (from != to)
        least = std::min(least, costs.get(from, to, price));
    cost += least;
  }
  return cost;
}

double Search::valueCost(int v, Price price) {
  FormProblem::ValueInfo &value = problem.values[v];
  if (!value.costs || value.def.node < 0)
    return 0;
  uint8_t have = defOf(value.def);
  wanted.clear();
  for (const FormProblem::Slot &use : value.uses)
    if (uint8_t w = useOf(use); w != have && !llvm::is_contained(wanted, w))
      wanted.push_back(w);
  double held = value.holdCost(have);
  if (wanted.empty())
    return held;
  for (uint8_t w : wanted)
    held += value.holdCost(w);
  if (wanted.size() == 1)
    return held + value.weight * value.costs->get(have, wanted[0], price);
  return held + value.weight * copiesCost(*value.costs, have, wanted, price);
}

double Search::total() {
  double cost = 0;
  for (size_t n = 0; n < problem.nodes.size(); ++n)
    cost += problem.nodes[n].candidates[choice[n]].cost;
  for (size_t v = 0; v < problem.values.size(); ++v)
    cost += valueCost(v);
  return cost;
}

double Search::localCost(llvm::ArrayRef<int> nodes, double limit) {
  double cost = 0;
  touched.clear();
  ++stamp;
  auto touch = [&](int v) {
    if (v < 0 || stamps[v] == stamp)
      return;
    stamps[v] = stamp;
    touched.push_back(v);
  };
  for (int n : nodes) {
    const FormProblem::Node &node = problem.nodes[n];
    cost += node.candidates[choice[n]].cost;
    llvm::for_each(node.uses, touch);
    llvm::for_each(node.defs, touch);
  }
  if (limit < std::numeric_limits<double>::infinity()) {
    double least = cost;
    bounds.clear();
    for (int v : touched)
      least += bounds.emplace_back(valueCost(v, Price::AtLeast));
    // One value after the other becomes exact.
    for (size_t i = 0; i < touched.size() && least < limit; ++i)
      least += valueCost(touched[i]) - bounds[i];
    if (least >= limit)
      return std::max(least, limit);
  }
  for (int v : touched)
    cost += valueCost(v);
  return cost;
}

bool Search::improveNode(int n) {
  const FormProblem::Node &node = problem.nodes[n];
  if (!node.free())
    return false;
  uint8_t best = choice[n], old = best;
  double bestCost = localCost({n});
  for (size_t c = 0; c < node.candidates.size(); ++c) {
    if (c == old || !usable(node.candidates[c]))
      continue;
    choice[n] = c;
    double limit = bestCost - margin(bestCost);
    if (double cost = localCost({n}, limit); cost < limit) {
      bestCost = cost;
      best = c;
    }
  }
  choice[n] = best;
  return best != old;
}

/// Tries every placement of the value on its maker and all its users.
bool Search::improveValue(int v) {
  FormProblem::ValueInfo &value = problem.values[v];
  if (!value.costs || value.def.node < 0 || value.uses.empty() ||
      value.uses.size() > 8)
    return false;
  llvm::SmallVector<int, 8> group{value.def.node};
  for (const FormProblem::Slot &use : value.uses)
    if (!llvm::is_contained(group, use.node))
      group.push_back(use.node);
  llvm::SmallVector<uint8_t, 8> old, best;
  for (int n : group)
    old.push_back(choice[n]);
  best = old;
  double bestCost = localCost(group);
  auto restore = [&](llvm::ArrayRef<uint8_t> saved) {
    for (auto [n, c] : llvm::zip(group, saved))
      choice[n] = c;
  };
  const FormProblem::Node &maker = problem.nodes[value.def.node];
  for (size_t c = 0; c < maker.candidates.size(); ++c) {
    if (!usable(maker.candidates[c]))
      continue;
    restore(old);
    choice[value.def.node] = c;
    uint8_t placement = maker.candidates[c].defs[value.def.index];
    for (const FormProblem::Slot &use : value.uses)
      adoptUse(use, placement);
    double limit = bestCost - margin(bestCost);
    if (double cost = localCost(group, limit); cost < limit) {
      bestCost = cost;
      best.clear();
      for (int n : group)
        best.push_back(choice[n]);
    }
  }
  restore(best);
  return best != old;
}

/// Gives the using node its best candidate that takes the placement as is.
void Search::adoptUse(const FormProblem::Slot &use, uint8_t placement) {
  const FormProblem::Node &node = problem.nodes[use.node];
  if (!node.free() ||
      node.candidates[choice[use.node]].uses[use.index] == placement)
    return;
  uint8_t old = choice[use.node], best = old;
  double bestCost = std::numeric_limits<double>::max();
  for (size_t c = 0; c < node.candidates.size(); ++c) {
    if (node.candidates[c].uses[use.index] != placement ||
        !usable(node.candidates[c]))
      continue;
    choice[use.node] = c;
    if (double cost = localCost({use.node}, bestCost); cost < bestCost) {
      bestCost = cost;
      best = c;
    }
  }
  choice[use.node] = best;
}

double getCost(FormProblem &problem, llvm::ArrayRef<uint8_t> choice) {
  std::vector<uint8_t> copy(choice.begin(), choice.end());
  return Search(problem, copy).total();
}

void improve(FormProblem &problem, std::vector<uint8_t> &choice) {
  Search search(problem, choice);
  // A node is looked at again only when it or a neighbour has changed, also
  // from one sweep to the next.
  std::vector<bool> dirty(problem.nodes.size(), true);
  std::vector<uint8_t> swept(choice.begin(), choice.end());
  auto sweep = [&] {
    auto mark = [&](int n) {
      dirty[n] = true;
      for (auto *list : {&problem.nodes[n].uses})
        for (int v : *list)
          if (v >= 0 && problem.values[v].def.node >= 0)
            dirty[problem.values[v].def.node] = true;
      for (int v : problem.nodes[n].defs)
        if (v >= 0)
          for (const FormProblem::Slot &use : problem.values[v].uses)
            dirty[use.node] = true;
    };
    for (size_t n = 0; n < swept.size(); ++n)
      if (swept[n] != choice[n])
        mark(n);
    for (int round = 0; round < 8; ++round) {
      bool changed = false;
      auto visit = [&](int n) {
        if (!dirty[n])
          return;
        dirty[n] = false;
        bool better = search.improveNode(n);
        for (int v : problem.nodes[n].defs)
          if (v >= 0)
            better |= search.improveValue(v);
        if (better) {
          changed = true;
          mark(n);
        }
      };
      for (int n = 0, e = problem.nodes.size(); n < e; ++n)
        visit(round % 2 ? e - 1 - n : n);
      if (!changed)
        break;
    }
    swept.assign(choice.begin(), choice.end());
  };
  // Whole forests take a time that programs of many thousand ops notice.
  const uint32_t patience = problem.nodes.size() > 5000 ? 1 : 2;
  auto forests = [&](uint32_t first, uint32_t patience) {
    for (uint32_t seed = first, idle = 0; seed < first + 24 && idle < patience;
         ++seed) {
      if (search.improveForest(seed)) {
        idle = 0;
        sweep();
      } else {
        ++idle;
      }
    }
  };
  // Visits: enough for programs of a few thousand ops; in larger ones, which
  // repeat themselves, little beside the rest.
  size_t budget = problem.nodes.size() > 6000 ? 10000 : 40000;
  auto regions = [&](uint32_t seed) {
    for (int round = 0; round < 4 && search.improveRegions(budget); ++round) {
      sweep();
      forests(seed + 100 * round, patience);
    }
  };
  sweep();
  forests(1, 4);
  regions(100);
  bool anyLate = false;
  for (size_t n = 0; n < problem.nodes.size(); ++n)
    for (const FormProblem::Candidate &c : problem.nodes[n].candidates)
      if (c.late)
        dirty[n] = anyLate = true;
  if (!anyLate)
    return;
  search.allowLate(problem.nodes.size() < 2000);
  std::vector<uint8_t> before(choice.begin(), choice.end());
  sweep();
  regions(1100);
  if (choice != before)
    forests(1000, patience);
}

} // namespace shoal::propagate
