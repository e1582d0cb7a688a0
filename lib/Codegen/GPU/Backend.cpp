#include "Backend.h"

#include "lib/Codegen/KernelMath/KernelMath.h"
#include "shoal/Codegen/GPU/PtxInstructions.h"

#include "llvm/Analysis/CGSCCPassManager.h"
#include "llvm/Analysis/LoopAnalysisManager.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Transforms/IPO/AlwaysInliner.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/CorrelatedValuePropagation.h"
#include "llvm/Transforms/Scalar/DCE.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/IndVarSimplify.h"
#include "llvm/Transforms/Scalar/InferAddressSpaces.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/LoopRotation.h"
#include "llvm/Transforms/Scalar/LoopUnrollPass.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/Transforms/Scalar/StraightLineStrengthReduce.h"

#include <mutex>

using namespace llvm;
using namespace shoal::gpu;

Expected<std::unique_ptr<TargetMachine>>
shoal::gpu::makeTargetMachine(const Chip &chip) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const llvm::Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return createStringError("this LLVM has no NVPTX back end: " + error);
  TargetOptions options;
  // As written: PTX says .rn for each operation, and ptxas fuses none.
  options.AllowFPOpFusion = FPOpFusion::Standard;
  options.NoTrappingFPMath = true;
  std::unique_ptr<TargetMachine> machine(target->createTargetMachine(
      triple, chip.name, "+ptx" + std::to_string(chip.ptx), options,
      std::nullopt, std::nullopt, CodeGenOptLevel::Default));
  if (!machine)
    return createStringError("LLVM does not know the chip " + chip.name);
  return machine;
}

/// frem has no instruction, and LLVM's expansion for this target is inexact.
static void replaceRemainders(Module &module) {
  for (Function &function : module)
    for (Instruction &instruction : make_early_inc_range(instructions(function)))
      if (instruction.getOpcode() == Instruction::FRem) {
        IRBuilder<> ir(&instruction);
        Type *type = instruction.getType();
        Value *result = shoal::kernelmath::call(
            ir, type->isDoubleTy() ? "shoal_fmod_f64" : "shoal_fmod_f32", type,
            {instruction.getOperand(0), instruction.getOperand(1)});
        instruction.replaceAllUsesWith(result);
        instruction.eraseFromParent();
      }
}

/// Kernels arrive as loops without calls; what is worth doing is to promote
/// locals, find address spaces, narrow divisions, hoist, and unroll short loops.
/// ptxas does the rest.
static void addKernelPasses(FunctionPassManager &passes) {
  passes.addPass(SROAPass(SROAOptions::ModifyCFG));
  passes.addPass(InferAddressSpacesPass());
  passes.addPass(EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(SimplifyCFGPass());
  passes.addPass(InstCombinePass());
  passes.addPass(CorrelatedValuePropagationPass());
  {
    LoopPassManager loops;
    loops.addPass(LoopRotatePass());
    loops.addPass(LICMPass(LICMOptions()));
    passes.addPass(
        createFunctionToLoopPassAdaptor(std::move(loops), /*MemorySSA=*/true));
  }
  {
    LoopPassManager loops;
    loops.addPass(IndVarSimplifyPass());
    loops.addPass(LoopFullUnrollPass());
    passes.addPass(createFunctionToLoopPassAdaptor(std::move(loops)));
  }
  passes.addPass(SROAPass(SROAOptions::ModifyCFG));
  passes.addPass(EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(InstCombinePass());
  passes.addPass(InferAddressSpacesPass());
  passes.addPass(LoopUnrollPass(LoopUnrollOptions(2)));
  passes.addPass(SimplifyCFGPass(SimplifyCFGOptions()
                                     .convertSwitchRangeToICmp(true)
                                     .hoistCommonInsts(true)
                                     .sinkCommonInsts(true)));
  passes.addPass(InstCombinePass());
  passes.addPass(DCEPass());
}

void shoal::gpu::optimize(Module &module, TargetMachine &machine) {
  replaceRemainders(module);
  shoal::kernelmath::link(module);
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
  ModulePassManager passes;
  passes.addPass(AlwaysInlinerPass());
  FunctionPassManager kernel;
  addKernelPasses(kernel);
  passes.addPass(createModuleToFunctionPassAdaptor(std::move(kernel)));
  passes.addPass(GlobalDCEPass());
  passes.run(module, modules);
}

Expected<std::string> shoal::gpu::emitPtx(Module &module,
                                          TargetMachine &machine,
                                          const Chip &chip) {
  std::string error;
  if (!shoal::definePtxInstructions(module, chip.number, error))
    return createStringError(error);
  {
    // Bodies of instructions go where they are called.
    ModuleAnalysisManager modules;
    FunctionAnalysisManager functions;
    PassBuilder builder(&machine);
    LoopAnalysisManager loops;
    CGSCCAnalysisManager components;
    builder.registerModuleAnalyses(modules);
    builder.registerCGSCCAnalyses(components);
    builder.registerFunctionAnalyses(functions);
    builder.registerLoopAnalyses(loops);
    builder.crossRegisterProxies(loops, functions, components, modules);
    ModulePassManager passes;
    passes.addPass(AlwaysInlinerPass());
    passes.addPass(GlobalDCEPass());
    passes.run(module, modules);
  }
  SmallString<0> ptx;
  raw_svector_ostream stream(ptx);
  legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr,
                                  CodeGenFileType::AssemblyFile))
    return createStringError("LLVM writes no PTX");
  passes.run(module);
  return std::string(ptx);
}
