// Scores that their place alone makes one constant: causal masks and windows.
//
//   scores = select(column <= row, x, -1e30)
//
// Where the predicate is false for a whole tile, its probabilities are 0 as
// soon as the row has anything larger: the tile need not be made.

#include "Contraction.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

namespace sh = mlir::stablehlo;

/// Beyond, sums of places might not fit i32.
static constexpr int64_t kLargest = int64_t(1) << 28;

static DenseElementsAttr splatOf(Value value) {
  while (isa_and_nonnull<sh::BroadcastInDimOp, sh::ReshapeOp, sh::TransposeOp>(
      value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  auto constant = value.getDefiningOp<sh::ConstantOp>();
  auto dense =
      constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : nullptr;
  return dense && dense.isSplat() ? dense : nullptr;
}

/// A float that all elements are, converted as the value is.
static std::optional<APFloat> floatOf(Value value) {
  auto type = dyn_cast<FloatType>(getElementTypeOrSelf(value.getType()));
  if (!type)
    return std::nullopt;
  if (auto convert = value.getDefiningOp<sh::ConvertOp>()) {
    auto number = floatOf(convert.getOperand());
    bool inexact;
    if (number)
      number->convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                      &inexact);
    return number;
  }
  auto splat = splatOf(value);
  return splat ? std::optional(splat.getSplatValue<APFloat>()) : std::nullopt;
}

namespace {

/// iota + constant.
struct Place {
  std::optional<Accessed> iota;
  int64_t constant = 0;
};

class Finder {
public:
  Finder(ArrayRef<Atom> walked, Band &band) : walked(walked), band(band) {}

  /// Reads what the scores are selected by, from the last selection to the
  /// first. Outside the bounds of one, scores are its constant, or that of a
  /// selection after it.
  void find(Accessed at) {
    SmallVector<FloatType> converted;
    std::optional<APFloat> largest;
    for (;;) {
      at = throughMoves(std::move(at), walked);
      if (auto convert = at.value.getDefiningOp<sh::ConvertOp>()) {
        auto type =
            dyn_cast<FloatType>(getElementTypeOrSelf(convert.getType()));
        if (!type)
          return;
        converted.push_back(type);
        at.value = convert.getOperand();
        continue;
      }
      auto select = at.value.getDefiningOp<sh::SelectOp>();
      if (!select ||
          cast<ShapedType>(select.getPred().getType()).getRank() == 0)
        return;
      std::optional<APFloat> fill = floatOf(select.getOnFalse());
      bool whereTrue = !fill;
      if (whereTrue)
        fill = floatOf(select.getOnTrue());
      if (!fill || fill->isNaN())
        return;
      for (FloatType type : llvm::reverse(converted)) {
        bool inexact;
        fill->convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                      &inexact);
      }
      if (!largest || largest->compare(*fill) == APFloat::cmpLessThan)
        largest = fill;
      size_t before = band.bounds.size();
      conditions({select.getPred(), at.access}, whereTrue);
      if (band.bounds.size() > before)
        band.fill = *largest;
      at.value = whereTrue ? select.getOnFalse() : select.getOnTrue();
    }
  }

private:
  /// Adds the bounds that hold wherever `condition` does (`negated`: does not).
  /// What is none of them makes the band narrower, which does no harm.
  void conditions(Accessed condition, bool negated) {
    condition = throughMoves(std::move(condition), walked);
    Operation *op = condition.value.getDefiningOp();
    if (isa_and_nonnull<sh::NotOp>(op))
      return conditions({op->getOperand(0), condition.access}, !negated);
    if (negated ? isa_and_nonnull<sh::OrOp>(op)
                : isa_and_nonnull<sh::AndOp>(op)) {
      for (Value operand : op->getOperands())
        conditions({operand, condition.access}, negated);
      return;
    }
    // c ? x : false, and not (c ? true : x).
    if (auto select = dyn_cast_or_null<sh::SelectOp>(op)) {
      auto is = [](Value value, bool wanted) {
        DenseElementsAttr splat = splatOf(value);
        return splat && splat.getSplatValue<bool>() == wanted;
      };
      if (cast<ShapedType>(select.getPred().getType()).getRank() == 0)
        return;
      if (is(negated ? select.getOnTrue() : select.getOnFalse(), negated)) {
        conditions({select.getPred(), condition.access}, negated);
        conditions({negated ? select.getOnFalse() : select.getOnTrue(),
                    condition.access},
                   negated);
      }
      return;
    }
    auto compare = dyn_cast_or_null<sh::CompareOp>(op);
    if (!compare)
      return;
    std::optional<Place> left = placeOf({compare.getLhs(), condition.access}),
                         right = placeOf({compare.getRhs(), condition.access});
    if (!left || !right)
      return;
    using Direction = sh::ComparisonDirection;
    Direction direction = compare.getComparisonDirection();
    if (negated) {
      switch (direction) {
      case Direction::EQ:
        direction = Direction::NE;
        break;
      case Direction::NE:
        direction = Direction::EQ;
        break;
      case Direction::GE:
        direction = Direction::LT;
        break;
      case Direction::GT:
        direction = Direction::LE;
        break;
      case Direction::LE:
        direction = Direction::GT;
        break;
      case Direction::LT:
        direction = Direction::GE;
        break;
      }
    }
    if (direction == Direction::GE || direction == Direction::EQ)
      atLeast(*left, *right, 0);
    if (direction == Direction::LE || direction == Direction::EQ)
      atLeast(*right, *left, 0);
    if (direction == Direction::GT)
      atLeast(*left, *right, 1);
    if (direction == Direction::LT)
      atLeast(*right, *left, 1);
  }

  /// left - right >= least
  void atLeast(const Place &left, const Place &right, int64_t least) {
    Band::Bound bound;
    bound.constant = left.constant - right.constant - least;
    std::optional<Split> split;
    for (auto [place, side] :
         {std::pair(&left, &bound.plus), std::pair(&right, &bound.minus)}) {
      if (!place->iota)
        continue;
      side->value = place->iota->value;
      side->access = place->iota->access;
      if (!collectLeaves(*side, walked, split) || split ||
          side->leaves.size() != 1)
        return;
    }
    if (bound.plus.value || bound.minus.value)
      band.bounds.push_back(std::move(bound));
  }

  std::optional<Place> placeOf(Accessed at) const {
    at = throughMoves(std::move(at), walked);
    Type element = getElementTypeOrSelf(at.value.getType());
    if (!element.isSignlessInteger(32) && !element.isSignlessInteger(64))
      return std::nullopt;
    if (auto splat = splatOf(at.value)) {
      int64_t number = splat.getSplatValue<APInt>().getSExtValue();
      if (std::abs(number) > kLargest)
        return std::nullopt;
      return Place{std::nullopt, number};
    }
    Operation *op = at.value.getDefiningOp();
    if (auto iota = dyn_cast_or_null<sh::IotaOp>(op)) {
      auto type = cast<ShapedType>(iota.getType());
      if (type.getDimSize(iota.getIotaDimension()) > kLargest)
        return std::nullopt;
      return Place{std::move(at), 0};
    }
    if (isa_and_nonnull<sh::ConvertOp>(op))
      return placeOf({op->getOperand(0), at.access});
    if (!isa_and_nonnull<sh::AddOp, sh::SubtractOp>(op))
      return std::nullopt;
    auto left = placeOf({op->getOperand(0), at.access}),
         right = placeOf({op->getOperand(1), at.access});
    bool minus = isa<sh::SubtractOp>(op);
    if (!left || !right || (left->iota && right->iota) ||
        (minus && right->iota))
      return std::nullopt;
    Place sum{left->iota ? left->iota : right->iota,
              left->constant + (minus ? -right->constant : right->constant)};
    if (std::abs(sum.constant) > kLargest)
      return std::nullopt;
    return sum;
  }

  ArrayRef<Atom> walked;
  Band &band;
};

} // namespace

void contraction::findBand(Contraction &contraction, const Expression &scores) {
  Band band;
  Finder(contraction.walked, band).find({scores.value, scores.access});
  if (!band.bounds.empty())
    contraction.band = std::move(band);
}
