// Loads and stores of tiles, and asynchronous copies to shared memory.

#include "MemoryAccess.h"
#include "SharedAccess.h"

#include "shoal/Codegen/GPU/PtxInstructions.h"
#include "shoal/Codegen/GPU/SharedLayouts.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::tile;

LogicalResult tile::lowerView(Lowering &l, ViewOp op) {
  Lowering::View view = l.view(op.getBase());
  int64_t bytes = tile::getElementBytes(op.getType().getElementType());
  llvm::Type *byte = l.ir.getInt8Ty();
  if (int64_t start = op.getStart() * bytes) {
    view.pointer = l.ir.CreateConstGEP1_64(byte, view.pointer, start);
    view.align = std::min<int64_t>(view.align, start & -start);
  }
  if (Value offset = op.getOffset()) {
    llvm::Value *delta =
        l.ir.CreateMul(l.scalar(offset), l.ir.getInt64(bytes));
    view.pointer = l.ir.CreateGEP(byte, view.pointer, delta);
    view.align = bytes;
  }
  l.setView(op, view);
  return success();
}

LogicalResult tile::lowerLoad(Lowering &l, LoadOp op) {
  IRBuilder &ir = l.ir;
  LayoutAttr layout = tile::getLayout(op);
  Access access(l, op.getView(), layout, op.getOffsets(), op.getInBounds(),
                op.getDivisible(), op.getPredicate());
  llvm::Type *registerType =
      getRegisterType(access.elementType, ir.getContext());
  llvm::Value *pad = op.getPadAttr()
                         ? makeRegisterConstant(l, op.getPadAttr())
                         : llvm::Constant::getNullValue(registerType);
  Registers values(layout.getNumRegisters());
  access.forEach(0, [&](ArrayRef<unsigned> regs) {
    llvm::Value *address = access.address(regs[0]);
    llvm::Value *mask = access.mask(regs[0]);
    // Outside: read the view's first element instead, which is always there,
    // and is in the cache; so that no branch stands between loads.
    if (mask)
      address = ir.CreateSelect(mask, address, access.view.pointer);
    llvm::LoadInst *load =
        ir.CreateAlignedLoad(access.accessType(), address, access.align());
    if (access.view.readonly)
      load->setMetadata(llvm::LLVMContext::MD_invariant_load,
                        llvm::MDNode::get(ir.getContext(), {}));
    for (auto [i, reg] : llvm::enumerate(regs)) {
      llvm::Value *value =
          regs.size() == 1 ? load : ir.CreateExtractElement(load, i);
      value = access.fromMemory(value);
      values[reg] = mask ? ir.CreateSelect(mask, value, pad) : value;
    }
  });
  l.setRegisters(op, std::move(values));
  return success();
}

LogicalResult tile::lowerStore(Lowering &l, StoreOp op) {
  IRBuilder &ir = l.ir;
  LayoutAttr layout = tile::getLayout(op.getValue());
  if (!layout)
    return op.emitOpError() << "stores a tile without a layout";
  Access access(l, op.getView(), layout, op.getOffsets(), op.getInBounds(),
                op.getDivisible(), op.getPredicate());
  uint64_t copies = 0;
  llvm::Value *owner = l.isOwner(layout, copies);
  const Registers &values = l.registers(op.getValue());
  // One branch for all stores that have the same condition.
  llvm::MapVector<llvm::Value *, SmallVector<SmallVector<unsigned>>> groups;
  access.forEach(copies, [&](ArrayRef<unsigned> regs) {
    groups[access.mask(regs[0])].push_back(SmallVector<unsigned>(regs));
  });
  for (auto &[mask, stores] : groups) {
    llvm::Value *condition = mask;
    if (owner)
      condition = mask ? ir.CreateAnd(mask, owner) : owner;
    l.ifThen(condition, [&, &stores = stores] {
      for (ArrayRef<unsigned> regs : stores) {
        llvm::Value *value = nullptr;
        if (regs.size() == 1) {
          value = access.toMemory(values[regs[0]]);
        } else {
          value = llvm::PoisonValue::get(access.accessType());
          for (auto [i, reg] : llvm::enumerate(regs))
            value =
                ir.CreateInsertElement(value, access.toMemory(values[reg]), i);
        }
        ir.CreateAlignedStore(value, access.address(regs[0]), access.align());
      }
    });
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Asynchronous copies
//===----------------------------------------------------------------------===//

LogicalResult tile::lowerAsyncCopy(Lowering &l, AsyncCopyOp op) {
  IRBuilder &ir = l.ir;
  SharedType buffer = op.getBuffer().getType();
  ViewType view = op.getView().getType();
  int64_t bytes = tile::getElementBytes(buffer.getElementType());
  LayoutAttr layout = op.getLayoutAttr();
  if (!layout) {
    // Along the contiguous dimension of global memory first.
    SmallVector<unsigned> order;
    for (unsigned d = buffer.getRank(); d-- > 0;)
      order.push_back(d);
    llvm::stable_sort(order, [&](unsigned a, unsigned b) {
      return view.getStrides()[a] == 1 && view.getStrides()[b] != 1;
    });
    layout = LayoutAttr::get(
        op.getContext(),
        coalescedLayout(buffer.getShape(), std::max<int64_t>(1, 16 / bytes),
                        l.func.getLaunch().getWarps(), order));
  }
  Access access(l, op.getView(), layout, op.getOffsets(), op.getInBounds(),
                op.getDivisible(), Value());
  SharedPlace place(l, layout.getMap(), buffer.getLayout().getMap(), bytes,
                    l.sharedOffset(op.getBuffer()));
  // What is contiguous on both sides.
  unsigned common = 0;
  ArrayRef<unsigned> global = access.vectorRegisters();
  ArrayRef<unsigned> local = place.vectorRegisters();
  while (common < global.size() && common < local.size() &&
         global[common] == local[common])
    ++common;
  access.limitVector(common);
  int64_t size = access.vector() * bytes;
  uint64_t copies = 0;
  llvm::Value *owner = l.isOwner(layout, copies);
  bool async = size == 4 || size == 8 || size == 16;
  std::string name = "cp_async_" + std::to_string(size);
  l.ifThen(owner, [&] {
    access.forEach(copies, [&](ArrayRef<unsigned> regs) {
      llvm::Value *from = access.address(regs[0]);
      llvm::Value *mask = access.mask(regs[0]);
      llvm::Value *to = place.pointer(regs[0]);
      if (mask)
        from = ir.CreateSelect(mask, from, access.view.pointer);
      if (async && mask) {
        ir.CreateCall(declarePtxInstruction(l.module, name + "_zfill"),
                      {to, from, ir.CreateSelect(mask, l.i32(size), l.i32(0))});
      } else if (async) {
        ir.CreateCall(declarePtxInstruction(l.module, name), {to, from});
      } else {
        llvm::Value *value = ir.CreateAlignedLoad(access.accessType(), from,
                                                  access.align());
        if (mask)
          value = ir.CreateSelect(
              mask, value, llvm::Constant::getNullValue(value->getType()));
        ir.CreateAlignedStore(value, to, access.align());
      }
    });
  });
  return success();
}

LogicalResult tile::lowerAsyncCommit(Lowering &l, AsyncCommitOp) {
  l.ir.CreateCall(declarePtxInstruction(l.module, "cp_async_commit"), {});
  return success();
}

LogicalResult tile::lowerAsyncWait(Lowering &l, AsyncWaitOp op) {
  llvm::Function *wait = declarePtxInstruction(
      l.module, "cp_async_wait_" + std::to_string(op.getPending()));
  if (!wait)
    return op.emitOpError() << "waits for more pending groups than there is an "
                               "instruction for";
  l.ir.CreateCall(wait, {});
  return success();
}
