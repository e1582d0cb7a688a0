// Contractions as tile kernels: rings of shared memory filled by cp.async,
// tensor cores, epilogue.
//
// Each block makes one tile of the result. Raw operands go to shared memory
// several steps ahead; what is fused before the contraction is computed on the
// fragments, what is fused after it on the sums, when they have been brought
// to the layout in which the result is stored. Where there are too few tiles
// for the chip, several blocks make parts of a tile's sums (Config::split),
// which a second launch adds up, in order, before the epilogue.
//
// Of groups of uneven sizes (Contraction::interval) a tile makes the steps that
// its groups have: it finds them by the groups' bounds in memory. Operands are
// masked on the fragments, except in steps that lie in one group.

#include "IntervalLoop.h"

#include "shoal/Codegen/GPU/Contraction.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

namespace {

/// Bytes of sums that the epilogue exchanges at once.
constexpr int64_t kEpilogueBytes = 32 * 1024;

class Emitter {
public:
  Emitter(const Contraction &contraction, const Config &config,
          const Arithmetic &arithmetic, const TileSource &source,
          ModuleOp module)
      : contraction(contraction), config(config), arithmetic(arithmetic),
        source(source), module(module), builder(module.getContext()),
        loc(contraction.root->getLoc()), t(builder, loc, contraction) {}

  SmallVector<tile::FuncOp> run();

private:
  void makeFunction(int64_t split, StringRef suffix);
  void placeTile(int64_t split);
  Starts startsOf(Index32 step);
  SmallVector<Value> multiply(ValueRange sums, Index32 step, Value stage);
  SmallVector<Value> multiply(ValueRange sums, const Starts &at, Value stage,
                              const Operand &left, const Operand &right);
  void boundSteps();
  Value isInside(Index32 step);
  Operand withoutSelection(const Operand &operand, const Expression &inside);
  /// Steps that the block makes.
  Value stepCount() { return count ? count : t.index.get(kTiles); }
  void copyStep(Index32 step, Value stage);
  void loop();
  void storeSums();
  void loadSums();
  LinearLayout sumsLayout() {
    return operands->layout(MmaOperand::C, mAxis.size(), partColumns);
  }
  Value scratchView();

  const Contraction &contraction;
  const Config &config;
  const Arithmetic &arithmetic;
  const TileSource &source;
  ModuleOp module;
  OpBuilder builder;
  Location loc;
  TileBuilder t;
  std::optional<OperandBuilder> operands;

  tile::FuncOp func;
  Axis mAxis, nAxis, kAxis;
  /// Tile and number of tiles along every atom.
  SmallVector<int64_t> tileOf, countOf;
  Starts starts;
  Operand lhs, rhs;
  /// Where memory bounds the steps: how, which, and their number.
  std::optional<IntervalPlan> plan;
  StepRange range;
  Value count;
  /// The operands inside the interval.
  bool hasInside = false;
  Operand insideLhs, insideRhs;
  /// Steps of the reduction of a block, of which it does those from
  /// `firstStep`.
  int64_t kTiles = 1, allSteps = 1;
  Index32 firstStep = Index32(0);
  /// The tile, and which part of its reduction.
  Index32 tileNumber = Index32(0), splitNumber = Index32(0);
  int64_t tiles = 1;
  /// The result's tile in `parts` of `partColumns` columns.
  int64_t parts = 1, partColumns = 0;
  SmallVector<Value> sums;
};

void Emitter::makeFunction(int64_t split, StringRef suffix) {
  auto attr = tile::ConfigAttr::get(
      builder.getContext(),
      builder.getStringAttr(plan ? "grouped" : "contraction"),
      {config.m, config.n, config.k}, config.warps(), config.stages, 16,
      config.split);
  int64_t scratchBytes =
      config.split == 1
          ? 0
          : config.split * tiles * config.m * config.n *
                (arithmetic.accumulator.getIntOrFloatBitWidth() / 8);
  func = makeTileFunction(builder, source, module, tiles * split,
                          config.warps(), attr, loc, scratchBytes, suffix);
  operands.emplace(t, arithmetic, config.warpsM, config.warpsN, func);
}

/// Which tile this block makes: parts of reductions outermost, then batches.
void Emitter::placeTile(int64_t split) {
  IndexBuilder &x = t.index;
  starts.assign(contraction.space.size(), Index32(0));
  int64_t batches = 1, rows = 1, columns = 1;
  for (auto [atom, count] : llvm::zip_equal(contraction.space, countOf)) {
    if (atom.role == Role::Batch)
      batches *= count;
    if (atom.role == Role::M)
      rows *= count;
    if (atom.role == Role::N)
      columns *= count;
  }
  Index32 id(0);
  if (tiles * split > 1)
    id = Index32(tile::ProgramIdOp::create(builder, loc, builder.getI32Type(),
                                           builder.getI32IntegerAttr(0))
                     .getResult());
  if (split > 1) {
    splitNumber = x.div(id, tiles);
    id = tiles == 1 ? Index32(0) : x.rem(id, tiles);
    firstStep = x.mul(splitNumber, kTiles);
  }
  tileNumber = id;
  if (batches > 1) {
    placeAlong(t, Role::Batch, x.div(id, rows * columns), tileOf, starts);
    id = x.rem(id, rows * columns);
  }
  auto [row, column] = placeInGroups(x, id, rows, columns);
  placeAlong(t, Role::M, row, tileOf, starts);
  placeAlong(t, Role::N, column, tileOf, starts);
}

/// The workspace as (part of a reduction, tile, part of a tile, rows, columns).
Value Emitter::scratchView() {
  auto type = tile::ViewType::get(
      {config.split, tiles, parts, mAxis.size(), partColumns},
      arithmetic.accumulator);
  return tile::ViewOp::create(builder, loc, type,
                              func.getBody().getArguments().back(), Value(),
                              builder.getI64IntegerAttr(0));
}

static std::pair<DenseBoolArrayAttr, DenseI64ArrayAttr>
wholeTile(OpBuilder &builder, ArrayRef<int64_t> shape) {
  return {builder.getDenseBoolArrayAttr(SmallVector<bool>(shape.size(), true)),
          builder.getDenseI64ArrayAttr(shape)};
}

void Emitter::storeSums() {
  Value view = scratchView();
  SmallVector<int64_t> shape{1, 1, 1, mAxis.size(), partColumns};
  auto [inBounds, divisible] = wholeTile(builder, shape);
  IndexBuilder &x = t.index;
  for (auto [part, sum] : llvm::enumerate(sums))
    tile::StoreOp::create(builder, loc, t.reshape(sum, shape), view,
                          ValueRange{x.get(splitNumber), x.get(tileNumber),
                                     x.get(part), x.get(0), x.get(0)},
                          Value(), inBounds, divisible);
}

/// The parts' sums, added in order.
void Emitter::loadSums() {
  Value view = scratchView();
  SmallVector<int64_t> shape{1, 1, 1, mAxis.size(), partColumns};
  auto [inBounds, divisible] = wholeTile(builder, shape);
  IndexBuilder &x = t.index;
  Type element = arithmetic.accumulator;
  auto type = t.tileType(shape, element, reshapeLayout(sumsLayout(), shape));
  auto load = [&](Value number, int64_t part) {
    Value tile = tile::LoadOp::create(
        builder, loc, type, view,
        ValueRange{number, x.get(tileNumber), x.get(part), x.get(0), x.get(0)},
        Value(), TypedAttr(), inBounds, divisible, tile::CacheHint::Normal);
    return t.reshape(tile, {mAxis.size(), partColumns});
  };
  sums.clear();
  for (int64_t part = 0; part < parts; ++part)
    sums.push_back(load(x.get(0), part));
  auto loop = scf::ForOp::create(builder, loc, x.get(1), x.get(config.split),
                                 x.get(1), sums);
  {
    OpBuilder::InsertionGuard guard(builder);
    Block *body = loop.getBody();
    if (!body->empty())
      body->back().erase();
    builder.setInsertionPointToEnd(body);
    SmallVector<Value> next;
    for (auto [part, sum] : llvm::enumerate(loop.getRegionIterArgs())) {
      Value other = load(loop.getInductionVar(), part);
      next.push_back(t.apply({sum, other}, [&](ArrayRef<Value> in) -> Value {
        return stablehlo::AddOp::create(builder, loc, in[0], in[1]);
      }));
    }
    scf::YieldOp::create(builder, loc, next);
  }
  sums.assign(loop.getResults().begin(), loop.getResults().end());
}

/// The starts of step number `step` of the reduction.
Starts Emitter::startsOf(Index32 step) {
  Starts result = starts;
  placeAlong(t, Role::K, t.index.add(firstStep, step), tileOf, result);
  return result;
}

/// Sets which steps of the reduction the block makes.
void Emitter::boundSteps() {
  IndexBuilder &x = t.index;
  range = makeStepRange(t, *operands, *plan, tileOf, starts, config.warps());
  int64_t inner = allSteps / countOf[plan->reduced];
  Value first = x.get(x.mul(Index32(range.first), inner));
  Value last = x.get(x.mul(Index32(range.last), inner));
  count = arith::SubIOp::create(builder, loc, last, first);
  if (config.split > 1) {
    // Parts of equal length, the last ones shorter or empty.
    Value some = arith::MaxSIOp::create(builder, loc, count, x.get(0));
    Value up =
        arith::AddIOp::create(builder, loc, some, x.get(config.split - 1));
    Value part = arith::DivUIOp::create(builder, loc, up, x.get(config.split));
    Value skipped =
        arith::MulIOp::create(builder, loc, part, x.get(splitNumber));
    first = arith::AddIOp::create(builder, loc, first, skipped);
    Value left = arith::SubIOp::create(builder, loc, some, skipped);
    count = arith::MinSIOp::create(builder, loc, left, part);
  }
  firstStep = Index32(first);
}

/// Whether a step lies inside the interval as a whole.
Value Emitter::isInside(Index32 step) {
  if (plan->overGroups())
    return range.covered;
  // The tile along the place, which is the outermost atom.
  Starts at = startsOf(step);
  IndexBuilder &x = t.index;
  int64_t tile = tileOf[plan->reduced];
  Value begin = x.get(at[plan->reduced]);
  Value end = x.get(x.add(at[plan->reduced], tile));
  Value after = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge,
                                      begin, range.from);
  Value before = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sle,
                                       end, range.to);
  return arith::AndIOp::create(builder, loc, after, before);
}

/// The operand as an expression of some of its leaves, which share its rings.
Operand Emitter::withoutSelection(const Operand &operand,
                                  const Expression &inside) {
  if (!inside.value)
    return operand;
  Operand result = operand;
  result.expression = &inside;
  result.leaves.clear();
  for (const Leaf &leaf : inside.leaves)
    for (auto [known, made] :
         llvm::zip_equal(operand.expression->leaves, operand.leaves))
      if (known.value == leaf.value && known.access == leaf.access) {
        result.leaves.push_back(made);
        break;
      }
  return result;
}

SmallVector<Value> Emitter::multiply(ValueRange before, const Starts &at,
                                     Value stage, const Operand &left,
                                     const Operand &right) {
  SmallVector<Value> result(before);
  auto precision =
      arithmetic.tf32 ? tile::DotPrecision::TF32 : tile::DotPrecision::IEEE;
  for (int64_t k = 0; k < kAxis.size() / arithmetic.mma.k; ++k) {
    Value a = operands->fragment(left, at, stage, {mAxis.size(), 0},
                                 {arithmetic.mma.k, k});
    for (int64_t part = 0; part < parts; ++part) {
      Value b = operands->fragment(right, at, stage, {arithmetic.mma.k, k},
                                   {partColumns, part});
      result[part] = tile::DotOp::create(builder, loc, result[part].getType(),
                                         a, b, result[part], precision);
    }
  }
  return result;
}

SmallVector<Value> Emitter::multiply(ValueRange before, Index32 step,
                                     Value stage) {
  Starts at = startsOf(step);
  if (!hasInside)
    return multiply(before, at, stage, lhs, rhs);
  auto branch = scf::IfOp::create(builder, loc, before.getTypes(),
                                  isInside(step), /*withElseRegion=*/true);
  for (bool inside : {true, false}) {
    OpBuilder::InsertionGuard guard(builder);
    Block *block = inside ? branch.thenBlock() : branch.elseBlock();
    if (!block->empty())
      block->back().erase();
    builder.setInsertionPointToEnd(block);
    SmallVector<Value> sums =
        inside ? multiply(before, at, stage, insideLhs, insideRhs)
               : multiply(before, at, stage, lhs, rhs);
    scf::YieldOp::create(builder, loc, sums);
  }
  return SmallVector<Value>(branch.getResults());
}

void Emitter::copyStep(Index32 step, Value stage) {
  Starts at = startsOf(step);
  operands->copy(lhs, at, stage);
  operands->copy(rhs, at, stage);
}

void Emitter::loop() {
  LinearLayout layout =
      operands->layout(MmaOperand::C, mAxis.size(), partColumns);
  auto type =
      t.tileType({mAxis.size(), partColumns}, arithmetic.accumulator, layout);
  for (int64_t part = 0; part < parts; ++part)
    sums.push_back(tile::ConstantOp::create(
        builder, loc, type,
        cast<TypedAttr>(builder.getZeroAttr(arithmetic.accumulator))));

  IndexBuilder &x = t.index;
  auto constant = [&](int64_t value) { return x.get(value); };
  int64_t ahead = config.stages - 1;
  auto isBelowCount = [&](Value step) -> Value {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, step,
                                 stepCount());
  };
  for (int64_t step = 0; step < ahead; ++step) {
    if (count) {
      auto branch =
          scf::IfOp::create(builder, loc, isBelowCount(constant(step)), false);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(branch.thenBlock());
      copyStep(step, constant(step));
    } else if (step < kTiles) {
      copyStep(step, constant(step));
    }
    tile::AsyncCommitOp::create(builder, loc);
  }

  // Carried: the stage that is read, the stage that is written, the sums.
  SmallVector<Value> carried{constant(0), constant(ahead % config.stages)};
  carried.append(sums);
  auto loop = scf::ForOp::create(builder, loc, constant(0), stepCount(),
                                 constant(1), carried);
  {
    OpBuilder::InsertionGuard guard(builder);
    Block *body = loop.getBody();
    if (!body->empty())
      body->back().erase();
    builder.setInsertionPointToEnd(body);
    Value step = loop.getInductionVar();
    Value reads = loop.getRegionIterArg(0), writes = loop.getRegionIterArg(1);
    tile::AsyncWaitOp::create(builder, loc,
                              builder.getI32IntegerAttr(ahead - 1));
    tile::BarrierOp::create(builder, loc);
    if (count || kTiles > ahead) {
      Value next = arith::AddIOp::create(builder, loc, step, constant(ahead));
      auto branch = scf::IfOp::create(builder, loc, isBelowCount(next), false);
      OpBuilder::InsertionGuard inner(builder);
      builder.setInsertionPointToStart(branch.thenBlock());
      copyStep(Index32(next, 1), writes);
    }
    tile::AsyncCommitOp::create(builder, loc);
    SmallVector<Value> yields = multiply(loop.getRegionIterArgs().drop_front(2),
                                         Index32(step, 1), reads);
    auto advance = [&](Value stage) -> Value {
      Value next = arith::AddIOp::create(builder, loc, stage, constant(1));
      Value wraps =
          arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, next,
                                constant(config.stages));
      return arith::SelectOp::create(builder, loc, wraps, constant(0), next);
    };
    SmallVector<Value> all{advance(reads), advance(writes)};
    all.append(yields);
    scf::YieldOp::create(builder, loc, all);
  }
  sums.assign(loop.getResults().begin() + 2, loop.getResults().end());
}

SmallVector<tile::FuncOp> Emitter::run() {
  mAxis = makeAxis(contraction, Role::M, config.m);
  nAxis = makeAxis(contraction, Role::N, config.n);
  kAxis = makeAxis(contraction, Role::K, config.k);
  tileOf.assign(contraction.space.size(), 1);
  for (const Axis *axis : {&mAxis, &nAxis, &kAxis})
    for (auto [atom, tile] : llvm::zip_equal(axis->atoms, axis->tiles))
      tileOf[atom] = tile;
  for (auto [atom, tile] : llvm::zip_equal(contraction.space, tileOf)) {
    countOf.push_back(llvm::divideCeil(atom.size, tile));
    (atom.role == Role::K ? kTiles : tiles) *= countOf.back();
  }
  plan = planInterval(contraction, tileOf);
  allSteps = kTiles;
  kTiles /= config.split;
  partColumns = config.n;
  int64_t least = std::max<int64_t>(arithmetic.mma.n * config.warpsN, 16);
  int64_t bytes = arithmetic.accumulator.getIntOrFloatBitWidth() / 8;
  while (partColumns > least && config.m * partColumns * bytes > kEpilogueBytes)
    partColumns /= 2;
  parts = config.n / partColumns;

  SmallVector<tile::FuncOp> made;
  makeFunction(config.split, "");
  made.push_back(func);
  placeTile(config.split);
  lhs = operands->make(contraction.lhs, MmaOperand::A, mAxis, kAxis,
                       config.stages);
  rhs = operands->make(contraction.rhs, MmaOperand::B, kAxis, nAxis,
                       config.stages);
  if (plan) {
    const Interval &interval = *contraction.interval;
    hasInside = interval.hasInside &&
                (!plan->overGroups() || tileOf[plan->reduced] == 1);
    insideLhs = withoutSelection(lhs, interval.lhs);
    insideRhs = withoutSelection(rhs, interval.rhs);
    boundSteps();
  }
  loop();
  if (config.split > 1) {
    storeSums();
    tile::ReturnOp::create(builder, loc);
    makeFunction(/*split=*/1, "_finish");
    made.push_back(func);
    placeTile(/*split=*/1);
    loadSums();
  }
  auto all = llvm::to_vector(
      llvm::seq<unsigned>(0, unsigned(contraction.outputs.size())));
  storeOutputs(t, *operands, func, mAxis, nAxis, starts, sums, partColumns,
               source.body->front().getNumArguments(), all);
  tile::ReturnOp::create(builder, loc);
  return made;
}

} // namespace

SmallVector<tile::FuncOp> shoal::makeContractionFuncs(const TileSource &source,
                                                      const TileTarget &target,
                                                      ModuleOp module) {
  if (llvm::is_contained(source.scalarInputs, true))
    return {};
  std::optional<Contraction> contraction =
      analyzeContraction(source.body->front());
  if (!contraction)
    return makeAttentionFuncs(source, target, module);
  if (!mayWrite(*contraction, source))
    return {};
  std::optional<Arithmetic> arithmetic = chooseArithmetic(*contraction, target);
  if (!arithmetic)
    return {};
  Config config = chooseConfig(*contraction, *arithmetic, target);
  Emitter emitter(*contraction, config, *arithmetic, source, module);
  return emitter.run();
}
