// What is known of a group while it grows (FusionGroups.cpp): where in the
// group's space each member's elements are needed.
#ifndef SHOAL_LIB_ANALYSIS_GROWINGGROUP_H
#define SHOAL_LIB_ANALYSIS_GROWINGGROUP_H

#include "shoal/Analysis/FusionGroups.h"

namespace shoal {

/// How a value's index follows from the group's index: for each dimension the
/// dimension of the group's space that it runs along, or -1 for index 0.
/// Unknown where it is anything else.
struct IndexRelation {
  bool known = false;
  llvm::SmallVector<int> dims;

  static IndexRelation identity(unsigned rank) {
    IndexRelation relation{true, {}};
    for (unsigned i = 0; i < rank; ++i)
      relation.dims.push_back(i);
    return relation;
  }
  bool operator==(const IndexRelation &o) const {
    return known == o.known && dims == o.dims;
  }
};

/// The relation of an operand, from that of the op's result.
IndexRelation operandRelation(mlir::Operation *op, unsigned operand,
                              const IndexRelation &result);

struct Member {
  IndexRelation relation;
  /// How many times each element is computed, about.
  double repeat = 1;
  /// A reduction of the group depends on it.
  bool feedsReduction = false;
};

struct GrowingGroup : FusionGroup {
  llvm::SmallVector<int64_t> space;
  /// Reduced dimensions of the space, ascending (Rows and Columns).
  llvm::SmallVector<int64_t> reduced;
  llvm::DenseMap<mlir::Operation *, Member> members;
  unsigned position = 0;
};

/// Fills in `mayOverwrite` of a group whose inputs and outputs are known; `ops`
/// are its ops (InPlace.cpp).
void findOverwritable(GrowingGroup &group,
                      llvm::ArrayRef<mlir::Operation *> ops);

} // namespace shoal

#endif // SHOAL_LIB_ANALYSIS_GROWINGGROUP_H
