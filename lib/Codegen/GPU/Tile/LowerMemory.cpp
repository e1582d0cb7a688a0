// Global memory: which vector accesses a load or store becomes, and its edges.

#include "TileLowering.h"

#include "shoal/Codegen/GPU/TileLayouts.h"

#include "../../CPU/Scalar.h"

#include "llvm/IR/IntrinsicsNVPTX.h"
#include "llvm/Support/MathExtras.h"

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

namespace {
/// The accesses of one load or store.
class Access {
public:
  Access(Lowering &l, Value view, LayoutAttr layout, OperandRange offsets,
         std::optional<ArrayRef<bool>> inBounds,
         std::optional<ArrayRef<int64_t>> divisible, Value predicate)
      : l(l), ir(l.ir), view(l.view(view)),
        type(cast<ViewType>(view.getType())), layout(layout),
        elementType(type.getElementType()),
        memoryType(
            cpu::getMemoryType(elementType, l.ir.getContext())),
        bytes(tile::getElementBytes(elementType)) {
    if (predicate)
      this->predicate = l.scalar(predicate);
    for (Value offset : offsets)
      this->offsets.push_back(l.scalar(offset));
    for (int64_t d = 0; d < type.getRank(); ++d)
      bounded.push_back(inBounds && (*inBounds)[d]);
    chooseVector(divisible);
    computeBase();
  }

  unsigned vector() const { return 1u << vectorBits.size(); }

  /// Calls `access` with the register numbers of each vector, in order of
  /// their addresses. `skip`: register bits that only repeat others.
  void forEach(uint64_t skip,
               llvm::function_ref<void(ArrayRef<unsigned>)> access) {
    unsigned vectorMask = 0;
    for (unsigned bit : vectorBits)
      vectorMask |= 1u << bit;
    for (unsigned reg = 0, n = layout.getNumRegisters(); reg < n; ++reg) {
      if (reg & (vectorMask | skip))
        continue;
      SmallVector<unsigned> regs;
      for (unsigned i = 0; i < vector(); ++i) {
        unsigned r = reg;
        for (auto [place, bit] : llvm::enumerate(vectorBits))
          if (i >> place & 1)
            r |= 1u << bit;
        regs.push_back(r);
      }
      access(regs);
    }
  }

  llvm::Value *address(unsigned reg) {
    int64_t constant = 0;
    SmallVector<int64_t> coords = l.registerCoordinates(layout, reg);
    llvm::Value *pointer = base;
    for (auto [d, coord] : llvm::enumerate(coords)) {
      if (!coord || !type.getStrides()[d])
        continue;
      if (l.isDisjoint(layout, d)) {
        constant += coord * type.getStrides()[d];
        continue;
      }
      // Not part of the base: thread and register bits meet.
      llvm::Value *index =
          ir.CreateXor(l.threadCoordinates(layout)[d], l.i32(coord));
      index = ir.CreateSub(index, l.threadCoordinates(layout)[d]);
      pointer = ir.CreateGEP(
          ir.getInt8Ty(), pointer,
          ir.CreateMul(ir.CreateSExt(index, ir.getInt64Ty()),
                       ir.getInt64(type.getStrides()[d] * bytes)));
    }
    if (!constant)
      return pointer;
    return ir.CreateConstGEP1_64(ir.getInt8Ty(), pointer, constant * bytes);
  }

  /// i1: register `reg` lies inside the shape; null if it always does.
  llvm::Value *mask(unsigned reg) {
    llvm::Value *all = predicate;
    SmallVector<int64_t> coords = l.registerCoordinates(layout, reg);
    for (int64_t d = 0; d < type.getRank(); ++d) {
      if (bounded[d])
        continue;
      llvm::Value *&known = masks[{unsigned(d), coords[d]}];
      if (!known) {
        llvm::Value *index = l.coordinate(layout, d, reg);
        index = ir.CreateAdd(index, offsets[d]);
        int64_t size = type.getShape()[d];
        known = size > INT32_MAX
                    ? ir.CreateICmpULT(ir.CreateZExt(index, ir.getInt64Ty()),
                                       ir.getInt64(size))
                    : ir.CreateICmpULT(index, l.i32(size));
      }
      if (auto *constant = dyn_cast<llvm::ConstantInt>(known);
          constant && constant->isOne())
        continue;
      all = all ? ir.CreateAnd(all, known) : known;
    }
    return all;
  }

  llvm::Type *accessType() const {
    return vector() == 1 ? memoryType
                         : llvm::FixedVectorType::get(memoryType, vector());
  }
  llvm::Align align() const {
    return llvm::Align(std::max<int64_t>(bytes, 1) * vector());
  }

  /// Element of memory type to register type and back.
  llvm::Value *fromMemory(llvm::Value *value) {
    if (elementType.isInteger(1))
      return ir.CreateICmpNE(value, llvm::ConstantInt::get(memoryType, 0));
    if (isa<IntegerType>(elementType))
      return ir.CreateTrunc(value,
                            getRegisterType(elementType, ir.getContext()));
    return value;
  }
  llvm::Value *toMemory(llvm::Value *value) {
    if (!isa<IntegerType>(elementType))
      return value;
    return cpu::isUnsigned(elementType) ? ir.CreateZExt(value, memoryType)
                                        : ir.CreateSExt(value, memoryType);
  }

  Lowering &l;
  IRBuilder &ir;
  Lowering::View view;
  ViewType type;
  LayoutAttr layout;
  Type elementType;
  llvm::Type *memoryType;
  int64_t bytes;
  llvm::Value *predicate = nullptr;

private:
  /// The widest access that alignment, edges and the layout allow.
  void chooseVector(std::optional<ArrayRef<int64_t>> divisible) {
    ArrayRef<int64_t> strides = type.getStrides(), shape = type.getShape();
    SmallVector<int64_t> tileShape = layout.getMap().outShape();
    int dim = -1;
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (strides[d] == 1 && tileShape[d] > 1)
        dim = d;
    if (dim < 0)
      return;
    vectorBits =
        vectorRegisterBits(layout.getMap(), dim, std::max<int64_t>(16 / bytes, 1));
    auto fits = [&](int64_t elements) {
      int64_t size = elements * bytes;
      if (view.align % size != 0)
        return false;
      for (int64_t d = 0; d < type.getRank(); ++d) {
        int64_t unit = divisible ? (*divisible)[d] : 1;
        if (auto *constant = dyn_cast<llvm::ConstantInt>(offsets[d]))
          unit = constant->isZero() ? elements : constant->getSExtValue();
        if (d == dim) {
          if (unit % elements != 0)
            return false;
          // A vector is inside or outside as a whole.
          if (!bounded[d] && shape[d] % elements != 0)
            return false;
          continue;
        }
        bool moves = shape[d] > 1 || tileShape[d] > 1;
        if (moves && strides[d] % elements != 0)
          return false;
      }
      return true;
    };
    while (!vectorBits.empty() && !fits(int64_t(1) << vectorBits.size()))
      vectorBits.pop_back();
  }

  /// The address of the thread's register 0.
  void computeBase() {
    ArrayRef<llvm::Value *> thread = l.threadCoordinates(layout);
    llvm::Value *uniform = nullptr, *own = nullptr;
    auto add = [&](llvm::Value *&sum, llvm::Value *index, int64_t stride) {
      if (stride == 0)
        return;
      if (auto *constant = dyn_cast<llvm::ConstantInt>(index);
          constant && constant->isZero())
        return;
      llvm::Value *term =
          ir.CreateMul(ir.CreateSExt(index, ir.getInt64Ty()),
                       ir.getInt64(stride * bytes), "", false, true);
      sum = sum ? ir.CreateAdd(sum, term, "", false, true) : term;
    };
    for (int64_t d = 0; d < type.getRank(); ++d) {
      add(uniform, offsets[d], type.getStrides()[d]);
      add(own, thread[d], type.getStrides()[d]);
    }
    base = view.pointer;
    if (uniform)
      base = ir.CreateGEP(ir.getInt8Ty(), base, uniform);
    if (own)
      base = ir.CreateGEP(ir.getInt8Ty(), base, own);
  }

  SmallVector<llvm::Value *> offsets;
  SmallVector<bool> bounded;
  SmallVector<unsigned> vectorBits;
  std::map<std::pair<unsigned, int64_t>, llvm::Value *> masks;
  llvm::Value *base = nullptr;
};
} // namespace

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
// Computed indices
//===----------------------------------------------------------------------===//

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
