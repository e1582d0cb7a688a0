// shoal-bind-host-scalars: see Passes.td.
#include "shoal/Analysis/HostScalars.h"
#include "shoal/Schedule/Passes.h"

#include <map>

using namespace mlir;

namespace shoal {
#define GEN_PASS_DEF_BINDHOSTSCALARS
#include "shoal/Schedule/Passes.h.inc"

namespace {
struct BindHostScalars : impl::BindHostScalarsBase<BindHostScalars> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    // Launches of each kernel by which of their operands are host scalars.
    // The key of a variant has a 1 for each operand that is one.
    using Launches = std::map<std::string, SmallVector<plan::LaunchOp>>;
    llvm::MapVector<Operation *, Launches> kernels;
    SymbolTable symbols(module);
    module.walk([&](FunctionOpInterface func) {
      if (isa<plan::KernelOp>(func.getOperation()) || func.isExternal())
        return;
      HostScalars scalars(func);
      func->walk([&](plan::LaunchOp launch) {
        std::string mask;
        for (Value input : launch.getInputs())
          mask.push_back(scalars.contains(input) ? '1' : '0');
        if (auto kernel = symbols.lookup<plan::KernelOp>(launch.getKernel()))
          kernels[kernel][mask].push_back(launch);
      });
    });
    for (auto &[op, variants] : kernels) {
      bool first = true;
      auto kernel = cast<plan::KernelOp>(op);
      plan::KernelOp original = kernel.clone();
      for (auto &[mask, launches] : variants) {
        plan::KernelOp variant = kernel;
        if (!first) {
          variant = original.clone();
          symbols.insert(variant, std::next(Block::iterator(kernel)));
        }
        first = false;
        for (auto [i, isScalar] : llvm::enumerate(mask)) {
          if (isScalar == '1')
            variant.setArgAttr(i, plan::KernelOp::getScalarAttrName(),
                               UnitAttr::get(&getContext()));
          else
            variant.removeArgAttr(i, plan::KernelOp::getScalarAttrName());
        }
        for (plan::LaunchOp launch : launches)
          launch.setKernel(variant.getSymName());
      }
      original.erase();
    }
  }
};
} // namespace
} // namespace shoal
