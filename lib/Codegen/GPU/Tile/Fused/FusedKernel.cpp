// Fused elementwise ops and reductions as tile kernels.

#include "FusedKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::fused;

namespace sh = mlir::stablehlo;

static RankedTensorType scalarOf(Type elementType) {
  return RankedTensorType::get({}, elementType);
}

KernelBuilder::KernelBuilder(const TileSource &source, const Graph &graph,
                             tile::ConfigAttr config, tile::ConfigAttr finish)
    : source(source), graph(graph), config(config), finish(finish),
      b(source.body->getContext()), loc(source.body->getLoc()),
      active(config) {}

//===----------------------------------------------------------------------===//
// The frame
//===----------------------------------------------------------------------===//

/// Bytes of the workspace: for each accumulator an array of (split, rows).
int64_t KernelBuilder::layoutScratch() {
  int64_t rows = 1, bytes = 0;
  for (const Loop &loop : graph.loops)
    if (!loop.reduced)
      rows *= loop.size;
  scratchStarts.clear();
  for (const Reduction &reduction : graph.reductions)
    for (Type type : reduction.accumulators) {
      int64_t element = llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
      bytes = llvm::alignTo(bytes, 256);
      scratchStarts.push_back(bytes / element);
      bytes += rows * config.getSplit() * element;
    }
  return bytes;
}

tile::FuncOp KernelBuilder::makeFunction(StringRef name, int64_t blocks) {
  Block &body = source.body->front();
  SmallVector<Type> types;
  SmallVector<BlockArgument> buffers, scalars;
  for (BlockArgument argument : body.getArguments()) {
    unsigned i = argument.getArgNumber();
    bool isScalar = i < source.scalarInputs.size() && source.scalarInputs[i];
    (isScalar ? scalars : buffers).push_back(argument);
  }
  auto viewOf = [](Type type) {
    return tile::ViewType::get(cast<RankedTensorType>(type));
  };
  for (BlockArgument argument : buffers)
    types.push_back(viewOf(argument.getType()));
  OperandRange outputs = body.getTerminator()->getOperands();
  for (Value output : outputs)
    types.push_back(viewOf(output.getType()));
  for (size_t i = 0; i < scalars.size(); ++i)
    types.push_back(b.getI64Type());
  int64_t scratchBytes = config.getSplit() > 1 ? layoutScratch() : 0;
  if (scratchBytes)
    types.push_back(tile::ViewType::get({scratchBytes}, b.getI8Type()));

  // Memory is what they wait for: threads enough to hide it, if registers that
  // are left for each (80, or 128 for wide values) do; where they do not, the
  // bound is dropped (KernelCompiler).
  bool wide = llvm::any_of(graph.nodes, [](const Node &node) {
    return node.elementType().getIntOrFloatBitWidth() > 32;
  });
  int64_t perBlock = 32 * active.getWarps();
  int64_t minBlocks = std::clamp<int64_t>((wide ? 512 : 768) / perBlock, 1, 12);
  auto launch = tile::LaunchAttr::get(b.getContext(), {blocks, 1, 1},
                                      active.getWarps(), {}, minBlocks);
  auto func = tile::FuncOp::create(b, loc, name, types, launch);
  func.setConfigAttr(active);
  Block &entry = func.getBody().front();
  memory.clear();
  hostScalars.clear();
  outputViews.clear();
  auto align = [&](unsigned i, ArrayRef<int64_t> known, unsigned number) {
    int64_t value = number < known.size() ? known[number] : 64;
    func.setArgAttr(i, tile::FuncOp::getAlignAttrName(),
                    b.getI64IntegerAttr(value));
  };
  unsigned next = 0;
  for (BlockArgument argument : buffers) {
    unsigned number = argument.getArgNumber();
    bool written = llvm::any_of(source.mayOverwrite, [&](auto pair) {
      return pair.second == number;
    });
    align(next, source.inputAlign, number);
    if (!written)
      func.setArgAttr(next, tile::FuncOp::getReadonlyAttrName(),
                      b.getUnitAttr());
    memory[argument] = entry.getArgument(next++);
  }
  for (unsigned i = 0; i < outputs.size(); ++i) {
    align(next, source.outputAlign, i);
    outputViews.push_back(entry.getArgument(next++));
  }
  for (BlockArgument argument : scalars)
    hostScalars[argument] = entry.getArgument(next++);
  scratch = scratchBytes ? Value(entry.getArgument(next)) : Value();
  if (scratchBytes) {
    func.setArgAttr(next, tile::FuncOp::getScratchAttrName(),
                    b.getStringAttr("any"));
    func.setArgAttr(next, tile::FuncOp::getAlignAttrName(),
                    b.getI64IntegerAttr(256));
  }
  b.setInsertionPointToStart(&entry);
  zero = constant(0);
  return func;
}

Value KernelBuilder::constant(int64_t value) {
  return arith::ConstantIntOp::create(b, loc, b.getI32Type(), value);
}

/// From the number of the block: where it stands in each loop that is dealt
/// out, and which part of the reduction it has.
void KernelBuilder::placeBlock(ArrayRef<int64_t> sizes) {
  offsets.assign(graph.loops.size(), Value());
  Value id = tile::ProgramIdOp::create(b, loc, b.getI32Type(),
                                       b.getI32IntegerAttr(0));
  SmallVector<unsigned> dealt;
  for (unsigned i = 0; i < graph.loops.size(); ++i) {
    int64_t steps = llvm::divideCeil(sizes[i], active.getTile()[i]);
    if (!graph.loops[i].reduced && steps > 1)
      dealt.push_back(i);
    offsets[i] = zero;
  }
  bool hasSplit = active == config && config.getSplit() > 1;
  for (auto [k, i] : llvm::enumerate(llvm::reverse(dealt))) {
    int64_t tileSize = active.getTile()[i];
    int64_t steps = llvm::divideCeil(sizes[i], tileSize);
    Value place = id;
    if (k + 1 < dealt.size() || hasSplit) {
      place = arith::RemUIOp::create(b, loc, id, constant(steps));
      id = arith::DivUIOp::create(b, loc, id, constant(steps));
    }
    offsets[i] = tileSize == 1
                     ? place
                     : arith::MulIOp::create(b, loc, place, constant(tileSize));
  }
  part = hasSplit ? id : Value();
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

SmallVector<int64_t> KernelBuilder::shapeOf(uint64_t mask) const {
  SmallVector<int64_t> shape;
  for (auto [i, size] : llvm::enumerate(active.getTile()))
    shape.push_back(mask >> i & 1 ? size : 1);
  return shape;
}

Value KernelBuilder::broadcast(Value value, ArrayRef<int64_t> shape) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getShape() == shape)
    return value;
  return tile::BroadcastOp::create(
      b, loc, RankedTensorType::get(shape, type.getElementType()), value);
}

/// Offsets, and what is known of them, of a tile that moves with `mask`.
KernelBuilder::Place KernelBuilder::placeOf(uint64_t mask) {
  Place place;
  for (auto [i, loop] : llvm::enumerate(graph.loops)) {
    int64_t size = active.getTile()[i];
    bool moves = mask >> i & 1;
    place.offsets.push_back(moves ? offsets[i] : zero);
    place.divisible.push_back(size);
    place.inBounds.push_back(!moves || loop.size % size == 0);
  }
  return place;
}

/// Memory of one argument as an array over the loops.
Value KernelBuilder::viewOf(Value base, const Form &form) {
  SmallVector<int64_t> shape;
  uint64_t mask = form.mask();
  for (auto [i, loop] : llvm::enumerate(graph.loops))
    shape.push_back(mask >> i & 1 ? loop.size : 1);
  auto from = cast<tile::ViewType>(base.getType());
  auto type = tile::ViewType::get(b.getContext(), shape, from.getElementType(),
                                  form.coefficients);
  return tile::ViewOp::create(b, loc, type, base, Value(),
                              b.getI64IntegerAttr(form.offset));
}

Value KernelBuilder::load(const Node &node) {
  Place place = placeOf(node.mask);
  auto type = RankedTensorType::get(shapeOf(node.mask), node.elementType());
  return tile::LoadOp::create(
      b, loc, type, viewOf(memory.lookup(node.value), node.form), place.offsets,
      Value(), TypedAttr(), b.getDenseBoolArrayAttr(place.inBounds),
      b.getDenseI64ArrayAttr(place.divisible), tile::CacheHint::Normal);
}

void KernelBuilder::store(const Output &output, Value value) {
  uint64_t mask = output.form.mask();
  Place place = placeOf(mask);
  tile::StoreOp::create(b, loc, broadcast(value, shapeOf(mask)),
                        viewOf(outputViews[output.number], output.form),
                        place.offsets, Value(),
                        b.getDenseBoolArrayAttr(place.inBounds),
                        b.getDenseI64ArrayAttr(place.divisible),
                        tile::CacheHint::Normal);
}

/// All are computed before one is stored: an output may lie in the memory of an
/// input that another output needs.
void KernelBuilder::storeOutputs() {
  SmallVector<Value> values;
  for (const Output &output : graph.outputs)
    values.push_back(tileOf(*output.node));
  for (auto [output, value] : llvm::zip_equal(graph.outputs, values))
    store(output, value);
}

/// A loop's counter at every element of a tile.
Value KernelBuilder::counter(unsigned loop) {
  auto type = RankedTensorType::get(shapeOf(uint64_t(1) << loop),
                                    b.getI32Type());
  Value offset = offsets[loop] == zero ? Value() : offsets[loop];
  return tile::IotaOp::create(b, loc, type, b.getI64IntegerAttr(loop), offset);
}

tile::MapOp KernelBuilder::map(
    ValueRange inputs, ArrayRef<Type> resultTypes, ArrayRef<int64_t> shape,
    llvm::function_ref<SmallVector<Value>(ValueRange)> body) {
  SmallVector<Type> types;
  for (Type type : resultTypes)
    types.push_back(RankedTensorType::get(shape, type));
  SmallVector<Value> operands;
  for (Value input : inputs)
    operands.push_back(broadcast(input, shape));
  auto op = tile::MapOp::create(b, loc, types, operands);
  OpBuilder::InsertionGuard guard(b);
  Block &block = op.getBody().emplaceBlock();
  for (Value operand : operands)
    block.addArgument(
        scalarOf(cast<RankedTensorType>(operand.getType()).getElementType()),
        loc);
  b.setInsertionPointToStart(&block);
  SmallVector<Value> results = body(block.getArguments());
  tile::YieldOp::create(b, loc, results);
  return op;
}

static Value scalarConstant(OpBuilder &b, Location loc, TypedAttr value) {
  return sh::ConstantOp::create(
      b, loc, DenseElementsAttr::get(scalarOf(value.getType()), Attribute(value)));
}

Value KernelBuilder::iota(const Node &node) {
  SmallVector<unsigned> loops;
  SmallVector<Value> counters;
  for (auto [i, c] : llvm::enumerate(node.form.coefficients))
    if (c != 0) {
      loops.push_back(i);
      counters.push_back(counter(i));
    }
  Type element = node.elementType();
  auto op = map(counters, {element}, shapeOf(node.mask), [&](ValueRange in) {
    auto number = [&](int64_t value) {
      return scalarConstant(b, loc, b.getI32IntegerAttr(value));
    };
    Value sum = number(node.form.offset);
    for (auto [i, value] : llvm::zip_equal(loops, in)) {
      Value term = sh::MulOp::create(b, loc, value,
                                     number(node.form.coefficients[i]));
      sum = sh::AddOp::create(b, loc, sum, term);
    }
    if (!element.isInteger(32))
      sum = sh::ConvertOp::create(b, loc, scalarOf(element), sum);
    return SmallVector<Value>{sum};
  });
  return op.getResult(0);
}

/// What the region of a cluster takes from outside, in a fixed order.
static void findInputs(const Node &node, const Node *cluster,
                       SmallVectorImpl<const Node *> &inputs,
                       llvm::SmallPtrSetImpl<const Node *> &seen) {
  for (const Node *operand : node.operands) {
    if (!seen.insert(operand).second ||
        operand->kind == Node::Kind::Constant)
      continue;
    if (operand->kind == Node::Kind::Map && operand->cluster == cluster)
      findInputs(*operand, cluster, inputs, seen);
    else
      inputs.push_back(operand);
  }
}

Value KernelBuilder::mapCluster(const Node &root) {
  SmallVector<const Node *> inputs;
  llvm::SmallPtrSet<const Node *, 16> seen;
  findInputs(root, &root, inputs, seen);
  SmallVector<Value> tiles;
  for (const Node *input : inputs)
    tiles.push_back(tileOf(*input));
  auto op = map(
      tiles, {root.elementType()}, shapeOf(root.mask), [&](ValueRange in) {
        llvm::DenseMap<const Node *, Value> values;
        for (auto [input, value] : llvm::zip_equal(inputs, in))
          values[input] = value;
        std::function<Value(const Node &)> emit = [&](const Node &node) {
          if (Value known = values.lookup(&node))
            return known;
          Value result;
          if (node.kind == Node::Kind::Constant) {
            auto dense = cast<DenseElementsAttr>(
                node.value.getDefiningOp<sh::ConstantOp>().getValue());
            result = sh::ConstantOp::create(
                b, loc,
                DenseElementsAttr::get(scalarOf(node.elementType()),
                                       *dense.value_begin<Attribute>()));
          } else {
            SmallVector<Value> operands;
            for (const Node *operand : node.operands)
              operands.push_back(emit(*operand));
            Operation *op = node.value.getDefiningOp();
            OperationState state(loc, op->getName(), operands,
                                 TypeRange(scalarOf(node.elementType())));
            state.propertiesAttr = op->getPropertiesAsAttribute();
            result = b.create(state)->getResult(0);
          }
          values[&node] = result;
          return result;
        };
        return SmallVector<Value>{emit(root)};
      });
  return op.getResult(0);
}

Value KernelBuilder::tileOf(const Node &node) {
  for (auto &scope : llvm::reverse(scopes))
    if (Value known = scope.lookup(&node))
      return known;
  Value value;
  switch (node.kind) {
  case Node::Kind::Load:
    value = load(node);
    break;
  case Node::Kind::HostScalar: {
    Value scalar = hostScalars.lookup(node.value);
    Type type = node.elementType();
    unsigned width = type.getIntOrFloatBitWidth();
    Type signless = b.getIntegerType(width);
    if (width < 64)
      scalar = arith::TruncIOp::create(b, loc, signless, scalar);
    value = tile::SplatOp::create(
        b, loc, RankedTensorType::get(shapeOf(0), signless), scalar);
    if (type != signless)
      value = map({value}, {type}, shapeOf(0), [&](ValueRange in) {
                return SmallVector<Value>{sh::BitcastConvertOp::create(
                    b, loc, scalarOf(type), in[0])};
              }).getResult(0);
    break;
  }
  case Node::Kind::Constant: {
    Attribute number =
        *cast<DenseElementsAttr>(
             node.value.getDefiningOp<sh::ConstantOp>().getValue())
             .value_begin<Attribute>();
    value = tile::ConstantOp::create(
        b, loc, RankedTensorType::get(shapeOf(0), node.elementType()),
        cast<TypedAttr>(number));
    break;
  }
  case Node::Kind::Iota:
    value = iota(node);
    break;
  case Node::Kind::Map:
    value = mapCluster(node);
    break;
  case Node::Kind::Reduced:
    // Not made yet: all of the reduction's loops are in registers.
    reduceWhole(*node.reduction);
    return tileOf(node);
  }
  scopes.back()[&node] = value;
  return value;
}

//===----------------------------------------------------------------------===//
// Entry
//===----------------------------------------------------------------------===//

SmallVector<tile::FuncOp> KernelBuilder::build(Block *destination) {
  SmallVector<int64_t> sizes;
  for (const Loop &loop : graph.loops)
    sizes.push_back(loop.size);
  SmallVector<tile::FuncOp> functions;
  b.setInsertionPointToEnd(destination);
  bool split = config.getSplit() > 1;
  functions.push_back(makeFunction(
      source.symbol, countBlocks(graph, config) * config.getSplit()));
  placeBlock(sizes);
  scopes.clear();
  scopes.emplace_back();
  if (split) {
    reduceInSteps(1);
  } else if (isStepped(graph, config)) {
    for (unsigned level = 1; level <= graph.numLevels; ++level)
      reduceInSteps(level);
    storeInSteps();
  } else {
    storeOutputs();
  }
  tile::ReturnOp::create(b, loc);
  if (!split)
    return functions;

  // The second launch: each row's parts become its result.
  active = finish;
  b.setInsertionPointToEnd(destination);
  functions.push_back(
      makeFunction(source.symbol + "_finish", countBlocks(graph, finish)));
  sizes[splitLoop(graph, config)] = config.getSplit();
  placeBlock(sizes);
  scopes.clear();
  scopes.emplace_back();
  finishParts();
  storeOutputs();
  tile::ReturnOp::create(b, loc);
  return functions;
}
