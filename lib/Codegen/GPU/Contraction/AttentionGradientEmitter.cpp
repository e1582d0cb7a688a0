// The gradient of attention as tile kernels that never write the scores.
//
// A block has a tile of rows: keys, for the products over the queries, or
// queries, for that over the keys. It walks the other side; of each step, part
// by part, the scores and the cotangents' products with the values are made
// again, and from them and the rows' numbers (maxima, inverse sums, D) the
// probabilities P and the scores' gradients dS, which are operands of the next
// products as they stand. So nothing crosses threads, and every sum is made by
// one thread in one order.

#include "AttentionGradient.h"
#include "Operands.h"

#include "dialects/StableHLO/StableHLO.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

namespace sh = mlir::stablehlo;

namespace {

/// What `#tile.config<"attention gradient", tile = [rows, columns], …>` says.
struct GradientConfig {
  int64_t rows = 128, columns = 64, warps = 8, stages = 2;
};

class Emitter {
public:
  Emitter(const AttentionGradient &gradient, ArrayRef<GradientProduct> products,
          const Arithmetic &arithmetic, const TileSource &source,
          ModuleOp module)
      : gradient(gradient), whole(gradient.whole), products(products),
        arithmetic(arithmetic), source(source), module(module),
        builder(module.getContext()), loc(whole.root->getLoc()),
        t(builder, loc, whole) {
    for (const GradientProduct &product : products)
      needsScoreGradients |= product.ofScores;
  }

  /// False if there is no configuration in which the tiles fit.
  bool configure(const TileTarget &target);
  tile::FuncOp run(StringRef suffix);

private:
  bool setAxes();
  int64_t sharedBytes();
  SmallVector<Value> step(ValueRange before, Index32 number, Value stage);
  Value map(const Expression &expression, Type type, Value root, Value partner,
            const Starts &at, ArrayRef<int64_t> shape, ArrayRef<int64_t> inside,
            const LinearLayout &layout, const Mask &mask);

  /// The rows' side of a product, and the side that is walked.
  const Expression &rowsOf(bool ofValues) const {
    bool rowsAreQueries = !overQueries();
    if (ofValues)
      return rowsAreQueries ? gradient.cotangents() : gradient.values();
    return rowsAreQueries ? gradient.queries() : gradient.keys();
  }
  const Expression &columnsOf(bool ofValues) const {
    bool rowsAreQueries = !overQueries();
    if (ofValues)
      return rowsAreQueries ? gradient.values() : gradient.cotangents();
    return rowsAreQueries ? gradient.keys() : gradient.queries();
  }
  bool overQueries() const { return gradient.isOverQueries; }

  const AttentionGradient &gradient;
  const Contraction &whole;
  ArrayRef<GradientProduct> products;
  const Arithmetic &arithmetic;
  const TileSource &source;
  ModuleOp module;
  OpBuilder builder;
  Location loc;
  TileBuilder t;
  std::optional<OperandBuilder> operands;
  GradientConfig config;
  bool needsScoreGradients = false;

  tile::FuncOp func;
  AttentionAxes axes;
  Starts starts;
  /// Of scores; of cotangents' products with values.
  Operand rows[2], columns[2];
  /// Leaves of expressions over rows and columns, those that do not depend on
  /// the columns loaded before the loop.
  struct LeafViews {
    std::vector<TileView> views;
    SmallVector<Value> constant;
  };
  llvm::DenseMap<const Expression *, LeafViews> leaves;
};

bool Emitter::setAxes() {
  std::optional<AttentionAxes> made = makeAttentionAxes(
      whole, config.rows, config.columns, arithmetic.mma.k, arithmetic.mma.k);
  if (made)
    axes = *std::move(made);
  return made.has_value();
}

int64_t Emitter::sharedBytes() {
  int64_t bytes = 0;
  for (bool ofValues : {false, true}) {
    int64_t depth = (ofValues ? axes.n : axes.inner).size();
    auto add = [&](const Expression &expression, int64_t elements) {
      for (const Leaf &leaf : expression.leaves)
        if (!leaf.isIota)
          bytes += elements * depth *
                   std::max(1u, leaf.elementType().getIntOrFloatBitWidth() / 8);
    };
    if (!ofValues || needsScoreGradients)
      add(rowsOf(ofValues), axes.m.size());
    add(columnsOf(ofValues), axes.k.size() * config.stages);
  }
  return bytes;
}

bool Emitter::configure(const TileTarget &target) {
  // A warp has 16 rows, so that rows never cross warps. A thread holds half a
  // product's columns as sums, which leaves room for those of 256 columns;
  // f32 operands are split into parts and need more.
  int64_t depth = std::max(llvm::PowerOf2Ceil(whole.sizeOf(Role::N)),
                           llvm::PowerOf2Ceil(whole.sizeOf(Role::Inner)));
  if (depth > 256)
    return false;
  bool wide = arithmetic.mma.bits > 16;
  config.warps = wide ? 4 : 8;
  config.columns = depth > 64 || wide ? 32 : 64;
  if (depth > 128 && llvm::any_of(products, [](const GradientProduct &product) {
        return product.isWide;
      }))
    config.columns = 16;
  int64_t rowsPerWarp = arithmetic.mma.m;
  while (config.warps > 1 &&
         (config.warps / 2) * rowsPerWarp >= whole.sizeOf(Role::M))
    config.warps /= 2;
  while (config.columns > std::max<int64_t>(16, arithmetic.mma.k) &&
         config.columns / 2 >= whole.sizeOf(Role::K))
    config.columns /= 2;
  // What layouts are converted through when results are stored.
  constexpr int64_t reserved = 34 * 1024;
  while (true) {
    config.rows = config.warps * rowsPerWarp;
    if (!setAxes())
      return false;
    if (sharedBytes() + reserved <= target.maxSharedBytes)
      return true;
    if (config.warps > 4)
      config.warps /= 2;
    else if (config.columns > std::max<int64_t>(16, arithmetic.mma.k))
      config.columns /= 2;
    else if (config.warps > 1)
      config.warps /= 2;
    else
      return false;
  }
}

Value Emitter::map(const Expression &expression, Type type, Value root,
                   Value partner, const Starts &at, ArrayRef<int64_t> shape,
                   ArrayRef<int64_t> inside, const LinearLayout &layout,
                   const Mask &mask) {
  SmallVector<unsigned> atoms(axes.m.atoms);
  atoms.append(axes.k.atoms);
  LeafViews &known = leaves.find(&expression)->second;
  auto leafTile = [&](unsigned leaf) -> Value {
    if (known.constant[leaf])
      return known.constant[leaf];
    return t.load(known.views[leaf], at, inside, shape,
                  reshapeLayout(layout, shape));
  };
  return t.map(expression, type, atoms, shape, inside, at,
               reshapeLayout(layout, shape), leafTile, root, mask, partner);
}

SmallVector<Value> Emitter::step(ValueRange before, Index32 number,
                                 Value stage) {
  int64_t height = axes.m.size(), part = arithmetic.mma.k;
  Starts at = starts;
  placeAlong(t, Role::K, number, axes.tileOf, at);
  LinearLayout layout = operands->layout(MmaOperand::C, height, part);
  LinearLayout operand = operands->layout(MmaOperand::A, height, part);
  Type f32 = arithmetic.accumulator;
  auto type = t.tileType({height, part}, f32, layout);
  auto precision =
      arithmetic.tf32 ? tile::DotPrecision::TF32 : tile::DotPrecision::IEEE;
  Value zero = tile::ConstantOp::create(
      builder, loc, type, cast<TypedAttr>(builder.getZeroAttr(f32)));
  auto dot = [&](Value a, Value b, Value sums) -> Value {
    return tile::DotOp::create(builder, loc, sums.getType(), a, b, sums,
                               precision);
  };
  Operand flipped[2];
  for (int ofValues : {0, 1})
    flipped[ofValues] = operands->transposed(columns[ofValues]);

  Mask outside;
  for (const Axis *axis : {&axes.m, &axes.k})
    for (auto [atom, tile] : llvm::zip_equal(axis->atoms, axis->tiles))
      if (whole.space[atom].size % tile != 0)
        outside.atoms.push_back(atom);
  outside.value = builder.getZeroAttr(f32);

  SmallVector<Value> sums(before);
  int64_t parts = axes.k.size() / part;
  // Scores, and cotangents times values, of all columns at once: so each
  // fragment of rows is read once, and lives shortly.
  SmallVector<Value> made[2];
  for (int ofValues : {0, 1}) {
    if (ofValues && !needsScoreGradients)
      continue;
    made[ofValues].assign(parts, zero);
    const Axis &depth = ofValues ? axes.n : axes.inner;
    for (int64_t k = 0; k < depth.size() / part; ++k) {
      Value a = operands->fragment(rows[ofValues], at, Value(), {height, 0},
                                   {part, k});
      for (int64_t i = 0; i < parts; ++i) {
        Value b = operands->fragment(columns[ofValues], at, stage, {part, k},
                                     {part, i});
        made[ofValues][i] = dot(a, b, made[ofValues][i]);
      }
    }
  }
  for (int64_t i = 0; i < parts; ++i) {
    SmallVector<int64_t> shape(axes.m.tiles), inside(axes.m.tiles.size(), 0);
    shape.append(axes.k.partShape(part));
    inside.append(axes.k.partStart(part, i));
    const Expression &formula = whole.others[AttentionGradient::Probabilities];
    Value probabilities = map(formula, f32, made[0][i], Value(), at, shape,
                              inside, layout, outside);
    unsigned sum = 0;
    for (const GradientProduct &product : products) {
      const Expression &weights = whole.others[product.weights];
      Mask mask;
      if (!weights.keepsZero)
        mask = outside;
      Value w = map(weights, f32, probabilities,
                    product.ofScores ? made[1][i] : Value(), at, shape, inside,
                    layout, mask);
      w = t.reshape(w, {height, part});
      // A wide one is two narrow ones: its value cut, and what that leaves.
      SmallVector<Value, 2> narrow;
      auto convert = [&](Value tile) -> Value {
        if (arithmetic.operand == f32)
          return tile;
        return t.apply(tile, [&](ArrayRef<Value> in) -> Value {
          return sh::ConvertOp::create(
              builder, loc, RankedTensorType::get({}, arithmetic.operand),
              in[0]);
        });
      };
      narrow.push_back(convert(w));
      if (product.isWide)
        narrow.push_back(
            convert(t.apply({w, narrow[0]}, [&](ArrayRef<Value> in) -> Value {
              Value cut = sh::ConvertOp::create(
                  builder, loc, RankedTensorType::get({}, f32), in[1]);
              return sh::SubtractOp::create(builder, loc, in[0], cut);
            })));
      for (Value &tile : narrow)
        tile = t.convertLayout(tile, operand);
      int64_t width = (product.ofScores ? axes.inner : axes.n).size();
      int64_t outputColumns = std::min<int64_t>(width, 64);
      for (int64_t column = 0; column < width / outputColumns; ++column) {
        Value b = operands->fragment(flipped[!product.ofScores], at, stage,
                                     {part, i}, {outputColumns, column});
        for (Value tile : narrow)
          sums[sum] = dot(tile, b, sums[sum]);
        ++sum;
      }
    }
  }
  return sums;
}

tile::FuncOp Emitter::run(StringRef suffix) {
  int64_t blocks = 1, rowTiles = 1, steps = 1;
  for (auto [atom, tile] : llvm::zip_equal(whole.space, axes.tileOf)) {
    int64_t count = llvm::divideCeil(atom.size, tile);
    if (atom.role == Role::K)
      steps *= count;
    if (atom.role == Role::M)
      rowTiles *= count;
    if (atom.role == Role::M || atom.role == Role::Batch)
      blocks *= count;
  }
  auto attr = tile::ConfigAttr::get(
      builder.getContext(), builder.getStringAttr("attention gradient"),
      {config.rows, config.columns}, config.warps, config.stages, 16, 1);
  func = makeTileFunction(builder, source, module, blocks, config.warps, attr,
                          loc, 0, suffix);
  operands.emplace(t, arithmetic, config.warps, 1, func);

  IndexBuilder &x = t.index;
  starts.assign(whole.space.size(), Index32(0));
  Index32 id(0);
  if (blocks > 1)
    id = Index32(tile::ProgramIdOp::create(builder, loc, builder.getI32Type(),
                                           builder.getI32IntegerAttr(0))
                     .getResult());
  placeAlong(t, Role::Batch, x.div(id, rowTiles), axes.tileOf, starts);
  placeAlong(t, Role::M, blocks == rowTiles ? id : x.rem(id, rowTiles),
             axes.tileOf, starts);

  for (int ofValues : {0, 1}) {
    const Axis &depth = ofValues ? axes.n : axes.inner;
    if (!ofValues || needsScoreGradients) {
      rows[ofValues] =
          operands->make(rowsOf(ofValues), MmaOperand::A, axes.m, depth, 1);
      operands->copy(rows[ofValues], starts, Value());
    }
    columns[ofValues] = operands->make(columnsOf(ofValues), MmaOperand::B,
                                       depth, axes.k, config.stages);
  }

  // Leaves of what is computed between the products.
  int64_t height = axes.m.size(), part = arithmetic.mma.k;
  SmallVector<unsigned> atoms(axes.m.atoms);
  atoms.append(axes.k.atoms);
  SmallVector<int64_t> tiles(axes.m.tiles), shape(axes.m.tiles);
  tiles.append(axes.k.tiles);
  shape.append(axes.k.partShape(part));
  LinearLayout layout =
      reshapeLayout(operands->layout(MmaOperand::C, height, part), shape);
  SmallVector<unsigned> walked = whole.atomsOf(Role::K);
  auto addLeaves = [&](const Expression &expression) {
    LeafViews &made = leaves[&expression];
    for (const Leaf &leaf : expression.leaves) {
      made.views.emplace_back();
      made.constant.emplace_back();
      if (leaf.isIota)
        continue;
      TileView &view = made.views.back();
      view = t.makeView(operands->argument(leaf.value), leaf.start, leaf.memory,
                        atoms, tiles);
      if (llvm::none_of(walked, [&](unsigned atom) { return leaf.uses(atom); }))
        made.constant.back() = t.load(view, starts, {}, shape, layout);
    }
  };
  addLeaves(whole.others[AttentionGradient::Probabilities]);
  for (const GradientProduct &product : products)
    addLeaves(whole.others[product.weights]);

  SmallVector<Value> sums;
  for (const GradientProduct &product : products) {
    int64_t width = (product.ofScores ? axes.inner : axes.n).size();
    int64_t outputColumns = std::min<int64_t>(width, 64);
    auto type =
        t.tileType({height, outputColumns}, arithmetic.accumulator,
                   operands->layout(MmaOperand::C, height, outputColumns));
    for (int64_t i = 0; i < width / outputColumns; ++i)
      sums.push_back(tile::ConstantOp::create(
          builder, loc, type,
          cast<TypedAttr>(builder.getZeroAttr(arithmetic.accumulator))));
  }
  sums = pipelined(
      t, steps, config.stages, sums,
      [&](Index32 number, Value stage) {
        Starts at = starts;
        placeAlong(t, Role::K, number, axes.tileOf, at);
        for (int ofValues : {0, 1})
          operands->copy(columns[ofValues], at, stage);
      },
      [&](Index32 number, Value stage, ValueRange before) {
        return step(before, number, stage);
      });

  unsigned firstOutput = source.body->front().getNumArguments();
  ArrayRef<Value> left = sums;
  for (const GradientProduct &product : products) {
    const Axis &axis = product.ofScores ? axes.inner : axes.n;
    int64_t outputColumns = std::min<int64_t>(axis.size(), 64);
    int64_t count = axis.size() / outputColumns;
    storeOutputs(t, *operands, func, axes.m, axis, starts,
                 left.take_front(count), outputColumns, firstOutput,
                 {product.output});
    left = left.drop_front(count);
  }
  tile::ReturnOp::create(builder, loc);
  return func;
}

/// The kernels that a side's products are made by: as few as registers allow.
SmallVector<SmallVector<GradientProduct, 2>>
divide(const AttentionGradient &gradient, const Arithmetic &arithmetic) {
  auto widthOf = [&](const GradientProduct &product) -> int64_t {
    return llvm::PowerOf2Ceil(
        gradient.whole.sizeOf(product.ofScores ? Role::Inner : Role::N));
  };
  int64_t room = arithmetic.mma.bits > 16 ? 128 : 256, used = 0;
  SmallVector<SmallVector<GradientProduct, 2>> kernels;
  for (const GradientProduct &product : gradient.products) {
    if (kernels.empty() || used + widthOf(product) > room) {
      kernels.emplace_back();
      used = 0;
    }
    kernels.back().push_back(product);
    used += widthOf(product);
  }
  return kernels;
}

} // namespace

SmallVector<tile::FuncOp>
contraction::makeAttentionGradient(const TileSource &source,
                                   const TileTarget &target, ModuleOp module) {
  // Several launches read the inputs.
  if (!source.mayOverwrite.empty())
    return {};
  SmallVector<tile::FuncOp> made;
  auto fail = [&]() -> SmallVector<tile::FuncOp> {
    for (tile::FuncOp func : made)
      func.erase();
    return {};
  };
  unsigned outputs = 0;
  for (bool overQueries : {false, true}) {
    std::optional<AttentionGradient> gradient =
        analyzeAttentionGradient(source.body->front(), overQueries);
    if (!gradient)
      return fail();
    std::optional<Arithmetic> arithmetic =
        chooseArithmetic(gradient->whole, target);
    if (!arithmetic || !arithmetic->accumulator.isF32() ||
        arithmetic->mma.bits == 8)
      return fail();
    for (const Expression *operand :
         {&gradient->queries(), &gradient->keys(), &gradient->values(),
          &gradient->cotangents()})
      if (operand->elementType() != arithmetic->operand)
        return fail();
    for (auto &products : divide(*gradient, *arithmetic)) {
      Emitter emitter(*gradient, products, *arithmetic, source, module);
      if (!emitter.configure(target))
        return fail();
      std::string suffix =
          made.empty() ? "" : "_" + std::to_string(made.size());
      made.push_back(emitter.run(suffix));
      outputs += products.size();
    }
  }
  if (outputs != source.body->front().getTerminator()->getNumOperands())
    return fail();
  return made;
}
