#include "Target.h"

#include "LoopHints.h"

#include "llvm/Analysis/CGSCCPassManager.h"
#include "llvm/Analysis/LoopAnalysisManager.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/PassTimingInfo.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/DCE.h"
#include "llvm/Transforms/Scalar/DeadStoreElimination.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/IndVarSimplify.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopIdiomRecognize.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/LoopRotation.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/Transforms/Vectorize/LoopVectorize.h"
#include "llvm/Transforms/Vectorize/SLPVectorizer.h"

#include <mutex>

using namespace llvm;

Expected<std::unique_ptr<TargetMachine>>
shoal::cpu::makeTargetMachine(const KernelCompileOptions &options) {
  static std::once_flag once;
  std::call_once(once, [] {
    InitializeNativeTarget();
    InitializeNativeTargetAsmPrinter();
  });
  Triple triple(sys::getDefaultTargetTriple());
  std::string error;
  const llvm::Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return createStringError("no code generator for this machine: " + error);
  std::string cpu = options.cpu, features = options.features;
  if (cpu == "native") {
    cpu = sys::getHostCPUName();
    for (const auto &[name, enabled] : sys::getHostCPUFeatures())
      features += (features.empty() ? "" : ",") +
                  std::string(enabled ? "+" : "-") + name.str();
  }
  // LLVM itself stops the process at a processor without 64-bit code.
  std::unique_ptr<MCSubtargetInfo> known(
      target->createMCSubtargetInfo(triple, "", ""));
  if (!known->isCPUStringValid(cpu) ||
      (triple.getArch() == Triple::x86_64 &&
       X86::parseArchX86(cpu, /*Only64Bit=*/true) == X86::CK_None))
    return createStringError(
        "unknown CPU '" + cpu +
        "'; give a name of LLVM's, such as x86-64-v3, x86-64-v4 or znver4, or "
        "none for this machine's");
  TargetOptions targetOptions;
  targetOptions.NoTrappingFPMath = true;
  targetOptions.FunctionSections = false;
  CodeGenOptLevel level = options.optLevel == 0   ? CodeGenOptLevel::None
                          : options.optLevel == 1 ? CodeGenOptLevel::Less
                                                  : CodeGenOptLevel::Default;
  std::unique_ptr<TargetMachine> machine(
      target->createTargetMachine(triple, cpu, features, targetOptions,
                                  Reloc::PIC_, CodeModel::Small, level));
  if (!machine)
    return createStringError("unknown CPU '" + options.cpu + "'");
  return machine;
}

/// The kernels' own pipeline. Their code arrives without calls, with rotated
/// loops and addresses already simplified, so most of -O2 would find nothing;
/// what remains is to promote locals, hoist, unroll short loops, vectorize.
static void addKernelPasses(FunctionPassManager &passes) {
  passes.addPass(SROAPass(SROAOptions::ModifyCFG));
  passes.addPass(EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(SimplifyCFGPass());
  passes.addPass(InstCombinePass());
  {
    LoopPassManager loops;
    loops.addPass(LoopRotatePass());
    loops.addPass(LICMPass(LICMOptions()));
    passes.addPass(
        createFunctionToLoopPassAdaptor(std::move(loops), /*MemorySSA=*/true));
  }
  {
    LoopPassManager loops;
    loops.addPass(LoopIdiomRecognizePass());
    loops.addPass(IndVarSimplifyPass());
    passes.addPass(createFunctionToLoopPassAdaptor(std::move(loops)));
  }
  // Only what is too short for vectors: the vectorizer wants loops, and what is
  // left of a nest of short ones when all are unrolled takes long to compile.
  passes.addPass(shoal::cpu::UnrollShortLoops(4));
  passes.addPass(SROAPass(SROAOptions::ModifyCFG));
  passes.addPass(EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(InstCombinePass());
  passes.addPass(shoal::cpu::HintVectors());
  passes.addPass(LoopVectorizePass());
  passes.addPass(EarlyCSEPass());
  passes.addPass(InstCombinePass());
  passes.addPass(SLPVectorizerPass());
  passes.addPass(createFunctionToLoopPassAdaptor(LICMPass(LICMOptions()),
                                                 /*MemorySSA=*/true));
  // Loops of a few vectors only: longer ones gain nothing.
  passes.addPass(shoal::cpu::UnrollShortLoops(8));
  passes.addPass(SimplifyCFGPass(SimplifyCFGOptions()
                                     .convertSwitchRangeToICmp(true)
                                     .hoistCommonInsts(true)
                                     .sinkCommonInsts(true)));
  passes.addPass(InstCombinePass());
  passes.addPass(DCEPass());
}

void shoal::cpu::optimize(Module &module, TargetMachine &machine,
                          unsigned optLevel) {
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager components;
  ModuleAnalysisManager modules;
  // As LLVM's own tools do under -time-passes.
  PassInstrumentationCallbacks callbacks;
  TimePassesHandler timer(TimePassesIsEnabled);
  timer.registerCallbacks(callbacks);
  PassBuilder builder(&machine, PipelineTuningOptions(), std::nullopt, &callbacks);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  ModulePassManager passes;
  if (optLevel == 0)
    passes = builder.buildO0DefaultPipeline(OptimizationLevel::O0);
  else if (optLevel >= 3)
    passes = builder.buildPerModuleDefaultPipeline(OptimizationLevel::O3);
  else {
    FunctionPassManager kernel;
    addKernelPasses(kernel);
    passes.addPass(createModuleToFunctionPassAdaptor(std::move(kernel)));
  }
  passes.run(module, modules);
  if (TimePassesIsEnabled)
    timer.print();
}

Error shoal::cpu::emitObject(Module &module, TargetMachine &machine,
                             SmallVectorImpl<char> &object) {
  raw_svector_ostream stream(object);
  legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr,
                                  CodeGenFileType::ObjectFile))
    return createStringError("this target writes no object files");
  passes.run(module);
  if (TimePassesIsEnabled)
    reportAndResetTimings();
  return Error::success();
}
