// Memory at computed indices, atomics.

#include "TileLowering.h"

#include "../../CPU/Scalar.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::tile;

/// Address of the element at the register's indices, and whether it is inside.
static std::pair<llvm::Value *, llvm::Value *>
indexedAddress(Lowering &l, Value viewValue, OperandRange indices,
               unsigned reg) {
  IRBuilder &ir = l.ir;
  auto type = cast<ViewType>(viewValue.getType());
  int64_t bytes = tile::getElementBytes(type.getElementType());
  llvm::Value *offset = ir.getInt64(0), *inside = nullptr;
  for (auto [d, index] : llvm::enumerate(indices)) {
    llvm::Value *i = ir.CreateSExt(l.registers(index)[reg], ir.getInt64Ty());
    llvm::Value *good = ir.CreateICmpULT(i, ir.getInt64(type.getShape()[d]));
    inside = inside ? ir.CreateAnd(inside, good) : good;
    offset = ir.CreateAdd(
        offset, ir.CreateMul(i, ir.getInt64(type.getStrides()[d] * bytes)));
  }
  llvm::Value *address =
      ir.CreateGEP(ir.getInt8Ty(), l.view(viewValue).pointer, offset);
  return {address, inside};
}

LogicalResult tile::lowerGather(Lowering &l, GatherOp op) {
  IRBuilder &ir = l.ir;
  LayoutAttr layout = tile::getLayout(op);
  Type element = op.getType().getElementType();
  llvm::Type *memory = cpu::getMemoryType(element, ir.getContext());
  llvm::Type *type = getRegisterType(element, ir.getContext());
  llvm::Value *pad = op.getPadAttr() ? makeRegisterConstant(l, op.getPadAttr())
                                     : llvm::Constant::getNullValue(type);
  const Lowering::View &view = l.view(op.getView());
  Registers values;
  for (unsigned reg = 0, n = layout.getNumRegisters(); reg < n; ++reg) {
    auto [address, inside] =
        indexedAddress(l, op.getView(), op.getIndices(), reg);
    if (inside)
      address = ir.CreateSelect(inside, address, view.pointer);
    llvm::LoadInst *load = ir.CreateAlignedLoad(
        memory, address, llvm::Align(tile::getElementBytes(element)));
    if (view.readonly)
      load->setMetadata(llvm::LLVMContext::MD_invariant_load,
                        llvm::MDNode::get(ir.getContext(), {}));
    llvm::Value *value = load;
    if (element.isInteger(1))
      value = ir.CreateICmpNE(value, llvm::ConstantInt::get(memory, 0));
    else if (isa<IntegerType>(element))
      value = ir.CreateTrunc(value, type);
    values.push_back(inside ? ir.CreateSelect(inside, value, pad) : value);
  }
  l.setRegisters(op, std::move(values));
  return success();
}

LogicalResult tile::lowerScatter(Lowering &l, ScatterOp op) {
  IRBuilder &ir = l.ir;
  LayoutAttr layout = tile::getLayout(op.getValue());
  Type element = op.getValue().getType().getElementType();
  llvm::Type *memory = cpu::getMemoryType(element, ir.getContext());
  bool isFloat = isa<FloatType>(element), isUnsigned = cpu::isUnsigned(element);
  using RMW = llvm::AtomicRMWInst;
  std::optional<RMW::BinOp> kind;
  switch (op.getKind()) {
  case ScatterKind::Store:
    break;
  case ScatterKind::Add:
    kind = isFloat ? RMW::FAdd : RMW::Add;
    break;
  case ScatterKind::Min:
    kind = isFloat ? RMW::FMin : isUnsigned ? RMW::UMin : RMW::Min;
    break;
  case ScatterKind::Max:
    kind = isFloat ? RMW::FMax : isUnsigned ? RMW::UMax : RMW::Max;
    break;
  case ScatterKind::And:
    kind = RMW::And;
    break;
  case ScatterKind::Or:
    kind = RMW::Or;
    break;
  case ScatterKind::Xor:
    kind = RMW::Xor;
    break;
  }
  // Only what the hardware does by itself: cas loops on parts of words are
  // neither fast nor, beside other kernels' plain accesses, safe.
  unsigned bits = element.getIntOrFloatBitWidth();
  if (kind && bits != 32 && bits != 64)
    return op.emitOpError() << "combines 32 and 64 bit elements only";
  if (kind && isFloat && *kind != RMW::FAdd)
    return op.emitOpError() << "has no atomic minimum or maximum of floats";
  uint64_t copies = 0;
  llvm::Value *owner = l.isOwner(layout, copies);
  const Registers &values = l.registers(op.getValue());
  for (unsigned reg = 0, n = layout.getNumRegisters(); reg < n; ++reg) {
    if (reg & copies)
      continue;
    auto [address, inside] =
        indexedAddress(l, op.getView(), op.getIndices(), reg);
    llvm::Value *condition = owner && inside ? ir.CreateAnd(owner, inside)
                             : owner         ? owner
                                             : inside;
    llvm::Value *pointer = address;
    l.ifThen(condition, [&] {
      llvm::Value *value = values[reg];
      if (!kind) {
        if (isa<IntegerType>(element))
          value = isUnsigned ? ir.CreateZExt(value, memory)
                             : ir.CreateSExt(value, memory);
        ir.CreateAlignedStore(value, pointer,
                              llvm::Align(tile::getElementBytes(element)));
        return;
      }
      ir.CreateAtomicRMW(
          *kind, pointer, value, llvm::Align(bits / 8),
          llvm::AtomicOrdering::Monotonic,
          ir.getContext().getOrInsertSyncScopeID("device"));
    });
  }
  return success();
}

LogicalResult tile::lowerArrive(Lowering &l, ArriveOp op) {
  IRBuilder &ir = l.ir;
  auto device = ir.getContext().getOrInsertSyncScopeID("device");
  auto fence = [&] {
    ir.CreateFence(llvm::AtomicOrdering::AcquireRelease, device);
  };
  // Writes of all threads, then one thread counts, then all read its result.
  fence();
  int64_t scratch = l.beginScratch(4);
  l.barrier();
  llvm::Value *slot = l.sharedPointer(scratch);
  l.ifThen(l.isThreadZero(), [&] {
    llvm::Value *address = ir.CreateGEP(
        ir.getInt8Ty(), l.view(op.getCounter()).pointer,
        ir.CreateMul(ir.CreateSExt(l.scalar(op.getIndex()), ir.getInt64Ty()),
                     ir.getInt64(4 * op.getCounter().getType().getStrides()[0])));
    // The order comes from the fences: NVPTX drops that of atomicrmw.
    llvm::Value *before = ir.CreateAtomicRMW(
        llvm::AtomicRMWInst::Add, address, l.i32(1), llvm::Align(4),
        llvm::AtomicOrdering::Monotonic, device);
    fence();
    ir.CreateAlignedStore(before, slot, llvm::Align(4));
  });
  l.barrier();
  llvm::Value *before =
      ir.CreateAlignedLoad(ir.getInt32Ty(), slot, llvm::Align(4));
  fence();
  l.setScalar(op, before);
  return success();
}
