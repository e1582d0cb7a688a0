// Tiles to and from shared memory, and between layouts.

#include "SharedAccess.h"

#include "shoal/Codegen/GPU/PtxInstructions.h"
#include "shoal/Codegen/GPU/TileLayouts.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::tile;

//===----------------------------------------------------------------------===//
// Addresses
//===----------------------------------------------------------------------===//

SharedPlace::SharedPlace(Lowering &l, const LinearLayout &regs,
                         const LinearLayout &shared, int64_t bytes,
                         llvm::Value *base, int64_t start)
    : l(l), offsets(sharedOffsets(regs, shared)),
      access(analyzeSharedAccess(regs, shared, bytes * 8)), bytes(bytes),
      start(start), base(base) {}

llvm::Value *SharedPlace::pointer(unsigned reg) {
  return pointer(offsets, reg);
}

llvm::Value *SharedPlace::pointer(const LinearLayout &map, unsigned index) {
  int64_t own = map.apply({{kRegister, int64_t(index)}})[0] ^ start;
  int64_t threads = 0;
  for (StringRef in : {StringRef(kLane), StringRef(kWarp)})
    for (unsigned bit = 0; bit < map.inBits(in); ++bit)
      threads |= map.basisOut(in, bit, kOffset);
  // Bits that no thread touches are a constant in the address; the others
  // (of a swizzle) are XORed to the thread's part.
  int64_t mixed = own & threads, constant = own & ~threads;
  llvm::Value *&address = bases[{map.str(), mixed}];
  if (!address) {
    IRBuilder &ir = l.ir;
    llvm::Value *offset = l.threadPart(map, kOffset);
    if (mixed)
      offset = ir.CreateXor(offset, l.i32(mixed));
    if (bytes != 1)
      offset = ir.CreateMul(offset, l.i32(bytes), "", true, true);
    address = l.sharedPointer(ir.CreateAdd(base, offset, "", true, true));
  }
  if (!constant)
    return address;
  return l.ir.CreateConstGEP1_64(l.ir.getInt8Ty(), address, constant * bytes);
}

/// The type in shared memory: whole bytes.
static llvm::Type *sharedType(IRBuilder &ir, llvm::Type *type) {
  if (type->isIntegerTy() && type->getIntegerBitWidth() < 8)
    return ir.getInt8Ty();
  return type;
}

/// Register numbers of each access: those with the vector's bits, in order.
static void forEachVector(unsigned registers, ArrayRef<unsigned> vectorBits,
                          uint64_t skip,
                          llvm::function_ref<void(ArrayRef<unsigned>)> access) {
  unsigned mask = 0;
  for (unsigned bit : vectorBits)
    mask |= 1u << bit;
  for (unsigned reg = 0; reg < registers; ++reg) {
    if (reg & (mask | skip))
      continue;
    SmallVector<unsigned> regs;
    for (unsigned i = 0; i < 1u << vectorBits.size(); ++i) {
      unsigned r = reg;
      for (auto [place, bit] : llvm::enumerate(vectorBits))
        if (i >> place & 1)
          r |= 1u << bit;
      regs.push_back(r);
    }
    access(regs);
  }
}

void tile::storeShared(Lowering &l, const Registers &values,
                       const LinearLayout &regs, const LinearLayout &shared,
                       int64_t bytes, llvm::Value *base) {
  IRBuilder &ir = l.ir;
  SharedPlace place(l, regs, shared, bytes, base);
  llvm::Type *type = sharedType(ir, values[0]->getType());
  // Of several threads that hold an element, one writes it.
  uint64_t copies = 0;
  llvm::Value *owner =
      l.isOwner(LayoutAttr::get(l.func.getContext(), regs), copies);
  l.ifThen(owner, [&] {
    forEachVector(values.size(), place.vectorRegisters(), copies,
                  [&](ArrayRef<unsigned> list) {
      llvm::Value *value = nullptr;
      if (list.size() == 1) {
        value = ir.CreateZExtOrBitCast(values[list[0]], type);
      } else {
        value = llvm::PoisonValue::get(
            llvm::FixedVectorType::get(type, list.size()));
        for (auto [i, reg] : llvm::enumerate(list))
          value = ir.CreateInsertElement(
              value, ir.CreateZExtOrBitCast(values[reg], type), i);
      }
      ir.CreateAlignedStore(value, place.pointer(list[0]),
                            llvm::Align(list.size() * bytes));
    });
  });
}

Registers tile::loadShared(Lowering &l, llvm::Type *registerType,
                           const LinearLayout &regs,
                           const LinearLayout &shared, int64_t bytes,
                           llvm::Value *base, int64_t start) {
  IRBuilder &ir = l.ir;
  SharedPlace place(l, regs, shared, bytes, base, start);
  llvm::Type *type = sharedType(ir, registerType);
  Registers values(regs.inSize(kRegister));
  forEachVector(values.size(), place.vectorRegisters(), 0,
                [&](ArrayRef<unsigned> list) {
    llvm::Type *whole =
        list.size() == 1 ? type
                         : llvm::FixedVectorType::get(type, list.size());
    llvm::Value *load =
        ir.CreateAlignedLoad(whole, place.pointer(list[0]),
                             llvm::Align(list.size() * bytes));
    for (auto [i, reg] : llvm::enumerate(list)) {
      llvm::Value *value =
          list.size() == 1 ? load : ir.CreateExtractElement(load, i);
      values[reg] = ir.CreateTruncOrBitCast(value, registerType);
    }
  });
  return values;
}

//===----------------------------------------------------------------------===//
// local_load, local_store
//===----------------------------------------------------------------------===//

LogicalResult tile::lowerLocalStore(Lowering &l, LocalStoreOp op) {
  SharedType buffer = op.getBuffer().getType();
  LayoutAttr layout = tile::getLayout(op.getValue());
  if (!layout)
    return op.emitOpError() << "stores a tile without a layout";
  storeShared(l, l.registers(op.getValue()), layout.getMap(),
              buffer.getLayout().getMap(),
              tile::getElementBytes(buffer.getElementType()),
              l.sharedOffset(op.getBuffer()));
  return success();
}

LogicalResult tile::lowerLocalLoad(Lowering &l, LocalLoadOp op) {
  IRBuilder &ir = l.ir;
  SharedType buffer = op.getBuffer().getType();
  Type elementType = buffer.getElementType();
  int64_t bytes = tile::getElementBytes(elementType), rank = buffer.getRank();
  LinearLayout regs = tile::getLayout(op).getMap();
  if (auto permutation = op.getPermutation()) {
    // Tile dimension i is buffer dimension permutation[i]: back to the buffer's.
    SmallVector<unsigned> inverse(rank);
    for (auto [i, d] : llvm::enumerate(*permutation))
      inverse[d] = i;
    regs = transposeLayout(regs, inverse);
  }
  const LinearLayout &shared = buffer.getLayout().getMap();
  SmallVector<StringRef> names;
  for (int64_t d = 0; d < rank; ++d)
    if (regs.outSize(tensorDimName(d)) != buffer.getShape()[d])
      regs = regs.resizeOut(tensorDimName(d), buffer.getShape()[d]);
  int64_t start = 0;
  if (auto offsets = op.getOffsets()) {
    LinearLayout inverse = *shared.invert();
    SmallVector<std::string> dims;
    SmallVector<std::pair<StringRef, int64_t>> point;
    for (int64_t d = 0; d < rank; ++d)
      dims.push_back(tensorDimName(d));
    for (int64_t d = 0; d < rank; ++d)
      point.push_back({dims[d], (*offsets)[d]});
    start = inverse.apply(point)[0];
  }

  if (auto matrix = matchMatrixAccess(regs, shared, bytes * 8)) {
    SharedPlace place(l, regs, shared, bytes, l.sharedOffset(op.getBuffer()),
                      start);
    std::string name = "ldmatrix_x" + std::to_string(matrix->count) +
                       (matrix->trans ? "_trans" : "");
    llvm::Function *instruction = declarePtxInstruction(l.module, name);
    llvm::Type *type = getRegisterType(elementType, ir.getContext());
    unsigned perWord = 4 / bytes;
    llvm::Type *packed =
        perWord == 1 ? type : llvm::FixedVectorType::get(type, perWord);
    Registers values(regs.inSize(kRegister));
    for (unsigned i = 0; i < 1u << matrix->instructionBits.size(); ++i) {
      unsigned first = 0;
      for (auto [k, bit] : llvm::enumerate(matrix->instructionBits))
        if (i >> k & 1)
          first |= 1u << bit;
      llvm::Value *words =
          ir.CreateCall(instruction, {place.pointer(matrix->address, i)});
      for (unsigned w = 0; w < matrix->count; ++w) {
        unsigned reg = first;
        for (auto [k, bit] : llvm::enumerate(matrix->matrixBits))
          if (w >> k & 1)
            reg |= 1u << bit;
        llvm::Value *word =
            matrix->count == 1 ? words : ir.CreateExtractValue(words, w);
        word = ir.CreateBitCast(word, packed);
        for (unsigned e = 0; e < perWord; ++e) {
          unsigned r = reg;
          for (auto [k, bit] : llvm::enumerate(matrix->packedBits))
            if (e >> k & 1)
              r |= 1u << bit;
          values[r] = perWord == 1 ? word : ir.CreateExtractElement(word, e);
        }
      }
    }
    if (!llvm::is_contained(values, nullptr)) {
      l.setRegisters(op, std::move(values));
      return success();
    }
  }
  l.setRegisters(op, loadShared(l, getRegisterType(elementType, ir.getContext()),
                                regs, shared, bytes,
                                l.sharedOffset(op.getBuffer()), start));
  return success();
}

//===----------------------------------------------------------------------===//
// convert_layout
//===----------------------------------------------------------------------===//

/// Exchanges a[i] and a[i ^ mask[b]] where lane bit b is set, for all b.
static void swapByLane(Lowering &l, Registers &a, const unsigned (&masks)[5]) {
  for (unsigned b = 0; b < 5; ++b) {
    if (!masks[b])
      continue;
    llvm::Value *set = l.ir.CreateICmpNE(
        l.ir.CreateAnd(l.lane(), l.i32(1 << b)), l.i32(0));
    Registers next;
    for (unsigned i = 0; i < a.size(); ++i)
      next.push_back(l.ir.CreateSelect(set, a[i ^ masks[b]], a[i]));
    a = std::move(next);
  }
}

static Registers shuffleConvert(Lowering &l, const Registers &values,
                                const ConversionPlan &plan) {
  Registers a;
  for (unsigned reg : plan.sendOrder)
    a.push_back(values[reg]);
  swapByLane(l, a, plan.sendXor);
  // The lane to read from: XOR of laneFrom[b] over this lane's bits.
  llvm::Value *from = nullptr;
  bool same = true;
  for (unsigned b = 0; b < 5; ++b)
    same &= plan.laneFrom[b] == 1u << b;
  if (same) {
    from = l.lane();
  } else {
    from = l.i32(0);
    for (unsigned b = 0; b < 5; ++b)
      if (plan.laneFrom[b]) {
        llvm::Value *set = l.ir.CreateICmpNE(
            l.ir.CreateAnd(l.lane(), l.i32(1 << b)), l.i32(0));
        from = l.ir.CreateXor(
            from, l.ir.CreateSelect(set, l.i32(plan.laneFrom[b]), l.i32(0)));
      }
  }
  Registers t;
  for (auto [reg, round] : llvm::zip_equal(plan.sendRegister, plan.roundLane)) {
    if (same && round == 0) {
      t.push_back(a[reg]);
      continue;
    }
    llvm::Value *source =
        round ? l.ir.CreateXor(from, l.i32(round)) : from;
    t.push_back(l.shuffleIndex(a[reg], source));
  }
  swapByLane(l, t, plan.receiveXor);
  Registers result;
  for (unsigned reg : plan.receiveOrder)
    result.push_back(t[reg]);
  return result;
}

LogicalResult tile::lowerConvertLayout(Lowering &l, ConvertLayoutOp op) {
  const LinearLayout &from = tile::getLayout(op.getInput()).getMap();
  const LinearLayout &to = tile::getLayout(op).getMap();
  int64_t bytes = tile::getElementBytes(op.getType().getElementType());
  std::optional<ConversionPlan> plan = planConversion(from, to, bytes * 8);
  if (!plan)
    return op.emitOpError() << "between layouts that no conversion joins";
  const Registers &input = l.registers(op.getInput());
  Registers values;
  switch (plan->kind) {
  case ConversionPlan::Kind::None:
    values = input;
    break;
  case ConversionPlan::Kind::Registers:
    for (unsigned source : plan->sources)
      values.push_back(input[source]);
    break;
  case ConversionPlan::Kind::Shuffle:
    values = shuffleConvert(l, input, *plan);
    break;
  case ConversionPlan::Kind::Shared: {
    llvm::Type *type =
        getRegisterType(op.getType().getElementType(), l.ir.getContext());
    llvm::Value *base = l.i32(l.beginScratch(plan->sharedBytes));
    storeShared(l, input, from, plan->shared, bytes, base);
    l.barrier();
    values = loadShared(l, type, to, plan->shared, bytes, base);
    break;
  }
  }
  l.setRegisters(op, std::move(values));
  return success();
}
