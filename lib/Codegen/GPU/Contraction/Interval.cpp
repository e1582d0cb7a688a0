// Operands that are zero outside an interval which memory tells: groups of
// uneven sizes.
//
//   lhs = select(from[g] <= row && row < to[g], x, 0)
//
// is how ragged_dot is written in StableHLO, by JAX and by our import.

#include "Contraction.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

namespace sh = mlir::stablehlo;

namespace {
/// What the selection says.
struct Selection {
  Accessed place, from, to;
  std::optional<Accessed> inside; ///< none if there is more to it
};

class Finder {
public:
  explicit Finder(ArrayRef<Atom> walked) : walked(walked) {}

  Accessed strip(Accessed at) const {
    return throughMoves(std::move(at), walked);
  }

  std::optional<Selection> find(const Expression &operand) const {
    Accessed at = strip({operand.value, operand.access});
    auto select = at.value.getDefiningOp<sh::SelectOp>();
    if (!select || !isZero(select.getOnFalse()) ||
        cast<ShapedType>(select.getPred().getType()).getRank() == 0)
      return std::nullopt;
    Selection found;
    bool rest = false;
    conditions({select.getPred(), at.access}, found, rest);
    if (!found.from.value || !found.to.value)
      return std::nullopt;
    if (!rest)
      found.inside = strip({select.getOnTrue(), at.access});
    return found;
  }

private:
  static bool isZero(Value value) {
    while (auto broadcast = value.getDefiningOp<sh::BroadcastInDimOp>())
      value = broadcast.getOperand();
    auto constant = value.getDefiningOp<sh::ConstantOp>();
    auto dense =
        constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : nullptr;
    if (!dense || !dense.isSplat())
      return false;
    if (isa<FloatType>(dense.getElementType()))
      return dense.getSplatValue<APFloat>().isZero();
    return isa<IntegerType>(dense.getElementType()) &&
           dense.getSplatValue<APInt>().isZero();
  }

  /// An iota that counts one atom.
  std::optional<unsigned> placeAtom(const Accessed &at) const {
    auto iota = at.value.getDefiningOp<sh::IotaOp>();
    if (!iota)
      return std::nullopt;
    const DimIndex &index = at.access[iota.getIotaDimension()];
    if (index.terms.size() != 1 || index.terms[0].coefficient != 1)
      return std::nullopt;
    return index.terms[0].atom;
  }

  /// Reads `condition`; `rest` if something in it is no bound.
  void conditions(Accessed condition, Selection &found, bool &rest) const {
    condition = strip(condition);
    Operation *op = condition.value.getDefiningOp();
    if (isa_and_nonnull<sh::AndOp>(op)) {
      for (Value operand : op->getOperands())
        conditions({operand, condition.access}, found, rest);
      return;
    }
    auto compare = dyn_cast_or_null<sh::CompareOp>(op);
    if (!compare || !bound(compare, condition.access, found))
      rest = true;
  }

  bool bound(sh::CompareOp compare, const Access &access,
             Selection &found) const {
    auto type = cast<ShapedType>(compare.getLhs().getType()).getElementType();
    if (!type.isSignlessInteger(32) && !type.isSignlessInteger(64))
      return false;
    Accessed left = strip({compare.getLhs(), access});
    Accessed right = strip({compare.getRhs(), access});
    using Direction = sh::ComparisonDirection;
    Direction direction = compare.getComparisonDirection();
    // The place on the left.
    if (placeAtom(right) && !placeAtom(left)) {
      std::swap(left, right);
      direction = direction == Direction::LE   ? Direction::GE
                  : direction == Direction::GT ? Direction::LT
                                               : Direction::EQ;
    }
    auto atom = placeAtom(left);
    if (!atom || placeAtom(right))
      return false;
    for (const DimIndex &index : right.access)
      for (const Term &term : index.terms)
        if (term.atom == *atom)
          return false;
    if (found.place.value &&
        (found.place.value != left.value || found.place.access != left.access))
      return false;
    Accessed *to = direction == Direction::GE   ? &found.from
                   : direction == Direction::LT ? &found.to
                                                : nullptr;
    if (!to || to->value)
      return false;
    found.place = left;
    *to = right;
    return true;
  }

  ArrayRef<Atom> walked;
};
} // namespace

static bool same(const Accessed &a, const Accessed &b) {
  return a.value == b.value && a.access == b.access;
}

void contraction::findInterval(Contraction &contraction) {
  Finder finder(contraction.walked);
  std::optional<Selection> left = finder.find(contraction.lhs);
  std::optional<Selection> right = finder.find(contraction.rhs);
  const std::optional<Selection> &found = left ? left : right;
  if (!found)
    return;
  Interval interval;
  bool good = true;
  auto set = [&](Expression &expression, const Accessed &at) {
    std::optional<Split> split;
    expression.value = at.value;
    expression.access = at.access;
    good &= collectLeaves(expression, contraction.walked, split) && !split;
  };
  set(interval.place, found->place);
  set(interval.from, found->from);
  set(interval.to, found->to);
  if (!good || interval.place.leaves.size() != 1)
    return;
  // Inside, an operand with the very same selection is what it selects from.
  interval.hasInside = true;
  for (auto [selection, expression] :
       {std::pair(&left, &interval.lhs), std::pair(&right, &interval.rhs)}) {
    if (!*selection || !same((*selection)->place, found->place) ||
        !same((*selection)->from, found->from) ||
        !same((*selection)->to, found->to))
      continue;
    if (!(*selection)->inside) {
      interval.hasInside = false;
      continue;
    }
    set(*expression, *(*selection)->inside);
  }
  if (!good)
    return;
  contraction.interval = std::move(interval);
}
