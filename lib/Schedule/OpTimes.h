// Modelled seconds of each op of a function in phase `fused`, and what runs it.
#ifndef SHOAL_LIB_SCHEDULE_OPTIMES_H
#define SHOAL_LIB_SCHEDULE_OPTIMES_H

#include "shoal/Analysis/HostScalars.h"
#include "shoal/Analysis/OpCosts.h"
#include "shoal/Analysis/OpSeconds.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/BuiltinOps.h"

namespace shoal {

class OpTimes {
public:
  OpTimes(mlir::ModuleOp module, const Hardware &hardware,
          const HostScalars &scalars)
      : hardware(hardware), scalars(scalars), symbols(module),
        collectives(hardware) {}

  struct Time {
    double seconds = 0;
    /// 0 for what the device computes, else the links' number plus one.
    unsigned resource = 0;
  };
  Time of(mlir::Operation *op) {
    if (auto collective = llvm::dyn_cast<comm::CollectiveOpInterface>(op))
      return {collectives.of(collective).seconds,
              collectives.shapeOf(collective).top() + 1};
    if (auto launch = llvm::dyn_cast<plan::LaunchOp>(op)) {
      auto [seconds, isNew] = kernels.try_emplace(launch.getKernelAttr(), 0);
      if (isNew)
        if (auto kernel = symbols.lookup<plan::KernelOp>(launch.getKernel()))
          seconds->second = kernelSeconds(kernel, hardware);
      return {seconds->second, 0};
    }
    // Each way has links of its own.
    bool toHost = llvm::isa<plan::OffloadOp, plan::OffloadRowOp>(op);
    if (toHost || llvm::isa<plan::FetchOp, plan::FetchRowOp>(op))
      return {hardware.hostCopySeconds(static_cast<double>(tensorBytesOf(
                  (toHost ? op->getOperand(0) : op->getResult(0)).getType()))),
              static_cast<unsigned>(hardware.links.size()) + (toHost ? 1 : 2)};
    double inner = librarySeconds(op, hardware);
    for (mlir::Region &region : op->getRegions())
      for (mlir::Operation &nested : region.getOps())
        inner += of(&nested).seconds;
    if (auto loop = llvm::dyn_cast<mlir::stablehlo::WhileOp>(op))
      if (auto counted = scalars.getCountedLoop(loop))
        inner *= static_cast<double>(
            std::max<int64_t>(counted->tripCount.value_or(1), 1));
    return {inner, 0};
  }

private:
  const Hardware &hardware;
  const HostScalars &scalars;
  mlir::SymbolTable symbols;
  CollectiveTimes collectives;
  llvm::DenseMap<mlir::Attribute, double> kernels;
};

} // namespace shoal

#endif // SHOAL_LIB_SCHEDULE_OPTIMES_H
