// The scalar functions of this folder inside compiled kernels.
#ifndef SHOAL_LIB_CODEGEN_KERNELMATH_KERNELMATH_H
#define SHOAL_LIB_CODEGEN_KERNELMATH_KERNELMATH_H

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

namespace shoal::kernelmath {

/// Calls the function `name` of Entries.cpp ("shoal_exp_f32"), declaring it in
/// the module as pure. Types of parameters are those of the arguments.
llvm::Value *call(llvm::IRBuilderBase &ir, llvm::StringRef name,
                  llvm::Type *result, llvm::ArrayRef<llvm::Value *> arguments);

/// The same for complex functions: returns the two parts, of the type of the
/// first argument.
std::pair<llvm::Value *, llvm::Value *>
callComplex(llvm::IRBuilderBase &ir, llvm::StringRef name,
            llvm::ArrayRef<llvm::Value *> arguments);

/// Gives every function of Entries.cpp that `module` declares its body and
/// inlines it wherever it is called. Call it once per module, after emission
/// and before optimisation; the module then has no trace of this library but
/// for rare slow paths (huge arguments of double trigonometry), which stay
/// internal functions. Takes the module's own data layout and triple.
void link(llvm::Module &module);

/// The library itself, for tests: all functions, external, for the context.
std::unique_ptr<llvm::Module> loadLibrary(llvm::LLVMContext &context);

} // namespace shoal::kernelmath

#endif // SHOAL_LIB_CODEGEN_KERNELMATH_KERNELMATH_H
