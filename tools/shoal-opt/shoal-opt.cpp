// shoal-opt: MLIR's optimizer driver over all of Shoal's dialects, passes and
// phase pipelines.

#include "shoal/Pipelines/PackBooleans.h"
#include "shoal/Pipelines/Phases.h"
#include "shoal/Pipelines/Register.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"

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

/// What MlirOptMain does with the file it opens.
static llvm::LogicalResult runOn(std::unique_ptr<llvm::MemoryBuffer> source,
                                 llvm::StringRef file,
                                 mlir::DialectRegistry &registry,
                                 const mlir::MlirOptMainConfig &config) {
  std::string error;
  auto output = mlir::openOutputFile(file, &error);
  if (!output) {
    llvm::errs() << error << "\n";
    return llvm::failure();
  }
  if (failed(mlir::MlirOptMain(output->os(), std::move(source), registry,
                               config)))
    return llvm::failure();
  output->keep();
  return llvm::success();
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
  auto config = mlir::MlirOptMainConfig::createFromCLOptions();
  if (!config.shouldShowDialects() && !config.shouldListPasses())
    if (auto source = llvm::MemoryBuffer::getFileOrSTDIN(input)) {
      auto packed = packBooleans(**source);
      if (packed || input == "-")
        return mlir::asMainReturnCode(
            runOn(packed ? std::move(packed) : std::move(*source), output,
                  registry, config));
    }
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, input, output, registry));
}
