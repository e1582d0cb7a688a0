#include "HandleAliasing.h"

using namespace mlir;

namespace shoal {

static OperandRange getInits(Operation *loop) {
  if (auto counted = dyn_cast<plan::ForOp>(loop))
    return counted.getInits();
  return cast<plan::WhileOp>(loop).getInits();
}

static Block &getBody(Operation *loop) {
  return loop->getRegion(isa<plan::ForOp>(loop) ? 0 : 1).front();
}

/// A counted loop's body has its counter first.
static unsigned firstCarried(Operation *loop) {
  return isa<plan::ForOp>(loop) ? 1 : 0;
}

std::pair<Operation *, unsigned> HandleAliasing::getCarried(Value handle) {
  if (auto result = dyn_cast<OpResult>(handle)) {
    if (isa<plan::ForOp, plan::WhileOp>(result.getOwner()))
      return {result.getOwner(), result.getResultNumber()};
    return {nullptr, 0};
  }
  auto argument = cast<BlockArgument>(handle);
  Operation *loop = argument.getOwner()->getParentOp();
  if (!isa_and_nonnull<plan::ForOp, plan::WhileOp>(loop) ||
      argument.getArgNumber() < firstCarried(loop))
    return {nullptr, 0};
  return {loop, argument.getArgNumber() - firstCarried(loop)};
}

Value HandleAliasing::getHandle(Value buffer) const {
  for (;;) {
    if (auto view = buffer.getDefiningOp<plan::ViewOp>()) {
      buffer = view.getBase();
      continue;
    }
    // What a loop hands on unchanged is what it was before.
    auto [loop, i] = getCarried(buffer);
    if (!loop)
      return buffer;
    Block &body = getBody(loop);
    if (body.getTerminator()->getOperand(i) !=
        body.getArgument(i + firstCarried(loop)))
      return buffer;
    buffer = getInits(loop)[i];
  }
}

const HandleAliasing::Indices &HandleAliasing::getPermuted(Operation *loop) {
  auto [found, isNew] = permuted.try_emplace(loop);
  if (!isNew)
    return found->second;
  Block &body = getBody(loop);
  Indices set;
  for (auto [i, init] : llvm::enumerate(getInits(loop)))
    if (isa<plan::BufferType>(init.getType()))
      set.insert(i);
  for (bool changed = true; changed;) {
    SmallVector<unsigned> drop;
    llvm::SmallDenseSet<unsigned> taken;
    SmallVector<unsigned> kept;
    for (auto [i, init] : llvm::enumerate(getInits(loop))) {
      if (!set.contains(i))
        continue;
      Value next = getHandle(body.getTerminator()->getOperand(i));
      auto argument = dyn_cast<BlockArgument>(next);
      bool good = argument && argument.getOwner() == &body &&
                  argument.getArgNumber() >= firstCarried(loop);
      unsigned from = good ? argument.getArgNumber() - firstCarried(loop) : 0;
      good = good && set.contains(from) && taken.insert(from).second;
      for (unsigned other : kept)
        good = good && areDistinct(init, getInits(loop)[other]);
      (good ? kept : drop).push_back(i);
    }
    for (unsigned i : drop)
      set.erase(i);
    changed = !drop.empty();
  }
  return permuted[loop] = set;
}

bool HandleAliasing::areDistinct(Value a, Value b) {
  a = getHandle(a);
  b = getHandle(b);
  if (a == b)
    return false;
  ArrayRef<Operation *> rootsA = liveness.getRoots(a),
                        rootsB = liveness.getRoots(b);
  if (!rootsA.empty() && !rootsB.empty() &&
      llvm::none_of(rootsA, [&](Operation *root) {
        return llvm::is_contained(rootsB, root);
      }))
    return true;
  auto [loopA, i] = getCarried(a);
  auto [loopB, j] = getCarried(b);
  if (!loopA || loopA != loopB || i == j ||
      a.getParentBlock() != b.getParentBlock())
    return false;
  const Indices &set = getPermuted(loopA);
  return set.contains(i) && set.contains(j);
}

} // namespace shoal
