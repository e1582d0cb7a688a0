#include "FusedGraph.h"

#include "../../../CPU/OpEmitter.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::fused;

namespace sh = mlir::stablehlo;

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}
static int64_t countOf(Value value) {
  return cast<ShapedType>(value.getType()).getNumElements();
}

uint64_t Graph::reducedMask() const {
  uint64_t mask = 0;
  for (auto [i, loop] : llvm::enumerate(loops))
    if (loop.reduced)
      mask |= uint64_t(1) << i;
  return mask;
}

TypedAttr shoal::fused::neutralElement(Operation *simple, Type type) {
  Builder builder(type.getContext());
  bool isFloat = isa<FloatType>(type);
  bool isUnsigned = type.isUnsignedInteger() || type.isInteger(1);
  unsigned width = type.getIntOrFloatBitWidth();
  auto integer = [&](APInt value) -> TypedAttr {
    return IntegerAttr::get(type, value);
  };
  auto infinity = [&](bool negative) -> TypedAttr {
    const llvm::fltSemantics &semantics =
        cast<FloatType>(type).getFloatSemantics();
    // Formats without infinities: the largest finite value.
    return FloatAttr::get(type, APFloat::semanticsHasInf(semantics)
                                    ? APFloat::getInf(semantics, negative)
                                    : APFloat::getLargest(semantics, negative));
  };
  if (isa<sh::AddOp>(simple) && !type.isInteger(1))
    return isFloat ? TypedAttr(FloatAttr::get(
                         type, APFloat::getZero(
                                   cast<FloatType>(type).getFloatSemantics(),
                                   /*Negative=*/true)))
                   : integer(APInt::getZero(width));
  if (isa<sh::MulOp>(simple) && !type.isInteger(1))
    return isFloat ? TypedAttr(FloatAttr::get(
                         type, APFloat::getOne(
                                   cast<FloatType>(type).getFloatSemantics())))
                   : integer(APInt(width, 1));
  if (isa<sh::MaxOp>(simple))
    return isFloat ? infinity(true)
                   : integer(isUnsigned ? APInt::getZero(width)
                                        : APInt::getSignedMinValue(width));
  if (isa<sh::MinOp>(simple))
    return isFloat ? infinity(false)
                   : integer(isUnsigned ? APInt::getAllOnes(width)
                                        : APInt::getSignedMaxValue(width));
  if (isFloat)
    return {};
  if (isa<sh::AndOp>(simple))
    return integer(APInt::getAllOnes(width));
  if (isa<sh::OrOp, sh::XorOp>(simple))
    return integer(APInt::getZero(width));
  return {};
}

//===----------------------------------------------------------------------===//
// Reading the body
//===----------------------------------------------------------------------===//

namespace {
class Reader {
public:
  Reader(const TileSource &source, Graph &graph)
      : source(source), graph(graph) {}

  bool run();

private:
  bool attempt();
  bool findFullShape();
  Node *eval(Value value, const Access &access);
  Node *evalReduce(OpResult result, const Access &access);
  Node *make(Node::Kind kind, Value value);
  Access identity(bool keptOnly) const;

  const TileSource &source;
  Graph &graph;
  SmallVector<int64_t> fullShape, rowShape;
  SmallVector<bool> reducedDims;
  /// Sizes of each dimension's loops, from major to minor.
  SmallVector<SmallVector<int64_t>> parts;
  std::map<std::pair<void *, SmallVector<SmallVector<int64_t>>>, Node *> known;
  llvm::DenseMap<Operation *, Reduction *> reductions;
  std::optional<Split> split;
};
} // namespace

/// What all reductions run over; else the shape of the outputs.
bool Reader::findFullShape() {
  Block &block = source.body->front();
  bool first = true;
  for (Operation &op : block) {
    auto reduce = dyn_cast<sh::ReduceOp>(op);
    if (!reduce)
      continue;
    ArrayRef<int64_t> shape = shapeOf(reduce.getInputs().front());
    SmallVector<bool> reduced(shape.size());
    for (int64_t d : reduce.getDimensions())
      reduced[d] = true;
    if (first) {
      fullShape.assign(shape.begin(), shape.end());
      reducedDims = reduced;
    } else if (ArrayRef<int64_t>(fullShape) != shape ||
               reducedDims != reduced) {
      return false;
    }
    first = false;
  }
  if (first) {
    Value output = block.getTerminator()->getOperand(0);
    fullShape.assign(shapeOf(output).begin(), shapeOf(output).end());
    reducedDims.assign(fullShape.size(), false);
  }
  for (auto [d, size] : llvm::enumerate(fullShape)) {
    if (size == 0 || size > (int64_t(1) << 30))
      return false;
    if (!reducedDims[d])
      rowShape.push_back(size);
  }
  return true;
}

bool Reader::run() {
  Block &block = source.body->front();
  if (block.getTerminator()->getNumOperands() == 0)
    return false;
  for (Operation &op : block)
    for (Value value : op.getResults()) {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      if (!type || !type.hasStaticShape() ||
          !type.getElementType().isIntOrFloat())
        return false;
    }
  for (BlockArgument argument : block.getArguments())
    if (!cast<ShapedType>(argument.getType())
             .getElementType()
             .isIntOrFloat() ||
        countOf(argument) == 0)
      return false;
  if (!findFullShape())
    return false;
  for (int64_t size : fullShape)
    parts.push_back({size});
  for (unsigned tries = 0; tries < 40; ++tries) {
    if (attempt())
      return true;
    if (!split)
      return false;
    // Cut the loop, and read again.
    unsigned loop = 0;
    bool done = false;
    for (SmallVector<int64_t> &sizes : parts)
      for (size_t k = 0; k < sizes.size() && !done; ++k, ++loop)
        if (loop == split->loop) {
          int64_t outer = sizes[k] / split->inner;
          sizes[k] = outer;
          sizes.insert(sizes.begin() + k + 1, split->inner);
          done = true;
        }
    if (!done)
      return false;
  }
  return false;
}

Access Reader::identity(bool keptOnly) const {
  Access access;
  unsigned loop = 0;
  for (auto [d, sizes] : llvm::enumerate(parts)) {
    Form form(graph.loops.size());
    int64_t stride = 1;
    for (size_t k = sizes.size(); k-- > 0;) {
      if (sizes[k] > 1)
        form.coefficients[loop + k] = stride;
      stride *= sizes[k];
    }
    loop += sizes.size();
    if (!keptOnly || !reducedDims[d])
      access.push_back(std::move(form));
  }
  return access;
}

bool Reader::attempt() {
  split.reset();
  graph = Graph();
  known.clear();
  reductions.clear();
  for (auto [d, sizes] : llvm::enumerate(parts))
    for (int64_t size : sizes)
      graph.loops.push_back({size, reducedDims[d]});
  if (graph.loops.empty())
    graph.loops.push_back({1, false}); // everything is of rank 0
  if (graph.loops.size() > 32)
    return false;
  int64_t full = 1, rows = 1;
  for (int64_t size : fullShape)
    full *= size;
  for (int64_t size : rowShape)
    rows *= size;
  for (auto [i, value] : llvm::enumerate(
           source.body->front().getTerminator()->getOperands())) {
    bool isRow = countOf(value) == rows && (rows != full || rowShape.size() != fullShape.size());
    if (!isRow && countOf(value) != full)
      return false;
    std::optional<Access> access =
        reshape(identity(isRow), isRow ? rowShape : fullShape, shapeOf(value),
                graph.loops, split);
    if (!access)
      return false;
    Node *node = eval(value, *access);
    if (!node)
      return false;
    graph.outputs.push_back(
        {node, address(*access, shapeOf(value), graph.loops.size()),
         unsigned(i)});
  }
  return true;
}

Node *Reader::make(Node::Kind kind, Value value) {
  Node &node = graph.nodes.emplace_back();
  node.kind = kind;
  node.value = value;
  node.form = Form(graph.loops.size());
  node.number = graph.nodes.size();
  return &node;
}

Node *Reader::evalReduce(OpResult result, const Access &access) {
  auto op = cast<sh::ReduceOp>(result.getOwner());
  // A row's result belongs to the row itself.
  if (access != identity(/*keptOnly=*/true))
    return nullptr;
  Reduction *&reduction = reductions[op];
  if (!reduction) {
    Reduction made;
    made.op = op;
    Access full = identity(/*keptOnly=*/false);
    for (Value input : op.getInputs()) {
      Node *node = eval(input, full);
      if (!node)
        return nullptr;
      made.inputs.push_back(node);
      made.level = std::max(made.level, node->level + 1);
      made.mask |= node->mask & ~graph.reducedMask();
      made.accumulators.push_back(node->elementType());
    }
    for (Value init : op.getInitValues()) {
      Node *node = eval(init, {});
      if (!node)
        return nullptr;
      made.inits.push_back(node);
      made.level = std::max(made.level, node->level + 1);
    }
    Block &body = op.getBody().front();
    Operation *last = body.getTerminator()->getOperand(0).getDefiningOp();
    if (op.getInputs().size() == 1 && last && last->getNumOperands() == 2 &&
        last->getBlock() == &body &&
        last->getOperand(0) != last->getOperand(1) &&
        isa<BlockArgument>(last->getOperand(0)) &&
        isa<BlockArgument>(last->getOperand(1))) {
      Type type = made.accumulators[0];
      bool narrow = cpu::isNarrowFloat(type) &&
                    cpu::isNarrowFloat(cpu::getElementType(op.getResult(0))) &&
                    isa<sh::AddOp, sh::MulOp>(last);
      if (narrow)
        type = Float32Type::get(op.getContext());
      if (neutralElement(last, type) &&
          cpu::getElementType(last->getResult(0)) == made.accumulators[0]) {
        made.simple = last;
        made.accumulators[0] = type;
      }
    }
    // A body may compute in another type than its operands.
    for (auto [value, input] :
         llvm::zip_equal(op.getResults(), op.getInputs()))
      if (cpu::getElementType(value) != cpu::getElementType(input))
        return nullptr;
    for (auto [argument, init] : llvm::zip_equal(
             body.getArguments().take_front(op.getInputs().size()),
             op.getInitValues()))
      if (cpu::getElementType(argument) != cpu::getElementType(init))
        return nullptr;
    for (auto [argument, input] : llvm::zip_equal(
             body.getArguments().take_front(op.getInputs().size()),
             op.getInputs()))
      if (cpu::getElementType(argument) != cpu::getElementType(input))
        return nullptr;
    reduction = &graph.reductions.emplace_back(std::move(made));
    graph.numLevels = std::max(graph.numLevels, reduction->level);
    for (Value value : op.getResults()) {
      Node *node = make(Node::Kind::Reduced, value);
      node->reduction = reduction;
      node->mask = reduction->mask;
      node->level = reduction->level;
      reduction->results.push_back(node);
    }
  }
  return reductions[op]->results[result.getResultNumber()];
}

Node *Reader::eval(Value value, const Access &access) {
  SmallVector<SmallVector<int64_t>> key;
  for (const Form &form : access) {
    key.push_back(form.coefficients);
    key.back().push_back(form.offset);
  }
  auto it = known.find({value.getAsOpaquePointer(), key});
  if (it != known.end())
    return it->second;
  Node *node = nullptr;
  size_t loops = graph.loops.size();
  Operation *op = value.getDefiningOp();
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    unsigned number = argument.getArgNumber();
    bool isScalar = number < source.scalarInputs.size() &&
                    source.scalarInputs[number];
    node = make(isScalar ? Node::Kind::HostScalar : Node::Kind::Load, value);
    node->form = address(access, shapeOf(value), loops);
    node->mask = node->form.mask();
  } else if (auto constant = dyn_cast<sh::ConstantOp>(op)) {
    auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
    if (!dense || (!dense.isSplat() && dense.getNumElements() != 1))
      return nullptr;
    node = make(Node::Kind::Constant, value);
  } else if (auto iota = dyn_cast<sh::IotaOp>(op)) {
    node = make(Node::Kind::Iota, value);
    node->form = access[iota.getIotaDimension()];
    node->mask = node->form.mask();
  } else if (isa<sh::TransposeOp, sh::ReshapeOp, sh::BroadcastInDimOp,
                 sh::SliceOp, sh::ReverseOp>(op)) {
    std::optional<Access> inner =
        operandAccess(op, access, graph.loops, split);
    node = inner ? eval(op->getOperand(0), *inner) : nullptr;
  } else if (isa<sh::ReduceOp>(op)) {
    node = evalReduce(cast<OpResult>(value), access);
  } else {
    const cpu::OpEmitter *emitter = cpu::OpEmitters::get().lookup(op);
    if (!emitter || emitter->kind != cpu::OpEmitter::Kind::Scalar ||
        op->getNumResults() != 1 || op->getNumRegions() != 0)
      return nullptr;
    SmallVector<Node *> operands;
    for (Value operand : op->getOperands()) {
      bool isScalar = shapeOf(operand).empty();
      Node *inner = eval(operand, isScalar ? Access() : access);
      if (!inner)
        return nullptr;
      operands.push_back(inner);
    }
    node = make(Node::Kind::Map, value);
    for (Node *operand : operands) {
      node->mask |= operand->mask;
      node->level = std::max(node->level, operand->level);
    }
    node->operands = std::move(operands);
  }
  if (node)
    known[{value.getAsOpaquePointer(), key}] = node;
  return node;
}

//===----------------------------------------------------------------------===//
// Merging loops, clusters
//===----------------------------------------------------------------------===//

/// Neighbouring loops that every address walks as one become one.
static void mergeLoops(Graph &graph) {
  SmallVector<Form *> forms;
  for (Node &node : graph.nodes)
    if (node.kind == Node::Kind::Load || node.kind == Node::Kind::Iota)
      forms.push_back(&node.form);
  for (Output &output : graph.outputs)
    forms.push_back(&output.form);
  auto erase = [&](unsigned i) {
    graph.loops.erase(graph.loops.begin() + i);
    for (Form *form : forms)
      form->coefficients.erase(form->coefficients.begin() + i);
  };
  for (unsigned i = graph.loops.size(); i-- > 0;)
    if (graph.loops[i].size == 1 && graph.loops.size() > 1)
      erase(i);
  for (unsigned i = graph.loops.size(); i-- > 1;) {
    Loop &outer = graph.loops[i - 1], &inner = graph.loops[i];
    bool same = outer.reduced == inner.reduced &&
                outer.size * inner.size <= (int64_t(1) << 30);
    for (Form *form : forms)
      same &= form->coefficients[i - 1] ==
              form->coefficients[i] * inner.size;
    if (!same)
      continue;
    outer.size *= inner.size;
    for (Form *form : forms)
      form->coefficients[i - 1] = form->coefficients[i];
    erase(i);
  }
  // Masks anew; operands come before users.
  for (Reduction &reduction : graph.reductions)
    reduction.mask = 0;
  for (Node &node : graph.nodes) {
    node.mask = node.kind == Node::Kind::Load || node.kind == Node::Kind::Iota
                    ? node.form.mask()
                    : 0;
    for (Node *operand : node.operands)
      node.mask |= operand->mask;
    if (node.reduction) {
      for (Node *input : node.reduction->inputs)
        node.mask |= input->mask & ~graph.reducedMask();
      node.reduction->mask = node.mask;
    }
  }
}

/// Which Map nodes share a scalar region: a node joins its users if they are
/// all in one region of the same loops.
static void makeClusters(Graph &graph) {
  llvm::DenseMap<Node *, SmallVector<Node *>> users;
  llvm::DenseMap<Node *, bool> external;
  for (Node &node : graph.nodes)
    for (Node *operand : node.operands)
      users[operand].push_back(&node);
  for (Reduction &reduction : graph.reductions) {
    for (Node *input : reduction.inputs)
      external[input] = true;
    for (Node *init : reduction.inits)
      external[init] = true;
  }
  for (Output &output : graph.outputs)
    external[output.node] = true;
  for (Node &node : llvm::reverse(graph.nodes)) {
    if (node.kind != Node::Kind::Map)
      continue;
    Node *cluster = nullptr;
    bool alone = external.lookup(&node);
    for (Node *user : users[&node]) {
      alone |= user->mask != node.mask || (cluster && cluster != user->cluster);
      cluster = user->cluster;
    }
    node.cluster = alone || !cluster ? &node : cluster;
  }
}

/// If an output may lie in the memory of an input wherever the kernel says so:
/// each block must read of that input only what it writes itself, which it does
/// before it writes (KernelBuilder).
static bool mayOverwrite(const TileSource &source, const Graph &graph) {
  for (auto [number, input] : source.mayOverwrite) {
    Value argument = source.body->front().getArgument(input);
    const Output &output = graph.outputs[number];
    for (const Node &node : graph.nodes)
      if (node.kind == Node::Kind::Load && node.value == argument &&
          !(node.form == output.form))
        return false;
  }
  return true;
}

bool shoal::fused::buildGraph(const TileSource &source, Graph &graph) {
  if (!Reader(source, graph).run())
    return false;
  mergeLoops(graph);
  if (!mayOverwrite(source, graph))
    return false;
  makeClusters(graph);
  // Indices are i32.
  for (const Node &node : graph.nodes)
    if (node.kind == Node::Kind::Iota) {
      int64_t most = std::abs(node.form.offset);
      for (auto [c, loop] :
           llvm::zip_equal(node.form.coefficients, graph.loops))
        most += std::abs(c) * loop.size;
      if (most > INT32_MAX)
        return false;
    }
  return true;
}
