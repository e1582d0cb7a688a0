// Which steps of a reduction a tile needs, where memory tells (Interval).
#ifndef SHOAL_LIB_CODEGEN_GPU_CONTRACTION_INTERVALLOOP_H
#define SHOAL_LIB_CODEGEN_GPU_CONTRACTION_INTERVALLOOP_H

#include "Operands.h"

namespace shoal::contraction {

/// How an interval bounds the reduction.
struct IntervalPlan {
  /// The outermost atom of the reduction, whose steps are bounded: the groups
  /// (the place is another atom's) or the place itself.
  unsigned reduced;
  /// The place's atom.
  unsigned place;
  bool overGroups() const { return reduced != place; }
};

/// None if the reduction can not be bounded by it.
std::optional<IntervalPlan> planInterval(const Contraction &contraction,
                                         llvm::ArrayRef<int64_t> tileOf);

/// Steps that tiles have on average, of `steps` along the whole reduction.
int64_t expectedSteps(const Contraction &contraction, const IntervalPlan &plan,
                      llvm::ArrayRef<int64_t> tileOf, int64_t steps);

/// The steps of this block's tile: numbers [first, last) of tiles along
/// `reduced`, both i32.
struct StepRange {
  mlir::Value first, last;
  /// Over groups: i1, the whole tile lies in the one group there is. Else the
  /// bounds of the place, i32.
  mlir::Value covered, from, to;
};
StepRange makeStepRange(TileBuilder &t, OperandBuilder &operands,
                        const IntervalPlan &plan,
                        llvm::ArrayRef<int64_t> tileOf, const Starts &starts,
                        int64_t warps);

} // namespace shoal::contraction

#endif // SHOAL_LIB_CODEGEN_GPU_CONTRACTION_INTERVALLOOP_H
