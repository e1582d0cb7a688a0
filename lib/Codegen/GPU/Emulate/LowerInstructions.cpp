// Calls of nvvm intrinsics and shoal_ptx_* functions become
//   shoal_emu_op(site, in, out)
// where `in` and `out` hold arguments and results in slots of 64 bits: structs
// taken apart, integers zero-extended, floats and vectors as their bits, wider
// values as several slots.
#include "Emulate.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"

using namespace llvm;
using namespace shoal::gpu::emulate;

/// Registers that a thread reads often, as shoal_emu_register's codes; order
/// as in test/Emulator/Core/Abi.h.
static constexpr const char *fastRegisters[] = {
    "tid.x",    "tid.y",    "tid.z",   "ntid.x",   "ntid.y",
    "ntid.z",   "ctaid.x",  "ctaid.y", "ctaid.z",  "nctaid.x",
    "nctaid.y", "nctaid.z", "laneid",  "warpsize", "warpid"};

namespace {
class Lowering {
public:
  Lowering(Module &module, Sites &sites)
      : sites(sites), context(module.getContext()),
        pointer(PointerType::getUnqual(context)),
        i32(Type::getInt32Ty(context)), i64(Type::getInt64Ty(context)),
        layout(module.getDataLayout()) {
    op = module.getOrInsertFunction("shoal_emu_op", Type::getVoidTy(context),
                                    pointer, pointer, pointer);
    auto *function = cast<Function>(op.getCallee());
    function->setDoesNotThrow();
    function->addFnAttr(Attribute::Convergent);
    readRegister = module.getOrInsertFunction("shoal_emu_register", i32, i32);
    function = cast<Function>(readRegister.getCallee());
    function->setDoesNotThrow();
    function->setDoesNotAccessMemory();
    function->addFnAttr(Attribute::WillReturn);
    function->addFnAttr(Attribute::Speculatable);
  }

  void lower(CallInst *call, StringRef name);
  /// Slots shared by all calls of a function: one call at a time uses them.
  void placeSlots();

private:
  unsigned slotsOf(Type *type) const;
  void store(IRBuilder<> &builder, Value *value, unsigned &slot);
  Value *load(IRBuilder<> &builder, Type *type, unsigned &slot);
  Value *slotAddress(IRBuilder<> &builder, AllocaInst *slots, unsigned index) {
    return builder.CreateConstInBoundsGEP1_32(i64, slots, index);
  }

  struct Slots {
    AllocaInst *in = nullptr, *out = nullptr;
    unsigned inCount = 1, outCount = 1;
  };

  Sites &sites;
  LLVMContext &context;
  Type *pointer, *i32, *i64;
  const DataLayout &layout;
  FunctionCallee op, readRegister;
  DenseMap<Function *, Slots> slots;
  Slots *current = nullptr;
};
} // namespace

unsigned Lowering::slotsOf(Type *type) const {
  if (type->isVoidTy())
    return 0;
  if (auto *structure = dyn_cast<StructType>(type)) {
    unsigned count = 0;
    for (Type *element : structure->elements())
      count += slotsOf(element);
    return count;
  }
  return divideCeil(layout.getTypeSizeInBits(type).getFixedValue(), 64);
}

void Lowering::store(IRBuilder<> &builder, Value *value, unsigned &slot) {
  Type *type = value->getType();
  if (auto *structure = dyn_cast<StructType>(type)) {
    for (unsigned i = 0; i < structure->getNumElements(); ++i)
      store(builder, builder.CreateExtractValue(value, i), slot);
    return;
  }
  unsigned bits = layout.getTypeSizeInBits(type).getFixedValue();
  if (type->isPointerTy())
    value = builder.CreatePtrToInt(value, i64);
  else if (!type->isIntegerTy())
    value = builder.CreateBitCast(value, builder.getIntNTy(bits));
  if (bits < 64)
    value = builder.CreateZExt(value, i64);
  builder.CreateAlignedStore(value, slotAddress(builder, current->in, slot),
                             Align(8));
  slot += divideCeil(bits, 64);
}

Value *Lowering::load(IRBuilder<> &builder, Type *type, unsigned &slot) {
  if (auto *structure = dyn_cast<StructType>(type)) {
    Value *result = PoisonValue::get(type);
    for (unsigned i = 0; i < structure->getNumElements(); ++i)
      result = builder.CreateInsertValue(
          result, load(builder, structure->getElementType(i), slot), i);
    return result;
  }
  unsigned bits = layout.getTypeSizeInBits(type).getFixedValue();
  Value *value = builder.CreateAlignedLoad(
      builder.getIntNTy(std::max(64u, bits)),
      slotAddress(builder, current->out, slot), Align(8));
  slot += divideCeil(bits, 64);
  if (bits < 64)
    value = builder.CreateTrunc(value, builder.getIntNTy(bits));
  if (type->isPointerTy())
    return builder.CreateIntToPtr(value, type);
  return type->isIntegerTy() ? value : builder.CreateBitCast(value, type);
}

void Lowering::lower(CallInst *call, StringRef name) {
  IRBuilder<> builder(call);
  StringRef shortName = name;
  if (shortName.consume_front("llvm.nvvm.read.ptx.sreg."))
    for (auto [code, known] : enumerate(fastRegisters))
      if (shortName == known) {
        call->replaceAllUsesWith(builder.CreateZExtOrTrunc(
            builder.CreateCall(readRegister, builder.getInt32(code)),
            call->getType()));
        call->eraseFromParent();
        return;
      }
  current = &slots[call->getFunction()];
  if (!current->in) {
    IRBuilder<> entry(&*call->getFunction()->getEntryBlock().begin());
    current->in = entry.CreateAlloca(i64, nullptr, "shoal_emu_in");
    current->out = entry.CreateAlloca(i64, nullptr, "shoal_emu_out");
  }
  unsigned slot = 0;
  for (Value *argument : call->args())
    if (!argument->getType()->isMetadataTy())
      store(builder, argument, slot);
  current->inCount = std::max(current->inCount, slot);
  Constant *site = sites.add(call, name, slot | slotsOf(call->getType()) << 16);
  CallInst *shim = builder.CreateCall(op, {site, current->in, current->out});
  shim->setDebugLoc(call->getDebugLoc());
  slot = 0;
  if (!call->getType()->isVoidTy()) {
    Value *result = load(builder, call->getType(), slot);
    call->replaceAllUsesWith(result);
  }
  current->outCount = std::max(current->outCount, slot);
  call->eraseFromParent();
}

void Lowering::placeSlots() {
  for (auto &[function, use] : slots) {
    use.in->setOperand(0, ConstantInt::get(i32, use.inCount));
    use.out->setOperand(0, ConstantInt::get(i32, use.outCount));
    use.in->setAlignment(Align(16));
    use.out->setAlignment(Align(16));
  }
}

Error shoal::gpu::emulate::lowerInstructions(Module &module, Sites &sites) {
  Lowering lowering(module, sites);
  SmallVector<Function *> declarations;
  for (Function &function : module)
    if (function.isDeclaration() &&
        (function.getName().starts_with("llvm.nvvm.") ||
         function.getName().starts_with("shoal_ptx_")))
      declarations.push_back(&function);
  for (Function *function : declarations) {
    for (User *user : make_early_inc_range(function->users())) {
      auto *call = dyn_cast<CallInst>(user);
      if (!call || call->getCalledOperand() != function)
        return createStringError(
            "the address of '" + function->getName() +
            "' is taken, which the emulator cannot follow");
      lowering.lower(call, function->getName());
    }
    function->eraseFromParent();
  }
  lowering.placeSlots();
  for (Function &function : module)
    for (Instruction &instruction : instructions(function))
      if (auto *call = dyn_cast<CallInst>(&instruction))
        if (call->isInlineAsm() &&
            !cast<InlineAsm>(call->getCalledOperand())->getAsmString().empty())
          return createStringError(
              "inline assembly in '" + function.getName() +
              "', which the emulator cannot run: use PtxInstructions");
  return Error::success();
}
