// Reductions with a body of their own, such as argmax: there is no collective
// that reduces so. Each device reduces its part, the few results are gathered
// and reduced again.

#include "Partitioner.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/Cuttable.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

bool OpLowering::isMerged() {
  if (!isa<sh::ReduceOp>(op))
    return false;
  for (size_t f = 0; f < form.factors.size(); ++f)
    if (!form.factors[f].empty() &&
        model.getRule().factors[f].kind == FactorKind::Reduction &&
        !model.getRule().factors[f].reduction)
      return true;
  return false;
}

/// Each device's part of a result side by side, along a new leading dimension.
Value OpLowering::gatherParts(Value part, ArrayRef<uint8_t> atoms) {
  SmallVector<int64_t> shape(typeOf(part).getShape());
  shape.insert(shape.begin(), 1);
  Value row = sh::ReshapeOp::create(
      b, b.loc(), b.tensorType(shape, b.elementOf(part)), part);
  shape[0] = partCount(atoms, mesh.atoms());
  auto groups = comm::GroupsAttr::get(mesh.meshRef(), mesh.toAxes(atoms));
  return comm::AllGatherOp::create(
      b, b.loc(), b.tensorType(shape, b.elementOf(part)), row, 0, groups,
      b.getStringAttr("parts of a reduction that " +
                      op->getName().getStringRef() + " merges"),
      b.getArrayAttr({Attribute(LocationAttr(op->getLoc()))}));
}

/// Any body, any initial value: an element more says whether there is anything
/// yet, so that the initial value enters once, when the parts are joined, and
/// padding never.
SmallVector<Value> OpLowering::lowerMergedReduce(ArrayRef<Value> operands) {
  if (isSelectingReduce(op))
    return lowerPickingReduce(operands);
  auto reduce = cast<sh::ReduceOp>(op);
  size_t count = reduce.getInputs().size();
  ArrayRef<Value> inputs = operands.take_front(count),
                  inits = operands.drop_front(count);
  ArrayRef<int64_t> shape = typeOf(inputs[0]).getShape();
  Type i1 = b.getI1Type();
  Value valid;
  AtomList atoms;
  // Whether the part at each position holds anything.
  std::vector<bool> holds = {true};
  for (int64_t d : reduce.getDimensions()) {
    AtomList list = atomsOf(0, d);
    if (list.empty())
      continue;
    atoms.append(list);
    int64_t size = model.shape(0)[d], block = blockOf(0, d);
    std::vector<bool> finer;
    for (bool held : holds)
      for (int64_t i = 0, e = partCount(list, mesh.atoms()); i < e; ++i)
        finer.push_back(held && i * block < size);
    holds = std::move(finer);
    if (Value along = validAlong(size, block, list)) {
      along = b.broadcast(along, shape, {d});
      valid = valid ? b.logicalAnd(valid, along) : along;
    }
  }
  if (!valid)
    valid = b.splat(shape, i1, b.getBoolAttr(true));

  // (x, has x), (y, has y) -> (body(x, y) or the one there is, has any)
  auto create = [&](ArrayRef<Value> inputs, ArrayRef<Value> inits,
                    ArrayRef<int64_t> dims) {
    SmallVector<int64_t> rest;
    ArrayRef<int64_t> from = typeOf(inputs[0]).getShape();
    for (int64_t d = 0; d < int64_t(from.size()); ++d)
      if (!llvm::is_contained(dims, d))
        rest.push_back(from[d]);
    OperationState state(b.loc(), sh::ReduceOp::getOperationName());
    state.addOperands(inputs);
    state.addOperands(inits);
    Block &old = reduce.getBody().front();
    for (size_t i = 0; i < count; ++i)
      state.addTypes(
          b.tensorType(rest, b.elementOf(old.getTerminator()->getOperand(i))));
    state.addTypes(b.tensorType(rest, i1));
    state.addAttribute("dimensions", b.getDenseI64ArrayAttr(dims));
    Region *region = state.addRegion();
    {
      OpBuilder::InsertionGuard guard(b);
      Block *body = b.createBlock(region);
      Type flag = b.tensorType({}, i1);
      IRMapping mapping;
      SmallVector<Value> x, y;
      for (size_t i = 0; i < count; ++i)
        x.push_back(body->addArgument(old.getArgument(i).getType(), b.loc()));
      Value hasX = body->addArgument(flag, b.loc());
      for (size_t i = 0; i < count; ++i)
        y.push_back(
            body->addArgument(old.getArgument(count + i).getType(), b.loc()));
      Value hasY = body->addArgument(flag, b.loc());
      mapping.map(old.getArguments().take_front(count), x);
      mapping.map(old.getArguments().drop_front(count), y);
      for (Operation &inner : old.without_terminator())
        b.clone(inner, mapping);
      Value both = b.logicalAnd(hasX, hasY);
      SmallVector<Value> yielded;
      for (size_t i = 0; i < count; ++i) {
        Value made = mapping.lookup(old.getTerminator()->getOperand(i));
        Value one = b.select(hasX, b.convert(x[i], b.elementOf(made)),
                             b.convert(y[i], b.elementOf(made)));
        yielded.push_back(b.select(both, made, one));
      }
      yielded.push_back(sh::OrOp::create(b, b.loc(), flag, hasX, hasY));
      sh::ReturnOp::create(b, b.loc(), yielded);
    }
    return b.create(state);
  };
  SmallVector<Value> localInputs(inputs), localInits(inits);
  localInputs.push_back(valid);
  localInits.push_back(b.splat({}, i1, b.getBoolAttr(false)));
  Operation *local = create(localInputs, localInits, reduce.getDimensions());

  SmallVector<Value> parts, mergeInits;
  for (size_t i = 0; i < count; ++i) {
    parts.push_back(gatherParts(local->getResult(i), atoms));
    mergeInits.push_back(b.convert(inits[i], b.elementOf(parts[i])));
  }
  // Which parts hold anything is known without asking.
  SmallVector<bool> flags(holds.begin(), holds.end());
  Value held = sh::ConstantOp::create(
      b, b.loc(), b.tensorType({int64_t(flags.size())}, i1),
      DenseElementsAttr::get(b.tensorType({int64_t(flags.size())}, i1), flags));
  parts.push_back(b.broadcast(held, typeOf(parts[0]).getShape(), {0}));
  mergeInits.push_back(b.splat({}, i1, b.getBoolAttr(true)));
  Operation *merge = create(parts, mergeInits, {0});
  SmallVector<Value> results;
  for (auto [result, type] :
       llvm::zip_equal(merge->getResults().drop_back(), localResultTypes()))
    results.push_back(b.convert(result, getElementTypeOrSelf(type)));
  return results;
}

/// The body only picks among its arguments: the initial value may be met any
/// number of times, and stands for padding.
SmallVector<Value> OpLowering::lowerPickingReduce(ArrayRef<Value> operands) {
  auto reduce = cast<sh::ReduceOp>(op);
  size_t count = reduce.getInputs().size();
  SmallVector<Value> inputs(operands);
  AtomList atoms;
  for (int64_t d : reduce.getDimensions()) {
    AtomList list = atomsOf(0, d);
    atoms.append(list);
    if (list.empty())
      continue;
    Value valid = validAlong(model.shape(0)[d], blockOf(0, d), list);
    for (size_t i = 0; valid && i < count; ++i) {
      ArrayRef<int64_t> shape = typeOf(inputs[i]).getShape();
      inputs[i] = b.select(b.broadcast(valid, shape, {d}), inputs[i],
                           b.broadcast(inputs[count + i], shape));
    }
  }
  SmallVector<Value> parts = cloneLocal(inputs), gathered;
  for (Value part : parts)
    gathered.push_back(gatherParts(part, atoms));
  gathered.append(operands.begin() + count, operands.end());
  Operation *merge = op->clone();
  merge->setOperands(gathered);
  stripShardings(merge);
  cast<sh::ReduceOp>(merge).setDimensions({0});
  for (auto [result, part] : llvm::zip_equal(merge->getResults(), parts))
    result.setType(part.getType());
  b.insert(merge);
  return SmallVector<Value>(merge->getResults());
}

//===----------------------------------------------------------------------===//
// The value beside an argmax
//===----------------------------------------------------------------------===//

/// The value before any reshards.
static Value rootOf(Value value) {
  while (auto reshard = value.getDefiningOp<ReshardOp>())
    value = reshard.getInput();
  return value;
}

static bool sameConstant(Value a, Value b) {
  DenseElementsAttr x, y;
  return matchPattern(rootOf(a), m_Constant(&x)) &&
         matchPattern(rootOf(b), m_Constant(&y)) && x == y;
}

/// Whether result k of the body is the larger (smaller) of its arguments k,
/// NaN winning, as stablehlo.maximum (minimum) says.
static bool picksExtreme(sh::ReduceOp reduce, size_t k, bool larger) {
  Block &body = reduce.getBody().front();
  size_t n = reduce.getInputs().size();
  Value x = body.getArgument(k), y = body.getArgument(n + k);
  auto select =
      body.getTerminator()->getOperand(k).getDefiningOp<sh::SelectOp>();
  if (!select || select.getOnTrue() != x || select.getOnFalse() != y)
    return false;
  auto either = select.getPred().getDefiningOp<sh::OrOp>();
  if (!either)
    return false;
  auto order = either.getLhs().getDefiningOp<sh::CompareOp>();
  auto nan = either.getRhs().getDefiningOp<sh::CompareOp>();
  return order && nan && order.getLhs() == x && order.getRhs() == y &&
         order.getComparisonDirection() ==
             (larger ? sh::ComparisonDirection::GT
                     : sh::ComparisonDirection::LT) &&
         nan.getLhs() == x && nan.getRhs() == x &&
         nan.getComparisonDirection() == sh::ComparisonDirection::NE;
}

void shoal::reuseSelectedValues(func::FuncOp func) {
  DenseMap<Value, SmallVector<std::pair<sh::ReduceOp, size_t>>> selecting;
  func.walk([&](sh::ReduceOp reduce) {
    if (reduce.getInputs().size() > 1)
      for (auto [k, input] : llvm::enumerate(reduce.getInputs()))
        selecting[rootOf(input)].push_back({reduce, k});
  });
  if (selecting.empty())
    return;
  func.walk([&](sh::ReduceOp reduce) {
    if (reduce.getInputs().size() != 1 || reduce.getBody().empty())
      return;
    Block &body = reduce.getBody().front();
    Operation *what = body.getTerminator()->getOperand(0).getDefiningOp();
    if (!isa_and_nonnull<sh::MaxOp, sh::MinOp>(what) ||
        what->getOperand(0) == what->getOperand(1) ||
        !isa<BlockArgument>(what->getOperand(0)) ||
        !isa<BlockArgument>(what->getOperand(1)))
      return;
    for (auto [other, k] : selecting.lookup(rootOf(reduce.getInputs()[0]))) {
      if (other->getBlock() != reduce->getBlock() ||
          !other->isBeforeInBlock(reduce) ||
          other.getDimensions() != reduce.getDimensions() ||
          !sameConstant(other.getInitValues()[k], reduce.getInitValues()[0]) ||
          !picksExtreme(other, k, isa<sh::MaxOp>(what)))
        continue;
      reduce->getResult(0).replaceAllUsesWith(other->getResult(k));
      return;
    }
  });
  SmallVector<Operation *> dead;
  func.walk([&](sh::ReduceOp reduce) {
    if (reduce->use_empty())
      dead.push_back(reduce);
  });
  for (Operation *op : dead)
    op->erase();
}
