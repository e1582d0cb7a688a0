// The moves of the search behind `improve` (FormProblem.h): one node, a value
// with its maker and users, a region grown from a value, a spanning forest.
#ifndef SHOAL_LIB_PROPAGATE_FORMSEARCH_H
#define SHOAL_LIB_PROPAGATE_FORMSEARCH_H

#include "FormProblem.h"

#include <algorithm>
#include <limits>

namespace shoal::propagate {

class Search {
public:
  Search(FormProblem &problem, std::vector<uint8_t> &choice)
      : problem(problem), choice(choice), stamps(problem.values.size(), 0),
        settledAt(problem.values.size(), 0), settled(problem.values.size(), 0),
        visitedAt(problem.nodes.size(), 0),
        failedAt(problem.values.size(), -1) {}

  /// Cost of bringing a value to its users, and of a whole choice.
  double valueCost(int v, Price price = Price::Exact);
  double total();
  /// Cost of what changes when the given nodes change; if that is not below
  /// `limit`, something else that is not.
  double localCost(llvm::ArrayRef<int> nodes,
                   double limit = std::numeric_limits<double>::infinity());

  /// Whether late candidates may be taken.
  bool withLate = false;
  void allowLate(bool tryAgain) {
    withLate = true;
    if (tryAgain)
      failedAt.assign(failedAt.size(), -1);
  }

  // Each move returns whether it lowered the cost, and undoes itself if not.
  bool improveNode(int n);
  /// Tries every placement of the value on its maker and all its users.
  bool improveValue(int v);
  /// Exact minimum over all nodes along one spanning forest of (maker, user)
  /// pairs, everything off the forest as it is now.
  bool improveForest(uint32_t seed);
  /// Gives the value a placement and lets it spread, against the present
  /// choice, over the nodes that can take it on; then mends the edges. Leaves
  /// the minimum that a single value's change cannot.
  bool improveRegion(int v, uint8_t placement, size_t limit, size_t &visits);
  /// Regions around all values that are moved now, dearest first, at most
  /// `budget` node visits.
  bool improveRegions(size_t &budget);

private:
  class Forest;

  static double margin(double cost) { return 1e-6 * std::max(1.0, cost); }
  uint8_t defOf(const FormProblem::Slot &s) const {
    return problem.nodes[s.node].candidates[choice[s.node]].defs[s.index];
  }
  uint8_t useOf(const FormProblem::Slot &s) const {
    return problem.nodes[s.node].candidates[choice[s.node]].uses[s.index];
  }
  bool usable(const FormProblem::Candidate &c) const {
    return withLate || !c.late;
  }
  /// Gives the using node its best candidate that takes the placement as is.
  void adoptUse(const FormProblem::Slot &use, uint8_t placement);

  FormProblem &problem;
  std::vector<uint8_t> &choice;
  llvm::SmallVector<uint8_t, 8> wanted;
  llvm::SmallVector<int, 16> touched;
  llvm::SmallVector<double, 16> bounds; ///< of what is touched
  std::vector<uint32_t> stamps;         ///< per value, for localCost
  uint32_t stamp = 0;
  // For improveRegion: what was settled or visited in this epoch.
  std::vector<uint32_t> settledAt;
  std::vector<uint8_t> settled;
  std::vector<uint32_t> visitedAt; ///< per node
  uint32_t epoch = 0;
  /// Cost of moving each value when no region around it helped.
  std::vector<double> failedAt;
};

} // namespace shoal::propagate

#endif // SHOAL_LIB_PROPAGATE_FORMSEARCH_H
