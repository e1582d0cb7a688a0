// Contractions as tile kernels: rings of shared memory filled by cp.async,
// tensor cores, epilogue.
//
// Each block makes one tile of the result. Raw operands go to shared memory
// several steps ahead; what is fused before the contraction is computed on the
// fragments, what is fused after it on the sums, when they have been brought
// to the layout in which the result is stored.

#include "Operands.h"

#include "shoal/Codegen/GPU/Contraction.h"

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

  tile::FuncOp run();

private:
  void makeFunction();
  void placeTile();
  Starts startsOf(Index32 step);
  SmallVector<Value> multiply(ValueRange sums, Index32 step, Value stage);
  void loop();

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
  int64_t kTiles = 1;
  /// The result's tile in `parts` of `partColumns` columns.
  int64_t parts = 1, partColumns = 0;
  SmallVector<Value> sums;
};

void Emitter::makeFunction() {
  int64_t blocks = 1;
  for (auto [atom, count] : llvm::zip_equal(contraction.space, countOf))
    if (atom.role != Role::K)
      blocks *= count;
  auto attr = tile::ConfigAttr::get(
      builder.getContext(), builder.getStringAttr("contraction"),
      {config.m, config.n, config.k}, config.warps(), config.stages, 16,
      config.split);
  func = makeTileFunction(builder, source, module, blocks, config.warps(), attr,
                          loc);
  operands.emplace(t, arithmetic, config.warpsM, config.warpsN, func);
}

/// Which tile this block makes: batches outermost.
void Emitter::placeTile() {
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
  if (rows * columns * batches > 1)
    id = Index32(tile::ProgramIdOp::create(builder, loc, builder.getI32Type(),
                                           builder.getI32IntegerAttr(0))
                     .getResult());
  if (batches > 1) {
    placeAlong(t, Role::Batch, x.div(id, rows * columns), tileOf, starts);
    id = x.rem(id, rows * columns);
  }
  auto [row, column] = placeInGroups(x, id, rows, columns);
  placeAlong(t, Role::M, row, tileOf, starts);
  placeAlong(t, Role::N, column, tileOf, starts);
}

/// The starts of step number `step` of the reduction.
Starts Emitter::startsOf(Index32 step) {
  Starts result = starts;
  placeAlong(t, Role::K, step, tileOf, result);
  return result;
}

SmallVector<Value> Emitter::multiply(ValueRange before, Index32 step,
                                     Value stage) {
  SmallVector<Value> result(before);
  Starts at = startsOf(step);
  auto precision =
      arithmetic.tf32 ? tile::DotPrecision::TF32 : tile::DotPrecision::IEEE;
  for (int64_t k = 0; k < kAxis.size() / arithmetic.mma.k; ++k) {
    Value a = operands->fragment(lhs, at, stage, {mAxis.size(), 0},
                                 {arithmetic.mma.k, k});
    for (int64_t part = 0; part < parts; ++part) {
      Value b = operands->fragment(rhs, at, stage, {arithmetic.mma.k, k},
                                   {partColumns, part});
      result[part] = tile::DotOp::create(builder, loc, result[part].getType(),
                                         a, b, result[part], precision);
    }
  }
  return result;
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
  for (int64_t step = 0; step < ahead; ++step) {
    if (step < kTiles) {
      Starts at = startsOf(step);
      operands->copy(lhs, at, constant(step));
      operands->copy(rhs, at, constant(step));
    }
    tile::AsyncCommitOp::create(builder, loc);
  }

  // Carried: the stage that is read, the stage that is written, the sums.
  SmallVector<Value> carried{constant(0), constant(ahead % config.stages)};
  carried.append(sums);
  auto loop = scf::ForOp::create(builder, loc, constant(0), constant(kTiles),
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
    if (kTiles > ahead) {
      Value next = arith::AddIOp::create(builder, loc, step, constant(ahead));
      Value more = arith::CmpIOp::create(
          builder, loc, arith::CmpIPredicate::slt, next, constant(kTiles));
      auto branch = scf::IfOp::create(builder, loc, more, false);
      OpBuilder::InsertionGuard inner(builder);
      builder.setInsertionPointToStart(branch.thenBlock());
      Starts at = startsOf(Index32(next, 1));
      operands->copy(lhs, at, writes);
      operands->copy(rhs, at, writes);
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

tile::FuncOp Emitter::run() {
  mAxis = makeAxis(contraction, Role::M, config.m);
  nAxis = makeAxis(contraction, Role::N, config.n);
  kAxis = makeAxis(contraction, Role::K, config.k);
  tileOf.assign(contraction.space.size(), 1);
  for (const Axis *axis : {&mAxis, &nAxis, &kAxis})
    for (auto [atom, tile] : llvm::zip_equal(axis->atoms, axis->tiles))
      tileOf[atom] = tile;
  for (auto [atom, tile] : llvm::zip_equal(contraction.space, tileOf)) {
    countOf.push_back(llvm::divideCeil(atom.size, tile));
    if (atom.role == Role::K)
      kTiles *= countOf.back();
  }
  partColumns = config.n;
  int64_t least = std::max<int64_t>(arithmetic.mma.n * config.warpsN, 16);
  int64_t bytes = arithmetic.accumulator.getIntOrFloatBitWidth() / 8;
  while (partColumns > least && config.m * partColumns * bytes > kEpilogueBytes)
    partColumns /= 2;
  parts = config.n / partColumns;

  makeFunction();
  placeTile();
  lhs = operands->make(contraction.lhs, MmaOperand::A, mAxis, kAxis,
                       config.stages);
  rhs = operands->make(contraction.rhs, MmaOperand::B, kAxis, nAxis,
                       config.stages);
  loop();
  storeOutputs(t, *operands, func, mAxis, nAxis, starts, sums, partColumns,
               source.body->front().getNumArguments());
  tile::ReturnOp::create(builder, loc);
  return func;
}

} // namespace

std::optional<tile::FuncOp> shoal::makeContractionFunc(const TileSource &source,
                                                       const TileTarget &target,
                                                       ModuleOp module) {
  if (llvm::is_contained(source.scalarInputs, true))
    return std::nullopt;
  std::optional<Contraction> contraction =
      analyzeContraction(source.body->front());
  if (!contraction)
    return makeAttentionFunc(source, target, module);
  if (!mayWrite(*contraction, source))
    return std::nullopt;
  std::optional<Arithmetic> arithmetic = chooseArithmetic(*contraction, target);
  if (!arithmetic)
    return std::nullopt;
  Config config = chooseConfig(*contraction, *arithmetic, target);
  Emitter emitter(*contraction, config, *arithmetic, source, module);
  return emitter.run();
}
