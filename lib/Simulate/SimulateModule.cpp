#include "shoal/Simulate/SimulateModule.h"

#include "shoal/Analysis/OpSeconds.h"
#include "shoal/Package/Package.h"

using namespace mlir;

namespace shoal {

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
  options.trace |= trace != nullptr;
  Simulation simulation = simulate(program, options);
  if (trace)
    *trace = chromeTrace(program, simulation);
  return simulation;
}

} // namespace shoal
