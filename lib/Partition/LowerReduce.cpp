// Reductions of several values with a body of their own, such as argmax: there
// is no collective that reduces so, but the body picks among its arguments, so
// each device reduces its part, the few results are gathered and reduced again.

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

SmallVector<Value> OpLowering::lowerMergedReduce(ArrayRef<Value> operands) {
  auto reduce = cast<sh::ReduceOp>(op);
  size_t count = reduce.getInputs().size();
  SmallVector<Value> inputs(operands);
  AtomList atoms;
  for (int64_t d : reduce.getDimensions()) {
    AtomList list = atomsOf(0, d);
    atoms.append(list);
    int64_t parts = partCount(list, mesh.atoms());
    if (list.empty() || parts * blockOf(0, d) == model.shape(0)[d])
      continue;
    // Padding takes the initial value: picking it once more changes nothing.
    Value offset = offsetOf(0, d);
    int64_t block = blockOf(0, d);
    Value rest = b.sub(b.scalarInt(model.shape(0)[d], b.getI32Type()), offset);
    Value valid =
        b.compare(LocalBuilder::Compare::LT, b.iota({block}, 0, b.getI32Type()),
                  b.broadcast(rest, {block}));
    for (size_t i = 0; i < count; ++i) {
      ArrayRef<int64_t> shape = b.typeOf(inputs[i]).getShape();
      inputs[i] = b.select(b.broadcast(valid, shape, {d}), inputs[i],
                           b.broadcast(inputs[count + i], shape));
    }
  }
  SmallVector<Value> parts = cloneLocal(inputs);
  // The parts side by side along a new leading dimension.
  int64_t n = partCount(ArrayRef<uint8_t>(atoms), mesh.atoms());
  auto groups = comm::GroupsAttr::get(mesh.meshRef(), mesh.toAxes(atoms));
  SmallVector<Value> gathered;
  for (Value part : parts) {
    SmallVector<int64_t> shape(b.typeOf(part).getShape());
    shape.insert(shape.begin(), 1);
    Value row = sh::ReshapeOp::create(
        b, b.loc(), b.tensorType(shape, b.elementOf(part)), part);
    shape[0] = n;
    gathered.push_back(comm::AllGatherOp::create(
        b, b.loc(), b.tensorType(shape, b.elementOf(part)), row, 0, groups,
        b.getStringAttr("parts of a reduction that " +
                        op->getName().getStringRef() + " merges"),
        b.getArrayAttr({Attribute(LocationAttr(op->getLoc()))})));
  }
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
