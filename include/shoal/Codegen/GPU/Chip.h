// What code generation must know about an NVIDIA chip.
#ifndef SHOAL_CODEGEN_GPU_CHIP_H
#define SHOAL_CODEGEN_GPU_CHIP_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace shoal::gpu {

struct Chip {
  llvm::StringRef name; ///< "sm_90a"
  unsigned number;      ///< 90
  /// 0; 'a': the chip's own instructions, for this chip only; 'f': its family's.
  char variant;
  /// PTX version x 10 that the code is written in (LLVM's feature +ptxNN): the
  /// lowest that has the chip, so that old drivers read it.
  unsigned ptx;
  unsigned sharedBytes;     ///< most dynamic shared memory of a block
  unsigned multiprocessors; ///< of the largest product, for grid sizes

  // What is there beyond sm_80 (cp.async, ldmatrix, mma.sync with bf16).
  bool hasFp8Mma() const { return number >= 89; }
  bool hasClusters() const { return number >= 90; }
  bool hasTma() const { return number >= 90; }
  bool hasWgmma() const { return number == 90 && variant == 'a'; }
  bool hasTcgen05() const {
    return variant && (number / 10 == 10 || number / 10 == 11);
  }
};

/// All chips that code can be made for, oldest first.
llvm::ArrayRef<Chip> getChips();
/// Null if there is none of that name.
const Chip *findChip(llvm::StringRef name);
/// "sm_80, sm_86, …": for messages.
std::string chipList();
/// What --target=cuda compiles for where no chip is given.
inline constexpr llvm::StringLiteral kDefaultChip = "sm_90a";

} // namespace shoal::gpu

#endif // SHOAL_CODEGEN_GPU_CHIP_H
