// Loops and branches of the host program.
#include "ProgramBuilder.h"

using namespace mlir;
using namespace shoal;
using plan::ScalarOpKind;
namespace shlo = mlir::stablehlo;

/// Copies yielded values that do not already lie where they have to be.
void ProgramBuilder::emitYieldCopies(Operation *yield,
                                     llvm::function_ref<Value(unsigned)> dest) {
  for (auto [i, value] : llvm::enumerate(yield->getOperands()))
    if (plan.needsCopy(yield, i))
      copyInto(yield->getLoc(), value, dest(i));
}

LogicalResult ProgramBuilder::emitBranches(Operation *op, Value index) {
  auto branches =
      plan::CaseOp::create(b, op->getLoc(), index, op->getNumRegions());
  OpBuilder::InsertionGuard guard(b);
  for (auto [from, to] :
       llvm::zip_equal(op->getRegions(), branches.getBranches())) {
    b.setInsertionPointToStart(&to.emplaceBlock());
    if (failed(emitBlock(from.front())))
      return failure();
    emitYieldCopies(from.front().getTerminator(),
                    [&](unsigned i) { return getBuffer(op->getResult(i)); });
    plan::YieldOp::create(b, op->getLoc(), ValueRange());
  }
  return success();
}

LogicalResult ProgramBuilder::emitLoop(shlo::WhileOp loop) {
  Location loc = loop.getLoc();
  Block &cond = loop.getCond().front(), &body = loop.getBody().front();
  Operation *yield = body.getTerminator();
  std::optional<CountedLoop> counted = scalars.getCountedLoop(loop);
  const LoopPlan *handles = plan.loopPlan(loop);

  // What is carried: host scalars, then handles. The rest of the device values
  // stays in its place.
  SmallVector<unsigned> carried;
  SmallVector<Value> inits;
  for (unsigned i = 0; i < loop.getOperand().size(); ++i) {
    Value arg = body.getArgument(i);
    if (BufferPlan::isInvariant(loop, i) ||
        !isa<RankedTensorType>(arg.getType()))
      continue;
    if (plan.isDevice(arg)) {
      if (!plan.needsCopy(loop, i))
        continue;
      Value dest;
      if (handles)
        for (const LoopPlan::HandleInfo &handle : handles->handles)
          if (handle.carry == static_cast<int>(i))
            dest = rootOf(plan.find(handle.underlying));
      copyInto(loc, loop.getOperand()[i], dest ? dest : getBuffer(arg));
      continue;
    }
    if (counted && counted->ivIndex == i)
      continue;
    carried.push_back(i);
    inits.push_back(getScalar(loop.getOperand()[i]));
  }
  if (handles)
    for (const LoopPlan::HandleInfo &handle : handles->handles) {
      Value root = rootOf(plan.find(handle.underlying));
      auto type = cast<plan::BufferType>(root.getType());
      inits.push_back(
          getView(loc, root, Place(),
                  plan::BufferType::get(b.getContext(), {type.getBytes()},
                                        b.getI8Type())));
    }

  /// Names the carried block arguments, from `first` on, in one region.
  auto enter = [&](Block &block, Block &from, unsigned first) {
    for (auto [position, i] : llvm::enumerate(carried))
      scalarValues[from.getArgument(i)] = block.getArgument(first + position);
    if (handles)
      for (unsigned h = 0; h < handles->handles.size(); ++h)
        argHandles[{loop, h}] = block.getArgument(first + carried.size() + h);
  };
  auto finishBody = [&]() {
    emitYieldCopies(yield, [&](unsigned i) {
      if (handles)
        for (auto [h, handle] : llvm::enumerate(handles->handles))
          if (handle.carry == static_cast<int>(i))
            return argHandles.lookup({loop, plan.copyHandle(yield, i)});
      return getBuffer(body.getArgument(i));
    });
    SmallVector<Value> next;
    for (unsigned i : carried)
      next.push_back(getScalar(yield->getOperand(i)));
    if (handles)
      for (unsigned h : handles->next)
        next.push_back(argHandles.lookup({loop, h}));
    plan::YieldOp::create(b, loc, next);
  };

  SmallVector<Type> types(ValueRange(inits).getTypes());
  SmallVector<Location> locs(inits.size(), loc);
  int64_t outerTrips = trips;
  Operation *created;
  if (counted) {
    Value begin = getScalar(counted->begin), end = getScalar(counted->end),
          step = constant(counted->step);
    if (counted->inclusive)
      end = binary(loc, ScalarOpKind::Add, end,
                   constant(counted->step > 0 ? 1 : -1));
    auto loopOp = plan::ForOp::create(b, loc, types, begin, end, step, inits,
                                      IntegerAttr());
    if (counted->tripCount) {
      loopOp.setTripCount(*counted->tripCount);
      trips *= *counted->tripCount;
    }
    Block &to = loopOp.getBody().emplaceBlock();
    to.addArgument(plan::ScalarType::get(b.getContext()), loc);
    to.addArguments(types, locs);
    b.setInsertionPointToStart(&to);
    enter(to, body, 1);
    scalarValues[body.getArgument(counted->ivIndex)] = to.getArgument(0);
    if (failed(emitBlock(body)))
      return failure();
    finishBody();
    created = loopOp;
    b.setInsertionPointAfter(created);
    Value final = loop->getResult(counted->ivIndex);
    if (!final.use_empty()) {
      // begin + step * trips, with trips rounded up and not negative.
      int64_t step = counted->step, size = std::abs(step);
      Value span = step > 0 ? binary(loc, ScalarOpKind::Sub, end, begin)
                            : binary(loc, ScalarOpKind::Sub, begin, end);
      Value count =
          binary(loc, ScalarOpKind::Div,
                 binary(loc, ScalarOpKind::Add, span, constant(size - 1)),
                 constant(size));
      count = binary(loc, ScalarOpKind::Max, count, constant(0));
      scalarValues[final] =
          binary(loc, ScalarOpKind::Add, begin,
                 binary(loc, ScalarOpKind::Mul, count, constant(step)));
    }
  } else {
    auto loopOp = plan::WhileOp::create(b, loc, types, inits);
    Block &condTo = loopOp.getCond().emplaceBlock();
    condTo.addArguments(types, locs);
    b.setInsertionPointToStart(&condTo);
    enter(condTo, cond, 0);
    if (failed(emitBlock(cond)))
      return failure();
    plan::ConditionOp::create(
        b, loc, readScalar(loc, cond.getTerminator()->getOperand(0)));
    Block &to = loopOp.getBody().emplaceBlock();
    to.addArguments(types, locs);
    b.setInsertionPointToStart(&to);
    enter(to, body, 0);
    if (failed(emitBlock(body)))
      return failure();
    finishBody();
    created = loopOp;
    b.setInsertionPointAfter(created);
  }
  trips = outerTrips;
  for (auto [position, i] : llvm::enumerate(carried))
    scalarValues[loop->getResult(i)] = created->getResult(position);
  if (handles)
    for (unsigned h = 0; h < handles->handles.size(); ++h)
      resultHandles[{loop, h}] = created->getResult(carried.size() + h);
  return success();
}
