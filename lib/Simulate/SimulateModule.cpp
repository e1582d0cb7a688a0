#include "shoal/Simulate/SimulateModule.h"

#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/OpCosts.h"
#include "shoal/Package/Package.h"

using namespace mlir;

namespace shoal {

/// Bytes of `value` that its users read.
static double bytesRead(Value value) {
  double whole = static_cast<double>(tensorBytesOf(value.getType()));
  double parts = 0;
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    unsigned number = use.getOperandNumber();
    if (isa<stablehlo::SliceOp, stablehlo::DynamicSliceOp, stablehlo::GatherOp>(
            user) &&
        number == 0)
      parts += static_cast<double>(tensorBytesOf(user->getResult(0).getType()));
    else if (isa<stablehlo::DynamicUpdateSliceOp, stablehlo::ScatterOp>(user) &&
             number == 0)
      continue; // counted with what is written
    else
      return whole;
  }
  return std::min(whole, parts);
}

/// Bytes that are written where the kernel yields `value`.
static double bytesWritten(Value value, bool inPlace) {
  if (inPlace) {
    if (auto update = value.getDefiningOp<stablehlo::DynamicUpdateSliceOp>())
      return static_cast<double>(tensorBytesOf(update.getUpdate().getType()));
    if (auto scatter = value.getDefiningOp<stablehlo::ScatterOp>())
      return 2 * static_cast<double>(
                     tensorBytesOf(scatter.getUpdates().front().getType()));
  }
  return static_cast<double>(tensorBytesOf(value.getType()));
}

double kernelSeconds(plan::KernelOp kernel, const Hardware &hardware) {
  Block &body = kernel.getBody().front();
  double bytes = 0, flops = 0;
  ComputeType type = ComputeType::F32;
  for (auto [i, argument] : llvm::enumerate(body.getArguments()))
    if (!kernel.isScalarArg(i))
      bytes += bytesRead(argument);
  for (auto [i, value] : llvm::enumerate(body.getTerminator()->getOperands()))
    bytes += bytesWritten(value, !kernel.getOverwritable(i).empty());
  kernel.getBody().walk([&](Operation *op) {
    if (int64_t count = flopsOf(op)) {
      flops += static_cast<double>(count);
      type = computeTypeOf(op->getOperand(0).getType());
    }
  });
  return hardware.kernelSeconds(flops, type, bytes);
}

FailureOr<Simulation> simulateModule(ModuleOp module, SimulationOptions options,
                                     std::string *trace) {
  FailureOr<ProgramTable> encoded = buildProgramTable(module, PackageOptions());
  if (failed(encoded))
    return failure();
  std::vector<uint64_t> aligned(encoded->table.size() / 8 + 1);
  std::copy(encoded->table.begin(), encoded->table.end(),
            reinterpret_cast<char *>(aligned.data()));
  program::View program(aligned.data());
  llvm::StringMap<plan::KernelOp> kernels;
  for (auto kernel : module.getOps<plan::KernelOp>())
    kernels[kernel.getSymName()] = kernel;
  std::vector<double> seconds;
  for (const program::Kernel &record :
       program.section<program::Kernel>(program::Section::Kernels)) {
    std::string_view name = program.str(record.name);
    plan::KernelOp kernel = kernels.lookup(StringRef(name.data(), name.size()));
    seconds.push_back(kernel ? kernelSeconds(kernel, *options.hardware)
                             : options.hardware->kernelSeconds(
                                   0, ComputeType::F32, record.bytes));
  }
  options.kernelSeconds = seconds;
  options.trace = trace != nullptr;
  Simulation simulation = simulate(program, options);
  if (trace)
    *trace = chromeTrace(program, simulation);
  return simulation;
}

} // namespace shoal
