// A call of the emulator before each access to memory of the block or device:
//   shoal_emu_access(address, bytes, flags, site)
// The thread's own memory (alloca) and constants of the module are let alone.
// Where the address is computed from a parameter whose size is known, the check
// is made in place, and only a failure calls.
#include "Emulate.h"

#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/MDBuilder.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"

using namespace llvm;
using namespace shoal::gpu::emulate;

namespace {
// As in test/Emulator/Core/Abi.h.
enum Flag : unsigned { Write = 1, Atomic = 2, OutOfBuffer = 4 };
constexpr unsigned spaceShift = 4, alignShift = 8;

struct Access {
  Instruction *at;
  Value *pointer;
  Value *bytes; // i64
  unsigned flags;
  Align alignment;
};
} // namespace

static bool needsNoCheck(const Value *pointer) {
  unsigned space = pointer->getType()->getPointerAddressSpace();
  if (space == 5 || space == 4)
    return true;
  const Value *object = getUnderlyingObject(pointer, /*MaxLookup=*/0);
  if (isa<AllocaInst>(object))
    return true;
  if (auto *argument = dyn_cast<Argument>(object))
    return argument->hasByValAttr();
  auto *global = dyn_cast<GlobalVariable>(object);
  return global && global->getAddressSpace() != 3;
}

static void collect(Instruction &instruction, const DataLayout &layout,
                    SmallVectorImpl<Access> &accesses) {
  Type *i64 = Type::getInt64Ty(instruction.getContext());
  auto add = [&](Value *pointer, Value *bytes, unsigned flags, Align align) {
    if (!needsNoCheck(pointer))
      accesses.push_back({&instruction, pointer, bytes, flags, align});
  };
  auto sizeOf = [&](Type *type) {
    return ConstantInt::get(i64, layout.getTypeStoreSize(type));
  };
  if (auto *load = dyn_cast<LoadInst>(&instruction)) {
    add(load->getPointerOperand(), sizeOf(load->getType()),
        load->isAtomic() || load->isVolatile() ? Atomic : 0, load->getAlign());
  } else if (auto *store = dyn_cast<StoreInst>(&instruction)) {
    add(store->getPointerOperand(), sizeOf(store->getValueOperand()->getType()),
        Write | (store->isAtomic() || store->isVolatile() ? Atomic : 0),
        store->getAlign());
  } else if (auto *rmw = dyn_cast<AtomicRMWInst>(&instruction)) {
    add(rmw->getPointerOperand(), sizeOf(rmw->getType()), Write | Atomic,
        rmw->getAlign());
  } else if (auto *swap = dyn_cast<AtomicCmpXchgInst>(&instruction)) {
    add(swap->getPointerOperand(), sizeOf(swap->getNewValOperand()->getType()),
        Write | Atomic, swap->getAlign());
  } else if (auto *memory = dyn_cast<MemIntrinsic>(&instruction)) {
    IRBuilder<> builder(memory);
    Value *bytes = builder.CreateZExt(memory->getLength(), i64);
    add(memory->getRawDest(), bytes, Write,
        memory->getDestAlign().valueOrOne());
    if (auto *transfer = dyn_cast<MemTransferInst>(memory))
      add(transfer->getRawSource(), bytes, 0,
          transfer->getSourceAlign().valueOrOne());
  }
}

/// A condition that the access is outside its kernel parameter's buffer or not
/// aligned, or null where this is not known here.
static Value *inlineCheck(const Access &access) {
  auto *bytes = dyn_cast<ConstantInt>(access.bytes);
  auto *argument =
      dyn_cast<Argument>(getUnderlyingObject(access.pointer, /*MaxLookup=*/0));
  if (!bytes || !argument || access.flags & Atomic ||
      argument->getParent()->getCallingConv() != CallingConv::PTX_Kernel)
    return nullptr;
  uint64_t size = argument->getDereferenceableBytes();
  if (size < bytes->getZExtValue() ||
      (access.flags & Write && argument->hasAttribute(Attribute::ReadOnly)))
    return nullptr;
  IRBuilder<> builder(access.at);
  Type *i64 = builder.getInt64Ty();
  Value *address = builder.CreatePtrToInt(access.pointer, i64);
  Value *offset =
      builder.CreateSub(address, builder.CreatePtrToInt(argument, i64));
  Value *fails = builder.CreateICmpUGT(
      offset, builder.getInt64(size - bytes->getZExtValue()));
  if (access.alignment > 1)
    fails =
        builder.CreateOr(fails, builder.CreateIsNotNull(builder.CreateAnd(
                                    address, access.alignment.value() - 1)));
  return fails;
}

void shoal::gpu::emulate::checkAccesses(Module &module, Sites &sites) {
  LLVMContext &context = module.getContext();
  Type *pointer = PointerType::getUnqual(context);
  Type *i32 = Type::getInt32Ty(context);
  Type *i64 = Type::getInt64Ty(context);
  FunctionCallee check = module.getOrInsertFunction(
      "shoal_emu_access", Type::getVoidTy(context), pointer, i64, i32, pointer);
  cast<Function>(check.getCallee())->setDoesNotThrow();
  SmallVector<Access> accesses;
  for (Function &function : module)
    for (Instruction &instruction : instructions(function))
      collect(instruction, module.getDataLayout(), accesses);
  for (const Access &access : accesses) {
    Instruction *before = access.at;
    unsigned flags = access.flags;
    if (Value *fails = inlineCheck(access)) {
      before = SplitBlockAndInsertIfThen(
          fails, access.at->getIterator(), /*Unreachable=*/false,
          MDBuilder(context).createUnlikelyBranchWeights());
      flags |= OutOfBuffer;
    }
    IRBuilder<> builder(before);
    unsigned space = access.pointer->getType()->getPointerAddressSpace();
    flags |= space << spaceShift | Log2(access.alignment) << alignShift;
    builder.CreateCall(check,
                       {builder.CreateAddrSpaceCast(access.pointer, pointer),
                        access.bytes, ConstantInt::get(i32, flags),
                        sites.add(access.at, "")});
  }
}
