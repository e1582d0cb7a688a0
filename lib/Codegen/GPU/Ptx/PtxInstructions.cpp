//===- PtxInstructions.cpp - Declaring and defining GPU instructions ------===//

#include "shoal/Codegen/GPU/PtxInstructions.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace shoal {

StringRef PtxInstruction::results() const {
  return StringRef(signature).take_until([](char c) { return c == '('; });
}

StringRef PtxInstruction::parameters() const {
  return StringRef(signature).drop_front(results().size() + 1).drop_back();
}

const PtxInstruction *findPtxInstruction(StringRef name) {
  static const StringMap<const PtxInstruction *> byName = [] {
    StringMap<const PtxInstruction *> map;
    for (const PtxInstruction &instruction : ptxInstructions())
      map[instruction.name] = &instruction;
    return map;
  }();
  name.consume_front(kPtxPrefix);
  return byName.lookup(name);
}

static Type *typeOf(LLVMContext &context, char letter) {
  switch (letter) {
  case 'h':
    return Type::getInt16Ty(context);
  case 'i':
    return Type::getInt32Ty(context);
  case 'l':
    return Type::getInt64Ty(context);
  case 'f':
    return Type::getFloatTy(context);
  case 'd':
    return Type::getDoubleTy(context);
  case 'p':
    return PointerType::get(context, 1);
  default:
    return PointerType::get(context, 3);
  }
}

static Type *resultType(LLVMContext &context, StringRef letters) {
  if (letters.empty())
    return Type::getVoidTy(context);
  SmallVector<Type *> types;
  for (char letter : letters)
    types.push_back(typeOf(context, letter));
  if (types.size() == 1)
    return types[0];
  return StructType::get(context, types);
}

FunctionType *ptxFunctionType(LLVMContext &context,
                              const PtxInstruction &instruction) {
  SmallVector<Type *> parameters;
  for (char letter : instruction.parameters())
    parameters.push_back(typeOf(context, letter));
  return FunctionType::get(resultType(context, instruction.results()),
                           parameters, false);
}

static void setAttributes(Function &function,
                          const PtxInstruction &instruction) {
  function.addFnAttr(Attribute::NoUnwind);
  function.addFnAttr(Attribute::WillReturn);
  function.addFnAttr(Attribute::NoCallback);
  if (instruction.convergent)
    function.addFnAttr(Attribute::Convergent);
  switch (instruction.memory) {
  case PtxInstruction::Memory::None:
    function.setMemoryEffects(MemoryEffects::none());
    break;
  case PtxInstruction::Memory::Read:
    function.setMemoryEffects(MemoryEffects::readOnly());
    break;
  case PtxInstruction::Memory::Write:
    break;
  }
}

Function *declarePtxInstruction(Module &module, StringRef name) {
  const PtxInstruction *instruction = findPtxInstruction(name);
  if (!instruction)
    return nullptr;
  std::string symbol = kPtxPrefix.str() + instruction->name;
  if (Function *function = module.getFunction(symbol))
    return function;
  auto *function =
      Function::Create(ptxFunctionType(module.getContext(), *instruction),
                       GlobalValue::ExternalLinkage, symbol, module);
  setAttributes(*function, *instruction);
  return function;
}

static const char *constraintOf(char letter) {
  switch (letter) {
  case 'h':
    return "h";
  case 'l':
  case 'p':
    return "l";
  case 'f':
    return "f";
  case 'd':
    return "d";
  default: // i32, and shared addresses as 32 bits
    return "r";
  }
}

/// Gives `function` its body: shared pointers as 32-bit addresses, one inline
/// assembly.
static void define(Function &function, const PtxInstruction &instruction) {
  LLVMContext &context = function.getContext();
  IRBuilder<> builder(BasicBlock::Create(context, "", &function));
  SmallVector<Value *> operands;
  SmallVector<Type *> types;
  std::string constraints;
  auto constrain = [&](const Twine &constraint) {
    constraints += (constraints.empty() ? "" : ",") + constraint.str();
  };
  for (char letter : instruction.results())
    constrain("=" + Twine(constraintOf(letter)));
  StringRef parameters = instruction.parameters();
  for (Argument &argument : function.args()) {
    char letter = parameters[argument.getArgNo()];
    Value *operand = &argument;
    if (letter == 's')
      operand = builder.CreatePtrToInt(operand, builder.getInt32Ty());
    operands.push_back(operand);
    types.push_back(operand->getType());
    constrain(constraintOf(letter));
  }
  bool touchesMemory = instruction.memory != PtxInstruction::Memory::None;
  if (touchesMemory)
    constrain("~{memory}");
  auto *type = FunctionType::get(function.getReturnType(), types, false);
  InlineAsm *assembly = InlineAsm::get(type, instruction.assembly, constraints,
                                       /*hasSideEffects=*/touchesMemory);
  CallInst *call = builder.CreateCall(assembly, operands);
  call->addFnAttr(Attribute::NoUnwind);
  if (instruction.convergent)
    call->addFnAttr(Attribute::Convergent);
  if (!touchesMemory)
    call->setMemoryEffects(MemoryEffects::none());
  if (function.getReturnType()->isVoidTy())
    builder.CreateRetVoid();
  else
    builder.CreateRet(call);
  setAttributes(function, instruction);
  function.addFnAttr(Attribute::AlwaysInline);
  function.setLinkage(GlobalValue::InternalLinkage);
}

bool definePtxInstructions(Module &module, unsigned chip, std::string &error) {
  for (Function &function : module) {
    if (!function.isDeclaration() ||
        !function.getName().starts_with(kPtxPrefix))
      continue;
    const PtxInstruction *instruction = findPtxInstruction(function.getName());
    if (!instruction ||
        function.getFunctionType() !=
            ptxFunctionType(module.getContext(), *instruction)) {
      error = ("no GPU instruction '" + function.getName() +
               "' of this type in the table")
                  .str();
      return false;
    }
    if (chip < instruction->chip) {
      error = ("'" + function.getName() + "' needs sm_" +
               Twine(instruction->chip) + ", the target is sm_" + Twine(chip))
                  .str();
      return false;
    }
    define(function, *instruction);
  }
  return true;
}

} // namespace shoal
