// Attention as a tile kernel that never writes the scores.
//
// A block makes a tile of queries. It walks the keys; of each tile of keys, the
// scores are made part by part, each part as wide as one step of the second
// product, so that a part's probabilities are an operand as they stand. Rows
// keep a running maximum m and sum l; when m grows, what has been summed is
// scaled by exp(old m - new m).
//
// Where a mask leaves a block's queries only some tiles of keys (Band), these
// are walked first. The others are left out if all rows have then a maximum
// from which the mask's constant is so far away that its exponential is 0.

#include "Attention.h"
#include "AttentionGradient.h"
#include "BandLoop.h"
#include "Operands.h"

#include "shoal/Codegen/GPU/Contraction.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

namespace sh = mlir::stablehlo;

namespace {

struct AttentionConfig {
  int64_t queries = 128, keys = 64, warps = 8, stages = 2;
};

class Emitter {
public:
  Emitter(const Attention &attention, const AttentionConfig &config,
          const Arithmetic &arithmetic, const TileSource &source,
          ModuleOp module)
      : attention(attention), whole(attention.whole), config(config),
        arithmetic(arithmetic), source(source), module(module),
        builder(module.getContext()), loc(whole.root->getLoc()),
        t(builder, loc, whole) {}

  /// False if the inner or the value dimension does not fit into one tile.
  bool fits();
  tile::FuncOp run();

private:
  struct State {
    Value max, sum;
    SmallVector<Value> outputs;
  };
  State step(const State &before, Index32 number, Value stage);
  Value constantTile(RankedTensorType type, const APFloat &value);
  Value scalarConstant(double value);
  APFloat minusInfinity() {
    return APFloat::getInf(
        cast<FloatType>(arithmetic.accumulator).getFloatSemantics(), true);
  }
  Value guarded(Value max);
  SmallVector<Value> walkKeys(Index32 steps, ArrayRef<Value> carried,
                              llvm::function_ref<Index32(Index32)> number);
  Value mayMatter(Value max);

  const Attention &attention;
  const Contraction &whole;
  const AttentionConfig &config;
  const Arithmetic &arithmetic;
  const TileSource &source;
  ModuleOp module;
  OpBuilder builder;
  Location loc;
  TileBuilder t;
  std::optional<OperandBuilder> operands;

  tile::FuncOp func;
  AttentionAxes axes;
  Starts starts;
  Operand queries, keys, values;
  std::vector<TileView> scoreLeaves;
  int64_t keyTiles = 1, outputColumns = 0;
};

bool Emitter::fits() {
  std::optional<AttentionAxes> made = makeAttentionAxes(
      whole, config.queries, config.keys, arithmetic.mma.n, arithmetic.mma.k);
  if (made)
    axes = *std::move(made);
  return made.has_value();
}

Value Emitter::constantTile(RankedTensorType type, const APFloat &value) {
  return tile::ConstantOp::create(builder, loc, type,
                                  FloatAttr::get(type.getElementType(), value));
}

Value Emitter::scalarConstant(double value) {
  auto type = RankedTensorType::get({}, arithmetic.accumulator);
  return sh::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(
          type, Attribute(FloatAttr::get(arithmetic.accumulator, value))));
}

/// The maximum, or 0 for a row that is still all minus infinity: its
/// exponentials are then 0 instead of NaN.
Value Emitter::guarded(Value max) {
  return t.apply(max, [&](ArrayRef<Value> in) -> Value {
    Value lowest = sh::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(cast<RankedTensorType>(in[0].getType()),
                               Attribute(FloatAttr::get(arithmetic.accumulator,
                                                        minusInfinity()))));
    Value empty = sh::CompareOp::create(builder, loc, in[0], lowest,
                                        sh::ComparisonDirection::EQ);
    return sh::SelectOp::create(builder, loc, empty, scalarConstant(0), in[0]);
  });
}

Emitter::State Emitter::step(const State &before, Index32 number, Value stage) {
  int64_t rows = axes.m.size(), part = arithmetic.mma.k;
  Starts at = starts;
  placeAlong(t, Role::K, number, axes.tileOf, at);
  LinearLayout layout = operands->layout(MmaOperand::C, rows, part);
  auto type = t.tileType({rows, part}, arithmetic.accumulator, layout);
  auto precision =
      arithmetic.tf32 ? tile::DotPrecision::TF32 : tile::DotPrecision::IEEE;
  int64_t parts = axes.k.size() / part;

  // Scores, part by part; each step's fragment of queries serves all parts.
  SmallVector<Value> scores(
      parts,
      constantTile(type, APFloat::getZero(minusInfinity().getSemantics())));
  for (int64_t k = 0; k < axes.inner.size() / part; ++k) {
    Value q = operands->fragment(queries, at, Value(), {rows, 0}, {part, k});
    for (int64_t i = 0; i < parts; ++i) {
      Value b = operands->fragment(keys, at, stage, {part, k}, {part, i});
      scores[i] =
          tile::DotOp::create(builder, loc, type, q, b, scores[i], precision);
    }
  }
  SmallVector<unsigned> atoms(axes.m.atoms);
  atoms.append(axes.k.atoms);
  for (int64_t i = 0; i < parts; ++i) {
    SmallVector<int64_t> shape(axes.m.tiles), inside(axes.m.tiles.size(), 0);
    shape.append(axes.k.partShape(part));
    inside.append(axes.k.partStart(part, i));
    Mask mask;
    mask.atoms = keys.ragged(axes.k, whole);
    mask.value = FloatAttr::get(arithmetic.accumulator, minusInfinity());
    auto leafTile = [&](unsigned leaf) -> Value {
      return t.load(scoreLeaves[leaf], at, inside, shape,
                    reshapeLayout(layout, shape));
    };
    Value tile =
        t.map(attention.scores(), arithmetic.accumulator, atoms, shape, inside,
              at, reshapeLayout(layout, shape), leafTile, scores[i], mask);
    scores[i] = t.reshape(tile, {rows, part});
  }

  // Rows' maxima, and how much of what was summed is left.
  auto combine = [&](ArrayRef<Value> tiles, bool isMax) {
    if (tiles.size() == 1)
      return tiles[0];
    return t.apply(tiles, [&](ArrayRef<Value> in) {
      Value result = in[0];
      for (Value other : in.drop_front())
        result = isMax ? Value(sh::MaxOp::create(builder, loc, result, other))
                       : Value(sh::AddOp::create(builder, loc, result, other));
      return result;
    });
  };
  State after;
  Value tileMax = t.reduceRows(combine(scores, true), true);
  after.max = combine({before.max, tileMax}, true);
  Value shift = guarded(after.max);
  auto expOfDifference = [&](Value a, Value b) {
    return t.apply({a, b}, [&](ArrayRef<Value> in) -> Value {
      Value difference = sh::SubtractOp::create(builder, loc, in[0], in[1]);
      return sh::ExpOp::create(builder, loc, difference);
    });
  };
  Value left = expOfDifference(before.max, shift);
  Value wide = t.broadcastRows(shift, scores[0]);
  SmallVector<Value> weights;
  for (Value score : scores)
    weights.push_back(expOfDifference(score, wide));
  Value tileSum = t.reduceRows(combine(weights, false), false);
  after.sum =
      t.apply({before.sum, left, tileSum}, [&](ArrayRef<Value> in) -> Value {
        Value old = sh::MulOp::create(builder, loc, in[0], in[1]);
        return sh::AddOp::create(builder, loc, old, in[2]);
      });
  for (Value output : before.outputs)
    after.outputs.push_back(t.apply({output, t.broadcastRows(left, output)},
                                    [&](ArrayRef<Value> in) -> Value {
                                      return sh::MulOp::create(builder, loc,
                                                               in[0], in[1]);
                                    }));

  LinearLayout operand = operands->layout(MmaOperand::A, rows, part);
  for (int64_t i = 0; i < parts; ++i) {
    Value p = weights[i];
    if (arithmetic.operand != arithmetic.accumulator)
      p = t.apply(p, [&](ArrayRef<Value> in) -> Value {
        return sh::ConvertOp::create(
            builder, loc, RankedTensorType::get({}, arithmetic.operand), in[0]);
      });
    p = t.convertLayout(p, operand);
    for (auto [column, output] : llvm::enumerate(after.outputs)) {
      Value v = operands->fragment(values, at, stage, {part, i},
                                   {outputColumns, int64_t(column)});
      output = tile::DotOp::create(builder, loc, output.getType(), p, v, output,
                                   precision);
    }
  }
  return after;
}

/// Walks tiles of keys: the state after them.
SmallVector<Value>
Emitter::walkKeys(Index32 steps, ArrayRef<Value> carried,
                  llvm::function_ref<Index32(Index32)> number) {
  return pipelined(
      t, steps, config.stages, carried,
      [&](Index32 step, Value stage) {
        Starts at = starts;
        placeAlong(t, Role::K, number(step), axes.tileOf, at);
        operands->copy(keys, at, stage);
        operands->copy(values, at, stage);
      },
      [&](Index32 step_, Value stage, ValueRange before) {
        State state{before[0], before[1],
                    SmallVector<Value>(before.drop_front(2))};
        state = step(state, number(step_), stage);
        SmallVector<Value> after{state.max, state.sum};
        after.append(state.outputs);
        return after;
      });
}

/// i1: whether a score that the mask filled changes a row with such maxima.
Value Emitter::mayMatter(Value max) {
  const llvm::fltSemantics &semantics = minusInfinity().getSemantics();
  // exp(fill - max) is 0 beyond half of the smallest number; and NaN stays.
  double zero = (static_cast<int>(APFloat::semanticsPrecision(semantics)) -
                 APFloat::semanticsMinExponent(semantics) + 1) *
                std::log(2.0);
  APFloat least = whole.band->fill;
  bool inexact;
  least.convert(semantics, APFloat::rmTowardPositive, &inexact);
  APFloat distance(zero);
  distance.convert(semantics, APFloat::rmTowardPositive, &inexact);
  least.add(distance, APFloat::rmTowardPositive);
  Value matters = t.apply(max, [&](ArrayRef<Value> in) -> Value {
    auto constant = [&](Attribute value, Type type) -> Value {
      return sh::ConstantOp::create(
          builder, loc,
          DenseElementsAttr::get(RankedTensorType::get({}, type), value));
    };
    Type i32 = builder.getI32Type();
    Value large = sh::CompareOp::create(
        builder, loc, in[0],
        constant(FloatAttr::get(arithmetic.accumulator, least),
                 arithmetic.accumulator),
        sh::ComparisonDirection::GT);
    return sh::SelectOp::create(builder, loc, large,
                                constant(builder.getI32IntegerAttr(0), i32),
                                constant(builder.getI32IntegerAttr(1), i32));
  });
  Value any =
      tile::ExtractOp::create(builder, loc, builder.getI32Type(),
                              t.reduce(matters, /*axis=*/0, /*isMax=*/true));
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, any,
                               t.index.get(0));
}

tile::FuncOp Emitter::run() {
  int64_t blocks = 1, rowTiles = 1;
  for (auto [atom, tile] : llvm::zip_equal(whole.space, axes.tileOf)) {
    int64_t count = llvm::divideCeil(atom.size, tile);
    if (atom.role == Role::K)
      keyTiles *= count;
    if (atom.role == Role::M)
      rowTiles *= count;
    if (atom.role == Role::M || atom.role == Role::Batch)
      blocks *= count;
  }
  auto attr = tile::ConfigAttr::get(
      builder.getContext(), builder.getStringAttr("attention"),
      {config.queries, config.keys}, config.warps, config.stages, 16, 1);
  func = makeTileFunction(builder, source, module, blocks, config.warps, attr,
                          loc);
  operands.emplace(t, arithmetic, config.warps, 1, func);

  IndexBuilder &x = t.index;
  starts.assign(whole.space.size(), Index32(0));
  Index32 id(0);
  if (blocks > 1)
    id = Index32(tile::ProgramIdOp::create(builder, loc, builder.getI32Type(),
                                           builder.getI32IntegerAttr(0))
                     .getResult());
  placeAlong(t, Role::Batch, x.div(id, rowTiles), axes.tileOf, starts);
  Index32 row = blocks == rowTiles ? id : x.rem(id, rowTiles);
  // Those with the most keys begin first, so that none ends late.
  std::optional<BandPlan> plan = planBand(whole, axes.tileOf);
  if (plan && plan->grows())
    row = x.sub(rowTiles - 1, row);
  placeAlong(t, Role::M, row, axes.tileOf, starts);

  queries =
      operands->make(attention.queries(), MmaOperand::A, axes.m, axes.inner, 1);
  keys = operands->make(attention.keys(), MmaOperand::B, axes.inner, axes.k,
                        config.stages);
  values = operands->make(attention.values(), MmaOperand::B, axes.k, axes.n,
                          config.stages);
  SmallVector<unsigned> atoms(axes.m.atoms);
  atoms.append(axes.k.atoms);
  SmallVector<int64_t> tiles(axes.m.tiles);
  tiles.append(axes.k.tiles);
  for (const Leaf &leaf : attention.scores().leaves)
    scoreLeaves.push_back(
        leaf.isIota ? TileView()
                    : t.makeView(operands->argument(leaf.value), leaf.start,
                                 leaf.memory, atoms, tiles));

  // The state before the first key.
  int64_t rows = axes.m.size();
  outputColumns = std::min<int64_t>(axes.n.size(), 64);
  LinearLayout layout = operands->layout(MmaOperand::C, rows, outputColumns);
  auto type = t.tileType({rows, outputColumns}, arithmetic.accumulator, layout);
  auto rowType =
      RankedTensorType::get({rows, 1}, arithmetic.accumulator,
                            t.layoutAttr(layout).restrictTo({rows, 1}));
  APFloat zero = APFloat::getZero(minusInfinity().getSemantics());
  SmallVector<Value> carried{constantTile(rowType, minusInfinity()),
                             constantTile(rowType, zero)};
  for (int64_t i = 0; i < axes.n.size() / outputColumns; ++i)
    carried.push_back(constantTile(type, zero));

  operands->copy(queries, starts, Value());
  SmallVector<Value> sums;
  if (plan) {
    // Twice: the tiles inside, and the others. One piece of code for both.
    auto [first, last] = makeKeyRange(t, *plan, axes.tileOf, starts);
    Index32 inside = x.sub(last, first);
    auto loop =
        scf::ForOp::create(builder, loc, x.get(0), x.get(2), x.get(1), carried);
    OpBuilder::InsertionGuard guard(builder);
    Block *block = loop.getBody();
    if (!block->empty())
      block->back().erase();
    builder.setInsertionPointToEnd(block);
    SmallVector<Value> before(loop.getRegionIterArgs());
    auto isLess = [&](Index32 a, Index32 b) -> Value {
      return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt,
                                   x.get(a), x.get(b));
    };
    auto select = [&](Value condition, Index32 a, Index32 b) -> Index32 {
      return arith::SelectOp::create(builder, loc, condition, x.get(a),
                                     x.get(b))
          .getResult();
    };
    Value isFirst = isLess(Index32(loop.getInductionVar()), 1);
    Index32 rest = select(mayMatter(before[0]), x.sub(keyTiles, inside), 0);
    // Others may still read what is copied over now.
    tile::BarrierOp::create(builder, loc);
    SmallVector<Value> after =
        walkKeys(select(isFirst, inside, rest), before, [&](Index32 number) {
          Index32 skipped = select(isLess(number, first), 0, inside);
          return x.add(number, select(isFirst, first, skipped));
        });
    scf::YieldOp::create(builder, loc, after);
    sums.assign(loop.getResults().begin(), loop.getResults().end());
  } else {
    sums = walkKeys(keyTiles, carried, [](Index32 number) { return number; });
  }

  SmallVector<Value> outputs;
  for (Value output : llvm::drop_begin(sums, 2))
    outputs.push_back(t.apply({output, t.broadcastRows(sums[1], output)},
                              [&](ArrayRef<Value> in) -> Value {
                                return sh::DivOp::create(builder, loc, in[0],
                                                         in[1]);
                              }));
  unsigned firstOutput = source.body->front().getNumArguments();
  storeOutputs(t, *operands, func, axes.m, axes.n, starts, outputs,
               outputColumns, firstOutput, {0});
  for (auto [i, statistic] : llvm::enumerate(attention.statistics)) {
    Value column = sums[0];
    if (statistic == RowStatistic::InverseSum)
      column = t.apply(sums[1], [&](ArrayRef<Value> in) -> Value {
        return sh::DivOp::create(builder, loc, scalarConstant(1), in[0]);
      });
    storeColumn(t, func, axes.m, starts, column, whole.outputMemory[i + 1],
                firstOutput + i + 1);
  }
  tile::ReturnOp::create(builder, loc);
  return func;
}

} // namespace

/// The kernel of softmax(f(queries · keys)) · values.
static std::optional<tile::FuncOp> makeForward(const TileSource &source,
                                               const TileTarget &target,
                                               ModuleOp module) {
  std::optional<Attention> attention = analyzeAttention(source.body->front());
  if (!attention || !mayWrite(attention->whole, source))
    return std::nullopt;
  std::optional<Arithmetic> arithmetic =
      chooseArithmetic(attention->whole, target);
  auto operandOf = [](const Expression &expression) {
    return expression.elementType();
  };
  if (!arithmetic || !isa<FloatType>(arithmetic->accumulator) ||
      arithmetic->mma.bits == 8 ||
      operandOf(attention->queries()) != arithmetic->operand ||
      operandOf(attention->keys()) != arithmetic->operand ||
      operandOf(attention->values()) != arithmetic->operand)
    return std::nullopt;
  for (const Expression &statistic : llvm::drop_begin(attention->whole.outputs))
    if (statistic.elementType() != arithmetic->accumulator)
      return std::nullopt;

  // A warp has 16 rows (8 of f64) so that rows never cross warps; accumulators
  // and scores of a thread are bounded by the sizes below.
  AttentionConfig config;
  const Contraction &whole = attention->whole;
  int64_t columns = std::max(llvm::PowerOf2Ceil(whole.sizeOf(Role::N)),
                             llvm::PowerOf2Ceil(whole.sizeOf(Role::Inner)));
  if (columns > 256)
    return std::nullopt;
  int64_t rowsPerWarp = arithmetic->mma.m;
  config.warps = columns > 128 || arithmetic->mma.bits > 16 ? 4 : 8;
  while (config.warps > 1 &&
         (config.warps / 2) * rowsPerWarp >= whole.sizeOf(Role::M))
    config.warps /= 2;
  config.queries = config.warps * rowsPerWarp;
  config.keys = columns > 128 || arithmetic->mma.bits > 16 ? 32 : 64;
  while (config.keys > int64_t(arithmetic->mma.k) && config.keys > 16 &&
         config.keys / 2 >= whole.sizeOf(Role::K))
    config.keys /= 2;
  // Shared memory: a tile of queries, rings of keys and values, and what
  // layouts are converted through when results are stored.
  constexpr int64_t reserved = 34 * 1024;
  auto sharedBytes = [&] {
    int64_t bytes = 0;
    for (auto [operand, side] :
         {std::pair(&attention->queries(), config.queries),
          std::pair(&attention->keys(), config.keys * config.stages),
          std::pair(&attention->values(), config.keys * config.stages)})
      for (const Leaf &leaf : operand->leaves)
        if (!leaf.isIota)
          bytes += side * columns *
                   std::max(1u, leaf.elementType().getIntOrFloatBitWidth() / 8);
    return bytes;
  };
  while (config.keys > std::max<int64_t>(16, arithmetic->mma.k) &&
         sharedBytes() + reserved > target.maxSharedBytes)
    config.keys /= 2;
  if (sharedBytes() + reserved > target.maxSharedBytes)
    return std::nullopt;
  Emitter emitter(*attention, config, *arithmetic, source, module);
  if (!emitter.fits())
    return std::nullopt;
  return emitter.run();
}

SmallVector<tile::FuncOp> shoal::makeAttentionFuncs(const TileSource &source,
                                                    const TileTarget &target,
                                                    ModuleOp module) {
  if (llvm::is_contained(source.scalarInputs, true))
    return {};
  if (std::optional<tile::FuncOp> func = makeForward(source, target, module))
    return {*func};
  return makeAttentionGradient(source, target, module);
}
