// shoal-opt: MLIR's optimizer driver over all of Shoal's dialects, passes and
// phase pipelines.

#include "shoal/Pipelines/Phases.h"
#include "shoal/Pipelines/Register.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

#include <cstring>

using namespace shoal;

/// The passes of each phase with their one-line descriptions.
static void listPasses() {
  auto &os = llvm::outs();
  for (Phase phase : allPhases) {
    if (passesOfPhase(phase).empty())
      continue;
    os << stringifyPhase(phase) << ":\n";
    for (llvm::StringRef name : passesOfPhase(phase)) {
      const mlir::PassRegistryEntry *entry = mlir::PassInfo::lookup(name);
      if (!entry)
        entry = mlir::PassPipelineInfo::lookup(name);
      if (!entry)
        continue; // of a part that is not built
      os << "  --" << name;
      os.indent(name.size() < 32 ? 34 - name.size() : 2)
          << entry->getPassDescription() << "\n";
    }
  }
}

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  registerAllPasses();
  mlir::registerTransformsPasses();
  for (int i = 1; i < argc; ++i)
    if (!std::strcmp(argv[i], "--list-passes")) {
      listPasses();
      return 0;
    }
  auto [input, output] = mlir::registerAndParseCLIOptions(
      argc, argv, "Shoal modular optimizer driver\n", registry);
  if (!isReadable(input, registry))
    return 2;
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, input, output, registry));
}
