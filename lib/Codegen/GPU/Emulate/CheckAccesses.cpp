// A call of the emulator before each access to memory of the block or device:
//   shoal_emu_access(address, bytes, flags, site)
// The thread's own memory (alloca) and constants of the module are let alone.
#include "Emulate.h"

#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"

using namespace llvm;
using namespace shoal::gpu::emulate;

namespace {
// As in test/Emulator/Core/Abi.h.
enum Flag : unsigned { Write = 1, Atomic = 2 };
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
    IRBuilder<> builder(access.at);
    unsigned space = access.pointer->getType()->getPointerAddressSpace();
    unsigned flags = access.flags | space << spaceShift |
                     Log2(access.alignment) << alignShift;
    builder.CreateCall(check,
                       {builder.CreateAddrSpaceCast(access.pointer, pointer),
                        access.bytes, ConstantInt::get(i32, flags),
                        sites.add(access.at, "")});
  }
}
