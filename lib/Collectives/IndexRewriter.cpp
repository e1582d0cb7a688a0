#include "IndexRewriter.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Support/TensorTypes.h"

using namespace mlir;
namespace sh = mlir::stablehlo;

namespace shoal {

void IndexRewriter::run(func::FuncOp func) {
  visit(func.getBody().front());
  joinWhatIsLeft();
  for (Operation *op : llvm::reverse(done)) // users first
    op->erase();
}

void IndexRewriter::joinWhatIsLeft() {
  auto stays = [&](OpOperand &use) { return !done.contains(use.getOwner()); };
  for (Value value : llvm::make_first_range(made)) {
    if (llvm::none_of(value.getUses(), stays))
      continue;
    if (Value whole = wholeOf(value); whole != value)
      value.replaceUsesWithIf(whole, stays);
  }
}

Value IndexRewriter::wholeOf(Value value) {
  const InParts *from = inParts(value);
  if (!from)
    return value;
  Value &whole = wholes[value];
  if (!whole)
    whole = join(value, *from);
  return whole;
}

IndexRewriter::Parts IndexRewriter::partsOf(Value value, unsigned dim) {
  if (const InParts *known = inParts(value); known && known->dim == dim)
    return known->parts;
  if (classes.isFree(value, dim))
    return Parts(held, freeParts.of(value, dim));
  if (auto found = cuts.find({value, dim}); found != cuts.end())
    return found->second;
  Parts list = cut(value, dim);
  cuts[{value, dim}] = list;
  return list;
}

SmallVector<IndexRewriter::Parts>
IndexRewriter::operandsAlong(Operation *op, const PartFactor &factor) {
  SmallVector<Parts> list;
  for (auto [t, operand] : llvm::enumerate(op->getOperands())) {
    auto place = llvm::find_if(factor.operands,
                               [t = t](auto p) { return p.first == t; });
    // (It may have the index elsewhere than where the op takes it.)
    list.push_back(place != factor.operands.end()
                       ? partsOf(operand, place->second)
                       : Parts(held, wholeOf(operand)));
  }
  return list;
}

void IndexRewriter::visit(Block &block) {
  SmallVector<Operation *> ops;
  for (Operation &op : block)
    ops.push_back(&op);
  for (Operation *op : ops) {
    if (isa<sh::WhileOp, sh::IfOp, sh::CaseOp>(op))
      visitRegions(op);
    else if (isa<sh::OptimizationBarrierOp>(op))
      visitBarrier(op);
    else
      visitOp(op);
  }
}

//===----------------------------------------------------------------------===//
// What passes values on
//===----------------------------------------------------------------------===//

IndexRewriter::Carried IndexRewriter::carriedBy(Operation *op) {
  Carried carried;
  for (OpResult result : op->getResults())
    if (std::optional<unsigned> dim = dimPassedOn(result))
      carried.push_back({result.getResultNumber(), *dim});
  return carried;
}

/// The values with their parts in place of those that are carried so.
SmallVector<Value> IndexRewriter::expand(ValueRange values,
                                         const Carried &carried) {
  SmallVector<Value> list(values), more;
  for (auto [i, dim] : carried) {
    Parts each = partsOf(values[i], dim);
    list[i] = each.front();
    llvm::append_range(more, ArrayRef<Value>(each).drop_front());
  }
  llvm::append_range(list, more);
  return list;
}

/// Of each carried value, its parts in the expanded list; there were `before`
/// values before it was.
SmallVector<IndexRewriter::Parts>
IndexRewriter::collect(ValueRange expanded, size_t before,
                       const Carried &carried) {
  SmallVector<Parts> lists;
  size_t next = before;
  for (auto [i, dim] : carried) {
    Parts &each = lists.emplace_back();
    each.push_back(expanded[i]);
    for (unsigned j = 1; j < held; ++j)
      each.push_back(expanded[next++]);
  }
  return lists;
}

void IndexRewriter::expandArguments(Block &block, const Carried &carried) {
  size_t before = block.getNumArguments();
  OpBuilder b = OpBuilder::atBlockBegin(&block);
  SmallVector<Value> stands;
  for (auto [i, dim] : carried) {
    BlockArgument argument = block.getArgument(i);
    RankedTensorType whole = typeOf(argument), part = partOf(whole, dim, parts);
    // Stands for the whole until all its users are done.
    auto stand = UnrealizedConversionCastOp::create(
        b, argument.getLoc(), TypeRange(whole), ValueRange());
    argument.replaceAllUsesWith(stand.getResult(0));
    argument.setType(part);
    for (unsigned j = 1; j < held; ++j)
      block.addArgument(part, argument.getLoc());
    stands.push_back(stand.getResult(0));
    finish(stand);
  }
  for (auto [stand, place, list] : llvm::zip_equal(
           stands, carried, collect(block.getArguments(), before, carried)))
    setParts(stand, list, place.second);
}

void IndexRewriter::visitRegions(Operation *op) {
  Carried carried = carriedBy(op);
  if (carried.empty()) {
    for (Region &region : op->getRegions())
      visit(region.front());
    return;
  }
  bool isLoop = isa<sh::WhileOp>(op);
  SmallVector<Value> operands(op->getOperands());
  if (isLoop)
    operands = expand(op->getOperands(), carried);
  SmallVector<Type> types(op->getResultTypes());
  for (auto [i, dim] : carried) {
    RankedTensorType part = partOf(typeOf(op->getResult(i)), dim, parts);
    types[i] = part;
    types.append(held - 1, part);
  }
  OperationState state(op->getLoc(), op->getName(), operands, types,
                       op->getAttrs());
  for (unsigned i = 0; i < op->getNumRegions(); ++i)
    state.addRegion();
  OpBuilder b(op);
  Operation *fresh = b.create(state);
  for (auto [from, to] :
       llvm::zip_equal(op->getRegions(), fresh->getRegions())) {
    to.takeBody(from);
    Block &block = to.front();
    if (isLoop)
      expandArguments(block, carried);
    visit(block);
    bool isCondition = isLoop && to.getRegionNumber() == 0;
    if (!isCondition) {
      Operation *end = block.getTerminator();
      end->setOperands(expand(end->getOperands(), carried));
    }
  }
  SmallVector<Parts> lists =
      collect(fresh->getResults(), op->getNumResults(), carried);
  for (auto [place, list] : llvm::zip_equal(carried, lists))
    setParts(op->getResult(place.first), list, place.second);
  for (OpResult result : op->getResults())
    if (!isInParts(result))
      result.replaceAllUsesWith(fresh->getResult(result.getResultNumber()));
  finish(op);
}

/// Each part has a barrier of its own; what is whole goes with the first.
void IndexRewriter::visitBarrier(Operation *op) {
  Carried carried = carriedBy(op);
  if (carried.empty())
    return;
  SmallVector<Parts> operands, results(carried.size());
  for (auto [i, dim] : carried)
    operands.push_back(partsOf(op->getOperand(i), dim));
  OpBuilder b(op);
  auto create = [&](ValueRange values) {
    return b.create(OperationState(op->getLoc(), op->getName(), values,
                                   TypeRange(values), op->getAttrs()));
  };
  SmallVector<Value> first(op->getOperands());
  for (auto [place, list] : llvm::zip_equal(carried, operands))
    first[place.first] = list.front();
  Operation *barrier = create(first);
  for (auto [place, list] : llvm::zip_equal(carried, results))
    list.push_back(barrier->getResult(place.first));
  for (unsigned j = 1; j < held; ++j) {
    SmallVector<Value> mine;
    for (const Parts &list : operands)
      mine.push_back(list[j]);
    for (auto [list, result] :
         llvm::zip_equal(results, create(mine)->getResults()))
      list.push_back(result);
  }
  for (auto [place, list] : llvm::zip_equal(carried, results))
    setParts(op->getResult(place.first), list, place.second);
  for (OpResult result : op->getResults())
    if (!isInParts(result))
      result.replaceAllUsesWith(barrier->getResult(result.getResultNumber()));
  finish(op);
}

} // namespace shoal
