#include "BufferAlignment.h"

#include "dialects/Plan/Plan.h"

#include <numeric>

using namespace mlir;
using namespace shoal;

/// What every buffer of the runtime has.
static constexpr int64_t wholeAlign = 64;

static int64_t viewAlign(plan::ViewOp view, int64_t base) {
  int64_t align = std::gcd(base, int64_t(view.getOffset()));
  for (int64_t stride : view.getStrides())
    align = std::gcd(align, stride);
  return align;
}

static int64_t alignOf(Value buffer, int64_t worst) {
  Operation *op = buffer.getDefiningOp();
  if (!op)
    return worst; // carried by a loop: any handle
  if (auto view = dyn_cast<plan::ViewOp>(op))
    return viewAlign(view, alignOf(view.getBase(), worst));
  if (auto constant = dyn_cast<plan::ConstantOp>(op))
    return constant.getSharding() ? 1 : wholeAlign;
  if (isa<plan::AllocOp, plan::ArgumentOp, plan::ResultOp>(op))
    return wholeAlign;
  return worst;
}

void shoal::findBufferAlignments(const KernelSource &kernel,
                                 TileSource &source) {
  auto op = kernel.body->getParentOfType<plan::KernelOp>();
  auto module = op ? op->getParentOfType<ModuleOp>() : ModuleOp();
  size_t arguments = kernel.body->getNumArguments();
  size_t outputs =
      kernel.body->front().getTerminator()->getNumOperands();
  source.inputAlign.assign(arguments, wholeAlign);
  source.outputAlign.assign(outputs, wholeAlign);
  if (!module)
    return;
  // Handles that loops and branches pass on: as bad as the worst view.
  int64_t worst = wholeAlign;
  module.walk([&](plan::ViewOp view) {
    worst = std::min(worst, viewAlign(view, wholeAlign));
  });
  module.walk([&](plan::ConstantOp constant) {
    if (constant.getSharding())
      worst = 1;
  });
  module.walk([&](plan::ExecOp exec) {
    if (exec.getKernel() != op.getSymName())
      return;
    unsigned input = 0;
    for (size_t i = 0; i < arguments; ++i) {
      if (i < kernel.scalarInputs.size() && kernel.scalarInputs[i])
        continue;
      if (input < exec.getInputs().size())
        source.inputAlign[i] =
            std::min(source.inputAlign[i],
                     alignOf(exec.getInputs()[input], worst));
      ++input;
    }
    for (auto [align, out] : llvm::zip(source.outputAlign, exec.getOuts()))
      align = std::min(align, alignOf(out, worst));
  });
}
