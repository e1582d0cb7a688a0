#include "Footprints.h"

using namespace mlir;

namespace shoal {

Footprints::Footprints(plan::ProgramOp program)
    : liveness(program), aliasing(liveness) {
  for (const Access &access : liveness.getAccesses()) {
    Value handle = aliasing.getHandle(access.buffer);
    for (Operation *op = access.op; op && op != program.getOperation();
         op = op->getParentOp())
      (access.isWrite ? footprints[op].writes : footprints[op].reads)
          .insert(handle);
  }
}

Operation *Footprints::firstConflict(Operation *collective) {
  const Footprint mine = footprints.lookup(collective);
  Operation *op = collective->getNextNode();
  for (; !op->hasTrait<OpTrait::IsTerminator>() && op->getNextNode();
       op = op->getNextNode()) {
    auto found = footprints.find(op);
    if (found == footprints.end())
      continue;
    auto touches = [&](const auto &some, const auto &others) {
      return llvm::any_of(some, [&](Value a) {
        return llvm::any_of(
            others, [&](Value b) { return !aliasing.areDistinct(a, b); });
      });
    };
    if (touches(found->second.writes, mine.reads) ||
        touches(found->second.writes, mine.writes) ||
        touches(found->second.reads, mine.writes))
      break;
  }
  return op;
}

void Footprints::give(Operation *from, Operation *to) {
  const Footprint theirs = footprints.lookup(from);
  footprints.erase(from);
  footprints[to].reads.insert_range(theirs.reads);
  footprints[to].writes.insert_range(theirs.writes);
}

SmallVector<Value> Footprints::readOnly(Operation *op) {
  const Footprint mine = footprints.lookup(op);
  SmallVector<Value> result;
  for (Value value : mine.reads)
    if (llvm::all_of(mine.writes, [&](Value written) {
          return aliasing.areDistinct(value, written);
        }))
      result.push_back(value);
  return result;
}

} // namespace shoal
