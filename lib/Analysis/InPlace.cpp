// Which outputs of a group may lie in the memory of which inputs.
#include "GrowingGroup.h"

#include "shoal/Analysis/OpTraits.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

void shoal::findOverwritable(GrowingGroup &group, ArrayRef<Operation *> ops) {
  // In place: the input is read at the index at which the output is written,
  // and nowhere else.
  for (auto [i, output] : llvm::enumerate(group.outputs)) {
    for (auto [j, input] : llvm::enumerate(group.inputs)) {
      if (input.getType() != output.getType())
        continue;
      bool good = true;
      if (group.kind == FusionGroup::Kind::Update) {
        unsigned result = cast<OpResult>(output).getResultNumber();
        if (output.getDefiningOp() != group.root)
          continue;
        for (Operation *op : ops)
          for (OpOperand &use : op->getOpOperands())
            if (use.get() == input)
              good &= op == group.root && use.getOperandNumber() == result;
      } else if (group.kind == FusionGroup::Kind::Loop ||
                 group.kind == FusionGroup::Kind::Rows) {
        auto identity = IndexRelation::identity(group.space.size());
        // Rows of one element are emitted another way, output by output.
        int64_t columns = 1;
        for (int64_t d : group.reduced)
          columns *= group.space[d];
        good = (group.reduced.empty() || columns > 1) &&
               shapeOf(output) == ArrayRef<int64_t>(group.space) &&
               group.members[output.getDefiningOp()].relation == identity;
        for (Operation *op : ops)
          for (OpOperand &use : op->getOpOperands())
            if (use.get() == input) {
              if (isa<sh::ReduceOp>(op))
                good &= group.kind == FusionGroup::Kind::Rows;
              else
                good &= classify(op) == OpClass::Elementwise &&
                        group.members[op].relation == identity;
            }
      } else {
        good = false;
      }
      if (good)
        group.mayOverwrite.push_back({i, j});
    }
  }
}
