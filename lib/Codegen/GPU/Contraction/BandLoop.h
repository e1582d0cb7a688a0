// Which keys a tile of queries needs, where their places tell (Band).
#ifndef SHOAL_LIB_CODEGEN_GPU_CONTRACTION_BANDLOOP_H
#define SHOAL_LIB_CODEGEN_GPU_CONTRACTION_BANDLOOP_H

#include "Operands.h"

namespace shoal::contraction {

/// How a band bounds the loop over keys.
struct BandPlan {
  unsigned keys; ///< the atom whose tiles are counted
  /// Inside, offset + terms + sign * (the keys' counter) >= 0; no term is the
  /// keys'.
  struct Bound {
    int64_t offset = 0, sign = 1;
    llvm::SmallVector<Term, 2> terms;
  };
  llvm::SmallVector<Bound, 2> bounds;
  /// Later queries have more keys.
  bool grows() const;
};

/// None if the loop can not be bounded by it.
std::optional<BandPlan> planBand(const Contraction &contraction,
                                 llvm::ArrayRef<int64_t> tileOf);

/// Numbers [first, last) of the tiles of keys outside of which all scores of
/// the block's queries are filled.
struct KeyRange {
  Index32 first, last;
};
KeyRange makeKeyRange(TileBuilder &t, const BandPlan &plan,
                      llvm::ArrayRef<int64_t> tileOf, const Starts &starts);

} // namespace shoal::contraction

#endif // SHOAL_LIB_CODEGEN_GPU_CONTRACTION_BANDLOOP_H
