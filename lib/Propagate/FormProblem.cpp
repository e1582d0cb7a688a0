#include "FormProblem.h"

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

namespace {

class Search {
public:
  Search(FormProblem &problem, std::vector<uint8_t> &choice)
      : problem(problem), choice(choice) {}

  double valueCost(int v) {
    FormProblem::ValueInfo &value = problem.values[v];
    if (!value.costs || value.def.node < 0)
      return 0;
    uint8_t have = defOf(value.def);
    wanted.clear();
    for (const FormProblem::Slot &use : value.uses)
      if (uint8_t w = useOf(use); w != have && !llvm::is_contained(wanted, w))
        wanted.push_back(w);
    if (wanted.empty())
      return 0;
    if (wanted.size() == 1)
      return value.weight * value.costs->get(have, wanted[0]);
    return value.weight * planCopies(*value.costs, have, wanted).cost;
  }

  double total() {
    double cost = 0;
    for (size_t n = 0; n < problem.nodes.size(); ++n)
      cost += problem.nodes[n].candidates[choice[n]].cost;
    for (size_t v = 0; v < problem.values.size(); ++v)
      cost += valueCost(v);
    return cost;
  }

  /// Cost of what changes when the given nodes change.
  double localCost(llvm::ArrayRef<int> nodes) {
    double cost = 0;
    touched.clear();
    for (int n : nodes) {
      const FormProblem::Node &node = problem.nodes[n];
      cost += node.candidates[choice[n]].cost;
      for (int v : node.uses)
        if (v >= 0 && !llvm::is_contained(touched, v))
          touched.push_back(v);
      for (int v : node.defs)
        if (v >= 0 && !llvm::is_contained(touched, v))
          touched.push_back(v);
    }
    for (int v : touched)
      cost += valueCost(v);
    return cost;
  }

  bool improveNode(int n) {
    const FormProblem::Node &node = problem.nodes[n];
    if (!node.free())
      return false;
    uint8_t best = choice[n], old = best;
    double bestCost = localCost({n});
    for (size_t c = 0; c < node.candidates.size(); ++c) {
      if (c == old)
        continue;
      choice[n] = c;
      if (double cost = localCost({n}); cost < bestCost - margin(bestCost)) {
        bestCost = cost;
        best = c;
      }
    }
    choice[n] = best;
    return best != old;
  }

  /// Tries every placement of the value on its maker and all its users.
  bool improveValue(int v) {
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
      restore(old);
      choice[value.def.node] = c;
      uint8_t placement = maker.candidates[c].defs[value.def.index];
      for (const FormProblem::Slot &use : value.uses)
        adoptUse(use, placement);
      if (double cost = localCost(group); cost < bestCost - margin(bestCost)) {
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
  void adoptUse(const FormProblem::Slot &use, uint8_t placement) {
    const FormProblem::Node &node = problem.nodes[use.node];
    if (!node.free() || node.candidates[choice[use.node]].uses[use.index] == placement)
      return;
    uint8_t old = choice[use.node], best = old;
    double bestCost = std::numeric_limits<double>::max();
    for (size_t c = 0; c < node.candidates.size(); ++c) {
      if (node.candidates[c].uses[use.index] != placement)
        continue;
      choice[use.node] = c;
      if (double cost = localCost({use.node}); cost < bestCost) {
        bestCost = cost;
        best = c;
      }
    }
    choice[use.node] = best;
  }

  bool improveForest(uint32_t seed);

private:
  static double margin(double cost) { return 1e-6 * std::max(1.0, cost); }
  uint8_t defOf(const FormProblem::Slot &s) const {
    return problem.nodes[s.node].candidates[choice[s.node]].defs[s.index];
  }
  uint8_t useOf(const FormProblem::Slot &s) const {
    return problem.nodes[s.node].candidates[choice[s.node]].uses[s.index];
  }

  FormProblem &problem;
  std::vector<uint8_t> &choice;
  llvm::SmallVector<uint8_t, 8> wanted;
  llvm::SmallVector<int, 16> touched;
};

/// Exact minimum over all nodes along one spanning forest of (maker, user)
/// pairs, everything off the forest as it is now.
bool Search::improveForest(uint32_t seed) {
  struct Edge {
    int value, use; ///< use: index into the value's uses
  };
  std::vector<Edge> edges;
  for (size_t v = 0; v < problem.values.size(); ++v) {
    FormProblem::ValueInfo &value = problem.values[v];
    if (!value.costs || value.def.node < 0)
      continue;
    for (size_t u = 0; u < value.uses.size(); ++u)
      if (value.uses[u].node != value.def.node)
        edges.push_back({int(v), int(u)});
  }
  std::mt19937 random(seed);
  std::shuffle(edges.begin(), edges.end(), random);
  std::vector<int> parentOf(problem.nodes.size());
  std::iota(parentOf.begin(), parentOf.end(), 0);
  std::function<int(int)> find = [&](int n) {
    while (parentOf[n] != n)
      n = parentOf[n] = parentOf[parentOf[n]];
    return n;
  };
  std::vector<std::vector<int>> incident(problem.nodes.size());
  std::vector<Edge> forest;
  std::vector<std::vector<bool>> onForest(problem.values.size());
  for (const Edge &e : edges) {
    FormProblem::ValueInfo &value = problem.values[e.value];
    int a = value.def.node, b = value.uses[e.use].node;
    // A given node separates what hangs on it: it may join several trees.
    if (problem.nodes[a].free() && problem.nodes[b].free()) {
      if (find(a) == find(b))
        continue;
      parentOf[find(a)] = find(b);
    } else {
      continue;
    }
    incident[a].push_back(forest.size());
    incident[b].push_back(forest.size());
    onForest[e.value].resize(value.uses.size());
    onForest[e.value][e.use] = true;
    forest.push_back(e);
  }

  // What the uses of a value that are off the forest want now.
  auto offForestWants = [&](int v, int except, uint8_t placement) {
    FormProblem::ValueInfo &value = problem.values[v];
    for (size_t u = 0; u < value.uses.size(); ++u)
      if (int(u) != except && (onForest[v].empty() || !onForest[v][u]) &&
          useOf(value.uses[u]) == placement)
        return true;
    return false;
  };
  auto edgeCost = [&](const Edge &e, uint8_t def, uint8_t use) -> double {
    if (def == use || offForestWants(e.value, e.use, use))
      return 0;
    FormProblem::ValueInfo &value = problem.values[e.value];
    return value.weight * value.costs->get(def, use);
  };
  auto ownCost = [&](int n, size_t c) {
    const FormProblem::Node &node = problem.nodes[n];
    const FormProblem::Candidate &candidate = node.candidates[c];
    double cost = candidate.cost;
    for (auto [i, v] : llvm::enumerate(node.defs)) {
      if (v < 0)
        continue;
      FormProblem::ValueInfo &value = problem.values[v];
      if (!value.costs)
        continue;
      wanted.clear();
      for (size_t u = 0; u < value.uses.size(); ++u)
        if (onForest[v].empty() || !onForest[v][u])
          if (uint8_t w = useOf(value.uses[u]); !llvm::is_contained(wanted, w))
            wanted.push_back(w);
      cost += value.weight * planCopies(*value.costs, candidate.defs[i], wanted).cost;
    }
    for (auto [i, v] : llvm::enumerate(node.uses)) {
      if (v < 0)
        continue;
      FormProblem::ValueInfo &value = problem.values[v];
      if (!value.costs || value.def.node < 0)
        continue;
      size_t u = 0;
      while (value.uses[u].node != n || value.uses[u].index != int(i))
        ++u;
      if (!onForest[v].empty() && onForest[v][u])
        continue;
      uint8_t have = defOf(value.def), want = candidate.uses[i];
      bool shared = false;
      for (size_t k = 0; k < value.uses.size() && !shared; ++k)
        shared = k != u && value.uses[k].node != n && useOf(value.uses[k]) == want;
      if (!shared)
        cost += value.weight * value.costs->get(have, want);
    }
    return cost;
  };

  std::vector<uint8_t> before(choice.begin(), choice.end()), after = before;
  std::vector<int8_t> state(problem.nodes.size(), 0);
  std::vector<int> order, upEdge(problem.nodes.size(), -1);
  for (size_t root = 0; root < problem.nodes.size(); ++root) {
    if (state[root] || incident[root].empty())
      continue;
    size_t begin = order.size();
    order.push_back(root);
    state[root] = 1;
    for (size_t at = begin; at < order.size(); ++at)
      for (int e : incident[order[at]]) {
        FormProblem::ValueInfo &value = problem.values[forest[e].value];
        int a = value.def.node, b = value.uses[forest[e].use].node;
        int other = a == order[at] ? b : a;
        if (state[other])
          continue;
        state[other] = 1;
        upEdge[other] = e;
        order.push_back(other);
      }
  }
  auto placementAt = [&](const Edge &e, int n, size_t c) {
    FormProblem::ValueInfo &value = problem.values[e.value];
    const FormProblem::Candidate &candidate = problem.nodes[n].candidates[c];
    return value.def.node == n ? candidate.defs[value.def.index]
                               : candidate.uses[value.uses[e.use].index];
  };
  std::vector<std::vector<double>> best(problem.nodes.size());
  std::vector<std::vector<uint8_t>> pick(problem.nodes.size());
  for (int n : llvm::reverse(order)) {
    std::vector<double> &mine = best[n];
    if (mine.empty())
      mine.assign(problem.nodes[n].candidates.size(), 0);
    for (size_t c = 0; c < mine.size(); ++c)
      mine[c] += ownCost(n, c);
    if (upEdge[n] < 0)
      continue;
    const Edge &e = forest[upEdge[n]];
    FormProblem::ValueInfo &value = problem.values[e.value];
    bool isDef = value.def.node == n;
    int up = isDef ? value.uses[e.use].node : value.def.node;
    size_t upSize = problem.nodes[up].candidates.size();
    if (best[up].empty())
      best[up].assign(upSize, 0);
    pick[n].assign(upSize, 0);
    for (size_t p = 0; p < upSize; ++p) {
      double lowest = std::numeric_limits<double>::max();
      uint8_t upPlacement = placementAt(e, up, p);
      for (size_t c = 0; c < mine.size(); ++c) {
        uint8_t placement = placementAt(e, n, c);
        double cost = mine[c] + (isDef ? edgeCost(e, placement, upPlacement)
                                       : edgeCost(e, upPlacement, placement));
        if (cost < lowest) {
          lowest = cost;
          pick[n][p] = c;
        }
      }
      best[up][p] += lowest;
    }
  }
  for (int n : order) {
    if (upEdge[n] < 0) {
      after[n] = std::min_element(best[n].begin(), best[n].end()) - best[n].begin();
      continue;
    }
    const Edge &e = forest[upEdge[n]];
    FormProblem::ValueInfo &value = problem.values[e.value];
    int up = value.def.node == n ? value.uses[e.use].node : value.def.node;
    after[n] = pick[n][after[up]];
  }
  if (after == before)
    return false;
  // Sharing of copies makes the forest's cost an estimate: keep what is true.
  double old = total();
  std::copy(after.begin(), after.end(), choice.begin());
  if (total() < old - margin(old))
    return true;
  std::copy(before.begin(), before.end(), choice.begin());
  return false;
}

} // namespace

double getCost(FormProblem &problem, llvm::ArrayRef<uint8_t> choice) {
  std::vector<uint8_t> copy(choice.begin(), choice.end());
  return Search(problem, copy).total();
}

void improve(FormProblem &problem, std::vector<uint8_t> &choice) {
  Search search(problem, choice);
  auto sweep = [&] {
    // A node is looked at again only when it or a neighbour has changed.
    std::vector<bool> dirty(problem.nodes.size(), true);
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
  };
  sweep();
  for (uint32_t seed = 1, idle = 0; seed <= 24 && idle < 4; ++seed) {
    if (search.improveForest(seed)) {
      idle = 0;
      sweep();
    } else {
      ++idle;
    }
  }
}

} // namespace shoal::propagate
