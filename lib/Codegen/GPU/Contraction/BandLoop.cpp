#include "BandLoop.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

bool BandPlan::grows() const {
  return llvm::any_of(bounds, [](const Bound &bound) {
    return bound.sign < 0 &&
           llvm::any_of(
               bound.terms,
               [](const Term &term) { return term.coefficient > 0; });
  });
}

std::optional<BandPlan> contraction::planBand(const Contraction &contraction,
                                              ArrayRef<int64_t> tileOf) {
  if (!contraction.band)
    return std::nullopt;
  // One atom has all the tiles of keys.
  BandPlan plan{0, {}};
  int64_t tiled = 0;
  for (unsigned atom : contraction.atomsOf(Role::K))
    if (contraction.space[atom].size > tileOf[atom]) {
      plan.keys = atom;
      ++tiled;
    }
  if (tiled != 1)
    return std::nullopt;
  for (const Band::Bound &bound : contraction.band->bounds) {
    BandPlan::Bound made;
    made.offset = bound.constant;
    SmallVector<int64_t> coefficients(contraction.space.size(), 0);
    for (auto [side, sign] :
         {std::pair(&bound.plus, 1), std::pair(&bound.minus, -1)}) {
      if (!side->value)
        continue;
      const DimIndex &index = side->leaves[0].memory[0].index;
      made.offset += sign * index.offset;
      for (const Term &term : index.terms)
        coefficients[term.atom] += sign * term.coefficient;
    }
    made.sign = coefficients[plan.keys];
    bool good = std::abs(made.sign) == 1;
    for (auto [atom, coefficient] : llvm::enumerate(coefficients)) {
      if (coefficient == 0 || atom == plan.keys)
        continue;
      Role role = contraction.space[atom].role;
      good &= role == Role::M || role == Role::Batch;
      made.terms.push_back({static_cast<unsigned>(atom), coefficient});
    }
    if (good)
      plan.bounds.push_back(std::move(made));
  }
  if (plan.bounds.empty())
    return std::nullopt;
  return plan;
}

KeyRange contraction::makeKeyRange(TileBuilder &t, const BandPlan &plan,
                                   ArrayRef<int64_t> tileOf,
                                   const Starts &starts) {
  IndexBuilder &x = t.index;
  ArrayRef<Atom> space = t.contraction.space;
  int64_t size = space[plan.keys].size, tile = tileOf[plan.keys];
  Index32 low = 0, high = size;
  for (const BandPlan::Bound &bound : plan.bounds) {
    // The largest that the rest is in the tile.
    Index32 rest = bound.offset;
    for (const Term &term : bound.terms) {
      Index32 counter = starts[term.atom];
      if (term.coefficient > 0 && tileOf[term.atom] > 1)
        counter = x.min(x.add(counter, tileOf[term.atom] - 1),
                        space[term.atom].size - 1);
      rest = x.add(rest, x.mul(counter, term.coefficient));
    }
    if (bound.sign < 0)
      high = x.min(high, x.add(rest, 1));
    else
      low = x.max(low, x.mul(rest, -1));
  }
  low = x.min(low, size);
  high = x.max(high, low);
  return {x.div(low, tile), x.div(x.add(high, tile - 1), tile)};
}
