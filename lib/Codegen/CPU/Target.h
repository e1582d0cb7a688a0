// LLVM's part: the target machine, the optimisation pipeline, object files.
#ifndef SHOAL_LIB_CODEGEN_CPU_TARGET_H
#define SHOAL_LIB_CODEGEN_CPU_TARGET_H

#include "shoal/Codegen/CPU/KernelCompiler.h"

#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"

#include <memory>

namespace shoal::cpu {

/// Makes a target machine for the options; an error names what LLVM does not
/// know. Not thread safe to use one from several threads: make one for each.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
makeTargetMachine(const KernelCompileOptions &options);

/// Optimises a module of kernels in place.
void optimize(llvm::Module &module, llvm::TargetMachine &machine,
              unsigned optLevel);

/// Machine code of a module as an ELF relocatable.
llvm::Error emitObject(llvm::Module &module, llvm::TargetMachine &machine,
                       llvm::SmallVectorImpl<char> &object);

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_TARGET_H
