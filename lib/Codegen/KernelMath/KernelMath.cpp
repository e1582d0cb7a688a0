#include "KernelMath.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;

namespace {
const unsigned char bitcode[] = {
#include "lib/Codegen/KernelMath/KernelMathBitcode.inc"
};
constexpr StringLiteral prefix = "shoal_";

MemoryBufferRef libraryBuffer() {
  return MemoryBufferRef(
      StringRef(reinterpret_cast<const char *>(bitcode), sizeof(bitcode)),
      "KernelMath");
}

/// Code that is inlined into functions for a certain CPU must not carry the
/// generic one that it was compiled for.
void forgetTarget(Function &function) {
  for (StringRef attribute : {"target-cpu", "target-features", "tune-cpu",
                              "stack-protector-buffer-size", "no-builtins"})
    function.removeFnAttr(attribute);
  function.removeFnAttr(Attribute::UWTable);
}
} // namespace

Value *shoal::kernelmath::call(IRBuilderBase &ir, StringRef name, Type *result,
                               ArrayRef<Value *> arguments) {
  Module &module = *ir.GetInsertBlock()->getModule();
  SmallVector<Type *> types;
  for (Value *argument : arguments)
    types.push_back(argument->getType());
  FunctionCallee callee = module.getOrInsertFunction(
      name, FunctionType::get(result, types, /*isVarArg=*/false));
  auto *function = cast<Function>(callee.getCallee());
  function->setDoesNotAccessMemory();
  function->setDoesNotThrow();
  function->setWillReturn();
  CallInst *call = ir.CreateCall(callee, arguments);
  // A reduction's flags must not leak into polynomials.
  if (isa<FPMathOperator>(call))
    call->setFastMathFlags(FastMathFlags());
  return call;
}

std::pair<Value *, Value *>
shoal::kernelmath::callComplex(IRBuilderBase &ir, StringRef name,
                               ArrayRef<Value *> arguments) {
  Type *type = arguments.front()->getType();
  // In the entry block, where they become registers.
  IRBuilder<> entry(ir.getContext());
  BasicBlock &first = ir.GetInsertBlock()->getParent()->getEntryBlock();
  entry.SetInsertPoint(&first, first.getFirstInsertionPt());
  Value *re = entry.CreateAlloca(type), *im = entry.CreateAlloca(type);
  SmallVector<Value *> all(arguments.begin(), arguments.end());
  all.append({re, im});
  SmallVector<Type *> types;
  for (Value *argument : all)
    types.push_back(argument->getType());
  FunctionCallee callee = ir.GetInsertBlock()->getModule()->getOrInsertFunction(
      name, FunctionType::get(ir.getVoidTy(), types, /*isVarArg=*/false));
  auto *function = cast<Function>(callee.getCallee());
  function->setDoesNotThrow();
  function->setWillReturn();
  ir.CreateCall(callee, all);
  return {ir.CreateLoad(type, re), ir.CreateLoad(type, im)};
}

std::unique_ptr<Module> shoal::kernelmath::loadLibrary(LLVMContext &context) {
  Expected<std::unique_ptr<Module>> library =
      parseBitcodeFile(libraryBuffer(), context);
  if (!library)
    report_fatal_error(library.takeError()); // our own, embedded file
  for (Function &function : **library)
    forgetTarget(function);
  return std::move(*library);
}

void shoal::kernelmath::link(Module &module) {
  DenseSet<Function *> before;
  bool needed = false;
  for (Function &function : module) {
    if (!function.isDeclaration())
      before.insert(&function);
    else
      needed |= function.getName().starts_with(prefix);
  }
  if (!needed)
    return;
  Expected<std::unique_ptr<Module>> library =
      getLazyBitcodeModule(libraryBuffer(), module.getContext());
  if (!library)
    report_fatal_error(library.takeError()); // our own, embedded file
  (*library)->setDataLayout(module.getDataLayout());
  (*library)->setTargetTriple(module.getTargetTriple());
  if (NamedMDNode *flags = (*library)->getModuleFlagsMetadata())
    (*library)->eraseNamedMetadata(flags);
  if (NamedMDNode *ident = (*library)->getNamedMetadata("llvm.ident"))
    (*library)->eraseNamedMetadata(ident);
  // Only what is declared is read and copied; nothing can clash.
  (void)Linker::linkModules(module, std::move(*library),
                            Linker::LinkOnlyNeeded);
  SmallVector<Function *> entries;
  for (Function &function : module) {
    if (function.isDeclaration() || before.contains(&function))
      continue;
    forgetTarget(function);
    function.setLinkage(GlobalValue::InternalLinkage);
    function.setComdat(nullptr);
    if (function.getName().starts_with(prefix))
      entries.push_back(&function);
  }
  for (Function *function : entries) {
    for (User *user : make_early_inc_range(function->users())) {
      auto *call = dyn_cast<CallBase>(user);
      if (!call || call->getCalledFunction() != function)
        continue;
      InlineFunctionInfo info;
      (void)InlineFunction(*call, info);
    }
    if (function->use_empty())
      function->eraseFromParent();
  }
}
