// LLVM's part: from a module of kernels to PTX.
#ifndef SHOAL_LIB_CODEGEN_GPU_BACKEND_H
#define SHOAL_LIB_CODEGEN_GPU_BACKEND_H

#include "shoal/Codegen/GPU/Chip.h"

#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"

#include <memory>
#include <string>

namespace shoal::gpu {

/// One per thread that compiles.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
makeTargetMachine(const Chip &chip);

/// Links the scalar functions (KernelMath), replaces what the back end cannot
/// select, and optimises. GPU instructions stay calls of shoal_ptx_*.
void optimize(llvm::Module &module, llvm::TargetMachine &machine);

/// Gives the instructions their assembly and prints PTX.
llvm::Expected<std::string> emitPtx(llvm::Module &module,
                                    llvm::TargetMachine &machine,
                                    const Chip &chip);

} // namespace shoal::gpu

#endif // SHOAL_LIB_CODEGEN_GPU_BACKEND_H
