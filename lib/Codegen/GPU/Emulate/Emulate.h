// The steps of emulateKernels, each in its own file.
#ifndef SHOAL_LIB_CODEGEN_GPU_EMULATE_EMULATE_H
#define SHOAL_LIB_CODEGEN_GPU_EMULATE_EMULATE_H

#include "llvm/ADT/DenseMap.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

#include <string>

namespace shoal::gpu::emulate {

/// The places of the program that errors speak of: the text of instructions as
/// they were before anything was changed, and one ShoalEmuSite for each that
/// calls the emulator (test/Emulator/Core/Abi.h).
class Sites {
public:
  explicit Sites(llvm::Module &module);

  /// A new site for the instruction; `name` is the operation, may be empty;
  /// `slots`: how many of arguments, and of results in the upper half.
  llvm::Constant *add(const llvm::Instruction *instruction,
                      llvm::StringRef name, uint32_t slots = 0);

private:
  llvm::Constant *string(llvm::StringRef text);

  llvm::Module &module;
  llvm::StructType *type;
  llvm::DenseMap<const llvm::Instruction *, std::string> texts;
  llvm::StringMap<llvm::Constant *> strings;
  unsigned count = 0;
};

/// Puts a check before every access to memory that is not the thread's own.
void checkAccesses(llvm::Module &module, Sites &sites);

/// Calls of nvvm intrinsics and of shoal_ptx_* become calls of the emulator.
llvm::Error lowerInstructions(llvm::Module &module, Sites &sites);

/// @shoal_smem becomes the block's shared memory.
llvm::Error lowerSharedMemory(llvm::Module &module);

/// Kernels get host entry points that run them for every thread, or once.
void addLaunchEntries(llvm::Module &module, bool singleThread);

} // namespace shoal::gpu::emulate

#endif // SHOAL_LIB_CODEGEN_GPU_EMULATE_EMULATE_H
