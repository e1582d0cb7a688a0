// Every entry of the table must assemble for the chips that have it.

#include "shoal/Codegen/GPU/PtxInstructions.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/IPO/AlwaysInliner.h"

#include <gtest/gtest.h>

using namespace llvm;
using namespace shoal;

namespace {

std::unique_ptr<Module> everything(LLVMContext &context, unsigned chip) {
  auto module = std::make_unique<Module>("all", context);
  for (const PtxInstruction &instruction : ptxInstructions()) {
    if (instruction.chip > chip)
      continue;
    Function *callee = declarePtxInstruction(*module, instruction.name);
    SmallVector<Type *> types(callee->getFunctionType()->params());
    types.push_back(PointerType::get(context, 1));
    auto *kernel = Function::Create(
        FunctionType::get(Type::getVoidTy(context), types, false),
        GlobalValue::ExternalLinkage, "k_" + instruction.name, *module);
    kernel->setCallingConv(CallingConv::PTX_Kernel);
    IRBuilder<> builder(BasicBlock::Create(context, "", kernel));
    SmallVector<Value *> operands;
    for (Argument &argument : kernel->args())
      operands.push_back(&argument);
    Value *out = operands.pop_back_val();
    Value *result = builder.CreateCall(callee, operands);
    if (!result->getType()->isVoidTy())
      builder.CreateStore(result, out);
    builder.CreateRetVoid();
  }
  return module;
}

void assemble(unsigned chip, StringRef cpu, StringRef features) {
  auto ptxas = sys::findProgramByName("ptxas");
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
  LLVMContext context;
  auto module = everything(context, chip);
  std::string error;
  Triple triple("nvptx64-nvidia-cuda");
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  ASSERT_TRUE(target) << error;
  std::unique_ptr<TargetMachine> machine(
      target->createTargetMachine(triple, cpu, features, {}, {}));
  module->setTargetTriple(triple);
  module->setDataLayout(machine->createDataLayout());
  ASSERT_TRUE(definePtxInstructions(*module, chip, error)) << error;
  ASSERT_FALSE(verifyModule(*module, &errs()));

  SmallString<128> path;
  int fd;
  ASSERT_FALSE(sys::fs::createTemporaryFile("table", "ptx", fd, path));
  {
    raw_fd_ostream os(fd, true);
    legacy::PassManager passes;
    passes.add(createAlwaysInlinerLegacyPass());
    machine->addPassesToEmitFile(passes, os, nullptr,
                                 CodeGenFileType::AssemblyFile);
    passes.run(*module);
  }
  if (ptxas) {
    std::string arch = ("-arch=" + cpu).str();
    EXPECT_EQ(
        sys::ExecuteAndWait(*ptxas, {*ptxas, arch, path, "-o", "/dev/null"}), 0)
        << path.c_str();
  }
  if (!::testing::Test::HasFailure())
    sys::fs::remove(path);
}

TEST(Ptx, AssemblesForSm80) { assemble(80, "sm_80", "+ptx80"); }
TEST(Ptx, AssemblesForSm89) { assemble(89, "sm_89", "+ptx84"); }
TEST(Ptx, AssemblesForSm90) { assemble(90, "sm_90a", "+ptx86"); }
TEST(Ptx, AssemblesForSm100) { assemble(100, "sm_100a", "+ptx88"); }

TEST(Ptx, RefusesWhatTheChipLacks) {
  LLVMContext context;
  Module module("m", context);
  ASSERT_TRUE(declarePtxInstruction(module, "stmatrix_x4"));
  EXPECT_FALSE(declarePtxInstruction(module, "no_such_thing"));
  std::string error;
  EXPECT_FALSE(definePtxInstructions(module, 80, error));
  EXPECT_EQ(error, "'shoal_ptx_stmatrix_x4' needs sm_90, the target is sm_80");
}

} // namespace
