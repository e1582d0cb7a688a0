//===- PtxCalls.cpp - Calls of shoal_ptx_* functions in MLIR --------------===//

#include "shoal/Codegen/GPU/PtxCalls.h"
#include "shoal/Codegen/GPU/PtxInstructions.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;

namespace shoal {

static Type typeOf(MLIRContext *context, char letter) {
  switch (letter) {
  case 'h':
    return IntegerType::get(context, 16);
  case 'i':
    return IntegerType::get(context, 32);
  case 'l':
    return IntegerType::get(context, 64);
  case 'f':
    return Float32Type::get(context);
  case 'd':
    return Float64Type::get(context);
  case 'p':
    return LLVM::LLVMPointerType::get(context, 1);
  default:
    return LLVM::LLVMPointerType::get(context, 3);
  }
}

/// The declaration of the instruction in the module around `builder`.
static LLVM::LLVMFuncOp declare(OpBuilder &builder, Location loc,
                                const PtxInstruction &instruction) {
  MLIRContext *context = builder.getContext();
  Operation *table = SymbolTable::getNearestSymbolTable(
      builder.getInsertionBlock()->getParentOp());
  std::string symbol = kPtxPrefix.str() + instruction.name;
  if (Operation *found = SymbolTable::lookupSymbolIn(table, symbol))
    return cast<LLVM::LLVMFuncOp>(found);

  SmallVector<Type> results, parameters;
  for (char letter : instruction.results())
    results.push_back(typeOf(context, letter));
  for (char letter : instruction.parameters())
    parameters.push_back(typeOf(context, letter));
  Type result = LLVM::LLVMVoidType::get(context);
  if (results.size() == 1)
    result = results[0];
  else if (results.size() > 1)
    result = LLVM::LLVMStructType::getLiteral(context, results);

  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&table->getRegion(0).front());
  auto function = LLVM::LLVMFuncOp::create(
      builder, loc, symbol, LLVM::LLVMFunctionType::get(result, parameters));
  function.setNoUnwind(true);
  function.setWillReturn(true);
  function.setConvergent(instruction.convergent);
  using Memory = PtxInstruction::Memory;
  if (instruction.memory != Memory::Write) {
    auto effect = instruction.memory == Memory::Read
                      ? LLVM::ModRefInfo::Ref
                      : LLVM::ModRefInfo::NoModRef;
    function.setMemoryEffectsAttr(LLVM::MemoryEffectsAttr::get(
        context, {effect, effect, effect, effect, effect, effect}));
  }
  return function;
}

SmallVector<Value> callPtx(OpBuilder &builder, Location loc, StringRef name,
                           ValueRange operands) {
  const PtxInstruction *instruction = findPtxInstruction(name);
  assert(instruction && "not in the table of GPU instructions");
  LLVM::LLVMFuncOp function = declare(builder, loc, *instruction);
  auto call = LLVM::CallOp::create(builder, loc, function, operands);
  if (instruction->convergent)
    call.setConvergent(true);
  size_t count = instruction->results().size();
  if (count == 0)
    return {};
  if (count == 1)
    return {call.getResult()};
  SmallVector<Value> results;
  for (size_t i = 0; i < count; ++i)
    results.push_back(
        LLVM::ExtractValueOp::create(builder, loc, call.getResult(), i));
  return results;
}

} // namespace shoal
