// A module made for NVPTX as a shared object of this machine.
#include "shoal/Codegen/GPU/Emulate.h"

#include "../../../Package/Link.h"
#include "../../CPU/Target.h"
#include "Emulate.h"

#include "llvm/Analysis/CGSCCPassManager.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Passes/PassBuilder.h"

using namespace llvm;
using namespace shoal::gpu;

/// What was said for the GPU's backend, said for this machine's.
static void retarget(Module &module, TargetMachine &machine) {
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
  module.setPICLevel(PICLevel::BigPIC);
  for (StringRef name : {"nvvm.annotations", "nvvmir.version"})
    if (NamedMDNode *node = module.getNamedMetadata(name))
      node->eraseFromParent();
  for (Function &function : module) {
    for (StringRef attribute :
         {"target-cpu", "target-features", "nvvm.maxntid", "nvvm.minctasm",
          "nvvm.reqntid", "nvvm.maxnreg", "nvvm.cluster_dim",
          "denormal-fp-math", "denormal-fp-math-f32"})
      function.removeFnAttr(attribute);
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", machine.getTargetCPU());
    function.addFnAttr("target-features", machine.getTargetFeatureString());
    // A fiber's stack is small and has no guard that grows it.
    function.addFnAttr(Attribute::NoUnwind);
  }
}

static void optimize(Module &module, TargetMachine &machine, unsigned level) {
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager components;
  ModuleAnalysisManager modules;
  PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  ModulePassManager passes =
      level == 0 ? builder.buildO0DefaultPipeline(OptimizationLevel::O0)
                 : builder.buildPerModuleDefaultPipeline(OptimizationLevel::O1);
  passes.run(module, modules);
}

Expected<std::vector<char>>
shoal::gpu::emulateKernels(Module &module, const EmulateOptions &options) {
  KernelCompileOptions hostOptions;
  hostOptions.optLevel = options.optLevel;
  hostOptions.cpu = "native";
  auto machine = cpu::makeTargetMachine(hostOptions);
  if (!machine)
    return machine.takeError();
  emulate::Sites sites(module);
  retarget(module, **machine);
  if (options.checkAccesses)
    emulate::checkAccesses(module, sites);
  if (Error error = emulate::lowerInstructions(module, sites))
    return error;
  if (Error error = emulate::lowerSharedMemory(module))
    return error;
  emulate::addLaunchEntries(module, options.singleThread);
  std::string problem;
  raw_string_ostream stream(problem);
  if (verifyModule(module, &stream))
    return createStringError("internal error: the emulated module is " +
                             problem);
  optimize(module, **machine, options.optLevel);
  SmallVector<char, 0> object;
  if (Error error = cpu::emitObject(module, **machine, object))
    return error;
  SmallVector<ArrayRef<char>> objects(options.objects);
  objects.push_back(object);
  std::string linkError;
  std::vector<char> image = shoal::linkShared(objects, linkError);
  if (image.empty())
    return createStringError(linkError);
  return image;
}
