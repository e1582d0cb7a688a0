// Single GPU instructions that several ops use.

#include "TileLowering.h"

#include "llvm/IR/IntrinsicsNVPTX.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::tile;

void Lowering::barrier() {
  ir.CreateIntrinsic(ir.getVoidTy(),
                     llvm::Intrinsic::nvvm_barrier_cta_sync_aligned_all,
                     {i32(0)});
}

/// Calls `shuffle` on the 32-bit pieces of a value.
static llvm::Value *
shufflePieces(IRBuilder &ir, llvm::Value *value,
              llvm::function_ref<llvm::Value *(llvm::Value *)> shuffle) {
  llvm::Type *type = value->getType();
  unsigned bits = type->getPrimitiveSizeInBits();
  llvm::Value *whole = ir.CreateBitCast(value, ir.getIntNTy(bits));
  if (bits <= 32) {
    llvm::Value *wide = ir.CreateZExt(whole, ir.getInt32Ty());
    return ir.CreateBitCast(
        ir.CreateTrunc(shuffle(wide), ir.getIntNTy(bits)), type);
  }
  llvm::Value *low = shuffle(ir.CreateTrunc(whole, ir.getInt32Ty()));
  llvm::Value *high =
      shuffle(ir.CreateTrunc(ir.CreateLShr(whole, 32), ir.getInt32Ty()));
  llvm::Value *joined =
      ir.CreateOr(ir.CreateZExt(low, ir.getInt64Ty()),
                  ir.CreateShl(ir.CreateZExt(high, ir.getInt64Ty()), 32));
  return ir.CreateBitCast(joined, type);
}

llvm::Value *Lowering::shuffleXor(llvm::Value *value, unsigned mask) {
  return shufflePieces(ir, value, [&](llvm::Value *piece) {
    return ir.CreateIntrinsic(ir.getInt32Ty(),
                              llvm::Intrinsic::nvvm_shfl_sync_bfly_i32,
                              {i32(-1), piece, i32(mask), i32(31)});
  });
}

llvm::Value *Lowering::shuffleIndex(llvm::Value *value, llvm::Value *from) {
  return shufflePieces(ir, value, [&](llvm::Value *piece) {
    return ir.CreateIntrinsic(ir.getInt32Ty(),
                              llvm::Intrinsic::nvvm_shfl_sync_idx_i32,
                              {i32(-1), piece, from, i32(31)});
  });
}

llvm::Value *Lowering::shuffleUp(llvm::Value *value, unsigned delta) {
  return shufflePieces(ir, value, [&](llvm::Value *piece) {
    return ir.CreateIntrinsic(ir.getInt32Ty(),
                              llvm::Intrinsic::nvvm_shfl_sync_up_i32,
                              {i32(-1), piece, i32(delta), i32(0)});
  });
}

llvm::Value *Lowering::sharedPointer(llvm::Value *offset) {
  llvm::GlobalVariable *memory = module.getNamedGlobal("shoal_smem");
  if (!memory) {
    memory = new llvm::GlobalVariable(
        module, llvm::ArrayType::get(ir.getInt8Ty(), 0), /*isConstant=*/false,
        llvm::GlobalValue::ExternalLinkage, nullptr, "shoal_smem", nullptr,
        llvm::GlobalValue::NotThreadLocal, /*AddressSpace=*/3);
    memory->setAlignment(llvm::Align(1024));
  }
  return ir.CreateGEP(ir.getInt8Ty(), memory, offset);
}

void Lowering::ifThen(llvm::Value *condition,
                      llvm::function_ref<void()> then) {
  if (!condition)
    return then();
  if (auto *known = dyn_cast<llvm::ConstantInt>(condition)) {
    if (known->isOne())
      then();
    return;
  }
  auto *yes = llvm::BasicBlock::Create(ir.getContext(), "do", kernel);
  auto *after = llvm::BasicBlock::Create(ir.getContext(), "done", kernel);
  ir.CreateCondBr(condition, yes, after);
  ir.SetInsertPoint(yes);
  then();
  ir.CreateBr(after);
  ir.SetInsertPoint(after);
}

llvm::Function *Lowering::body(Region &region) {
  auto [it, isNew] = bodies.try_emplace(&region);
  if (isNew) {
    std::string name =
        ("shoal_body_" + func.getSymName() + "_" + Twine(bodies.size())).str();
    it->second = emitScalarBody(region, module, name);
  }
  return it->second;
}

Registers Lowering::callBody(llvm::Function *function,
                             ArrayRef<llvm::Value *> arguments) {
  llvm::CallInst *call = ir.CreateCall(function, arguments);
  auto *type = dyn_cast<llvm::StructType>(function->getReturnType());
  if (!type)
    return {call};
  Registers results;
  for (unsigned i = 0; i < type->getNumElements(); ++i)
    results.push_back(ir.CreateExtractValue(call, i));
  return results;
}
