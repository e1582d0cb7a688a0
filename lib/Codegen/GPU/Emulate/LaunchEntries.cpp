// What surrounds a kernel: its shared memory, its parameters, its entry point.
#include "Emulate.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/ReplaceConstant.h"

using namespace llvm;
using namespace shoal::gpu::emulate;

Error shoal::gpu::emulate::lowerSharedMemory(Module &module) {
  SmallVector<GlobalVariable *> shared;
  for (GlobalVariable &global : module.globals())
    if (global.getAddressSpace() == 3) {
      if (global.getName() != "shoal_smem")
        return createStringError("shared memory '" + global.getName() +
                                 "' is not @shoal_smem, the only one there is");
      shared.push_back(&global);
    }
  LLVMContext &context = module.getContext();
  FunctionCallee base = module.getOrInsertFunction(
      "shoal_emu_shared", PointerType::getUnqual(context));
  auto *function = cast<Function>(base.getCallee());
  function->setDoesNotThrow();
  function->setDoesNotAccessMemory();
  function->addFnAttr(Attribute::WillReturn);
  for (GlobalVariable *global : shared) {
    convertUsersOfConstantsToInstructions(global);
    DenseMap<Function *, Value *> bases;
    for (Use &use : make_early_inc_range(global->uses())) {
      auto *user = dyn_cast<Instruction>(use.getUser());
      if (!user)
        return createStringError("@shoal_smem is used by a constant");
      Value *&known = bases[user->getFunction()];
      if (!known) {
        IRBuilder<> entry(
            &*user->getFunction()->getEntryBlock().getFirstInsertionPt());
        known = entry.CreateAddrSpaceCast(entry.CreateCall(base),
                                          global->getType(), "shoal_smem");
      }
      use.set(known);
    }
    global->eraseFromParent();
  }
  return Error::success();
}

/// SYMBOL_params: an array of {bytes, flags, buffer bytes}, see Abi.h.
static void describeParameters(Function &kernel, StringRef symbol) {
  Module &module = *kernel.getParent();
  LLVMContext &context = module.getContext();
  const DataLayout &layout = module.getDataLayout();
  Type *i32 = Type::getInt32Ty(context), *i64 = Type::getInt64Ty(context);
  StructType *type = StructType::get(i32, i32, i64);
  SmallVector<Constant *> rows;
  auto add = [&](uint64_t bytes, uint32_t flags, uint64_t buffer) {
    Constant *fields[] = {ConstantInt::get(i32, bytes),
                          ConstantInt::get(i32, flags),
                          ConstantInt::get(i64, buffer)};
    rows.push_back(ConstantStruct::get(type, fields));
  };
  for (Argument &argument : kernel.args()) {
    if (Type *byValue = argument.getParamByValType()) {
      add(layout.getTypeStoreSize(byValue), 0, 0);
      continue;
    }
    uint32_t flags = 0;
    if (argument.getType()->isPointerTy())
      flags |= 1;
    if (argument.hasAttribute(Attribute::ReadOnly) ||
        argument.hasAttribute(Attribute::ReadNone))
      flags |= 2;
    add(layout.getTypeStoreSize(argument.getType()), flags,
        argument.getDereferenceableBytes());
  }
  add(0, 0, 0);
  auto *arrayType = ArrayType::get(type, rows.size());
  new GlobalVariable(module, arrayType, true, GlobalValue::ExternalLinkage,
                     ConstantArray::get(arrayType, rows), symbol + "_params");
}

static void addEntry(Function &kernel, bool singleThread) {
  Module &module = *kernel.getParent();
  LLVMContext &context = module.getContext();
  Type *pointer = PointerType::getUnqual(context);
  Type *none = Type::getVoidTy(context);
  std::string symbol = kernel.getName().str();
  kernel.setName(symbol + ".kernel");
  kernel.setCallingConv(CallingConv::C);
  kernel.setLinkage(GlobalValue::InternalLinkage);
  describeParameters(kernel, symbol);

  // One thread: takes the arguments from the parameters.
  auto *thread = Function::Create(FunctionType::get(none, {pointer}, false),
                                  GlobalValue::InternalLinkage,
                                  symbol + ".thread", module);
  thread->copyAttributesFrom(&kernel);
  thread->setAttributes(AttributeList().addFnAttributes(
      context, AttrBuilder(context, kernel.getAttributes().getFnAttrs())));
  IRBuilder<> builder(BasicBlock::Create(context, "entry", thread));
  SmallVector<Value *> arguments;
  for (Argument &argument : kernel.args()) {
    Value *slot = builder.CreateConstInBoundsGEP1_32(pointer, thread->getArg(0),
                                                     argument.getArgNo());
    Value *where = builder.CreateLoad(pointer, slot);
    if (argument.hasByValAttr())
      arguments.push_back(
          builder.CreateAddrSpaceCast(where, argument.getType()));
    else
      arguments.push_back(
          builder.CreateAlignedLoad(argument.getType(), where, Align(1)));
  }
  CallInst *call = builder.CreateCall(&kernel, arguments);
  for (Argument &argument : kernel.args())
    if (Type *byValue = argument.getParamByValType())
      call->addParamAttr(argument.getArgNo(),
                         Attribute::getWithByValType(context, byValue));
  builder.CreateRetVoid();

  auto *entry =
      Function::Create(FunctionType::get(none, {pointer, pointer}, false),
                       GlobalValue::ExternalLinkage, symbol, module);
  builder.SetInsertPoint(BasicBlock::Create(context, "entry", entry));
  if (singleThread) {
    builder.CreateCall(thread, {entry->getArg(0)});
  } else {
    FunctionCallee run = module.getOrInsertFunction("shoal_emu_run", none,
                                                    pointer, pointer, pointer);
    builder.CreateCall(run, {entry->getArg(1), thread, entry->getArg(0)});
  }
  builder.CreateRetVoid();
}

void shoal::gpu::emulate::addLaunchEntries(Module &module, bool singleThread) {
  SmallVector<Function *> kernels;
  for (Function &function : module)
    if (!function.isDeclaration() &&
        function.getCallingConv() == CallingConv::PTX_Kernel)
      kernels.push_back(&function);
  for (Function *kernel : kernels)
    addEntry(*kernel, singleThread);
}
