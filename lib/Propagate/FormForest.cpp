// The search's move over whole trees of nodes at once.
#include "FormSearch.h"

#include "llvm/ADT/STLExtras.h"

#include <limits>
#include <numeric>
#include <random>

namespace shoal::propagate {

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
  // Costs are exact, or bounds that need no plan: what cannot be the cheapest
  // is not planned.
  auto edgeCost = [&](const Edge &e, uint8_t def, uint8_t use,
                      Price price) -> double {
    if (def == use || offForestWants(e.value, e.use, use))
      return 0;
    FormProblem::ValueInfo &value = problem.values[e.value];
    return value.weight * value.costs->get(def, use, price) +
           value.holdCost(use);
  };
  auto ownCost = [&](int n, size_t c, Price price) {
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
      cost += value.weight *
              copiesCost(*value.costs, candidate.defs[i], wanted, price);
      cost += value.holdCost(candidate.defs[i]);
      for (uint8_t w : wanted)
        if (w != candidate.defs[i])
          cost += value.holdCost(w);
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
        shared =
            k != u && value.uses[k].node != n && useOf(value.uses[k]) == want;
      if (!shared && have != want)
        cost += value.weight * value.costs->get(have, want, price) +
                value.holdCost(want);
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
  // Sums over what hangs below a node, by its candidates.
  std::vector<std::vector<double>> below(problem.nodes.size());
  std::vector<std::vector<uint8_t>> pick(problem.nodes.size());
  for (int n : llvm::reverse(order)) {
    const FormProblem::Node &node = problem.nodes[n];
    size_t size = node.candidates.size();
    if (below[n].empty())
      below[n].assign(size, 0);
    std::vector<double> mine(size);
    std::vector<bool> isExact(size, false);
    for (size_t c = 0; c < size; ++c)
      mine[c] = usable(node.candidates[c])
                    ? below[n][c] + ownCost(n, c, Price::AtLeast)
                    : std::numeric_limits<double>::infinity();
    // The cheapest candidate together with a cost of each, the first of equals.
    auto cheapest = [&](auto &&beside, uint8_t &chosen) {
      double lowest = std::numeric_limits<double>::max();
      chosen = 0;
      for (size_t c = 0; c < size; ++c) {
        if (mine[c] + beside(c, Price::AtLeast) >= lowest)
          continue;
        if (!isExact[c]) {
          mine[c] = below[n][c] + ownCost(n, c, Price::Exact);
          isExact[c] = true;
          if (mine[c] + beside(c, Price::AtLeast) >= lowest)
            continue;
        }
        if (double cost = mine[c] + beside(c, Price::Exact); cost < lowest) {
          lowest = cost;
          chosen = c;
        }
      }
      return lowest;
    };
    if (upEdge[n] < 0) {
      pick[n].assign(1, 0);
      cheapest([](size_t, Price) { return 0.0; }, pick[n][0]);
      continue;
    }
    const Edge &e = forest[upEdge[n]];
    FormProblem::ValueInfo &value = problem.values[e.value];
    bool isDef = value.def.node == n;
    int up = isDef ? value.uses[e.use].node : value.def.node;
    size_t upSize = problem.nodes[up].candidates.size();
    if (below[up].empty())
      below[up].assign(upSize, 0);
    pick[n].assign(upSize, 0);
    for (size_t p = 0; p < upSize; ++p) {
      uint8_t upPlacement = placementAt(e, up, p);
      below[up][p] += cheapest(
          [&](size_t c, Price price) {
            uint8_t placement = placementAt(e, n, c);
            return isDef ? edgeCost(e, placement, upPlacement, price)
                         : edgeCost(e, upPlacement, placement, price);
          },
          pick[n][p]);
    }
  }
  for (int n : order) {
    if (upEdge[n] < 0) {
      after[n] = pick[n][0];
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

} // namespace shoal::propagate
