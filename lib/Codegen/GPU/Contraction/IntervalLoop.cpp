#include "IntervalLoop.h"

#include "dialects/StableHLO/StableHLO.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

namespace sh = mlir::stablehlo;

std::optional<IntervalPlan>
contraction::planInterval(const Contraction &contraction,
                          ArrayRef<int64_t> tileOf) {
  constexpr int64_t mostGroups = 1024;
  if (!contraction.interval)
    return std::nullopt;
  const Interval &interval = *contraction.interval;
  const DimIndex &index = interval.place.leaves[0].memory[0].index;
  SmallVector<unsigned> reduction = contraction.atomsOf(Role::K);
  if (index.terms.size() != 1 || index.terms[0].coefficient != 1 ||
      reduction.empty())
    return std::nullopt;
  IntervalPlan plan{reduction.front(), index.terms[0].atom};
  for (const Expression *bound : {&interval.from, &interval.to})
    for (const Leaf &leaf : bound->leaves)
      for (unsigned atom = 0; atom < contraction.space.size(); ++atom)
        // All else that the bounds depend on is one number in a tile.
        if (leaf.uses(atom) && contraction.space[atom].size > 1 &&
            (atom == plan.place || (atom != plan.reduced && tileOf[atom] > 1)))
          return std::nullopt;
  if (plan.overGroups() && (contraction.space[plan.place].role == Role::K ||
                            contraction.space[plan.reduced].size > mostGroups))
    return std::nullopt;
  return plan;
}

int64_t contraction::expectedSteps(const Contraction &contraction,
                                   const IntervalPlan &plan,
                                   ArrayRef<int64_t> tileOf, int64_t steps) {
  if (plan.overGroups()) {
    // Each tile has a group, and each border between groups one more.
    int64_t groups = llvm::divideCeil(contraction.space[plan.reduced].size,
                                      tileOf[plan.reduced]);
    int64_t tiles = llvm::divideCeil(contraction.space[plan.place].size,
                                     tileOf[plan.place]);
    return std::min<int64_t>(steps, llvm::divideCeil(steps, groups) *
                                        (1 + llvm::divideCeil(groups, tiles)));
  }
  int64_t groups = 1;
  for (auto [atom, one] : llvm::enumerate(contraction.space))
    for (const Leaf &leaf : contraction.interval->from.leaves)
      if (leaf.uses(atom)) {
        groups *= one.size;
        break;
      }
  return std::min<int64_t>(steps, llvm::divideCeil(steps, groups) + 1);
}

StepRange contraction::makeStepRange(TileBuilder &t, OperandBuilder &operands,
                                     const IntervalPlan &plan,
                                     ArrayRef<int64_t> tileOf,
                                     const Starts &starts, int64_t warps) {
  OpBuilder &b = t.builder;
  Location loc = t.loc;
  const Contraction &contraction = t.contraction;
  const Interval &interval = *contraction.interval;
  Type i32 = b.getI32Type(), i1 = b.getI1Type();
  int64_t size = contraction.space[plan.reduced].size;
  int64_t groups = plan.overGroups() ? size : 1;
  SmallVector<int64_t> shape{1, int64_t(llvm::PowerOf2Ceil(groups))};
  SmallVector<unsigned> atoms{plan.place, plan.reduced};
  if (!plan.overGroups())
    atoms = {plan.reduced, plan.reduced};
  Starts first(starts);
  first[plan.reduced] = Index32(0);
  LinearLayout layout = coalescedLayout(shape, 1, warps, {1, 0});

  // The bounds of each group, cut to what i32 holds.
  auto bounds = [&](const Expression &expression) {
    auto leafTile = [&](unsigned i) -> Value {
      const Leaf &leaf = expression.leaves[i];
      TileView view = t.makeView(operands.argument(leaf.value), leaf.start,
                                 leaf.memory, atoms, shape);
      return t.load(view, first, {}, shape, layout);
    };
    Type element = expression.elementType();
    Value tile = t.map(expression, element, atoms, shape, {}, first, layout,
                       leafTile, Value());
    return t.apply({tile}, [&](ArrayRef<Value> in) -> Value {
      auto type = RankedTensorType::get({}, element);
      auto number = [&](int64_t value) {
        return sh::ConstantOp::create(
            b, loc,
            DenseElementsAttr::get(type, b.getIntegerAttr(element, value)));
      };
      Value low = sh::MaxOp::create(b, loc, in[0], number(0));
      Value cut = sh::MinOp::create(b, loc, low, number(1 << 30));
      if (element == i32)
        return cut;
      return sh::ConvertOp::create(b, loc, RankedTensorType::get({}, i32), cut);
    });
  };
  Value from = bounds(interval.from), to = bounds(interval.to);
  auto extract = [&](Value tile) -> Value {
    return tile::ExtractOp::create(b, loc, i32, tile);
  };
  IndexBuilder &x = t.index;
  auto compare = [&](arith::CmpIPredicate how, Value left, Value right) {
    return arith::CmpIOp::create(b, loc, how, left, right);
  };
  int64_t tile = tileOf[plan.reduced];
  StepRange range;
  // The place's number where the tile starts, for an atom that starts at 0.
  const DimIndex &index = interval.place.leaves[0].memory[0].index;
  if (!plan.overGroups()) {
    // Numbers of the place are counters plus an offset.
    auto counter = [&](Value bound) -> Value {
      Value moved = arith::SubIOp::create(b, loc, bound, x.get(index.offset));
      moved = arith::MaxSIOp::create(b, loc, moved, x.get(0));
      return arith::MinSIOp::create(b, loc, moved, x.get(size));
    };
    range.from = counter(extract(from));
    range.to = counter(extract(to));
    range.first = arith::DivUIOp::create(b, loc, range.from, x.get(tile));
    Value up = arith::AddIOp::create(b, loc, range.to, x.get(tile - 1));
    range.last = arith::DivUIOp::create(b, loc, up, x.get(tile));
    // Nothing where the interval is empty.
    Value some = compare(arith::CmpIPredicate::slt, range.from, range.to);
    range.last = arith::SelectOp::create(b, loc, some, range.last, range.first);
    return range;
  }

  // Which groups meet the tile's places [low, high).
  auto whole = [&](Index32 value) -> Value {
    return tile::SplatOp::create(b, loc, t.tileType(shape, i32, layout),
                                 x.get(value));
  };
  Index32 low = t.indexOf(index, starts);
  int64_t count = contraction.space[plan.place].size;
  Index32 end = x.min(x.add(starts[plan.place], tileOf[plan.place]), count);
  Value numbers =
      tile::IotaOp::create(b, loc, t.tileType(shape, i32, layout), 1, Value());
  SmallVector<Value> inputs{from, to, whole(low),
                            whole(x.add(end, index.offset)), numbers};
  SmallVector<Type> three(3, t.tileType(shape, i32, layout));
  auto map = tile::MapOp::create(b, loc, three, inputs);
  auto scalar = [&](Type type) { return RankedTensorType::get({}, type); };
  {
    OpBuilder::InsertionGuard guard(b);
    Region &region = map->getRegion(0);
    Block *block = region.empty() ? b.createBlock(&region) : &region.front();
    for (size_t i = 0; i < inputs.size(); ++i)
      block->addArgument(scalar(i32), loc);
    b.setInsertionPointToEnd(block);
    auto in = [&](unsigned i) -> Value { return block->getArgument(i); };
    auto number = [&](int64_t value) -> Value {
      return sh::ConstantOp::create(
          b, loc,
          DenseElementsAttr::get(scalar(i32), b.getI32IntegerAttr(value)));
    };
    using Direction = sh::ComparisonDirection;
    auto is = [&](Value left, Direction how, Value right) -> Value {
      return sh::CompareOp::create(b, loc, left, right, how);
    };
    auto both = [&](Value left, Value right) -> Value {
      return sh::AndOp::create(b, loc, scalar(i1), left, right);
    };
    Value meets =
        both(is(in(0), Direction::LT, in(3)), is(in(1), Direction::GT, in(2)));
    meets = both(meets, is(in(0), Direction::LT, in(1)));
    meets = both(meets, is(in(4), Direction::LT, number(groups)));
    Value covers =
        both(is(in(0), Direction::LE, in(2)), is(in(1), Direction::GE, in(3)));
    auto where = [&](Value condition, Value value) -> Value {
      return sh::SelectOp::create(b, loc, condition, value, number(0));
    };
    // All as numbers of which the largest counts; 0: none.
    Value fromEnd = sh::SubtractOp::create(b, loc, number(groups), in(4));
    Value after = sh::AddOp::create(b, loc, in(4), number(1));
    tile::YieldOp::create(b, loc,
                          ValueRange{where(meets, fromEnd), where(meets, after),
                                     where(both(meets, covers), number(1))});
  }
  SmallVector<Value> largest;
  for (Value result : map->getResults())
    largest.push_back(extract(t.reduceRows(result, /*isMax=*/true)));
  Value begin = arith::SubIOp::create(b, loc, x.get(groups), largest[0]);
  range.first = arith::DivUIOp::create(b, loc, begin, x.get(tile));
  Value up = arith::AddIOp::create(b, loc, largest[1], x.get(tile - 1));
  range.last = arith::DivUIOp::create(b, loc, up, x.get(tile));
  Value one = arith::AddIOp::create(b, loc, begin, x.get(1));
  Value alone = compare(arith::CmpIPredicate::eq, largest[1], one);
  Value covered = compare(arith::CmpIPredicate::eq, largest[2], x.get(1));
  range.covered = arith::AndIOp::create(b, loc, alone, covered);
  return range;
}
