// How a tile in registers meets a view of global memory: vector accesses,
// addresses, edges.
#ifndef SHOAL_LIB_CODEGEN_GPU_TILE_MEMORYACCESS_H
#define SHOAL_LIB_CODEGEN_GPU_TILE_MEMORYACCESS_H

#include "TileLowering.h"

#include "shoal/Codegen/GPU/TileLayouts.h"

#include "../../CPU/Scalar.h"

#include <map>

namespace shoal::tile {

/// The accesses of one load or store.
class Access {
public:
  Access(Lowering &l, mlir::Value view, LayoutAttr layout, mlir::OperandRange offsets,
         std::optional<llvm::ArrayRef<bool>> inBounds,
         std::optional<llvm::ArrayRef<int64_t>> divisible, mlir::Value predicate)
      : l(l), ir(l.ir), view(l.view(view)),
        type(mlir::cast<ViewType>(view.getType())), layout(layout),
        elementType(type.getElementType()),
        memoryType(
            cpu::getMemoryType(elementType, l.ir.getContext())),
        bytes(tile::getElementBytes(elementType)) {
    if (predicate)
      this->predicate = l.scalar(predicate);
    for (mlir::Value offset : offsets)
      this->offsets.push_back(l.scalar(offset));
    for (int64_t d = 0; d < type.getRank(); ++d)
      bounded.push_back(inBounds && (*inBounds)[d]);
    chooseVector(divisible);
    computeBase();
  }

  unsigned vector() const { return 1u << vectorBits.size(); }
  /// Register bits within a vector, from its lowest element bit.
  llvm::ArrayRef<unsigned> vectorRegisters() const { return vectorBits; }
  /// At most 1 << bits elements at once.
  void limitVector(unsigned bits) {
    if (vectorBits.size() > bits)
      vectorBits.resize(bits);
  }

  /// Calls `access` with the register numbers of each vector, in order of
  /// their addresses. `skip`: register bits that only repeat others.
  void forEach(uint64_t skip,
               llvm::function_ref<void(llvm::ArrayRef<unsigned>)> access) {
    unsigned vectorMask = 0;
    for (unsigned bit : vectorBits)
      vectorMask |= 1u << bit;
    for (unsigned reg = 0, n = layout.getNumRegisters(); reg < n; ++reg) {
      if (reg & (vectorMask | skip))
        continue;
      llvm::SmallVector<unsigned> regs;
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
    llvm::SmallVector<int64_t> coords = l.registerCoordinates(layout, reg);
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
    llvm::SmallVector<int64_t> coords = l.registerCoordinates(layout, reg);
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
      if (auto *constant = llvm::dyn_cast<llvm::ConstantInt>(known);
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
    if (mlir::isa<mlir::IntegerType>(elementType))
      return ir.CreateTrunc(value,
                            getRegisterType(elementType, ir.getContext()));
    return value;
  }
  llvm::Value *toMemory(llvm::Value *value) {
    if (!mlir::isa<mlir::IntegerType>(elementType))
      return value;
    return cpu::isUnsigned(elementType) ? ir.CreateZExt(value, memoryType)
                                        : ir.CreateSExt(value, memoryType);
  }

  Lowering &l;
  IRBuilder &ir;
  Lowering::View view;
  ViewType type;
  LayoutAttr layout;
  mlir::Type elementType;
  llvm::Type *memoryType;
  int64_t bytes;
  llvm::Value *predicate = nullptr;

private:
  /// The widest access that alignment, edges and the layout allow.
  void chooseVector(std::optional<llvm::ArrayRef<int64_t>> divisible) {
    llvm::ArrayRef<int64_t> strides = type.getStrides(), shape = type.getShape();
    llvm::SmallVector<int64_t> tileShape = layout.getMap().outShape();
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
        if (auto *constant = llvm::dyn_cast<llvm::ConstantInt>(offsets[d]))
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
    llvm::ArrayRef<llvm::Value *> thread = l.threadCoordinates(layout);
    llvm::Value *uniform = nullptr, *own = nullptr;
    auto add = [&](llvm::Value *&sum, llvm::Value *index, int64_t stride) {
      if (stride == 0)
        return;
      if (auto *constant = llvm::dyn_cast<llvm::ConstantInt>(index);
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

  llvm::SmallVector<llvm::Value *> offsets;
  llvm::SmallVector<bool> bounded;
  llvm::SmallVector<unsigned> vectorBits;
  std::map<std::pair<unsigned, int64_t>, llvm::Value *> masks;
  llvm::Value *base = nullptr;
};

} // namespace shoal::tile

#endif // SHOAL_LIB_CODEGEN_GPU_TILE_MEMORYACCESS_H
