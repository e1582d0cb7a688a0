#include "JitLibrary.h"

#include "lib/Codegen/KernelMath/KernelMath.h"

#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/ExecutionEngine/Orc/ThreadSafeModule.h"
#include "llvm/Support/TargetSelect.h"

using namespace llvm;

static std::unique_ptr<orc::LLJIT> makeJit() {
  InitializeNativeTarget();
  InitializeNativeTargetAsmPrinter();
  auto machine = cantFail(orc::JITTargetMachineBuilder::detectHost());
  auto jit = cantFail(orc::LLJITBuilder()
                          .setJITTargetMachineBuilder(std::move(machine))
                          .create());
  auto context = std::make_unique<LLVMContext>();
  auto library = shoal::kernelmath::loadLibrary(*context);
  library->setDataLayout(jit->getDataLayout());
  cantFail(jit->addIRModule(
      orc::ThreadSafeModule(std::move(library), std::move(context))));
  return jit;
}

void *lookupMath(const char *name) {
  static std::unique_ptr<orc::LLJIT> jit = makeJit();
  return cantFail(jit->lookup(name)).toPtr<void *>();
}
