#include "BufferAlignments.h"

#include <numeric>

using namespace mlir;
using namespace shoal;
using namespace shoal::gpu;

static constexpr int64_t best = 256, inArena = 64;

int64_t BufferAlignments::get(Value buffer) const {
  auto it = known.find(buffer);
  return it == known.end() ? best : it->second;
}

bool BufferAlignments::lower(Value buffer, int64_t bytes) {
  int64_t now = get(buffer), next = std::gcd(now, bytes);
  if (next == now)
    return false;
  known[buffer] = next;
  return true;
}

bool BufferAlignments::visit(Operation *op) {
  if (isa<plan::AllocOp, plan::ConstantOp>(op))
    return lower(op->getResult(0), inArena);
  if (auto view = dyn_cast<plan::ViewOp>(op)) {
    int64_t bytes = std::gcd(get(view.getBase()), view.getOffset());
    for (int64_t stride : view.getStrides())
      bytes = std::gcd(bytes, stride);
    return lower(view.getView(), bytes);
  }
  // Carried handles: what goes in, what is yielded, what comes out.
  if (!isa<plan::ForOp, plan::WhileOp>(op))
    return false;
  bool isFor = isa<plan::ForOp>(op);
  OperandRange inits = isFor ? cast<plan::ForOp>(op).getInits()
                             : cast<plan::WhileOp>(op).getInits();
  Block &body = op->getRegions().back().front();
  Operation *yield = body.getTerminator();
  bool changed = false;
  for (auto [i, init] : llvm::enumerate(inits)) {
    if (!isa<plan::BufferType>(init.getType()))
      continue;
    Value inside = body.getArgument(i + isFor);
    changed |= lower(inside, get(init));
    if (i < yield->getNumOperands())
      changed |= lower(inside, get(yield->getOperand(i)));
    if (!isFor) {
      Block &cond = op->getRegion(0).front();
      changed |= lower(cond.getArgument(i), get(inside));
    }
    changed |= lower(op->getResult(i), get(inside));
  }
  return changed;
}

BufferAlignments::BufferAlignments(ModuleOp module) {
  // What is known only gets less, in few steps.
  for (bool changed = true; changed;) {
    changed = false;
    module.walk([&](Operation *op) { changed |= visit(op); });
  }
  module.walk([&](plan::ExecOp exec) {
    launches[exec.getKernelAttr().getAttr()].push_back(exec);
  });
}

void BufferAlignments::of(plan::KernelOp kernel,
                          SmallVectorImpl<int64_t> &inputs,
                          SmallVectorImpl<int64_t> &outputs) const {
  inputs.assign(kernel.getArgumentTypes().size(), inArena);
  outputs.assign(kernel.getResultTypes().size(), inArena);
  auto it = launches.find(kernel.getSymNameAttr());
  if (it == launches.end())
    return;
  for (plan::ExecOp exec : it->second) {
    unsigned next = 0;
    for (unsigned i = 0; i < inputs.size(); ++i)
      if (!kernel.isScalarArg(i))
        inputs[i] = std::gcd(inputs[i], get(exec.getInputs()[next++]));
    for (auto [align, out] : llvm::zip_equal(outputs, exec.getOuts()))
      align = std::gcd(align, get(out));
  }
}
