// Setting up the buffer plan: views, storages, live intervals. Merging is in
// BufferPlanMerge.cpp.
#include "BufferPlan.h"

using namespace mlir;
using namespace shoal;
namespace shlo = mlir::stablehlo;

//===----------------------------------------------------------------------===//
// What ops are to memory
//===----------------------------------------------------------------------===//

/// Byte strides of a dense row-major tensor.
static SmallVector<int64_t> byteStrides(RankedTensorType type) {
  SmallVector<int64_t> strides(type.getRank());
  int64_t stride = plan::getElementBytes(type.getElementType());
  for (int64_t i = type.getRank(); i-- > 0;) {
    strides[i] = stride;
    stride *= type.getDimSize(i);
  }
  return strides;
}

static Place blockPlace(RankedTensorType type, ArrayRef<int64_t> sizes,
                        ValueRange starts) {
  Place place;
  SmallVector<int64_t> strides = byteStrides(type);
  for (auto [i, start] : llvm::enumerate(starts)) {
    int64_t limit = type.getDimSize(i) - sizes[i];
    if (limit == 0)
      continue;
    if (auto value = getConstantInt(start))
      place.offset += std::clamp<int64_t>(*value, 0, limit) * strides[i];
    else
      place.terms.push_back({start, limit, strides[i]});
  }
  return place;
}

std::optional<std::pair<Value, Place>>
shoal::getView(Operation *op, const HostScalars &scalars) {
  if (op->getNumOperands() == 0 || op->getNumResults() != 1 ||
      scalars.contains(op->getOperand(0)))
    return std::nullopt;
  Value operand = op->getOperand(0);
  auto from = dyn_cast<RankedTensorType>(operand.getType());
  auto to = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!from || !to)
    return std::nullopt;
  bool sameBytes = plan::getTensorBytes(from) == plan::getTensorBytes(to);

  if (isa<shlo::ReshapeOp>(op))
    return std::make_pair(operand, Place());
  if (isa<shlo::BitcastConvertOp>(op)) {
    // Elements narrower than a byte are stored one to a byte.
    auto packed = [](Type type) {
      Type element = getElementTypeOrSelf(type);
      return element.isIntOrFloat() && element.getIntOrFloatBitWidth() % 8 != 0;
    };
    if (sameBytes && !packed(from) && !packed(to))
      return std::make_pair(operand, Place());
    return std::nullopt;
  }
  if (auto broadcast = dyn_cast<shlo::BroadcastInDimOp>(op)) {
    ArrayRef<int64_t> dims = broadcast.getBroadcastDimensions();
    if (sameBytes && llvm::is_sorted(dims))
      return std::make_pair(operand, Place());
    return std::nullopt;
  }
  if (auto transpose = dyn_cast<shlo::TransposeOp>(op)) {
    // Moving dimensions of size one moves nothing.
    int64_t last = -1;
    for (int64_t dim : transpose.getPermutation()) {
      if (from.getDimSize(dim) == 1)
        continue;
      if (dim < last)
        return std::nullopt;
      last = dim;
    }
    return std::make_pair(operand, Place());
  }
  if (auto slice = dyn_cast<shlo::SliceOp>(op)) {
    if (llvm::any_of(slice.getStrides(), [](int64_t s) { return s != 1; }) ||
        !isContiguousBlock(from.getShape(), to.getShape()))
      return std::nullopt;
    Place place;
    for (auto [start, stride] :
         llvm::zip_equal(slice.getStartIndices(), byteStrides(from)))
      place.offset += start * stride;
    if (to.getNumElements() == 0)
      place.offset = 0;
    return std::make_pair(operand, place);
  }
  if (auto slice = dyn_cast<shlo::DynamicSliceOp>(op))
    if (scalars.isHostView(op))
      return std::make_pair(
          operand, blockPlace(from, to.getShape(), slice.getStartIndices()));
  return std::nullopt;
}

Place shoal::getUpdatePlace(shlo::DynamicUpdateSliceOp update) {
  return blockPlace(
      cast<RankedTensorType>(update.getOperand().getType()),
      cast<RankedTensorType>(update.getUpdate().getType()).getShape(),
      update.getStartIndices());
}

Place shoal::getRowPlace(Value stack, Value index) {
  auto type = cast<RankedTensorType>(stack.getType());
  SmallVector<int64_t> sizes(type.getShape());
  sizes[0] = 1;
  return blockPlace(type, sizes, index);
}

SmallVector<std::pair<unsigned, unsigned>>
shoal::getInPlacePairs(Operation *op) {
  SmallVector<std::pair<unsigned, unsigned>> pairs;
  auto addAll = [&](std::optional<ArrayRef<int64_t>> list) {
    for (size_t i = 0; list && i + 1 < list->size(); i += 2)
      pairs.push_back({(*list)[i + 1], (*list)[i]});
  };
  if (auto launch = dyn_cast<plan::LaunchOp>(op)) {
    if (auto kernel = SymbolTable::lookupNearestSymbolFrom<plan::KernelOp>(
            op, launch.getKernelAttr()))
      addAll(kernel.getMayOverwrite());
  } else if (auto call = dyn_cast<plan::CustomCallOp>(op)) {
    addAll(call.getMayOverwrite());
  } else if (isa<shlo::DynamicUpdateSliceOp>(op) ||
             op->getName().getStringRef() == "comm.all_reduce") {
    pairs.push_back({0, 0});
  } else if (auto row = dyn_cast<plan::OffloadRowOp>(op)) {
    pairs.push_back({row.getStackMutable().getOperandNumber(), 0});
  }
  return pairs;
}

bool shoal::isDonated(func::FuncOp func, unsigned i) {
  return func.getArgAttr(i, "tf.aliasing_output") ||
         func.getArgAttr(i, "jax.buffer_donor");
}

void shoal::forwardInvariants(func::FuncOp func) {
  func.walk([](shlo::OptimizationBarrierOp barrier) {
    barrier.replaceAllUsesWith(barrier.getOperand());
    barrier.erase();
  });
  for (bool changed = true; changed;) {
    changed = false;
    func.walk<WalkOrder::PreOrder>([&](shlo::WhileOp loop) {
      Block &cond = loop.getCond().front(), &body = loop.getBody().front();
      for (unsigned i = 0; i < loop.getOperand().size(); ++i) {
        Value init = loop.getOperand()[i];
        Value next = body.getTerminator()->getOperand(i);
        if (next != body.getArgument(i) && next != init)
          continue;
        for (Value same :
             {Value(cond.getArgument(i)), Value(body.getArgument(i)),
              Value(loop->getResult(i))})
          if (!same.use_empty()) {
            same.replaceAllUsesWith(init);
            changed = true;
          }
      }
    });
  }
}

bool BufferPlan::isInvariant(shlo::WhileOp loop, unsigned i) {
  return loop.getBody().front().getTerminator()->getOperand(i) ==
         loop.getOperand()[i];
}

bool BufferPlan::isDevice(Value value) const {
  return isa<RankedTensorType>(value.getType()) && !scalars.contains(value);
}

//===----------------------------------------------------------------------===//
// Time
//===----------------------------------------------------------------------===//

void BufferPlan::number(Region &region) {
  for (Block &block : region)
    for (Operation &op : block) {
      now += 2;
      time[&op] = now;
      opAt[now] = &op;
      if (isa<shlo::WhileOp, shlo::IfOp, shlo::CaseOp>(op)) {
        for (Region &nested : op.getRegions())
          number(nested);
        now += 2;
      }
      endTime[&op] = now;
    }
}

/// The condition's arguments stand for the body's.
Value BufferPlan::canonical(Value value) const {
  if (auto arg = dyn_cast<BlockArgument>(value))
    if (auto loop = dyn_cast<shlo::WhileOp>(arg.getOwner()->getParentOp()))
      return loop.getBody().getArgument(arg.getArgNumber());
  return value;
}

int64_t BufferPlan::defTime(Value value) const {
  if (auto arg = dyn_cast<BlockArgument>(value)) {
    Operation *owner = arg.getOwner()->getParentOp();
    return owner == func.getOperation() ? 0 : time.at(owner) + 1;
  }
  return endTime.at(value.getDefiningOp());
}

int64_t BufferPlan::useTime(Value value, Operation *user) const {
  Region *home = value.getParentRegion();
  int64_t result = time.at(user);
  for (Region *region = user->getParentRegion(); region != home;
       region = region->getParentRegion())
    if (auto loop = dyn_cast<shlo::WhileOp>(region->getParentOp()))
      result = endTime.at(loop) - 1;
  return result;
}

Interval BufferPlan::scopeOf(Block *block) const {
  Operation *owner = block->getParentOp();
  if (owner == func.getOperation())
    return {INT64_MIN, INT64_MAX};
  return {time.at(owner) + 1, time.at(block->getTerminator())};
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

unsigned BufferPlan::addStorage(Value value, Storage::Kind kind) {
  unsigned id = storages.size();
  Storage storage;
  storage.kind = kind;
  if (value) {
    storage.bytes = plan::getTensorBytes(cast<ShapedType>(value.getType()));
    storage.isHost = plan::isOnHost(value.getType());
    storage.members.push_back(value);
    storageIds[value] = id;
    values.push_back(value);
  }
  storages.push_back(std::move(storage));
  parent.push_back(id);
  return id;
}

void BufferPlan::addView(Value view, Value base, Place place) {
  views[view] = {canonical(base), std::move(place)};
  values.push_back(view);
}

LogicalResult BufferPlan::addOp(Operation *op) {
  for (Value result : op->getResults()) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (type && plan::getTensorBytes(type) < 0)
      return op->emitError("cannot plan memory for ")
             << type << ": "
             << (type.hasStaticShape() ? "its bytes overflow 63 bits"
                                       : "its shape is dynamic");
  }
  if (auto loop = dyn_cast<shlo::WhileOp>(op)) {
    for (unsigned i = 0; i < loop.getOperand().size(); ++i) {
      Value arg = loop.getBody().getArgument(i);
      if (isInvariant(loop, i) || !isDevice(arg))
        continue;
      addStorage(arg);
      addStorage(loop->getResult(i));
    }
    return success();
  }
  if (auto view = getView(op, scalars)) {
    addView(op->getResult(0), view->first, std::move(view->second));
    return success();
  }
  for (Value result : op->getResults()) {
    if (!isDevice(result))
      continue;
    bool isConstant = isa<shlo::ConstantOp>(op);
    unsigned id =
        addStorage(result, isConstant ? Storage::Constant : Storage::Arena);
    storages[id].writable = !isConstant;
  }
  return success();
}

LogicalResult BufferPlan::addValues(Region &region) {
  for (Block &block : region)
    for (Operation &op : block) {
      if (failed(addOp(&op)))
        return failure();
      if (isa<shlo::WhileOp, shlo::IfOp, shlo::CaseOp>(op))
        for (Region &nested : op.getRegions())
          if (failed(addValues(nested)))
            return failure();
    }
  return success();
}

void BufferPlan::addLiveness() {
  for (Value value : values) {
    Interval interval{defTime(value), defTime(value)};
    auto addUses = [&](Value v) {
      for (OpOperand &use : v.getUses())
        interval.end = std::max(interval.end, useTime(v, use.getOwner()));
    };
    addUses(value);
    if (auto arg = dyn_cast<BlockArgument>(value))
      if (auto loop = dyn_cast<shlo::WhileOp>(arg.getOwner()->getParentOp())) {
        addUses(loop.getCond().getArgument(arg.getArgNumber()));
        // The loop may end after its condition; then this is the result.
        interval.end = std::max(
            interval.end, time.at(loop.getCond().front().getTerminator()));
      }
    Storage &storage = storages[storageOf(value)];
    storage.live.push_back(interval);
    if (views.contains(value))
      storage.members.push_back(value);
  }
}

unsigned BufferPlan::storageOf(Value value) const {
  value = canonical(value);
  for (auto it = views.find(value); it != views.end(); it = views.find(value))
    value = it->second.first;
  return find(storageIds.at(value));
}

Place BufferPlan::placeOf(Value value) const {
  value = canonical(value);
  Place place;
  for (auto it = views.find(value); it != views.end(); it = views.find(value)) {
    place = it->second.second.plus(place);
    value = it->second.first;
  }
  if (auto it = ownerPlaces.find(value); it != ownerPlaces.end())
    place = it->second.plus(place);
  return place;
}

LogicalResult BufferPlan::build() {
  number(func.getBody());
  for (BlockArgument arg : func.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(arg.getType());
    if (!type)
      continue;
    if (plan::getTensorBytes(type) < 0)
      return func.emitError("cannot plan memory for argument ")
             << arg.getArgNumber() << " of type " << type;
    unsigned id = addStorage(arg, Storage::Argument);
    storages[id].index = arg.getArgNumber();
    storages[id].writable = isDonated(func, arg.getArgNumber());
  }
  if (failed(addValues(func.getBody())))
    return failure();
  addLiveness();

  mergeUpdates();
  // Inner loops first: what they carry is settled when outer ones ask.
  func.walk<WalkOrder::PostOrder>([&](Operation *op) {
    if (auto loop = dyn_cast<shlo::WhileOp>(op))
      mergeCarried(loop);
    else if (isa<shlo::IfOp, shlo::CaseOp>(op))
      mergeBranches(op);
  });
  mergeResults();
  mergeOverwrites();
  forwardUpdates();
  return checkHost();
}

/// What is in the memory of the host stays where it is: nothing but rows is
/// copied.
LogicalResult BufferPlan::checkHost() {
  auto isFixed = [&](Value value) {
    const Storage &storage = storages[storageOf(value)];
    return storage.isHost && storage.kind == Storage::Arena;
  };
  WalkResult result = func.walk([&](Operation *op) {
    if (auto row = dyn_cast<plan::OffloadRowOp>(op);
        row && (storageOf(row.getStack()) != storageOf(row.getResult()) ||
                !isFixed(row.getResult())))
      return WalkResult(row.emitOpError("would need a copy of the stack"));
    if (auto loop = dyn_cast<shlo::WhileOp>(op))
      for (unsigned i = 0; i < loop.getOperand().size(); ++i)
        if (plan::isOnHost(loop.getOperand()[i].getType()) &&
            !isInvariant(loop, i) &&
            (needsCopy(loop, i) ||
             needsCopy(loop.getBody().front().getTerminator(), i) ||
             !isFixed(loop.getBody().getArgument(i))))
          return WalkResult(loop.emitOpError(
              "carries a stack in the memory of the host that would need a "
              "copy"));
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}
