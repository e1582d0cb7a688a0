// The reductions of a fused kernel: rows in registers, in steps, or in parts.

#include "FusedKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::fused;

namespace sh = mlir::stablehlo;

static RankedTensorType scalarOf(Type elementType) {
  return RankedTensorType::get({}, elementType);
}

static Value scalarConstant(OpBuilder &b, Location loc, TypedAttr value) {
  return sh::ConstantOp::create(
      b, loc,
      DenseElementsAttr::get(scalarOf(value.getType()), Attribute(value)));
}

/// The reduction's body on accumulators.
void KernelBuilder::cloneBody(const Reduction &reduction, Region &region) {
  OpBuilder::InsertionGuard guard(b);
  Block &from = const_cast<sh::ReduceOp &>(reduction.op).getBody().front();
  Block &block = region.emplaceBlock();
  for (unsigned i = 0; i < 2; ++i)
    for (Type type : reduction.accumulators)
      block.addArgument(scalarOf(type), loc);
  b.setInsertionPointToStart(&block);
  SmallVector<Value> results;
  if (reduction.simple) {
    OperationState state(loc, reduction.simple->getName(),
                         block.getArguments(),
                         TypeRange(scalarOf(reduction.accumulators[0])));
    results.push_back(b.create(state)->getResult(0));
  } else {
    IRMapping mapping;
    mapping.map(from.getArguments(), block.getArguments());
    for (Operation &op : from.without_terminator())
      b.clone(op, mapping);
    for (Value value : from.getTerminator()->getOperands())
      results.push_back(mapping.lookup(value));
  }
  tile::YieldOp::create(b, loc, results);
}

KernelBuilder::Tiles KernelBuilder::combine(const Reduction &reduction,
                                            ValueRange a, ValueRange c,
                                            ArrayRef<int64_t> shape) {
  SmallVector<Value> operands;
  for (Value value : a)
    operands.push_back(broadcast(value, shape));
  for (Value value : c)
    operands.push_back(broadcast(value, shape));
  SmallVector<Type> types;
  for (Type type : reduction.accumulators)
    types.push_back(RankedTensorType::get(shape, type));
  auto op = tile::MapOp::create(b, loc, types, operands);
  cloneBody(reduction, op.getBody());
  return Tiles(op.getResults());
}

KernelBuilder::Tiles KernelBuilder::combineAlong(const Reduction &reduction,
                                                 Tiles tiles, unsigned loop) {
  SmallVector<int64_t> shape(tile::getTileShape(tiles[0]));
  if (shape[loop] == 1)
    return tiles;
  shape[loop] = 1;
  SmallVector<Type> types;
  for (Type type : reduction.accumulators)
    types.push_back(RankedTensorType::get(shape, type));
  auto op = tile::ReduceOp::create(b, loc, types, tiles,
                                   b.getI64IntegerAttr(loop),
                                   reduction.simple ? UnitAttr()
                                                    : b.getUnitAttr());
  cloneBody(reduction, op.getBody());
  return Tiles(op.getResults());
}

/// What an accumulator starts from and what stands for iterations that are not
/// there: the neutral element, or, where none is known, the initial value.
Value KernelBuilder::initialTile(const Reduction &reduction, unsigned i,
                                 ArrayRef<int64_t> shape) {
  if (reduction.simple)
    return tile::ConstantOp::create(
        b, loc, RankedTensorType::get(shape, reduction.accumulators[i]),
        neutralElement(reduction.simple, reduction.accumulators[i]));
  return broadcast(tileOf(*reduction.inits[i]), shape);
}

KernelBuilder::Tiles KernelBuilder::operands(const Reduction &reduction) {
  uint64_t mask = graph.reducedMask();
  for (const Node *input : reduction.inputs)
    mask |= input->mask;
  SmallVector<int64_t> shape = shapeOf(mask);
  // Loops whose last tile is not full.
  SmallVector<unsigned> partial;
  for (auto [i, loop] : llvm::enumerate(graph.loops))
    if (loop.reduced && loop.size % active.getTile()[i] != 0)
      partial.push_back(i);
  Tiles result;
  for (auto [i, input] : llvm::enumerate(reduction.inputs)) {
    Type from = input->elementType(), to = reduction.accumulators[i];
    Value value = tileOf(*input);
    if (partial.empty() && from == to) {
      result.push_back(broadcast(value, shape));
      continue;
    }
    SmallVector<Value> inputs{value};
    for (unsigned loop : partial)
      inputs.push_back(counter(loop));
    if (!reduction.simple)
      inputs.push_back(tileOf(*reduction.inits[i]));
    auto op = map(inputs, {to}, shape, [&](ValueRange in) {
      Value x = in[0];
      if (from != to)
        x = sh::ConvertOp::create(b, loc, scalarOf(to), x);
      if (partial.empty())
        return SmallVector<Value>{x};
      Value other =
          reduction.simple
              ? scalarConstant(b, loc, neutralElement(reduction.simple, to))
              : Value(in.back());
      for (auto [k, loop] : llvm::enumerate(partial)) {
        Value bound = scalarConstant(
            b, loc, b.getI32IntegerAttr(graph.loops[loop].size));
        Value inside = sh::CompareOp::create(b, loc, in[1 + k], bound,
                                             sh::ComparisonDirection::LT);
        x = sh::SelectOp::create(b, loc, inside, x, other);
      }
      return SmallVector<Value>{x};
    });
    result.push_back(op.getResult(0));
  }
  return result;
}

/// If combining with the initial value changes nothing.
static bool isNeutral(const Reduction &reduction) {
  if (!reduction.simple)
    return false;
  const Node &init = *reduction.inits[0];
  if (init.kind != Node::Kind::Constant)
    return false;
  Attribute value = *cast<DenseElementsAttr>(
                         init.value.getDefiningOp<sh::ConstantOp>().getValue())
                         .value_begin<Attribute>();
  if (value == neutralElement(reduction.simple, init.elementType()))
    return true;
  // 0 + x is x but for x = -0: nobody sees it in a sum that started at 0… but
  // the specification's result would be +0; adding costs nothing.
  return false;
}

void KernelBuilder::finalize(Reduction &reduction, Tiles accumulators) {
  SmallVector<int64_t> shape(tile::getTileShape(accumulators[0]));
  if (!isNeutral(reduction)) {
    Tiles inits;
    for (auto [init, type] :
         llvm::zip_equal(reduction.inits, reduction.accumulators)) {
      Value value = tileOf(*init);
      if (init->elementType() != type)
        value = map({value}, {type}, shapeOf(0), [&](ValueRange in) {
                  return SmallVector<Value>{
                      sh::ConvertOp::create(b, loc, scalarOf(type), in[0])};
                }).getResult(0);
      inits.push_back(value);
    }
    accumulators = combine(reduction, inits, accumulators, shape);
  }
  for (auto [node, value] :
       llvm::zip_equal(reduction.results, accumulators)) {
    Type type = node->elementType();
    if (cast<RankedTensorType>(value.getType()).getElementType() != type)
      value = map({value}, {type}, shape, [&](ValueRange in) {
                return SmallVector<Value>{
                    sh::ConvertOp::create(b, loc, scalarOf(type), in[0])};
              }).getResult(0);
    scopes.front()[node] = value;
  }
}

void KernelBuilder::reduceWhole(Reduction &reduction) {
  Tiles tiles = operands(reduction);
  for (unsigned i = graph.loops.size(); i-- > 0;)
    if (graph.loops[i].reduced)
      tiles = combineAlong(reduction, std::move(tiles), i);
  finalize(reduction, std::move(tiles));
}

//===----------------------------------------------------------------------===//
// In steps
//===----------------------------------------------------------------------===//

void KernelBuilder::prepare(const Node &node) {
  if (!(node.mask & graph.reducedMask())) {
    if (node.kind != Node::Kind::Constant)
      tileOf(node);
    return;
  }
  for (const Node *operand : node.operands)
    prepare(*operand);
}

/// Loops over the reduced loops that have several steps, major ones outermost;
/// `body` gets the carried values and gives their next ones.
void KernelBuilder::openLoops(SmallVectorImpl<Value> &carried,
                              llvm::function_ref<Tiles(ValueRange)> body) {
  SmallVector<unsigned> stepped;
  for (unsigned i = 0; i < graph.loops.size(); ++i)
    if (graph.loops[i].reduced && stepsOf(graph, active, i) > 1)
      stepped.push_back(i);
  std::function<void(unsigned, SmallVectorImpl<Value> &)> open =
      [&](unsigned k, SmallVectorImpl<Value> &values) {
        if (k == stepped.size()) {
          scopes.emplace_back();
          Tiles next = body(values);
          scopes.pop_back();
          values.assign(next.begin(), next.end());
          return;
        }
        unsigned loop = stepped[k];
        int64_t size = graph.loops[loop].size, step = active.getTile()[loop];
        Value lower = zero, upper = constant(size);
        if (part && loop == splitLoop(graph, config)) {
          int64_t each = llvm::divideCeil(stepsOf(graph, active, loop),
                                          config.getSplit()) *
                         step;
          lower = arith::MulIOp::create(b, loc, part, constant(each));
          Value end = arith::AddIOp::create(b, loc, lower, constant(each));
          upper = arith::MinSIOp::create(b, loc, end, upper);
        }
        auto op = scf::ForOp::create(b, loc, lower, upper, constant(step),
                                     values);
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(op.getBody());
        Value saved = offsets[loop];
        offsets[loop] = op.getInductionVar();
        SmallVector<Value> inner(op.getRegionIterArgs());
        open(k + 1, inner);
        offsets[loop] = saved;
        // Without carried values the builder has put a terminator there.
        if (!op.getBody()->empty() &&
            op.getBody()->back().hasTrait<OpTrait::IsTerminator>())
          op.getBody()->back().erase();
        b.setInsertionPointToEnd(op.getBody());
        scf::YieldOp::create(b, loc, inner);
        values.assign(op.getResults().begin(), op.getResults().end());
      };
  open(0, carried);
}

void KernelBuilder::reduceInSteps(unsigned level) {
  SmallVector<Reduction *> mine;
  for (const Reduction &reduction : graph.reductions)
    if (reduction.level == level)
      mine.push_back(const_cast<Reduction *>(&reduction));
  SmallVector<Value> carried;
  SmallVector<SmallVector<int64_t>> shapes;
  for (Reduction *reduction : mine) {
    for (const Node *input : reduction->inputs)
      prepare(*input);
    for (const Node *init : reduction->inits)
      prepare(*init);
    // A simple body accumulates element by element; another one row by row,
    // in order.
    uint64_t mask = reduction->mask;
    if (reduction->simple)
      mask |= graph.reducedMask();
    shapes.push_back(shapeOf(mask));
    for (unsigned i = 0; i < reduction->accumulators.size(); ++i)
      carried.push_back(initialTile(*reduction, i, shapes.back()));
  }
  openLoops(carried, [&](ValueRange values) {
    Tiles next;
    for (auto [reduction, shape] : llvm::zip_equal(mine, shapes)) {
      Tiles tiles = operands(*reduction);
      if (!reduction->simple)
        for (unsigned i = graph.loops.size(); i-- > 0;)
          if (graph.loops[i].reduced)
            tiles = combineAlong(*reduction, std::move(tiles), i);
      size_t count = reduction->accumulators.size();
      llvm::append_range(
          next, combine(*reduction, values.take_front(count), tiles, shape));
      values = values.drop_front(count);
    }
    return next;
  });
  unsigned accumulator = 0;
  ArrayRef<Value> rest(carried);
  for (Reduction *reduction : mine) {
    size_t count = reduction->accumulators.size();
    Tiles tiles(rest.take_front(count));
    rest = rest.drop_front(count);
    for (unsigned i = graph.loops.size(); i-- > 0;)
      if (graph.loops[i].reduced)
        tiles = combineAlong(*reduction, std::move(tiles), i);
    if (!part) {
      finalize(*reduction, std::move(tiles));
      continue;
    }
    // This block's part of the rows, for the second launch.
    uint64_t kept = ~graph.reducedMask();
    for (auto [value, type] :
         llvm::zip_equal(tiles, reduction->accumulators)) {
      Place place = placeOf(kept);
      unsigned loop = splitLoop(graph, config);
      place.offsets[loop] = part;
      place.divisible[loop] = 1;
      for (unsigned i = 0; i < graph.loops.size(); ++i)
        if (graph.loops[i].reduced)
          place.inBounds[i] = true;
      tile::StoreOp::create(b, loc, broadcast(value, shapeOf(kept)),
                            scratchView(accumulator++, type), place.offsets,
                            Value(), b.getDenseBoolArrayAttr(place.inBounds),
                            b.getDenseI64ArrayAttr(place.divisible),
                            tile::CacheHint::Normal);
    }
  }
}

void KernelBuilder::storeInSteps() {
  // Whatever is read outside of the loops is read before anything is stored.
  SmallVector<const Output *> full;
  SmallVector<std::pair<const Output *, Value>> rows;
  for (const Output &output : graph.outputs) {
    if (output.form.mask() & graph.reducedMask()) {
      full.push_back(&output);
      prepare(*output.node);
    } else {
      rows.push_back({&output, tileOf(*output.node)});
    }
  }
  for (auto [output, value] : rows)
    store(*output, value);
  if (full.empty())
    return;
  SmallVector<Value> none;
  openLoops(none, [&](ValueRange) {
    Tiles values;
    for (const Output *output : full)
      values.push_back(tileOf(*output->node));
    for (auto [output, value] : llvm::zip_equal(full, values))
      store(*output, value);
    return Tiles();
  });
}

//===----------------------------------------------------------------------===//
// In parts
//===----------------------------------------------------------------------===//

/// An accumulator's workspace: (split, rows…), in place of the loops.
Value KernelBuilder::scratchView(unsigned accumulator, Type type) {
  SmallVector<int64_t> shape, strides(graph.loops.size(), 0);
  unsigned loop = splitLoop(graph, config);
  int64_t stride = 1;
  for (auto [i, l] : llvm::enumerate(graph.loops))
    shape.push_back(i == loop ? config.getSplit() : l.reduced ? 1 : l.size);
  for (unsigned i = graph.loops.size(); i-- > 0;)
    if (!graph.loops[i].reduced) {
      strides[i] = stride;
      stride *= shape[i];
    }
  strides[loop] = stride;
  auto view = tile::ViewType::get(b.getContext(), shape, type, strides);
  return tile::ViewOp::create(
      b, loc, view, scratch, Value(),
      b.getI64IntegerAttr(scratchStarts[accumulator]));
}

void KernelBuilder::finishParts() {
  unsigned loop = splitLoop(graph, config), accumulator = 0;
  int64_t split = config.getSplit(), tileSize = active.getTile()[loop];
  for (const Reduction &constReduction : graph.reductions) {
    Reduction &reduction = const_cast<Reduction &>(constReduction);
    uint64_t kept = ~graph.reducedMask();
    uint64_t mask = reduction.mask | uint64_t(1) << loop;
    Tiles tiles;
    for (Type type : reduction.accumulators) {
      Place place = placeOf(kept);
      for (unsigned i = 0; i < graph.loops.size(); ++i)
        if (graph.loops[i].reduced)
          place.inBounds[i] = true;
      place.inBounds[loop] = split == tileSize;
      tiles.push_back(tile::LoadOp::create(
          b, loc, RankedTensorType::get(shapeOf(mask), type),
          scratchView(accumulator++, type), place.offsets, Value(),
          reduction.simple
              ? neutralElement(reduction.simple, type)
              : TypedAttr(),
          b.getDenseBoolArrayAttr(place.inBounds),
          b.getDenseI64ArrayAttr(place.divisible), tile::CacheHint::Normal));
    }
    tiles = combineAlong(reduction, std::move(tiles), loop);
    finalize(reduction, std::move(tiles));
  }
}

//===----------------------------------------------------------------------===//
// Entry
//===----------------------------------------------------------------------===//

SmallVector<tile::FuncOp> shoal::makeTileFuncs(const TileSource &source,
                                               const TileTarget &target,
                                               ModuleOp module) {
  Graph graph;
  if (!buildGraph(source, graph))
    return {};
  MLIRContext *context = module.getContext();
  tile::ConfigAttr config = chooseConfig(graph, target, context);
  tile::ConfigAttr finish;
  if (config.getSplit() > 1)
    finish = chooseFinishConfig(graph, config, target);
  if (countBlocks(graph, config) > INT32_MAX / config.getSplit())
    return {};
  return KernelBuilder(source, graph, config, finish)
      .build(module.getBody());
}

bool shoal::canBeTileFuncs(const TileSource &source) {
  Graph graph;
  return buildGraph(source, graph);
}
