// The search's move over whole trees of nodes at once.
#include "FormSearch.h"

#include "llvm/ADT/STLExtras.h"

#include <limits>
#include <numeric>
#include <random>

namespace shoal::propagate {

/// A spanning forest of (maker, user) pairs, and the cheapest choice along it.
class Search::Forest {
public:
  Forest(Search &search, uint32_t seed)
      : search(search), problem(search.problem), incident(problem.nodes.size()),
        onForest(problem.values.size()), upEdge(problem.nodes.size(), -1),
        below(problem.nodes.size()), pick(problem.nodes.size()) {
    chooseEdges(seed);
    orderNodes();
  }

  /// The choice with the nodes of the forest at their cheapest.
  std::vector<uint8_t> cheapestChoice();

private:
  using Value = FormProblem::ValueInfo;
  using Node = FormProblem::Node;
  using Candidate = FormProblem::Candidate;
  struct Edge {
    int value, use; ///< use: index into the value's uses
  };

  void chooseEdges(uint32_t seed);
  void orderNodes();
  int makerOf(const Edge &e) const { return problem.values[e.value].def.node; }
  int userOf(const Edge &e) const {
    return problem.values[e.value].uses[e.use].node;
  }
  bool isOn(int value, size_t use) const {
    return !onForest[value].empty() && onForest[value][use];
  }
  uint8_t placementAt(const Edge &e, int node, size_t candidate) const;
  bool isWantedOff(const Edge &e, uint8_t placement) const;
  double edgeCost(const Edge &e, uint8_t def, uint8_t use, Price price) const;
  double ownCost(int n, size_t c, Price price);
  void sumUp(int n);

  Search &search;
  FormProblem &problem;
  std::vector<Edge> edges;
  std::vector<std::vector<int>> incident;  ///< edges of each node
  std::vector<std::vector<bool>> onForest; ///< uses of each value; empty: none
  std::vector<int> order;                  ///< nodes, roots first
  std::vector<int> upEdge;                 ///< of each node; -1: a root
  /// By candidates of a node: the cost of what hangs below it.
  std::vector<std::vector<double>> below;
  /// By candidates of the node above (one entry for roots): the one to take.
  std::vector<std::vector<uint8_t>> pick;
};

/// A spanning forest of the pairs of free nodes, drawn at random.
void Search::Forest::chooseEdges(uint32_t seed) {
  std::vector<Edge> all;
  for (size_t v = 0; v < problem.values.size(); ++v) {
    Value &value = problem.values[v];
    if (!value.costs || value.def.node < 0)
      continue;
    for (size_t u = 0; u < value.uses.size(); ++u)
      if (value.uses[u].node != value.def.node)
        all.push_back({int(v), int(u)});
  }
  std::mt19937 random(seed);
  std::shuffle(all.begin(), all.end(), random);
  std::vector<int> parentOf(problem.nodes.size());
  std::iota(parentOf.begin(), parentOf.end(), 0);
  auto find = [&](int n) {
    while (parentOf[n] != n)
      n = parentOf[n] = parentOf[parentOf[n]];
    return n;
  };
  for (const Edge &e : all) {
    int a = makerOf(e), b = userOf(e);
    // A given node separates what hangs on it.
    if (!problem.nodes[a].free() || !problem.nodes[b].free() ||
        find(a) == find(b))
      continue;
    parentOf[find(a)] = find(b);
    incident[a].push_back(edges.size());
    incident[b].push_back(edges.size());
    onForest[e.value].resize(problem.values[e.value].uses.size());
    onForest[e.value][e.use] = true;
    edges.push_back(e);
  }
}

void Search::Forest::orderNodes() {
  std::vector<bool> seen(problem.nodes.size());
  for (size_t root = 0; root < problem.nodes.size(); ++root) {
    if (seen[root] || incident[root].empty())
      continue;
    size_t begin = order.size();
    order.push_back(root);
    seen[root] = true;
    for (size_t at = begin; at < order.size(); ++at)
      for (int e : incident[order[at]]) {
        int a = makerOf(edges[e]), b = userOf(edges[e]);
        int other = a == order[at] ? b : a;
        if (seen[other])
          continue;
        seen[other] = true;
        upEdge[other] = e;
        order.push_back(other);
      }
  }
}

uint8_t Search::Forest::placementAt(const Edge &e, int node,
                                    size_t candidate) const {
  const Value &value = problem.values[e.value];
  const Candidate &c = problem.nodes[node].candidates[candidate];
  return value.def.node == node ? c.defs[value.def.index]
                                : c.uses[value.uses[e.use].index];
}

/// Whether another use of the value, off the forest, wants the placement now.
bool Search::Forest::isWantedOff(const Edge &e, uint8_t placement) const {
  const Value &value = problem.values[e.value];
  for (size_t u = 0; u < value.uses.size(); ++u)
    if (int(u) != e.use && !isOn(e.value, u) &&
        search.useOf(value.uses[u]) == placement)
      return true;
  return false;
}

// Costs are exact, or bounds that need no plan: what cannot be the cheapest is
// not planned.

double Search::Forest::edgeCost(const Edge &e, uint8_t def, uint8_t use,
                                Price price) const {
  if (def == use || isWantedOff(e, use))
    return 0;
  Value &value = problem.values[e.value];
  return value.weight * value.costs->get(def, use, price) + value.holdCost(use);
}

/// Of a candidate and of what it exchanges with nodes that stay as they are.
double Search::Forest::ownCost(int n, size_t c, Price price) {
  const Node &node = problem.nodes[n];
  const Candidate &candidate = node.candidates[c];
  double cost = candidate.cost;
  auto &wanted = search.wanted;
  for (auto [i, v] : llvm::enumerate(node.defs)) {
    if (v < 0)
      continue;
    Value &value = problem.values[v];
    if (!value.costs)
      continue;
    wanted.clear();
    for (size_t u = 0; u < value.uses.size(); ++u)
      if (!isOn(v, u))
        if (uint8_t w = search.useOf(value.uses[u]);
            !llvm::is_contained(wanted, w))
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
    Value &value = problem.values[v];
    if (!value.costs || value.def.node < 0)
      continue;
    size_t u = 0;
    while (value.uses[u].node != n || value.uses[u].index != int(i))
      ++u;
    if (isOn(v, u))
      continue;
    uint8_t have = search.defOf(value.def), want = candidate.uses[i];
    bool shared = false;
    for (size_t k = 0; k < value.uses.size() && !shared; ++k)
      shared = k != u && value.uses[k].node != n &&
               search.useOf(value.uses[k]) == want;
    if (!shared && have != want)
      cost += value.weight * value.costs->get(have, want, price) +
              value.holdCost(want);
  }
  return cost;
}

/// What to take of a node for each candidate of the one above; all nodes below
/// it are done.
void Search::Forest::sumUp(int n) {
  const Node &node = problem.nodes[n];
  size_t size = node.candidates.size();
  if (below[n].empty())
    below[n].assign(size, 0);
  std::vector<double> mine(size);
  std::vector<bool> isExact(size, false);
  for (size_t c = 0; c < size; ++c)
    mine[c] = search.usable(node.candidates[c])
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
    return;
  }
  const Edge &e = edges[upEdge[n]];
  bool isDef = makerOf(e) == n;
  int up = isDef ? userOf(e) : makerOf(e);
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

std::vector<uint8_t> Search::Forest::cheapestChoice() {
  for (int n : llvm::reverse(order))
    sumUp(n);
  std::vector<uint8_t> choice(search.choice.begin(), search.choice.end());
  for (int n : order) {
    if (upEdge[n] < 0) {
      choice[n] = pick[n][0];
      continue;
    }
    const Edge &e = edges[upEdge[n]];
    int up = makerOf(e) == n ? userOf(e) : makerOf(e);
    choice[n] = pick[n][choice[up]];
  }
  return choice;
}

bool Search::improveForest(uint32_t seed) {
  std::vector<uint8_t> before(choice.begin(), choice.end());
  std::vector<uint8_t> after = Forest(*this, seed).cheapestChoice();
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
