// Operands of contractions in a kernel: rings of shared memory, fragments.

#include "Operands.h"

#include "shoal/Codegen/GPU/SharedLayouts.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

SmallVector<unsigned> Operand::ragged(const Axis &axis,
                                      const Contraction &contraction) const {
  SmallVector<unsigned> result;
  for (auto [atom, tile] : llvm::zip_equal(axis.atoms, axis.tiles))
    if (contraction.space[atom].size % tile != 0)
      result.push_back(atom);
  return result;
}

Value OperandBuilder::argument(Value value) {
  return func.getBody().getArgument(cast<BlockArgument>(value).getArgNumber());
}

Value OperandBuilder::makeRing(const Operand &operand, const Leaf &leaf,
                               const TileView &view, int64_t stages) {
  Type element = leaf.elementType();
  unsigned bits = std::max(8u, element.getIntOrFloatBitWidth());
  // Which of the two sides is contiguous in memory.
  SmallVector<unsigned> order{1, 0};
  for (unsigned i = 0; i < operand.rows.atoms.size(); ++i)
    if (view.isContiguous(i))
      order = {0, 1};
  SmallVector<int64_t> plane{operand.rows.size(), operand.columns.size()};
  LinearLayout read = layout(operand.kind, plane[0], plane[1]);
  LinearLayout shared = swizzledSharedLayout(plane, order, bits);
  if (element != arithmetic.operand || !matchMatrixAccess(read, shared, bits))
    shared = operandSharedLayout(plane, order, bits, read);
  SmallVector<int64_t> shape(view.tile);
  auto type =
      tile::SharedType::get(t.builder.getContext(), shape, element,
                            t.layoutAttr(reshapeLayout(shared, shape)), stages);
  return tile::AllocSharedOp::create(t.builder, t.loc, type);
}

Operand OperandBuilder::make(const Expression &expression, MmaOperand kind,
                             const Axis &rows, const Axis &columns,
                             int64_t stages) {
  Operand operand;
  operand.expression = &expression;
  operand.kind = kind;
  operand.rows = rows;
  operand.columns = columns;
  operand.atoms = rows.atoms;
  operand.atoms.append(columns.atoms);
  operand.tiles = rows.tiles;
  operand.tiles.append(columns.tiles);
  for (const Leaf &leaf : expression.leaves) {
    Operand::LeafTile &made = operand.leaves.emplace_back();
    if (leaf.isIota)
      continue;
    made.view = t.makeView(argument(leaf.value), leaf.start, leaf.memory,
                           operand.atoms, operand.tiles);
    if (made.view.isFull(operand.tiles))
      made.ring = makeRing(operand, leaf, made.view, stages);
  }
  return operand;
}

Operand OperandBuilder::transposed(const Operand &operand) {
  Operand result = operand;
  result.kind = MmaOperand::B;
  result.isTransposed = !operand.isTransposed;
  std::swap(result.rows, result.columns);
  result.atoms = result.rows.atoms;
  result.atoms.append(result.columns.atoms);
  result.tiles = result.rows.tiles;
  result.tiles.append(result.columns.tiles);
  for (auto [leaf, made] :
       llvm::zip_equal(operand.expression->leaves, result.leaves))
    if (!leaf.isIota && !made.ring)
      made.view = t.makeView(argument(leaf.value), leaf.start, leaf.memory,
                             result.atoms, result.tiles);
  return result;
}

Value OperandBuilder::slot(Value ring, Value stage) {
  auto type = cast<tile::SharedType>(ring.getType());
  if (type.getStages() == 1)
    return ring;
  return tile::SlotOp::create(
      t.builder, t.loc,
      tile::SharedType::get(t.builder.getContext(), type.getShape(),
                            type.getElementType(), type.getLayout(), 1),
      ring, stage);
}

void OperandBuilder::copy(const Operand &operand, const Starts &starts,
                          Value stage) {
  for (const Operand::LeafTile &leaf : operand.leaves) {
    if (!leaf.ring)
      continue;
    SmallVector<Value> offsets;
    SmallVector<int64_t> divisible;
    t.offsets(leaf.view, starts, {}, offsets, divisible);
    tile::AsyncCopyOp::create(
        t.builder, t.loc, leaf.view.view, offsets, slot(leaf.ring, stage),
        t.builder.getDenseBoolArrayAttr(leaf.view.inBounds),
        t.builder.getDenseI64ArrayAttr(divisible), tile::LayoutAttr());
  }
}

Value OperandBuilder::fragment(const Operand &operand, const Starts &starts,
                               Value stage, Part rows, Part columns) {
  SmallVector<int64_t> shape = operand.rows.partShape(rows.size);
  SmallVector<int64_t> inside = operand.rows.partStart(rows.size, rows.index);
  shape.append(operand.columns.partShape(columns.size));
  inside.append(operand.columns.partStart(columns.size, columns.index));
  LinearLayout whole =
      reshapeLayout(layout(operand.kind, rows.size, columns.size), shape);

  const Expression &expression = *operand.expression;
  auto leafTile = [&](unsigned i) -> Value {
    const Operand::LeafTile &leaf = operand.leaves[i];
    if (!leaf.ring)
      return t.load(leaf.view, starts, inside, shape, whole);
    SmallVector<int64_t> wide(leaf.view.prefix, 1), from(leaf.view.prefix, 0);
    wide.append(shape.begin(), shape.end());
    DenseI64ArrayAttr permutation;
    if (!operand.isTransposed) {
      from.append(inside.begin(), inside.end());
    } else {
      // The ring's dimensions: columns, then rows.
      int64_t prefix = leaf.view.prefix;
      int64_t rowDims = operand.rows.atoms.size();
      int64_t columnDims = operand.columns.atoms.size();
      from.append(inside.begin() + rowDims, inside.end());
      from.append(inside.begin(), inside.begin() + rowDims);
      SmallVector<int64_t> order;
      for (int64_t d = 0; d < prefix; ++d)
        order.push_back(d);
      for (int64_t d = 0; d < rowDims; ++d)
        order.push_back(prefix + columnDims + d);
      for (int64_t d = 0; d < columnDims; ++d)
        order.push_back(prefix + d);
      permutation = t.builder.getDenseI64ArrayAttr(order);
    }
    Type element = expression.leaves[i].elementType();
    Value tile = tile::LocalLoadOp::create(
        t.builder, t.loc, t.tileType(wide, element, reshapeLayout(whole, wide)),
        slot(leaf.ring, stage), t.builder.getDenseI64ArrayAttr(from),
        permutation);
    return t.reshape(tile, shape);
  };
  bool plain = expression.leaves.size() == 1 &&
               expression.leaves[0].value == expression.value &&
               expression.elementType() == arithmetic.operand;
  // What is summed over must be 0 outside the tensor.
  Mask mask;
  if (!expression.keepsZero) {
    const Axis &axis =
        operand.kind == MmaOperand::A ? operand.columns : operand.rows;
    mask.atoms = operand.ragged(axis, t.contraction);
    mask.value = t.builder.getZeroAttr(arithmetic.operand);
  }
  Value tile = plain
                   ? leafTile(0)
                   : t.map(expression, arithmetic.operand, operand.atoms, shape,
                           inside, starts, whole, leafTile, Value(), mask);
  return t.reshape(tile, {rows.size, columns.size});
}

bool contraction::mayWrite(const Contraction &contraction,
                           const TileSource &source) {
  for (auto [output, input] : source.mayOverwrite) {
    Value argument = source.body->front().getArgument(input);
    auto reads = [&](const Expression &expression) {
      return llvm::any_of(expression.leaves, [&](const Leaf &leaf) {
        return leaf.value == argument;
      });
    };
    if (reads(contraction.lhs) || reads(contraction.rhs) ||
        llvm::any_of(contraction.others, reads))
      return false;
    for (const Expression &expression : contraction.outputs)
      for (const Leaf &leaf : expression.leaves)
        if (leaf.value == argument &&
            leaf.access != contraction.outputs[output].access)
          return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Kernels and outputs
//===----------------------------------------------------------------------===//

tile::FuncOp
contraction::makeTileFunction(OpBuilder &builder, const TileSource &source,
                              ModuleOp module, int64_t blocks, int64_t warps,
                              tile::ConfigAttr config, Location loc,
                              int64_t scratchBytes, StringRef suffix) {
  Block &body = source.body->front();
  SmallVector<Type> types;
  SmallVector<int64_t> aligns;
  auto add = [&](TypeRange tensors, ArrayRef<int64_t> known) {
    for (auto [i, type] : llvm::enumerate(tensors)) {
      types.push_back(tile::ViewType::get(cast<RankedTensorType>(type)));
      aligns.push_back(i < known.size() ? known[i] : 64);
    }
  };
  add(body.getArgumentTypes(), source.inputAlign);
  add(body.getTerminator()->getOperandTypes(), source.outputAlign);
  if (scratchBytes > 0) {
    types.push_back(
        tile::ViewType::get({scratchBytes}, builder.getIntegerType(8)));
    aligns.push_back(256);
  }
  auto launch =
      tile::LaunchAttr::get(builder.getContext(), {blocks, 1, 1}, warps, {}, 0);
  builder.setInsertionPointToEnd(module.getBody());
  auto func = tile::FuncOp::create(builder, loc, source.symbol + suffix.str(),
                                   types, launch);
  func.setConfigAttr(config);
  if (scratchBytes > 0)
    func.setArgAttr(types.size() - 1, tile::FuncOp::getScratchAttrName(),
                    builder.getStringAttr("any"));
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
  return func;
}

void contraction::placeAlong(TileBuilder &t, Role role, Index32 number,
                             ArrayRef<int64_t> tileOf, Starts &starts) {
  IndexBuilder &x = t.index;
  SmallVector<unsigned> atoms = t.contraction.atomsOf(role);
  for (auto [i, atom] : llvm::enumerate(llvm::reverse(atoms))) {
    bool last = i + 1 == atoms.size();
    int64_t count =
        llvm::divideCeil(t.contraction.space[atom].size, tileOf[atom]);
    Index32 digit = count == 1 ? Index32(0)
                    : last     ? number
                               : x.rem(number, count);
    if (!last)
      number = x.div(number, count);
    starts[atom] = x.mul(digit, tileOf[atom]);
  }
}

std::pair<Index32, Index32> contraction::placeInGroups(IndexBuilder &x,
                                                       Index32 number,
                                                       int64_t rows,
                                                       int64_t columns) {
  if (rows == 1)
    return {Index32(0), number};
  if (columns == 1)
    return {number, Index32(0)};
  constexpr int64_t group = 8;
  Index32 band = x.div(number, group * columns);
  Index32 within = x.rem(number, group * columns);
  Index32 firstRow = x.mul(band, group);
  Index32 height = rows % group == 0 ? Index32(std::min(group, rows))
                                     : x.min(x.sub(rows, firstRow), group);
  return {x.add(firstRow, x.rem(within, height)), x.div(within, height)};
}

void contraction::storeOutputs(TileBuilder &t, OperandBuilder &operands,
                               tile::FuncOp func, const Axis &mAxis,
                               const Axis &nAxis, const Starts &starts,
                               ArrayRef<Value> sums, int64_t partColumns,
                               unsigned firstOutput,
                               ArrayRef<unsigned> numbers) {
  const Contraction &contraction = t.contraction;
  SmallVector<unsigned> atoms(mAxis.atoms);
  atoms.append(nAxis.atoms);
  SmallVector<int64_t> sizes(mAxis.tiles);
  sizes.append(nAxis.tiles);
  std::vector<TileView> outputs;
  for (unsigned i : numbers)
    outputs.push_back(t.makeView(func.getBody().getArgument(firstOutput + i), 0,
                                 contraction.outputMemory[i], atoms, sizes));
  std::vector<std::vector<TileView>> inputs;
  for (unsigned number : numbers) {
    const Expression &output = contraction.outputs[number];
    auto &views = inputs.emplace_back();
    for (const Leaf &leaf : output.leaves)
      views.push_back(leaf.isIota
                          ? TileView()
                          : t.makeView(operands.argument(leaf.value),
                                       leaf.start, leaf.memory, atoms, sizes));
  }

  int64_t rows = mAxis.size();
  for (auto [part, sum] : llvm::enumerate(sums)) {
    SmallVector<int64_t> shape(mAxis.tiles), inside(mAxis.tiles.size(), 0);
    shape.append(nAxis.partShape(partColumns));
    inside.append(nAxis.partStart(partColumns, part));
    // All are computed before one is stored: it may overwrite what another
    // takes.
    SmallVector<Value> tiles;
    for (auto [i, number] : llvm::enumerate(numbers)) {
      const Expression &output = contraction.outputs[number];
      // The order in which this output's memory runs.
      const TileView &view = outputs[i];
      Type element = output.elementType();
      unsigned bits = std::max(8u, element.getIntOrFloatBitWidth());
      SmallVector<unsigned> order{1, 0};
      for (unsigned d = 0; d < mAxis.atoms.size(); ++d)
        if (view.isContiguous(d))
          order = {0, 1};
      LinearLayout store = coalescedLayout({rows, partColumns}, 128 / bits,
                                           func.getLaunch().getWarps(), order);
      Value converted = t.convertLayout(sum, store);
      LinearLayout layout = reshapeLayout(store, shape);
      auto leafTile = [&, i = i](unsigned leaf) -> Value {
        return t.load(inputs[i][leaf], starts, inside, shape, layout);
      };
      tiles.push_back(t.map(output, element, atoms, shape, inside, starts,
                            layout, leafTile, converted));
    }
    for (auto [view, tile] : llvm::zip_equal(outputs, tiles)) {
      SmallVector<int64_t> wide(view.prefix, 1);
      wide.append(shape.begin(), shape.end());
      SmallVector<Value> offsets;
      SmallVector<int64_t> divisible;
      t.offsets(view, starts, inside, offsets, divisible);
      tile::StoreOp::create(t.builder, t.loc, t.reshape(tile, wide), view.view,
                            offsets, Value(),
                            t.builder.getDenseBoolArrayAttr(view.inBounds),
                            t.builder.getDenseI64ArrayAttr(divisible));
    }
  }
}

void contraction::storeColumn(TileBuilder &t, tile::FuncOp func,
                              const Axis &mAxis, const Starts &starts,
                              Value column, ArrayRef<MemoryDim> memory,
                              unsigned argument) {
  TileView view = t.makeView(func.getBody().getArgument(argument), 0, memory,
                             mAxis.atoms, mAxis.tiles);
  SmallVector<int64_t> wide(view.prefix, 1);
  wide.append(mAxis.tiles.begin(), mAxis.tiles.end());
  SmallVector<Value> offsets;
  SmallVector<int64_t> divisible;
  t.offsets(view, starts, {}, offsets, divisible);
  tile::StoreOp::create(t.builder, t.loc, t.reshape(column, wide), view.view,
                        offsets, Value(),
                        t.builder.getDenseBoolArrayAttr(view.inBounds),
                        t.builder.getDenseI64ArrayAttr(divisible));
}

SmallVector<Value> contraction::pipelined(
    TileBuilder &t, Index32 steps, int64_t stages, ArrayRef<Value> carried,
    llvm::function_ref<void(Index32, Value)> copy,
    llvm::function_ref<SmallVector<Value>(Index32, Value, ValueRange)> body) {
  OpBuilder &builder = t.builder;
  Location loc = t.loc;
  auto constant = [&](int64_t value) { return t.index.get(value); };
  int64_t ahead = stages - 1;
  auto copyIfThere = [&](Index32 number, Value stage) {
    Value more = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt,
                                       t.index.get(number), t.index.get(steps));
    auto branch = scf::IfOp::create(builder, loc, more, false);
    OpBuilder::InsertionGuard inner(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    copy(number, stage);
  };
  for (int64_t i = 0; i < ahead; ++i) {
    if (!steps.isConstant())
      copyIfThere(i, constant(i));
    else if (i < steps.constant)
      copy(i, constant(i));
    tile::AsyncCommitOp::create(builder, loc);
  }
  // Carried too: the stage that is read, and the one that is written.
  SmallVector<Value> all{constant(0), constant(ahead % stages)};
  all.append(carried.begin(), carried.end());
  auto loop = scf::ForOp::create(builder, loc, constant(0), t.index.get(steps),
                                 constant(1), all);
  OpBuilder::InsertionGuard guard(builder);
  Block *block = loop.getBody();
  if (!block->empty())
    block->back().erase();
  builder.setInsertionPointToEnd(block);
  Value number = loop.getInductionVar();
  auto arguments = loop.getRegionIterArgs();
  tile::AsyncWaitOp::create(builder, loc, builder.getI32IntegerAttr(ahead - 1));
  tile::BarrierOp::create(builder, loc);
  if (!steps.isConstant() || steps.constant > ahead)
    copyIfThere(t.index.add(Index32(number, 1), ahead), arguments[1]);
  tile::AsyncCommitOp::create(builder, loc);
  SmallVector<Value> after =
      body(Index32(number, 1), arguments[0], arguments.drop_front(2));
  auto advance = [&](Value stage) -> Value {
    Value next = arith::AddIOp::create(builder, loc, stage, constant(1));
    Value wraps = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        next, constant(stages));
    return arith::SelectOp::create(builder, loc, wraps, constant(0), next);
  };
  SmallVector<Value> yields{advance(arguments[0]), advance(arguments[1])};
  yields.append(after);
  scf::YieldOp::create(builder, loc, yields);
  return SmallVector<Value>(loop.getResults().drop_front(2));
}
