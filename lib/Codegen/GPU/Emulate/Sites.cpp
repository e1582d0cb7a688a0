// Places that errors speak of. See Emulate.h.
#include "Emulate.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/ModuleSlotTracker.h"

using namespace llvm;
using namespace shoal::gpu::emulate;

Sites::Sites(Module &module) : module(module) {
  LLVMContext &context = module.getContext();
  Type *pointer = PointerType::getUnqual(context);
  Type *i32 = Type::getInt32Ty(context);
  type = StructType::get(pointer, pointer, pointer, pointer, i32, i32);
  // All texts at once: numbering a function's values takes its whole length.
  ModuleSlotTracker slots(&module, /*ShouldInitializeAllMetadata=*/false);
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    slots.incorporateFunction(function);
    for (Instruction &instruction : instructions(function)) {
      if (!instruction.mayReadOrWriteMemory() && !isa<CallInst>(instruction))
        continue;
      std::string text;
      raw_string_ostream stream(text);
      stream << function.getName() << ": ";
      std::string body;
      raw_string_ostream bodyStream(body);
      instruction.print(bodyStream, slots);
      stream << StringRef(body).trim().substr(0, 200);
      if (const DebugLoc &loc = instruction.getDebugLoc())
        stream << " at line " << loc.getLine();
      texts[&instruction] = std::move(text);
    }
  }
}

Constant *Sites::string(StringRef text) {
  Constant *&known = strings[text];
  if (!known) {
    Constant *data = ConstantDataArray::getString(module.getContext(), text);
    auto *global =
        new GlobalVariable(module, data->getType(), true,
                           GlobalValue::PrivateLinkage, data, "shoal_emu_text");
    global->setUnnamedAddr(GlobalValue::UnnamedAddr::Global);
    known = global;
  }
  return known;
}

Constant *Sites::add(const Instruction *instruction, StringRef name,
                     uint32_t slots) {
  LLVMContext &context = module.getContext();
  auto *null = ConstantPointerNull::get(PointerType::getUnqual(context));
  Type *i32 = Type::getInt32Ty(context);
  Constant *fields[] = {string(name),
                        null,
                        null,
                        string(texts.lookup(instruction)),
                        ConstantInt::get(i32, ++count),
                        ConstantInt::get(i32, slots)};
  return new GlobalVariable(module, type, false, GlobalValue::PrivateLinkage,
                            ConstantStruct::get(type, fields),
                            "shoal_emu_site");
}
