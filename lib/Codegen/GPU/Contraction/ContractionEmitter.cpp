// Contractions as tile kernels: rings of shared memory filled by cp.async,
// tensor cores, epilogue.
//
// Each block makes one tile of the result. Raw operands go to shared memory
// several steps ahead; what is fused before the contraction is computed on the
// fragments, what is fused after it on the sums, when they have been brought
// to the layout in which the result is stored.

#include "TileAccess.h"

#include "shoal/Codegen/GPU/Contraction.h"
#include "shoal/Codegen/GPU/SharedLayouts.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

namespace {

/// Bytes of sums that the epilogue exchanges at once.
constexpr int64_t kEpilogueBytes = 32 * 1024;

/// An operand of the contraction in the kernel.
struct Operand {
  const Expression *expression = nullptr;
  MmaOperand kind = MmaOperand::A;
  /// The tile's atoms: M and K for A, K and N for B; and the two sizes.
  SmallVector<unsigned> atoms;
  SmallVector<int64_t> tiles;
  int64_t rows = 0, columns = 0;

  struct LeafTile {
    TileView view;
    /// A ring in shared memory, or null: loaded from global memory when used.
    Value ring;
  };
  std::vector<LeafTile> leaves; // empty views for iotas
};

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
  Operand makeOperand(const Expression &expression, MmaOperand kind,
                      const Axis &rowAxis, const Axis &columnAxis);
  Value makeRing(Operand &operand, const Leaf &leaf, const TileView &view);
  Starts kStarts(Index32 step);
  void copy(Operand &operand, const Starts &starts, Value stage);
  Value fragment(Operand &operand, const Starts &starts, Value stage,
                 int64_t kStep, std::optional<int64_t> part);
  SmallVector<Value> multiply(ValueRange sums, Index32 step, Value stage);
  void loop();
  void epilogue();
  LinearLayout fragmentLayout(MmaOperand kind, int64_t rows, int64_t columns) {
    return mmaLayout(arithmetic.mma, kind, {rows, columns}, config.warpsM,
                     config.warpsN);
  }
  Value argumentView(Value value);

  const Contraction &contraction;
  const Config &config;
  const Arithmetic &arithmetic;
  const TileSource &source;
  ModuleOp module;
  OpBuilder builder;
  Location loc;
  TileBuilder t;

  tile::FuncOp func;
  Axis mAxis, nAxis, kAxis;
  /// Tiles along every atom.
  SmallVector<int64_t> tileOf, countOf;
  Starts starts;
  Operand lhs, rhs;
  int64_t kTiles = 1;
  /// The result's tile in `parts` of `partColumns` columns.
  int64_t parts = 1, partColumns = 0;
  SmallVector<Value> sums;
};

//===----------------------------------------------------------------------===//
// The kernel and its place
//===----------------------------------------------------------------------===//

Value Emitter::argumentView(Value value) {
  return func.getBody().getArgument(cast<BlockArgument>(value).getArgNumber());
}

void Emitter::makeFunction() {
  Block &body = source.body->front();
  SmallVector<Type> types;
  SmallVector<int64_t> aligns;
  auto add = [&](Type type, ArrayRef<int64_t> known) {
    types.push_back(tile::ViewType::get(cast<RankedTensorType>(type)));
    aligns.push_back(known.empty() ? 64 : known.front());
  };
  for (auto [i, type] : llvm::enumerate(body.getArgumentTypes()))
    add(type, ArrayRef<int64_t>(source.inputAlign)
                  .drop_front(std::min(i, source.inputAlign.size())));
  for (auto [i, type] :
       llvm::enumerate(body.getTerminator()->getOperandTypes()))
    add(type, ArrayRef<int64_t>(source.outputAlign)
                  .drop_front(std::min(i, source.outputAlign.size())));

  int64_t blocks = 1;
  for (auto [atom, count] : llvm::zip_equal(contraction.space, countOf))
    if (atom.role != Role::K)
      blocks *= count;
  auto launch = tile::LaunchAttr::get(builder.getContext(), {blocks, 1, 1},
                                      config.warps(), {}, 0);
  builder.setInsertionPointToEnd(module.getBody());
  func = tile::FuncOp::create(builder, loc, source.symbol, types, launch);
  func.setConfigAttr(tile::ConfigAttr::get(
      builder.getContext(), builder.getStringAttr("contraction"),
      {config.m, config.n, config.k}, config.warps(), config.stages, 16,
      config.split));
  for (auto [i, align] : llvm::enumerate(aligns)) {
    func.setArgAttr(i, tile::FuncOp::getAlignAttrName(),
                    builder.getI64IntegerAttr(align));
    bool overwritten = llvm::any_of(
        source.mayOverwrite, [&](auto pair) { return pair.second == i; });
    if (i < body.getNumArguments() && !overwritten)
      func.setArgAttr(i, tile::FuncOp::getReadonlyAttrName(),
                      builder.getUnitAttr());
  }
  builder.setInsertionPointToEnd(&func.getBody().front());
}

/// Which tile this block makes: batches outermost; inside, groups of rows of
/// tiles that walk the columns together, so that operands meet in the L2 cache.
void Emitter::placeTile() {
  IndexBuilder &x = t.index;
  starts.assign(contraction.space.size(), Index32(0));
  int64_t counts[3] = {1, 1, 1};
  for (auto [atom, count] : llvm::zip_equal(contraction.space, countOf))
    if (atom.role != Role::K)
      counts[int(atom.role)] *= count;
  int64_t rows = counts[int(Role::M)], columns = counts[int(Role::N)];
  Index32 id(0);
  if (rows * columns * counts[int(Role::Batch)] > 1)
    id = Index32(tile::ProgramIdOp::create(builder, loc, builder.getI32Type(),
                                           builder.getI32IntegerAttr(0))
                     .getResult());
  Index32 batch = x.div(id, rows * columns);
  if (counts[int(Role::Batch)] == 1)
    batch = 0;
  Index32 inner =
      counts[int(Role::Batch)] == 1 ? id : x.rem(id, rows * columns);
  Index32 row, column;
  constexpr int64_t group = 8;
  if (rows == 1) {
    row = 0;
    column = inner;
  } else if (columns == 1) {
    row = inner;
    column = 0;
  } else {
    Index32 number = x.div(inner, group * columns);
    Index32 within = x.rem(inner, group * columns);
    Index32 firstRow = x.mul(number, group);
    Index32 height = rows % group == 0 ? Index32(std::min(group, rows))
                                       : x.min(x.sub(rows, firstRow), group);
    row = x.add(firstRow, x.rem(within, height));
    column = x.div(within, height);
  }
  for (auto [role, number] :
       {std::pair(Role::Batch, batch), std::pair(Role::M, row),
        std::pair(Role::N, column)}) {
    SmallVector<unsigned> atoms = contraction.atomsOf(role);
    for (auto [i, atom] : llvm::enumerate(llvm::reverse(atoms))) {
      bool last = i + 1 == atoms.size();
      Index32 digit = countOf[atom] == 1 ? Index32(0)
                      : last             ? number
                                         : x.rem(number, countOf[atom]);
      if (!last)
        number = x.div(number, countOf[atom]);
      starts[atom] = x.mul(digit, tileOf[atom]);
    }
  }
}

/// The starts of step number `step` of the reduction.
Starts Emitter::kStarts(Index32 step) {
  IndexBuilder &x = t.index;
  Starts result = starts;
  SmallVector<unsigned> atoms = contraction.atomsOf(Role::K);
  for (auto [i, atom] : llvm::enumerate(llvm::reverse(atoms))) {
    bool last = i + 1 == atoms.size();
    Index32 digit = countOf[atom] == 1 ? Index32(0)
                    : last             ? step
                                       : x.rem(step, countOf[atom]);
    if (!last)
      step = x.div(step, countOf[atom]);
    result[atom] = x.mul(digit, tileOf[atom]);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

Value Emitter::makeRing(Operand &operand, const Leaf &leaf,
                        const TileView &view) {
  Type element = leaf.elementType();
  unsigned bits = std::max(8u, element.getIntOrFloatBitWidth());
  // Which of the two sides is contiguous in memory.
  unsigned rowAtoms =
      operand.kind == MmaOperand::A ? mAxis.atoms.size() : kAxis.atoms.size();
  SmallVector<unsigned> order{1, 0};
  for (unsigned i = 0; i < rowAtoms; ++i)
    if (view.isContiguous(i))
      order = {0, 1};
  SmallVector<int64_t> plane{operand.rows, operand.columns};
  LinearLayout read =
      fragmentLayout(operand.kind, operand.rows, operand.columns);
  LinearLayout shared = swizzledSharedLayout(plane, order, bits);
  if (element != arithmetic.operand || !matchMatrixAccess(read, shared, bits))
    shared = operandSharedLayout(plane, order, bits, read);
  SmallVector<int64_t> shape(view.tile);
  auto type = tile::SharedType::get(builder.getContext(), shape, element,
                                    t.layoutAttr(reshapeLayout(shared, shape)),
                                    config.stages);
  return tile::AllocSharedOp::create(builder, loc, type);
}

Operand Emitter::makeOperand(const Expression &expression, MmaOperand kind,
                             const Axis &rowAxis, const Axis &columnAxis) {
  Operand operand;
  operand.expression = &expression;
  operand.kind = kind;
  operand.atoms = rowAxis.atoms;
  operand.atoms.append(columnAxis.atoms);
  operand.tiles = rowAxis.tiles;
  operand.tiles.append(columnAxis.tiles);
  operand.rows = rowAxis.size();
  operand.columns = columnAxis.size();
  for (const Leaf &leaf : expression.leaves) {
    Operand::LeafTile &made = operand.leaves.emplace_back();
    if (leaf.isIota)
      continue;
    made.view = t.makeView(argumentView(leaf.value), leaf.start, leaf.memory,
                           operand.atoms, operand.tiles);
    if (made.view.isFull(operand.tiles))
      made.ring = makeRing(operand, leaf, made.view);
  }
  return operand;
}

static Value slotOf(OpBuilder &builder, Location loc, Value ring, Value stage) {
  auto type = cast<tile::SharedType>(ring.getType());
  if (type.getStages() == 1)
    return ring;
  return tile::SlotOp::create(
      builder, loc,
      tile::SharedType::get(builder.getContext(), type.getShape(),
                            type.getElementType(), type.getLayout(), 1),
      ring, stage);
}

/// Starts the copies of one step's operand.
void Emitter::copy(Operand &operand, const Starts &at, Value stage) {
  for (Operand::LeafTile &leaf : operand.leaves) {
    if (!leaf.ring)
      continue;
    SmallVector<Value> offsets;
    SmallVector<int64_t> divisible;
    t.offsets(leaf.view, at, {}, offsets, divisible);
    tile::AsyncCopyOp::create(builder, loc, leaf.view.view, offsets,
                              slotOf(builder, loc, leaf.ring, stage),
                              builder.getDenseBoolArrayAttr(leaf.view.inBounds),
                              builder.getDenseI64ArrayAttr(divisible),
                              tile::LayoutAttr());
  }
}

/// The operand's fragments for step `kStep` of the tile; of B, only columns
/// `part`.
Value Emitter::fragment(Operand &operand, const Starts &at, Value stage,
                        int64_t kStep, std::optional<int64_t> part) {
  bool isA = operand.kind == MmaOperand::A;
  int64_t k = arithmetic.mma.k;
  SmallVector<int64_t> shape, inside;
  auto append = [&](ArrayRef<int64_t> sizes, ArrayRef<int64_t> offsets) {
    shape.append(sizes.begin(), sizes.end());
    inside.append(offsets.begin(), offsets.end());
  };
  if (isA)
    append(mAxis.tiles, SmallVector<int64_t>(mAxis.tiles.size(), 0));
  append(kAxis.partShape(k), kAxis.partStart(k, kStep));
  if (!isA)
    append(nAxis.partShape(partColumns), nAxis.partStart(partColumns, *part));
  int64_t rows = isA ? operand.rows : k, columns = isA ? k : partColumns;
  LinearLayout plane = fragmentLayout(operand.kind, rows, columns);
  LinearLayout layout = reshapeLayout(plane, shape);

  const Expression &expression = *operand.expression;
  auto leafTile = [&](unsigned i) -> Value {
    Operand::LeafTile &leaf = operand.leaves[i];
    if (!leaf.ring)
      return t.load(leaf.view, at, inside, shape, layout);
    SmallVector<int64_t> wide(leaf.view.prefix, 1), from(leaf.view.prefix, 0);
    wide.append(shape.begin(), shape.end());
    from.append(inside.begin(), inside.end());
    Type element = expression.leaves[i].elementType();
    Value tile = tile::LocalLoadOp::create(
        builder, loc, t.tileType(wide, element, reshapeLayout(layout, wide)),
        slotOf(builder, loc, leaf.ring, stage),
        builder.getDenseI64ArrayAttr(from), DenseI64ArrayAttr());
    return t.reshape(tile, shape);
  };
  bool plain = expression.leaves.size() == 1 &&
               expression.leaves[0].value == expression.value &&
               expression.elementType() == arithmetic.operand;
  SmallVector<unsigned> masked;
  if (!expression.keepsZero)
    for (auto [atom, tile] : llvm::zip_equal(kAxis.atoms, kAxis.tiles))
      if (contraction.space[atom].size % tile != 0)
        masked.push_back(atom);
  Value tile = plain
                   ? leafTile(0)
                   : t.map(expression, arithmetic.operand, operand.atoms, shape,
                           inside, at, layout, leafTile, Value(), masked);
  return t.reshape(tile, {rows, columns});
}

//===----------------------------------------------------------------------===//
// The reduction
//===----------------------------------------------------------------------===//

SmallVector<Value> Emitter::multiply(ValueRange before, Index32 step,
                                     Value stage) {
  SmallVector<Value> result(before);
  Starts at = kStarts(step);
  auto precision =
      arithmetic.tf32 ? tile::DotPrecision::TF32 : tile::DotPrecision::IEEE;
  for (int64_t k = 0; k < kAxis.size() / arithmetic.mma.k; ++k) {
    Value a = fragment(lhs, at, stage, k, std::nullopt);
    for (int64_t part = 0; part < parts; ++part) {
      Value b = fragment(rhs, at, stage, k, part);
      result[part] = tile::DotOp::create(builder, loc, result[part].getType(),
                                         a, b, result[part], precision);
    }
  }
  return result;
}

void Emitter::loop() {
  LinearLayout layout =
      fragmentLayout(MmaOperand::C, mAxis.size(), partColumns);
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
      Starts at = kStarts(step);
      copy(lhs, at, constant(step));
      copy(rhs, at, constant(step));
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
      Starts at = kStarts(Index32(next, 1));
      copy(lhs, at, writes);
      copy(rhs, at, writes);
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

//===----------------------------------------------------------------------===//
// The result
//===----------------------------------------------------------------------===//

void Emitter::epilogue() {
  SmallVector<unsigned> atoms(mAxis.atoms);
  atoms.append(nAxis.atoms);
  SmallVector<int64_t> tiles(mAxis.tiles);
  tiles.append(nAxis.tiles);
  unsigned firstOutput = source.body->front().getNumArguments();
  std::vector<TileView> outputs;
  for (auto [i, memory] : llvm::enumerate(contraction.outputMemory))
    outputs.push_back(t.makeView(func.getBody().getArgument(firstOutput + i), 0,
                                 memory, atoms, tiles));
  std::vector<std::vector<TileView>> inputs;
  for (const Expression &output : contraction.outputs) {
    auto &views = inputs.emplace_back();
    for (const Leaf &leaf : output.leaves)
      views.push_back(leaf.isIota
                          ? TileView()
                          : t.makeView(argumentView(leaf.value), leaf.start,
                                       leaf.memory, atoms, tiles));
  }

  int64_t rows = mAxis.size();
  for (int64_t part = 0; part < parts; ++part) {
    SmallVector<int64_t> shape(mAxis.tiles), inside(mAxis.tiles.size(), 0);
    shape.append(nAxis.partShape(partColumns));
    inside.append(nAxis.partStart(partColumns, part));
    for (auto [i, output] : llvm::enumerate(contraction.outputs)) {
      // The order in which this output's memory runs.
      TileView &view = outputs[i];
      Type element = output.elementType();
      unsigned bits = std::max(8u, element.getIntOrFloatBitWidth());
      SmallVector<unsigned> order{1, 0};
      for (unsigned d = 0; d < mAxis.atoms.size(); ++d)
        if (view.isContiguous(d))
          order = {0, 1};
      LinearLayout store = coalescedLayout({rows, partColumns}, 128 / bits,
                                           config.warps(), order);
      Value sum = t.convertLayout(sums[part], store);
      LinearLayout layout = reshapeLayout(store, shape);
      auto leafTile = [&, i = i](unsigned leaf) -> Value {
        return t.load(inputs[i][leaf], starts, inside, shape, layout);
      };
      Value tile = t.map(output, element, atoms, shape, inside, starts, layout,
                         leafTile, sum);
      SmallVector<int64_t> wide(view.prefix, 1);
      wide.append(shape.begin(), shape.end());
      SmallVector<Value> offsets;
      SmallVector<int64_t> divisible;
      t.offsets(view, starts, inside, offsets, divisible);
      tile::StoreOp::create(builder, loc, t.reshape(tile, wide), view.view,
                            offsets, Value(),
                            builder.getDenseBoolArrayAttr(view.inBounds),
                            builder.getDenseI64ArrayAttr(divisible));
    }
  }
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
  lhs = makeOperand(contraction.lhs, MmaOperand::A, mAxis, kAxis);
  rhs = makeOperand(contraction.rhs, MmaOperand::B, kAxis, nAxis);
  loop();
  epilogue();
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
    return std::nullopt;
  std::optional<Arithmetic> arithmetic = chooseArithmetic(*contraction, target);
  if (!arithmetic)
    return std::nullopt;
  Config config = chooseConfig(*contraction, *arithmetic, target);
  Emitter emitter(*contraction, config, *arithmetic, source, module);
  return emitter.run();
}
