//===- PtxInstructions.h - The one table of GPU instructions by asm -------===//
//
// GPU instructions for which LLVM has no good intrinsic are calls of functions
// `shoal_ptx_NAME`, declared from this table while kernels are made, and given
// their bodies (inline assembly, always inlined) just before the NVPTX
// backend. The emulator of the tests gives them other bodies. Nobody writes
// inline assembly anywhere else.
//
//===----------------------------------------------------------------------===//

#ifndef SHOAL_CODEGEN_GPU_PTXINSTRUCTIONS_H
#define SHOAL_CODEGEN_GPU_PTXINSTRUCTIONS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace llvm {
class Function;
class FunctionType;
class LLVMContext;
class Module;
} // namespace llvm

namespace shoal {

inline constexpr llvm::StringLiteral kPtxPrefix = "shoal_ptx_";

struct PtxInstruction {
  /// What memory the instruction touches.
  enum class Memory { None, Read, Write };

  std::string name; // without the prefix
  /// "RESULTS(PARAMETERS)", one letter each: h i16, i i32, l i64, f f32,
  /// d f64, p a pointer to global memory, s a pointer to shared memory. No
  /// result is void, several are a literal struct.
  std::string signature;
  /// Operands $0, $1, …: results first, then parameters.
  std::string assembly;
  Memory memory = Memory::None;
  /// All lanes of the warp must execute it together.
  bool convergent = false;
  /// The lowest chip (80, 89, 90, 100), and whether it exists only in the
  /// architecture's own feature set (sm_90a, sm_100a).
  unsigned chip = 80;

  llvm::StringRef results() const;
  llvm::StringRef parameters() const;
};

/// All instructions, in the table's order.
llvm::ArrayRef<PtxInstruction> ptxInstructions();

/// The instruction of this name (with or without the prefix), or null.
const PtxInstruction *findPtxInstruction(llvm::StringRef name);

/// The function's type in LLVM IR.
llvm::FunctionType *ptxFunctionType(llvm::LLVMContext &context,
                                    const PtxInstruction &instruction);

/// Declares `shoal_ptx_NAME` in `module` with its attributes, or returns the
/// function that is there. Null for a name that is not in the table.
llvm::Function *declarePtxInstruction(llvm::Module &module,
                                      llvm::StringRef name);

/// Gives every declared `shoal_ptx_*` of `module` its inline assembly and the
/// attributes of the table. False if one is not in the table or `chip` (80,
/// 90, …) lacks it; `error` then says which.
bool definePtxInstructions(llvm::Module &module, unsigned chip,
                           std::string &error);

} // namespace shoal

#endif // SHOAL_CODEGEN_GPU_PTXINSTRUCTIONS_H
