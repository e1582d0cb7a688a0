// Plans how a value goes from one placement to another: a shortest path over
// collectives, found by A* over the placements of atoms. Plain C++, no IR.
#ifndef SHOAL_ANALYSIS_RESHARDPLANNER_H
#define SHOAL_ANALYSIS_RESHARDPLANNER_H

#include "shoal/Analysis/CostModel.h"
#include "shoal/Analysis/Placement.h"

#include <map>
#include <memory>

namespace shoal {

enum class ReshardKind {
  AllSlice,      ///< Cut `dim` by `atoms` too; no traffic.
  MakePartial,   ///< Replicated over `atoms` becomes partial; no traffic.
  AllGather,     ///< `atoms`, the minor ones of `dim`, no longer cut it.
  AllToAll,      ///< `atoms`, minor in `dim`, become the minor ones of `toDim`.
  Permute,       ///< Same local shape, other atoms or another order.
  Reblock,       ///< `dim` gets another block: shifts between neighbours.
  ReduceScatter, ///< Partial `atoms` are reduced and cut `dim`.
  AllReduce,     ///< Partial `atoms` are reduced.
};
const char *stringify(ReshardKind kind);

struct ReshardStep {
  ReshardKind kind;
  int dim = -1;
  int toDim = -1;
  /// The atoms concerned, major to minor (for Permute: those that moved).
  AtomList atoms;
  PlacementState before; ///< Set in plans; a move starts where it is asked for.
  PlacementState after;
  /// Bytes each device sends (ring accounting, averaged over devices).
  int64_t bytes = 0;
  double time = 0.0;
};

struct ReshardPlan {
  std::vector<ReshardStep> steps;
  int64_t bytes = 0;
  double time = 0.0;
  /// Largest number of bytes a device holds of the value between steps.
  int64_t peakBytes = 0;
};

/// What a plan depends on besides the two placements.
struct ReshardProblem {
  llvm::SmallVector<int64_t, 4> shape; ///< Global sizes.
  int64_t elementBytes = 4;
  llvm::ArrayRef<MeshAtom> atoms;
  const MeshCosts *costs = nullptr;
  /// Bytes no intermediate may exceed, ends excepted; 0 for no bound. When no
  /// plan keeps it the cheapest plan is returned.
  int64_t memoryBound = 0;
};

/// The cheapest plan; empty when the placements agree. Never costs more than
/// reducing, gathering everything and slicing again. Pure: equal arguments
/// give equal plans.
ReshardPlan planReshard(const PlacementState &from, const PlacementState &to,
                        const ReshardProblem &problem);

/// The moves possible from `state` on the way to `to`; for tests.
std::vector<ReshardStep> reshardMoves(const PlacementState &state,
                                      const PlacementState &to,
                                      const ReshardProblem &problem);

/// planReshard with results kept by canonical form: atoms are renamed in the
/// order in which the two placements mention them, so equal situations on
/// different axes of equal size and cost share one search.
class ReshardPlanner {
public:
  ReshardPlanner(llvm::ArrayRef<MeshAtom> atoms, MeshCosts costs,
                 int64_t memoryBound = 0);
  const ReshardPlan &plan(const PlacementState &from, const PlacementState &to,
                          llvm::ArrayRef<int64_t> shape, int64_t elementBytes);
  /// A time that the plan is not faster than, without looking for it.
  double atLeast(const PlacementState &from, const PlacementState &to,
                 llvm::ArrayRef<int64_t> shape, int64_t elementBytes) const;
  /// Number of searches made and of requests answered, for tests and timing.
  size_t searches() const { return canonical.size(); }
  const MeshCosts &meshCosts() const { return costs; }
  llvm::ArrayRef<MeshAtom> meshAtoms() const { return atoms; }

private:
  std::vector<MeshAtom> atoms;
  MeshCosts costs;
  int64_t memoryBound;
  std::map<std::vector<int64_t>, std::unique_ptr<ReshardPlan>> exact;
  std::map<std::vector<int64_t>, std::unique_ptr<ReshardPlan>> canonical;
};

} // namespace shoal

#endif // SHOAL_ANALYSIS_RESHARDPLANNER_H
