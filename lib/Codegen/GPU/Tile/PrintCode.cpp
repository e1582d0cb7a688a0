// tile-print-code: what becomes of tile.func, for tests and for looking.

#include "shoal/Codegen/GPU/PtxInstructions.h"
#include "shoal/Codegen/GPU/TileCompiler.h"
#include "shoal/Codegen/Tile/Passes.h"

#include "../../KernelMath/KernelMath.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

namespace shoal {
#define GEN_PASS_DEF_TILEPRINTCODE
#include "shoal/Codegen/Tile/Passes.h.inc"
} // namespace shoal

using namespace mlir;
using namespace shoal;

namespace {
struct TilePrintCodePass
    : shoal::impl::TilePrintCodeBase<TilePrintCodePass> {
  using TilePrintCodeBase::TilePrintCodeBase;

  void runOnOperation() override {
    static std::once_flag once;
    std::call_once(once, [] {
      LLVMInitializeNVPTXTargetInfo();
      LLVMInitializeNVPTXTarget();
      LLVMInitializeNVPTXTargetMC();
      LLVMInitializeNVPTXAsmPrinter();
    });
    llvm::Triple triple("nvptx64-nvidia-cuda");
    std::string error;
    const llvm::Target *target =
        llvm::TargetRegistry::lookupTarget(triple, error);
    unsigned sm = 0;
    if (StringRef(chip).drop_front(3).take_while(llvm::isDigit).getAsInteger(
            10, sm) ||
        !target) {
      getOperation().emitError() << "no such chip: " << chip << " " << error;
      return signalPassFailure();
    }
    const char *ptx = sm >= 100 ? "+ptx88" : sm >= 90 ? "+ptx86" : "+ptx80";
    std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
        triple, chip, ptx, {}, llvm::Reloc::PIC_, std::nullopt,
        llvm::CodeGenOptLevel::Aggressive));

    llvm::LLVMContext context;
    llvm::Module module("tile", context);
    module.setTargetTriple(triple);
    module.setDataLayout(machine->createDataLayout());
    TileTarget tileTarget;
    tileTarget.sm = sm;
    tileTarget.maxSharedBytes = (sm >= 90 ? 227 : 163) * 1024;
    for (tile::FuncOp func : getOperation().getOps<tile::FuncOp>())
      if (failed(lowerTileFunc(func, module, tileTarget)))
        return signalPassFailure();
    std::string problem;
    llvm::raw_string_ostream stream(problem);
    if (llvm::verifyModule(module, &stream)) {
      getOperation().emitError() << "malformed code: " << problem;
      return signalPassFailure();
    }
    if (emit == "llvm") {
      module.print(llvm::outs(), nullptr);
      return;
    }
    kernelmath::link(module);
    if (emit == "emulator") {
      module.print(llvm::outs(), nullptr);
      return;
    }
    if (!definePtxInstructions(module, sm, error)) {
      getOperation().emitError() << error;
      return signalPassFailure();
    }
    llvm::LoopAnalysisManager loops;
    llvm::FunctionAnalysisManager functions;
    llvm::CGSCCAnalysisManager components;
    llvm::ModuleAnalysisManager modules;
    llvm::PassBuilder builder(machine.get());
    builder.registerModuleAnalyses(modules);
    builder.registerCGSCCAnalyses(components);
    builder.registerFunctionAnalyses(functions);
    builder.registerLoopAnalyses(loops);
    builder.crossRegisterProxies(loops, functions, components, modules);
    builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
        .run(module, modules);
    if (emit == "opt") {
      module.print(llvm::outs(), nullptr);
      return;
    }
    llvm::SmallString<0> text;
    llvm::raw_svector_ostream out(text);
    llvm::legacy::PassManager passes;
    if (machine->addPassesToEmitFile(passes, out, nullptr,
                                     llvm::CodeGenFileType::AssemblyFile)) {
      getOperation().emitError() << "NVPTX prints no assembly here";
      return signalPassFailure();
    }
    passes.run(module);
    llvm::outs() << text;
  }
};
} // namespace
