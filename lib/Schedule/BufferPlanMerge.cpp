// Merging storages of the buffer plan, in order of what a copy would cost.
#include "BufferPlan.h"

using namespace mlir;
using namespace shoal;
namespace shlo = mlir::stablehlo;

//===----------------------------------------------------------------------===//
// Interference
//===----------------------------------------------------------------------===//

unsigned BufferPlan::find(unsigned id) const {
  while (parent[id] != id) {
    parent[id] = parent[parent[id]];
    id = parent[id];
  }
  return id;
}

bool BufferPlan::isWhole(Value value) const {
  return placeOf(value).isZero() &&
         plan::getTensorBytes(cast<ShapedType>(value.getType())) ==
             storages[storageOf(value)].bytes;
}

/// True if the op at `time` may write its result, in storage `to`, while it
/// reads its operands, in storage `from`, given that the two become one.
bool BufferPlan::mayTouch(int64_t when, unsigned from, unsigned to) const {
  auto it = opAt.find(when);
  if (it == opAt.end())
    return false;
  Operation *op = it->second;
  SmallVector<std::pair<unsigned, unsigned>> pairs = getInPlacePairs(op);
  if (pairs.empty())
    return false;
  int result = -1;
  for (OpResult r : op->getResults())
    if (isDevice(r) && storageOf(r) == to) {
      if (result >= 0 || !isWhole(r))
        return false;
      result = r.getResultNumber();
    }
  if (result < 0)
    return false;
  bool found = false;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isDevice(operand.get()) || storageOf(operand.get()) != from)
      continue;
    if (!isWhole(operand.get()) ||
        !llvm::is_contained(pairs,
                            std::make_pair(operand.getOperandNumber(),
                                           static_cast<unsigned>(result))))
      return false;
    found = true;
  }
  return found;
}

bool BufferPlan::interfere(const Storage &a, const Storage &b, unsigned idA,
                           unsigned idB) const {
  for (const Interval &x : a.live)
    for (const Interval &y : b.live) {
      if (x.end < y.begin || y.end < x.begin)
        continue;
      if (x.end == y.begin && mayTouch(x.end, idA, idB))
        continue;
      if (y.end == x.begin && mayTouch(y.end, idB, idA))
        continue;
      return true;
    }
  return false;
}

bool BufferPlan::tryMerge(unsigned a, unsigned b) {
  a = find(a);
  b = find(b);
  if (a == b)
    return true;
  if (storages[a].kind == Storage::Arena)
    std::swap(a, b);
  Storage &into = storages[a], &from = storages[b];
  if (from.kind != Storage::Arena || !into.writable ||
      into.bytes != from.bytes || into.bytes == 0 ||
      into.isHost != from.isHost)
    return false;
  auto inScope = [&](const Interval &i) {
    return i.begin >= into.scope.begin && i.end <= into.scope.end;
  };
  if (!llvm::all_of(from.live, inScope) || interfere(into, from, a, b))
    return false;
  parent[b] = a;
  into.live.append(from.live);
  into.members.append(from.members);
  return true;
}

//===----------------------------------------------------------------------===//
// Updates in place
//===----------------------------------------------------------------------===//

void BufferPlan::mergeUpdates() {
  func.walk([&](shlo::DynamicUpdateSliceOp update) {
    if (!scalars.isHostView(update))
      return;
    copies.insert({update, 1});
    if (!isDevice(update.getOperand()) || !isWhole(update.getOperand()) ||
        !tryMerge(storageOf(update.getOperand()),
                  storageOf(update.getResult())))
      copies.insert({update, 0});
  });
  func.walk([&](plan::OffloadRowOp row) {
    tryMerge(storageOf(row.getStack()), storageOf(row.getResult()));
  });
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

void BufferPlan::mergeCarried(shlo::WhileOp loop) {
  Block &body = loop.getBody().front();
  Operation *yield = body.getTerminator();
  int64_t start = time.at(loop), end = time.at(yield);
  Interval scope = scopeOf(&body);

  SmallVector<unsigned> byHandle;
  for (unsigned i = 0; i < loop.getOperand().size(); ++i) {
    Value arg = body.getArgument(i), next = yield->getOperand(i);
    if (isInvariant(loop, i) || !isDevice(arg))
      continue;
    bool whole = isDevice(next) && isWhole(next);
    unsigned carried = storageOf(arg);
    if (whole && tryMerge(carried, storageOf(next)))
      continue;
    // The next value has memory of its own while this one is still needed:
    // exchange the two, if that memory is the body's.
    const Storage *other = whole ? &storages[storageOf(next)] : nullptr;
    bool exchangeable =
        other && other->bytes > 0 &&
        (other->kind == Storage::Arena || other->kind == Storage::Handle) &&
        llvm::all_of(other->live, [&](const Interval &interval) {
          return interval.begin >= scope.begin && interval.end <= scope.end;
        });
    bool liveAtEnd = llvm::any_of(storages[carried].live, [&](Interval live) {
      return live.begin <= end && end <= live.end;
    });
    if (storages[carried].bytes > 0 && (exchangeable || liveAtEnd)) {
      byHandle.push_back(i);
      continue;
    }
    copies.insert({yield, i});
    storages[carried].live.push_back({end, end});
  }
  // A carried value that is yielded in another's place must go by handle too;
  // it does, because it lives to the end and its own next value cannot merge.

  for (unsigned i = 0; i < loop.getOperand().size(); ++i) {
    Value arg = body.getArgument(i), init = loop.getOperand()[i];
    if (isInvariant(loop, i) || !isDevice(arg) ||
        llvm::is_contained(byHandle, i))
      continue;
    bool merged = tryMerge(storageOf(arg), storageOf(loop->getResult(i)));
    assert((merged || storages[storageOf(arg)].bytes == 0) &&
           "a loop's result lives after all that it carries");
    (void)merged;
    unsigned carried = storageOf(arg);
    if (isDevice(init) && isWhole(init) && tryMerge(carried, storageOf(init)))
      continue;
    copies.insert({loop, i});
    storages[find(carried)].live.push_back({start, start});
  }
  if (!byHandle.empty())
    carryByHandles(loop, byHandle);
}

void BufferPlan::carryByHandles(shlo::WhileOp loop,
                                ArrayRef<unsigned> carries) {
  Block &body = loop.getBody().front();
  Operation *yield = body.getTerminator();
  Interval scope = scopeOf(&body);
  Interval after{endTime.at(loop), scopeOf(loop->getBlock()).end};
  LoopPlan &plan = loops[loop];

  auto makeHandle = [&](unsigned storage, Interval where, unsigned index,
                        bool isResult) {
    Storage &s = storages[storage];
    s.kind = Storage::Handle;
    s.loop = loop;
    s.isLoopResult = isResult;
    s.index = index;
    s.scope = where;
  };
  /// A handle, with its memory, which lives from the loop's start on.
  auto addHandle = [&](Type type, int carry, unsigned argStorage,
                       unsigned resultStorage) -> unsigned {
    unsigned index = plan.handles.size();
    unsigned underlying = addStorage(Value());
    storages[underlying].bytes = storages[argStorage].bytes;
    storages[underlying].live.push_back({time.at(loop) + 1, after.end});
    plan.handles.push_back({type, underlying, carry});
    plan.argStorages.push_back(argStorage);
    plan.resultStorages.push_back(resultStorage);
    makeHandle(argStorage, scope, index, false);
    makeHandle(resultStorage, after, index, true);
    return index;
  };
  auto addSpare = [&](Type type, unsigned argStorage) {
    unsigned result = addStorage(Value());
    storages[result].bytes = storages[argStorage].bytes;
    return addHandle(type, -1, argStorage, result);
  };

  for (unsigned i : carries) {
    Value arg = body.getArgument(i), init = loop.getOperand()[i];
    unsigned handle = addHandle(arg.getType(), i, storageOf(arg),
                                storageOf(loop->getResult(i)));
    unsigned underlying = plan.handles[handle].underlying;
    if (!isDevice(init) || !isWhole(init) ||
        !tryMerge(underlying, storageOf(init))) {
      copies.insert({loop, i});
      storages[underlying].live.push_back({time.at(loop), time.at(loop)});
    }
  }

  SmallVector<unsigned> next(carries.size());
  llvm::SmallDenseSet<unsigned> taken;
  for (auto [position, i] : llvm::enumerate(carries)) {
    Value value = yield->getOperand(i);
    Type type = body.getArgument(i).getType();
    if (isDevice(value) && isWhole(value)) {
      unsigned id = storageOf(value);
      Storage &storage = storages[id];
      bool inside = llvm::all_of(storage.live, [&](const Interval &interval) {
        return interval.begin >= scope.begin && interval.end <= scope.end;
      });
      if (storage.kind == Storage::Handle && storage.loop == loop &&
          !storage.isLoopResult && taken.insert(storage.index).second) {
        next[position] = storage.index;
        continue;
      }
      if (storage.kind == Storage::Arena && inside) {
        next[position] = addSpare(type, id);
        taken.insert(next[position]);
        continue;
      }
    }
    // Copied at the end of the body, into memory that is otherwise unused.
    unsigned id = addStorage(Value());
    storages[id].bytes = plan::getTensorBytes(cast<ShapedType>(type));
    storages[id].live.push_back({time.at(yield), time.at(yield)});
    unsigned spare = addSpare(type, id);
    copies.insert({yield, i});
    copyHandles[{yield, i}] = spare;
    next[position] = spare;
    taken.insert(spare);
  }

  // Handles nobody continues become the next iteration's spares. There are as
  // many of each size as spares: each spare that is taken leaves one behind.
  plan.next.assign(plan.handles.size(), ~0u);
  for (auto [position, handle] : llvm::enumerate(next))
    plan.next[position] = handle;
  for (unsigned spare = carries.size(); spare < plan.handles.size(); ++spare)
    for (unsigned handle = 0; handle < plan.handles.size(); ++handle)
      if (!taken.contains(handle) &&
          storages[plan.argStorages[handle]].bytes ==
              storages[plan.argStorages[spare]].bytes) {
        taken.insert(handle);
        plan.next[spare] = handle;
        break;
      }
}

//===----------------------------------------------------------------------===//
// Branches, results, kernels
//===----------------------------------------------------------------------===//

void BufferPlan::mergeBranches(Operation *op) {
  SmallVector<Operation *> yields;
  for (Region &region : op->getRegions())
    yields.push_back(region.front().getTerminator());
  auto liveAt = [&](unsigned id, int64_t when) {
    return llvm::any_of(storages[id].live, [&](const Interval &live) {
      return live.begin <= when && when <= live.end;
    });
  };
  for (OpResult result : op->getResults()) {
    if (!isDevice(result))
      continue;
    unsigned i = result.getResultNumber();
    for (Operation *yield : yields) {
      Value value = yield->getOperand(i);
      unsigned id = storageOf(result);
      // Other branches may have to copy into the result at their end: what they
      // still need then must not lie there.
      bool mergeable = isDevice(value) && isWhole(value) &&
                       llvm::all_of(yields, [&](Operation *other) {
                         Value theirs = other->getOperand(i);
                         return other == yield ||
                                !liveAt(storageOf(value), time.at(other)) ||
                                (isDevice(theirs) && isWhole(theirs) &&
                                 storageOf(theirs) == storageOf(value));
                       });
      if (mergeable && tryMerge(id, storageOf(value)))
        continue;
      copies.insert({yield, i});
      storages[find(id)].live.push_back({time.at(yield), time.at(yield)});
    }
  }
}

void BufferPlan::mergeResults() {
  Operation *ret = func.getBody().front().getTerminator();
  unsigned n = ret->getNumOperands();
  resultStorages.assign(n, -1);
  resultArguments.assign(n, -1);
  llvm::SmallDenseSet<unsigned> takenArguments;
  auto leave = [&](unsigned i, unsigned argument, unsigned storage) {
    takenArguments.insert(argument);
    resultArguments[i] = argument;
    resultStorages[i] = storage;
  };
  // Donated arguments first: each pair the user named.
  for (BlockArgument arg : func.getArguments()) {
    auto alias = func.getArgAttrOfType<IntegerAttr>(arg.getArgNumber(),
                                                    "tf.aliasing_output");
    if (!alias || !isDevice(arg) || alias.getInt() < 0 || alias.getInt() >= n)
      continue;
    unsigned i = alias.getInt();
    Value value = ret->getOperand(i);
    if (resultArguments[i] < 0 && isDevice(value) && isWhole(value) &&
        tryMerge(storageOf(arg), storageOf(value)))
      leave(i, arg.getArgNumber(), storageOf(arg));
  }
  for (unsigned i = 0; i < n; ++i) {
    Value value = ret->getOperand(i);
    if (resultArguments[i] >= 0)
      continue;
    copies.insert({ret, i});
    if (!isDevice(value) || !isWhole(value))
      continue;
    unsigned id = storageOf(value);
    Storage &storage = storages[id];
    if (storage.kind == Storage::Arena && storage.bytes > 0) {
      storage.kind = Storage::Result;
      storage.index = i;
      resultStorages[i] = id;
      copies.erase({ret, i});
    } else if (storage.kind == Storage::Argument && storage.writable &&
               !takenArguments.contains(storage.index)) {
      leave(i, storage.index, id);
      copies.erase({ret, i});
    }
  }
}

void BufferPlan::mergeOverwrites() {
  func.walk([&](Operation *op) {
    if (isa<shlo::DynamicUpdateSliceOp>(op))
      return;
    for (auto [operand, result] : getInPlacePairs(op)) {
      Value from = op->getOperand(operand), to = op->getResult(result);
      if (isDevice(from) && isDevice(to) && isWhole(from) && isWhole(to))
        tryMerge(storageOf(from), storageOf(to));
    }
  });
}

//===----------------------------------------------------------------------===//
// Producers that write right into the slice of a larger buffer
//===----------------------------------------------------------------------===//

void BufferPlan::forwardUpdates() {
  func.walk([&](shlo::DynamicUpdateSliceOp update) {
    if (scalars.isHostView(update) && !needsCopy(update, 0) &&
        tryForward(update))
      copies.erase({update, 1});
  });
}

bool BufferPlan::tryForward(shlo::DynamicUpdateSliceOp update) {
  Value part = update.getUpdate();
  if (!isDevice(part) || !isWhole(part))
    return false;
  unsigned from = storageOf(part), into = storageOf(update.getResult());
  if (from == into || storages[from].kind != Storage::Arena)
    return false;
  // All of the part's life lies in this block, where the indices do not change.
  Interval scope = scopeOf(update->getBlock());
  int64_t first = INT64_MAX, last = INT64_MIN, when = time.at(update);
  for (const Interval &interval : storages[from].live) {
    first = std::min(first, interval.begin);
    last = std::max(last, interval.end);
  }
  if (first < scope.begin || last > scope.end)
    return false;
  // What takes the part's memory over after the update would write into the
  // large buffer, which may be read then.
  for (Value member : storages[from].members)
    if (!views.contains(member) && defTime(member) > when)
      return false;
  // Nobody looks at the large buffer between the first write and the update,
  // nor writes to it while the part is still read.
  for (Value member : storages[into].members) {
    int64_t defined = defTime(member);
    if (member != update.getResult() && defined >= first && defined <= last &&
        !views.contains(member))
      return false;
    SmallVector<Value, 2> names{member};
    if (auto arg = dyn_cast<BlockArgument>(member))
      if (auto loop = dyn_cast<shlo::WhileOp>(arg.getOwner()->getParentOp()))
        names.push_back(loop.getCond().getArgument(arg.getArgNumber()));
    for (Value name : names)
      for (Operation *user : name.getUsers()) {
        int64_t used = time.at(user);
        if (user != update && !getView(user, scalars) && used >= first &&
            used < when)
          return false;
      }
  }
  // The indices must be known at the first write: host scalars are computed at
  // the start of their block, except what comes out of a loop.
  std::function<bool(Value)> known = [&](Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || endTime.at(op) < first)
      return true;
    return scalars.isHostOp(op) && llvm::all_of(op->getOperands(), known);
  };
  Place place = placeOf(update.getResult());
  Place block = getUpdatePlace(update);
  for (const Place::Term &term : block.terms)
    if (!known(term.index))
      return false;
  place = place.plus(block);
  for (Value member : storages[from].members)
    if (!views.contains(member))
      ownerPlaces[member] = place.plus(ownerPlaces.lookup(member));
  parent[from] = into;
  storages[into].live.append(storages[from].live);
  storages[into].members.append(storages[from].members);
  return true;
}
