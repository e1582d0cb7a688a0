// How a tile in registers meets a buffer in shared memory.
#ifndef SHOAL_LIB_CODEGEN_GPU_TILE_SHAREDACCESS_H
#define SHOAL_LIB_CODEGEN_GPU_TILE_SHAREDACCESS_H

#include "TileLowering.h"

#include "shoal/Codegen/GPU/SharedLayouts.h"

#include <map>

namespace shoal::tile {

/// Addresses of a register layout's elements in a shared layout.
class SharedPlace {
public:
  /// `regs` and `shared` have the same outputs. `base`: byte offset (i32) of the
  /// buffer; `start`: XORed to element offsets (the part of a buffer that is
  /// accessed, whose bits no element of the tile touches).
  SharedPlace(Lowering &l, const LinearLayout &regs,
              const LinearLayout &shared, int64_t bytes, llvm::Value *base,
              int64_t start = 0);

  /// Register bits of the widest access (at most 16 bytes).
  llvm::ArrayRef<unsigned> vectorRegisters() const { return access.vectorBits; }
  unsigned vector() const { return 1u << access.vectorBits.size(); }
  /// Pointer to the element of a register.
  llvm::Value *pointer(unsigned reg);
  /// Pointer to an element whose offset is `map` at register input `index`.
  llvm::Value *pointer(const LinearLayout &map, unsigned index);

private:
  Lowering &l;
  LinearLayout offsets;
  SharedAccess access;
  int64_t bytes, start;
  llvm::Value *base;
  std::map<std::pair<std::string, int64_t>, llvm::Value *> bases;
};

/// Stores and loads of whole tiles, without barriers.
void storeShared(Lowering &l, const Registers &values, const LinearLayout &regs,
                 const LinearLayout &shared, int64_t bytes, llvm::Value *base);
Registers loadShared(Lowering &l, llvm::Type *registerType,
                     const LinearLayout &regs, const LinearLayout &shared,
                     int64_t bytes, llvm::Value *base, int64_t start = 0);

} // namespace shoal::tile

#endif // SHOAL_LIB_CODEGEN_GPU_TILE_SHAREDACCESS_H
